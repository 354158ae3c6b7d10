package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Asks a Python where its torch is. */
final class PythonTorch {
  private static final int TIMEOUT_SECONDS = 20;

  /** Finds the package without importing it, which would take seconds and may fail. */
  private static final String SCRIPT =
      "import importlib.util; torch = importlib.util.find_spec('torch'); "
          + "print(torch.submodule_search_locations[0] if torch else '')";

  private PythonTorch() {}

  /** The folder of torch, or an entry in {@code tried} that says why there is none. */
  static Optional<Path> locate(String python, List<String> tried) {
    try {
      Process process =
          new ProcessBuilder(python, "-c", SCRIPT).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      process.getOutputStream().close();
      if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        tried.add(python + ", which did not answer in " + TIMEOUT_SECONDS + " s");
        return Optional.empty();
      }
      // One short line, which a pipe holds: it can be read when the process has ended.
      String folder = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (process.exitValue() != 0 || folder.isEmpty()) {
        tried.add(python + ", which has no torch");
        return Optional.empty();
      }
      return Optional.of(Path.of(folder));
    } catch (IOException absent) {
      tried.add(python + ", which cannot be run (" + absent.getMessage() + ")");
      return Optional.empty();
    } catch (InterruptedException interrupted) {
      // A cancelled task: its thread must still see the interrupt.
      Thread.currentThread().interrupt();
      tried.add(python + ", interrupted");
      return Optional.empty();
    }
  }
}
