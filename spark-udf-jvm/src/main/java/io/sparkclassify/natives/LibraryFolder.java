package io.sparkclassify.natives;

import io.sparkclassify.Printable;
import io.sparkclassify.SparkLog;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The folder into which libraries are unpacked from the jar.
 *
 * <p>A file's name has the hash of its content, and it appears under that name only when it is
 * complete. So any number of JVMs and versions can share a folder, a file is written once, and
 * nobody ever maps one that is being written.
 */
final class LibraryFolder {
  private static final int HASH_DIGITS = 16;

  /** Of a whole hash, in hexadecimal digits. */
  private static final int HASH_LENGTH = 64;

  private final Path folder;
  private final Scratch scratch;

  private LibraryFolder(Path folder, Scratch scratch) {
    this.folder = folder;
    this.scratch = scratch;
  }

  /**
   * The folder to use, made when it is not there: one that belongs to the user alone, since whoever
   * can write to it can run code in this process.
   *
   * @param configured {@code spark.classify.native.dir}, in which that folder is, or null for
   *     {@code java.io.tmpdir}
   */
  static LibraryFolder open(String configured) {
    Path parent =
        configured == null
            ? Path.of(System.getProperty("java.io.tmpdir")).toAbsolutePath()
            : FileNames.path(NativeOptions.DIRECTORY_KEY, configured);
    Path folder = parent.resolve(name());
    try {
      Files.createDirectories(parent, Scratch.OWNER_ONLY);
      SharedFolders.requireSafe(parent);
      folder = parent.toRealPath().resolve(name());
      Files.createDirectories(folder, Scratch.OWNER_ONLY);
      requireOwnFolder(folder);
      return new LibraryFolder(folder, Scratch.in(folder));
    } catch (IOException failure) {
      throw unusable(folder, failure);
    }
  }

  /**
   * Unpacks a library of the jar, unless that has been done, and returns its path.
   *
   * <p>Whether it has been done is told by the hash that the build wrote down, without inflating
   * the library, which has to be on the class path none the less. Natives of another build than the
   * classes' are asked for their content.
   */
  Path unpack(String resourceFolder, String name) {
    String resource = "/" + resourceFolder + "/" + name;
    try {
      String hash;
      try (InputStream content = resourceStream(resource)) {
        String known = BuildVersions.nativeHash(resource.substring(1));
        if (known != null && isIntact(target(name, known), known)) {
          return target(name, known);
        }
        hash = hash(content);
      }
      Path target = target(name, hash);
      if (!isIntact(target, hash)) {
        write(resource, target);
      }
      return target;
    } catch (IOException failure) {
      throw unusable(folder, failure);
    }
  }

  /**
   * Unpacks libraries that look for each other in their own folder, each under its own name, and
   * returns that folder. Its name has the hash of what is in it.
   */
  Path unpackTogether(String resourceFolder, List<String> names) {
    try {
      StringBuilder hashes = new StringBuilder();
      for (String name : names) {
        try (InputStream content = resourceStream("/" + resourceFolder + "/" + name)) {
          hashes.append(hash(content));
        }
      }
      String all =
          hash(new ByteArrayInputStream(hashes.toString().getBytes(StandardCharsets.US_ASCII)));
      Path together = folder.resolve("libraries-" + all.substring(0, HASH_DIGITS));
      Files.createDirectories(together, Scratch.OWNER_ONLY);
      for (int at = 0; at < names.size(); at++) {
        Path target = together.resolve(names.get(at));
        String hash = hashes.substring(at * HASH_LENGTH, (at + 1) * HASH_LENGTH);
        if (!isIntact(target, hash)) {
          write("/" + resourceFolder + "/" + names.get(at), target);
        }
      }
      return together;
    } catch (IOException failure) {
      throw unusable(folder, failure);
    }
  }

  private Path target(String name, String hash) {
    String stem = name.substring(0, name.lastIndexOf('.'));
    return folder.resolve(
        stem + "-" + hash.substring(0, HASH_DIGITS) + name.substring(stem.length()));
  }

  /** Whether a jar of the class path has a library. */
  static boolean hasResource(String resourceFolder, String name) {
    return LibraryFolder.class.getResource("/" + resourceFolder + "/" + name) != null;
  }

  private static boolean isIntact(Path file, String hash) throws IOException {
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    try (InputStream content = Files.newInputStream(file)) {
      return hash(content).equals(hash);
    }
  }

  private void write(String resource, Path target) throws IOException {
    long start = System.nanoTime();
    Path unfinished = scratch.file("library");
    try (InputStream content = resourceStream(resource)) {
      Files.copy(content, unfinished, StandardCopyOption.REPLACE_EXISTING);
      Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(unfinished);
    }
    long millis = (System.nanoTime() - start) / 1_000_000;
    SparkLog.named(LibraryFolder.class.getName())
        .info("Unpacked {} in {} ms", Printable.escape(target.toString()), millis);
  }

  private static InputStream resourceStream(String resource) {
    InputStream content = LibraryFolder.class.getResourceAsStream(resource);
    if (content == null) {
      throw Unavailable.because(
          "the jar has no "
              + resource.substring(1)
              + "; it was built without this library (`make build` builds that of its own platform,"
              + " `make package` a jar for all), or it is the jar of classes alone, beside which"
              + " Spark needs the natives jar (`spark-classify jars` names both)");
    }
    return content;
  }

  private static String hash(InputStream content) throws IOException {
    try (DigestInputStream digest =
        new DigestInputStream(content, MessageDigest.getInstance("SHA-256"))) {
      digest.transferTo(OutputStream.nullOutputStream());
      return String.format(
          Locale.ROOT, "%064x", new BigInteger(1, digest.getMessageDigest().digest()));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every JVM has SHA-256", impossible);
    }
  }

  /** The folder's name has the user's, so that several users can share its parent. */
  private static String name() {
    return "spark-classify-" + System.getProperty("user.name").replaceAll("[^A-Za-z0-9._-]", "_");
  }

  /** Refuses a folder that someone else has put there, or that others may write to. */
  private static void requireOwnFolder(Path folder) throws IOException {
    boolean isOwn = Scratch.user().equals(Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS));
    Set<PosixFilePermission> permissions =
        Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS);
    boolean isPrivate =
        !permissions.contains(PosixFilePermission.GROUP_WRITE)
            && !permissions.contains(PosixFilePermission.OTHERS_WRITE);
    if (!isOwn || !isPrivate || !Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      throw new IOException(
          "it does not belong to this user alone (expected owner's own folder, mode 0700)");
    }
  }

  private static RuntimeException unusable(Path folder, IOException failure) {
    return Unavailable.because(
        "cannot unpack native libraries into "
            + folder
            + " (set "
            + NativeOptions.DIRECTORY_KEY
            + " to a folder that can be written to and allows execution)",
        failure);
  }
}
