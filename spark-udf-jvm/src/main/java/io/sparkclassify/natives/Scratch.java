package io.sparkclassify.natives;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Temporary files of this JVM in a folder that JVMs share. What JVMs leave that are killed goes
 * when the next one comes.
 *
 * <p>A JVM locks a file of its own in the folder for as long as it lives, and the name of that file
 * is part of the names of all its others. So whoever gets the lock knows that the JVM has ended. A
 * process id would not do: containers that share a folder count processes anew.
 */
public final class Scratch {
  private static final String PREFIX = "spark-classify-";
  private static final String LOCK = ".lock";

  /**
   * The JVM: a lock that it holds itself must not even be looked at, since closing any channel of a
   * file gives up all locks that the process has on it. With class loaders, several of these
   * classes may be in one JVM.
   */
  private static final String JVM =
      ProcessHandle.current().pid()
          + "-"
          + Long.toHexString(ManagementFactory.getRuntimeMXBean().getStartTime());

  private static final Pattern LOCK_NAME =
      Pattern.compile(PREFIX + "(\\d+-[0-9a-f]+)-([0-9a-f]{8})\\.lock");

  static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  private static final Map<Path, Scratch> OPEN = new HashMap<>();

  private final Path folder;
  private final String owner;
  private final Path lockFile;

  // Held, and so open, until the JVM ends.
  @SuppressWarnings("FieldCanBeLocal")
  private final FileLock lock;

  private Scratch(Path folder) throws IOException {
    this.folder = folder;
    this.owner = JVM + "-" + String.format("%08x", new SecureRandom().nextInt());
    this.lockFile = folder.resolve(PREFIX + owner + LOCK);
    this.lock = lockNew(lockFile);
  }

  /**
   * That of a folder, which must be there.
   *
   * @throws IOException when nothing can be written into the folder
   */
  public static synchronized Scratch in(Path folder) throws IOException {
    Scratch known = OPEN.get(folder);
    if (known != null && Files.exists(known.lockFile)) {
      return known;
    }
    Scratch fresh = new Scratch(folder);
    OPEN.put(folder, fresh);
    fresh.sweep();
    return fresh;
  }

  /** A new empty file, which only this user may read. */
  public Path file(String purpose) throws IOException {
    return Files.createTempFile(folder, PREFIX + owner + "-" + purpose + "-", ".tmp", OWNER_ONLY);
  }

  /** A new empty folder, which only this user may read. */
  public Path directory(String purpose) throws IOException {
    return Files.createTempDirectory(folder, PREFIX + owner + "-" + purpose + "-", OWNER_ONLY);
  }

  /** The user that this process runs as, to whom what it makes belongs. */
  static UserPrincipal user() throws IOException {
    // The property user.name is a name alone, and in a container often none.
    return Files.getOwner(Path.of("/proc/self"));
  }

  /**
   * Deletes a file, or a folder and what is in it; links are deleted and not followed.
   *
   * <p>Everything is deleted by its name in a folder that is held open, so that a folder that is
   * replaced by a link meanwhile leads nowhere. On Linux, folders can be held in this way.
   */
  public static void delete(Path file) throws IOException {
    Path whole = file.toAbsolutePath();
    try (DirectoryStream<Path> parent = Files.newDirectoryStream(whole.getParent())) {
      delete((SecureDirectoryStream<Path>) parent, whole.getFileName());
    }
  }

  private static void delete(SecureDirectoryStream<Path> parent, Path name) throws IOException {
    BasicFileAttributeView view =
        parent.getFileAttributeView(name, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    if (!view.readAttributes().isDirectory()) {
      parent.deleteFile(name);
      return;
    }
    try (SecureDirectoryStream<Path> folder =
        parent.newDirectoryStream(name, LinkOption.NOFOLLOW_LINKS)) {
      for (Path each : folder) {
        delete(folder, each.getFileName());
      }
    }
    parent.deleteDirectory(name);
  }

  private static FileLock lockNew(Path file) throws IOException {
    while (true) {
      FileChannel channel =
          FileChannel.open(
              file, Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE), OWNER_ONLY);
      FileLock held = channel.lock();
      // Another JVM may have swept the file away before it was locked.
      if (Files.exists(file)) {
        return held;
      }
      channel.close();
    }
  }

  /**
   * Deletes what JVMs of this user have left that have ended. What cannot be deleted stays: it is
   * in nobody's way.
   */
  private void sweep() {
    try (DirectoryStream<Path> locks = Files.newDirectoryStream(folder, PREFIX + "*" + LOCK)) {
      for (Path found : locks) {
        Matcher name = LOCK_NAME.matcher(found.getFileName().toString());
        if (name.matches() && !name.group(1).equals(JVM)) {
          sweep(found, PREFIX + name.group(1) + "-" + name.group(2) + "-");
        }
      }
    } catch (IOException | RuntimeException unreadable) {
      // Nothing depends on it.
    }
  }

  private void sweep(Path theirLock, String theirs) {
    try {
      // In a folder that all may write to, others could put a lock in the place of one that they
      // have seen, and folders under the names that go with a lock of ours.
      if (!isOwn(theirLock)) {
        return;
      }
      try (FileChannel channel =
          FileChannel.open(theirLock, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
        if (channel.tryLock() == null) {
          return;
        }
        try (DirectoryStream<Path> left = Files.newDirectoryStream(folder, theirs + "*")) {
          for (Path file : left) {
            if (isOwn(file)) {
              delete(file);
            }
          }
        }
        Files.deleteIfExists(theirLock);
      }
    } catch (IOException | RuntimeException refused) {
      // It has ended, or is another's: the next JVM tries again.
    }
  }

  private static boolean isOwn(Path file) throws IOException {
    return Files.getOwner(file, LinkOption.NOFOLLOW_LINKS).equals(user());
  }
}
