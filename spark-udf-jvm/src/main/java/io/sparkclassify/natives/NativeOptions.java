package io.sparkclassify.natives;

/**
 * Where the native libraries are found and put. They are loaded once in a JVM, with the options of
 * the first caller; null means the default.
 */
public final class NativeOptions {

  /** The key of {@code directory}. */
  public static final String DIRECTORY_KEY = "spark.classify.native.dir";

  /** The key of {@code torchHome}. */
  public static final String TORCH_HOME_KEY = "spark.classify.torch.home";

  /** The key of {@code onnxRuntimeLibrary}. */
  public static final String ONNX_RUNTIME_KEY = "spark.classify.onnxruntime.library";

  /** The key of {@code onnxRuntimeHome}. */
  public static final String ONNX_RUNTIME_HOME_KEY = "spark.classify.onnxruntime.home";

  /** Defaults for everything. */
  public static final NativeOptions DEFAULTS = new NativeOptions(null, null, null, null);

  private final String directory;
  private final String torchHome;
  private final String onnxRuntimeLibrary;
  private final String onnxRuntimeHome;

  /**
   * @param directory the folder the jar's libraries are unpacked into ({@code
   *     spark.classify.native.dir}); by default one of the user's own in {@code java.io.tmpdir}
   * @param torchHome the folder of libtorch ({@code spark.classify.torch.home}); by default it is
   *     searched for
   * @param onnxRuntimeLibrary an ONNX Runtime library to use ({@code
   *     spark.classify.onnxruntime.library}); by default that of {@code onnxRuntimeHome}
   * @param onnxRuntimeHome the folder of an installed ONNX Runtime ({@code
   *     spark.classify.onnxruntime.home}); by default the library of the class path's {@code
   *     onnxruntime_gpu} or the jar's own is used
   */
  public NativeOptions(
      String directory, String torchHome, String onnxRuntimeLibrary, String onnxRuntimeHome) {
    this.directory = directory;
    this.torchHome = torchHome;
    this.onnxRuntimeLibrary = onnxRuntimeLibrary;
    this.onnxRuntimeHome = onnxRuntimeHome;
  }

  String directory() {
    return directory;
  }

  String torchHome() {
    return torchHome;
  }

  String onnxRuntimeLibrary() {
    return onnxRuntimeLibrary;
  }

  String onnxRuntimeHome() {
    return onnxRuntimeHome;
  }
}
