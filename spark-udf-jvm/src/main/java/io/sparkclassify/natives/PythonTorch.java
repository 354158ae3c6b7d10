package io.sparkclassify.natives;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/**
 * Asks a Python where its torch is.
 *
 * <p>The working directory of an executor is where {@code ADD FILE} puts what SQL users name, and
 * Python runs a module that it finds there. So it is started elsewhere and isolated: neither the
 * working directory nor {@code PYTHONPATH} nor the user's own packages count, but those that are
 * installed for this Python.
 */
final class PythonTorch {
  private static final int TIMEOUT_SECONDS = 20;
  private static final int LONGEST_PATH = 4096;

  /** Finds the package without importing it, which would take seconds and may fail. */
  private static final String SCRIPT =
      "import importlib.util; torch = importlib.util.find_spec('torch'); "
          + "print(torch.submodule_search_locations[0] if torch else '')";

  private PythonTorch() {}

  /**
   * The folder of torch, or an entry in {@code tried} that says why there is none.
   *
   * @param python a path, or the name of a program
   * @param searchPath the folders in which programs are, as in {@code PATH}; only absolute ones
   *     count
   */
  static Optional<Path> locate(String python, String searchPath, Tried tried) {
    return locate(python, searchPath, TIMEOUT_SECONDS, tried);
  }

  static Optional<Path> locate(String python, String searchPath, int timeoutSeconds, Tried tried) {
    try {
      Optional<Path> program = program(python, searchPath);
      if (program.isEmpty()) {
        tried.add(python + ", which cannot be run (there is no such program in PATH)");
        return Optional.empty();
      }
      return ask(program.get(), timeoutSeconds, tried);
    } catch (IOException absent) {
      tried.add(python + ", which cannot be run (" + absent.getMessage() + ")");
      return Optional.empty();
    } catch (InvalidPathException strange) {
      tried.add(
          python
              + ", which cannot be run ("
              + FileNames.unnameable(python).orElse(strange.getReason())
              + ")");
      return Optional.empty();
    } catch (InterruptedException interrupted) {
      // A cancelled task: its thread must still see the interrupt.
      Thread.currentThread().interrupt();
      tried.add(python + ", interrupted", interrupted);
      return Optional.empty();
    }
  }

  private static Optional<Path> program(String python, String searchPath) {
    if (python.contains("/")) {
      return Optional.of(Path.of(python).toAbsolutePath());
    }
    return Stream.of(searchPath.split(":"))
        .filter(folder -> folder.startsWith("/"))
        .map(folder -> Path.of(folder, python))
        .filter(file -> Files.isRegularFile(file) && Files.isExecutable(file))
        .findFirst();
  }

  private static Optional<Path> ask(Path python, int timeoutSeconds, Tried tried)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(python.toString(), "-I", "-c", SCRIPT)
            .directory(new File("/"))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      process.getOutputStream().close();
      if (!process.waitFor(timeoutSeconds, TimeUnit.SECONDS)) {
        String late = "did not answer in " + timeoutSeconds + " s";
        tried.add(python + ", which " + late, new TimeoutException("Python " + late));
        return Optional.empty();
      }
      // One short line, which a pipe holds. It is not read to its end, which a process that is left
      // behind may keep open.
      InputStream output = process.getInputStream();
      byte[] line = output.readNBytes(Math.min(output.available(), LONGEST_PATH));
      String folder = new String(line, StandardCharsets.UTF_8).strip();
      if (process.exitValue() != 0 || folder.isEmpty()) {
        tried.add(
            python
                + ", which has no torch (packages in PYTHONPATH, the working directory or the"
                + " user's home do not count)");
        return Optional.empty();
      }
      return Optional.of(FileNames.path("the torch of " + python, folder));
    } finally {
      process.destroyForcibly();
    }
  }
}
