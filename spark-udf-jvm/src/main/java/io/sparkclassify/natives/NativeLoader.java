package io.sparkclassify.natives;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sparkclassify.ClassifyException;
import io.sparkclassify.Printable;
import io.sparkclassify.SparkLog;
import io.sparkclassify.threads.TaskKill;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.apache.logging.log4j.Logger;
import org.apache.spark.TaskKilledException;

/**
 * Loads the native libraries: finds what they need, unpacks them, links them and checks that they
 * fit this jar.
 *
 * <p>A backend is loaded once in a JVM. Callers that come meanwhile wait; after a failure the next
 * caller tries again. Nothing here happens in a static initialiser, where a failure would lose its
 * cause.
 */
public final class NativeLoader {
  private static final Map<String, Slot> SLOTS =
      Map.of(
          "onnx", new Slot("onnx", NativeLoader::loadOnnx),
          "pytorch", new Slot("pytorch", NativeLoader::loadTorch));

  private static final TorchSearch TORCH =
      new TorchSearch(NativeLoader::findTorch, System::nanoTime);

  private NativeLoader() {}

  /**
   * The natives of a backend, ready to use.
   *
   * @param backend {@code onnx} or {@code pytorch}
   * @param options count for the first successful call only
   * @throws ClassifyException with condition CLASSIFY_BACKEND_UNAVAILABLE when it cannot be loaded.
   *     When earlier attempts failed for another reason, the first of those is among the suppressed
   *     exceptions.
   * @throws TaskKilledException when this thread is interrupted, or its task killed, while it waits
   *     for another one that loads
   */
  public static NativeEngine load(String backend, NativeOptions options) {
    Slot slot = SLOTS.get(backend);
    if (slot == null) {
      throw new ClassifyException(
          "CLASSIFY_BAD_CONFIGURATION",
          "unknown backend '" + backend + "': use 'pytorch' or 'onnx'");
    }
    return slot.get(options);
  }

  /**
   * Whether this machine has a libtorch that fits, as far as can be told without loading it. The
   * answer may be some minutes old.
   */
  public static boolean findsTorch(NativeOptions options) {
    return TORCH.finds(options.torchHome());
  }

  private static TorchHome findTorch(String home) {
    return TorchHome.find(home, System.getenv(), BuildVersions.read().torch());
  }

  private static NativeEngine loadOnnx(NativeOptions options) {
    String resources = Platform.resourceFolder();
    LibraryFolder folder = LibraryFolder.open(options.directory());
    Path runtime = OnnxRuntime.find(options, folder, resources);
    return start(new OnnxNative(), folder.unpack(resources, "libspark_classify_onnx.so"), runtime);
  }

  private static NativeEngine loadTorch(NativeOptions options) {
    String resources = Platform.resourceFolder();
    TorchHome torch = findTorch(options.torchHome());
    for (Path library : torch.libraries()) {
      try {
        System.load(library.toString());
      } catch (UnsatisfiedLinkError failure) {
        String hint =
            torch.missingCudaLibraries().isEmpty()
                ? explain(library, failure)
                : "This CUDA build of torch needs: "
                    + String.join(", ", torch.missingCudaLibraries())
                    + ".";
        throw notLinked(library, failure, hint);
      }
    }
    LibraryFolder folder = LibraryFolder.open(options.directory());
    NativeEngine natives =
        start(new TorchNative(), folder.unpack(resources, "libspark_classify_torch.so"), null);
    log().info("libtorch {} from {}", torch.version(), Printable.escape(torch.folder().toString()));
    return natives;
  }

  /**
   * Links a library, checks that it belongs to this jar, and initializes it.
   *
   * @param natives an instance of the class whose native methods the library has
   * @param engineLibrary the engine's own library, or null when {@code library} is linked to it
   */
  static NativeEngine start(NativeEngine natives, Path library, Path engineLibrary) {
    try {
      System.load(library.toString());
    } catch (UnsatisfiedLinkError failure) {
      throw notLinked(library, failure, explain(library, failure));
    }
    requireSameBuild(natives, library, BuildVersions.read());
    natives.initialize(
        new ObjectMapper()
            .createObjectNode()
            .put("engine_library", engineLibrary == null ? null : engineLibrary.toString())
            .toString());
    return natives;
  }

