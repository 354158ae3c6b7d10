package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What Linux says about the file system that a file is on, in {@code /proc/self/mountinfo} (see
 * proc(5)).
 */
final class Mounts {
  private static final Path TABLE = Path.of("/proc/self/mountinfo");
  private static final int ROOT = 3;
  private static final int MOUNT_POINT = 4;
  private static final int OPTIONS = 5;

  /** Where a node of Kubernetes keeps the emptyDir volumes of a pod, in the folder of that pod. */
  private static final String EMPTY_DIR = "/volumes/kubernetes.io~empty-dir/";

  private Mounts() {}

  /** Whether the file's file system forbids to execute files, and so to map libraries. */
  static boolean forbidExecution(Path file) {
    return forbidExecution(file, table());
  }

  static boolean forbidExecution(Path file, List<String> table) {
    return mount(file, table)
        .map(fields -> Arrays.asList(fields[OPTIONS].split(",")).contains("noexec"))
        .orElse(false);
  }

  /**
   * Whether the file is on an emptyDir of Kubernetes. All may write to one, and only the containers
   * of its pod see it: on the node it is in a folder that is closed to all but root. Who shows a
   * mount as one is root, too.
   */
  static boolean isOfPod(Path file) {
    return isOfPod(file, table());
  }

  static boolean isOfPod(Path file, List<String> table) {
    return mount(file, table).map(fields -> fields[ROOT].contains(EMPTY_DIR)).orElse(false);
  }

  /** The fields of the mount that the file is on. */
  private static Optional<String[]> mount(Path file, List<String> table) {
    String real = realPath(file).toString();
    String longest = null;
    String[] mount = null;
    for (String line : table) {
      String[] fields = line.split(" ");
      // Text, since the JVM's locale need not be able to express the names of others' mounts.
      String mountPoint = fields[MOUNT_POINT].replace("\\040", " ");
      // Later mounts cover earlier ones at the same place.
      if (isIn(mountPoint, real) && (longest == null || isIn(longest, mountPoint))) {
        longest = mountPoint;
        mount = fields;
      }
    }
    return Optional.ofNullable(mount);
  }

  private static boolean isIn(String folder, String file) {
    return file.equals(folder) || file.startsWith(folder.endsWith("/") ? folder : folder + "/");
  }

  private static Path realPath(Path file) {
    try {
      return file.toRealPath();
    } catch (IOException missing) {
      return file;
    }
  }

  private static List<String> table() {
    try {
      return Files.readAllLines(TABLE);
    } catch (IOException unknown) {
      return List.of();
    }
  }
}
