package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** An installed libtorch: the one of a Python torch, or of the C++ distribution. */
final class TorchHome {
  static final String MAIN_LIBRARY = "libtorch_cpu.so";

  /**
   * The release that the native library, linked against 2.11, takes as well; it looks again itself.
   */
  private static final String ALSO_TAKEN = "2.12";

  private static final String ENVIRONMENT_KEY = "LIBTORCH";
  private static final Pattern PYTHON_VERSION = Pattern.compile("(?m)^__version__ *= *'([^']+)'");
  private static final Pattern MAJOR_MINOR = Pattern.compile("^(\\d+\\.\\d+)\\..*", Pattern.DOTALL);

  private final Path folder;
  private final String version;

  private TorchHome(Path folder, String version) {
    this.folder = folder;
    this.version = version;
  }

  /** The folder that has {@code lib/libtorch_cpu.so}. */
  Path folder() {
    return folder;
  }

  /** As the installation gives it: {@code 2.11.0+cu130}. */
  String version() {
    return version;
  }

  /**
   * Finds libtorch: {@code configured} alone when it is set, else {@code LIBTORCH}, else the torch
   * of the Python that PySpark uses.
   *
   * @param configured {@code spark.classify.torch.home}, or null
   * @param environment the process's environment
   * @param wanted the version of torch that the native library was linked against; C++ has no
   *     stable ABI, so the minor version must be the same, or one that was tried with it
   * @throws io.sparkclassify.ClassifyException with condition CLASSIFY_BACKEND_UNAVAILABLE when
   *     there is none. Its cause is a TimeoutException or an InterruptedException when Python has
   *     not answered, and so may have one.
   */
  static TorchHome find(String configured, Map<String, String> environment, String wanted) {
    Tried tried = new Tried();
    Optional<TorchHome> found;
    if (configured != null) {
      found =
          at(
              FileNames.path(NativeOptions.TORCH_HOME_KEY, configured),
              NativeOptions.TORCH_HOME_KEY + "=" + configured,
              wanted,
              tried);
    } else {
      found =
          fromEnvironment(environment, wanted, tried)
              .or(() -> fromPython(environment, wanted, tried));
    }
    return found.orElseThrow(
        () ->
            Unavailable.causedBy(
                tried.noAnswer(),
                "no libtorch "
                    + majorMinor(wanted)
                    + " for the backend 'pytorch'. Looked at: "
                    + tried
                    + ". Install it on every executor (pip install torch=="
                    + wanted
                    + ") and set "
                    + NativeOptions.TORCH_HOME_KEY
                    + " to its folder, the one with lib/"
                    + MAIN_LIBRARY
                    + "; or use the backend 'onnx' (spark.classify.backend=onnx), which needs no"
                    + " libtorch."));
  }

  /**
   * The libraries in the order in which they are to be loaded, so that each finds what it needs by
   * name.
   */
  List<Path> libraries() {
    return List.of(library("libc10.so"), library(MAIN_LIBRARY));
  }

  /**
   * Libraries of the CUDA runtime that a CUDA build of torch needs even on the CPU, and that are
   * not where its wheels put them; each with the package to install.
   */
  List<String> missingCudaLibraries() {
    List<String> missing = new ArrayList<>();
    if (version.contains("+cu")) {
      Map<String, String> packages =
          Map.of("libcudart.so", "nvidia-cuda-runtime", "libcupti.so", "nvidia-cuda-cupti");
      packages.forEach(
          (library, name) -> {
            if (!isInWheels(library)) {
              missing.add(library + " (pip install " + name + ")");
            }
          });
    }
    return missing;
  }

  private boolean isInWheels(String library) {
    Path wheels = folder.resolveSibling("nvidia");
    // nvidia/<package>/lib/<library>.<major version>
    try (Stream<Path> files = Files.walk(wheels, 3)) {
      return files.anyMatch(file -> file.getFileName().toString().startsWith(library));
    } catch (IOException absent) {
      return false;
    }
  }

  private Path library(String name) {
    return folder.resolve("lib").resolve(name);
  }

  private static Optional<TorchHome> fromEnvironment(
      Map<String, String> environment, String wanted, Tried tried) {
    String value = environment.get(ENVIRONMENT_KEY);
    if (value == null || value.isEmpty()) {
      tried.add(ENVIRONMENT_KEY + ", which is not set");
      return Optional.empty();
    }
    return at(FileNames.path(ENVIRONMENT_KEY, value), ENVIRONMENT_KEY + "=" + value, wanted, tried);
  }

  private static Optional<TorchHome> fromPython(
      Map<String, String> environment, String wanted, Tried tried) {
    String python = environment.getOrDefault("PYSPARK_PYTHON", "python3");
    return PythonTorch.locate(python, environment.getOrDefault("PATH", ""), tried)
        .flatMap(folder -> at(folder, "the torch of " + python, wanted, tried));
  }

  /**
   * The installation at a folder that is torch's own, or the {@code site-packages} that torch is
   * in.
   */
  private static Optional<TorchHome> at(Path given, String source, String wanted, Tried tried) {
    Path folder =
        Stream.of(given, given.resolve("torch"))
            .map(Path::toAbsolutePath)
            .filter(
                candidate -> Files.isRegularFile(candidate.resolve("lib").resolve(MAIN_LIBRARY)))
            .findFirst()
            .orElse(null);
    if (folder == null) {
      tried.add(source + ", where there is no lib/" + MAIN_LIBRARY);
      return Optional.empty();
    }
    String version = versionOf(folder);
    if (!List.of(majorMinor(wanted), ALSO_TAKEN).contains(majorMinor(version))) {
      tried.add(
          source
              + ", which is version "
              + version
              + " (this jar was built against "
              + wanted
              + ")");
      return Optional.empty();
    }
    return Optional.of(new TorchHome(folder, version));
  }

  /** {@code build-version} is in the C++ distribution, {@code version.py} in the Python package. */
  private static String versionOf(Path folder) {
    Path plain = folder.resolve("build-version");
    try {
      if (Files.exists(plain)) {
        return Files.readString(plain).strip();
      }
      Matcher python = PYTHON_VERSION.matcher(Files.readString(folder.resolve("version.py")));
      return python.find() ? python.group(1) : "unknown";
    } catch (IOException unreadable) {
      return "unknown (" + unreadable + ")";
    }
  }

  private static String majorMinor(String version) {
    Matcher matcher = MAJOR_MINOR.matcher(version);
    return matcher.matches() ? matcher.group(1) : version;
  }
}
