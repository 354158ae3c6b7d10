package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/** What Linux says about the file system that a file is on. */
final class Mounts {
  private static final Path TABLE = Path.of("/proc/self/mountinfo");
  private static final int MOUNT_POINT = 4;
  private static final int OPTIONS = 5;

  private Mounts() {}

  /** Whether the file's file system forbids to execute files, and so to map libraries. */
  static boolean forbidExecution(Path file) {
    try {
      return forbidExecution(file.toRealPath(), Files.readAllLines(TABLE));
    } catch (IOException unknown) {
      return false;
    }
  }

  /** The same for a given content of {@code /proc/self/mountinfo} (see proc(5)). */
  static boolean forbidExecution(Path file, List<String> table) {
    Path longest = null;
    boolean forbids = false;
    for (String line : table) {
      String[] fields = line.split(" ");
      Path mountPoint = Path.of(fields[MOUNT_POINT].replace("\\040", " "));
      // Later mounts cover earlier ones at the same place.
      if (file.startsWith(mountPoint) && (longest == null || mountPoint.startsWith(longest))) {
        longest = mountPoint;
        forbids = Arrays.asList(fields[OPTIONS].split(",")).contains("noexec");
      }
    }
    return forbids;
  }
}