  /** The handshake: a library of another build would misread the buffers it is given. */
  static void requireSameBuild(NativeEngine natives, Path library, BuildVersions jar) {
    JsonNode info;
    try {
      info = new ObjectMapper().readTree(natives.buildInfo());
    } catch (JsonProcessingException | UnsatisfiedLinkError failure) {
      throw Unavailable.because(
          library + " is not a library of spark-classify " + jar.version(), failure);
    }
    String version = info.path("version").asText();
    int abi = info.path("abi").asInt();
    if (!version.equals(jar.version()) || abi != jar.abi()) {
      throw Unavailable.because(
          library
              + " is version "
              + version
              + " (ABI "
              + abi
              + "), but the jar is version "
              + jar.version()
              + " (ABI "
              + jar.abi()
              + "): use a jar that was built in one go");
    }
  }

  private static ClassifyException notLinked(
      Path library, UnsatisfiedLinkError failure, String hint) {
    String details =
        Platform.olderSystem(failure)
            .orElse(failure.getMessage() + (hint.isEmpty() ? "" : ". " + hint));
    return Unavailable.because("cannot load " + library, details, failure);
  }

  /** What the linker does not say: which way out there is. */
  private static String explain(Path library, UnsatisfiedLinkError failure) {
    if (Mounts.forbidExecution(library)) {
      return "The file system is mounted noexec; set "
          + NativeOptions.DIRECTORY_KEY
          + " to a folder that allows execution.";
    }
    if (String.valueOf(failure.getMessage()).contains("already loaded in another classloader")) {
      return "Another class loader of this JVM has loaded it, and a JVM loads a library only once:"
          + " give the jar to Spark in one way only, --jars or spark.jars or the class path,"
          + " and without userClassPathFirst.";
    }
    return "";
  }

  private static Logger log() {
    return SparkLog.named(NativeLoader.class.getName());
  }

  /** A backend that is loaded at first use. */
  static final class Slot {
    private final String backend;
    private final Function<NativeOptions, NativeEngine> loader;

    /** Held while it is loaded, which may take long: a network may be slow, or a Python hang. */
    private final ReentrantLock loading = new ReentrantLock();

    private volatile NativeEngine loaded;
    private RuntimeException firstFailure;

    Slot(String backend, Function<NativeOptions, NativeEngine> loader) {
      this.backend = backend;
      this.loader = loader;
    }

    NativeEngine get(NativeOptions options) {
      if (loaded == null) {
        awaitTurn();
        try {
          if (loaded == null) {
            loaded = load(options);
          }
        } finally {
          loading.unlock();
        }
      }
      return loaded;
    }

    private void awaitTurn() {
      try {
        while (!loading.tryLock(TaskKill.CHECK_MILLIS, TimeUnit.MILLISECONDS)) {
          TaskKill.check();
        }
      } catch (InterruptedException interrupted) {
        // Spark interrupts the threads of tasks that it kills.
        Thread.currentThread().interrupt();
        throw new TaskKilledException(
            "interrupted while the native libraries of " + backend + " were being loaded");
      }
    }

    private NativeEngine load(NativeOptions options) {
      try {
        long start = System.nanoTime();
        NativeEngine natives = loader.apply(options);
        long millis = (System.nanoTime() - start) / 1_000_000;
        log().info("The native libraries of {} were loaded in {} ms", backend, millis);
        return natives;
      } catch (RuntimeException failure) {
        if (firstFailure == null) {
          firstFailure = failure;
        } else if (!String.valueOf(failure.getMessage()).equals(firstFailure.getMessage())) {
          failure.addSuppressed(firstFailure);
        }
        throw failure;
      }
    }
  }
}
