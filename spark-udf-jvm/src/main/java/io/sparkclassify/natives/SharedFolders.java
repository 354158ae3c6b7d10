package io.sparkclassify.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Which folders can hold one of the user's own, though others may write to them, too. */
public final class SharedFolders {
  private static final int STICKY = 01000;
  private static final int OTHERS_MAY_WRITE = 02;

  private SharedFolders() {}

  /**
   * Refuses a place where others may rename folders, and so put another one into the place of the
   * user's own between the check and the use: one that all may write to without the sticky bit,
   * which keeps each to their own. A group that may write is trusted, and so are those who see a
   * volume that only this pod has.
   *
   * @throws IOException with the folder and the way out
   */
  public static void requireSafe(Path folder) throws IOException {
    for (Path each = folder.toRealPath(); each != null; each = each.getParent()) {
      int mode = (Integer) Files.getAttribute(each, "unix:mode");
      if ((mode & OTHERS_MAY_WRITE) != 0 && (mode & STICKY) == 0 && !Mounts.isOfPod(each)) {
        throw new IOException(
            "all users may write to "
                + each
                + " and rename what is in it: chmod o-w or chmod +t mends that, which an init"
                + " container may do for a pod's volume that is no emptyDir on disk");
      }
    }
  }
}
