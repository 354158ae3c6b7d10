package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Finds the ONNX Runtime to use. */
final class OnnxRuntime {
  private static final String LIBRARY = "libonnxruntime.so";

  /** The only platform that the Maven artifact {@code onnxruntime_gpu} has libraries for. */
  private static final String GPU_PLATFORM = "native/linux-x86_64";

  /** Where it has them, which find each other by name in one folder. */
  private static final String GPU_RESOURCES = "ai/onnxruntime/native/linux-x64";

  private static final List<String> GPU_LIBRARIES =
      List.of(LIBRARY, "libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so");

  /**
   * Where an installed one has its library: a Python package, site-packages, the C++ distribution,
   * or right there.
   */
  private static final List<String> FOLDERS = List.of("capi", "onnxruntime/capi", "lib", "");

  private OnnxRuntime() {}

  /**
   * The library: the configured one, that of the configured folder, that of {@code onnxruntime_gpu}
   * on the class path, or that of this jar, in this order.
   *
   * @param folder where libraries of jars are unpacked
   * @param resources where this jar has its own
   */
  static Path find(NativeOptions options, LibraryFolder folder, String resources) {
    if (options.onnxRuntimeLibrary() != null) {
      return FileNames.path(NativeOptions.ONNX_RUNTIME_KEY, options.onnxRuntimeLibrary());
    }
    if (options.onnxRuntimeHome() != null) {
      return in(FileNames.path(NativeOptions.ONNX_RUNTIME_HOME_KEY, options.onnxRuntimeHome()));
    }
    if (resources.equals(GPU_PLATFORM)
        && LibraryFolder.hasResource(GPU_RESOURCES, GPU_LIBRARIES.get(2))) {
      return folder.unpackTogether(GPU_RESOURCES, GPU_LIBRARIES).resolve(LIBRARY);
    }
    return folder.unpack(resources, LIBRARY);
  }

  /** The library of an installed ONNX Runtime; Python's has its version in the name. */
  private static Path in(Path home) {
    return FOLDERS.stream()
        .map(home::resolve)
        .flatMap(candidate -> libraryIn(candidate).stream())
        .findFirst()
        .orElseThrow(
            () ->
                Unavailable.because(
                    "no ONNX Runtime in "
                        + home
                        + ": there is no "
                        + LIBRARY
                        + " in it or its folders capi,"
                        + " onnxruntime/capi and lib. "
                        + NativeOptions.ONNX_RUNTIME_HOME_KEY
                        + " is to be the folder of an installed one (of pip install"
                        + " onnxruntime-gpu: site-packages/onnxruntime)"));
  }

  private static Optional<Path> libraryIn(Path folder) {
    if (!Files.isDirectory(folder)) {
      return Optional.empty();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(file -> file.getFileName().toString().matches("libonnxruntime\\.so(\\.[0-9.]+)?"))
          .min(Comparator.naturalOrder());
    } catch (IOException unreadable) {
      return Optional.empty();
    }
  }
}
