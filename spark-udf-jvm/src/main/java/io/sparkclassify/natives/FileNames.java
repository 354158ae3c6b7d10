package io.sparkclassify.natives;

import java.nio.charset.Charset;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which names of local files this JVM can express: on Linux they are bytes, and the locale says
 * what text these are.
 */
public final class FileNames {
  private FileNames() {}

  /**
   * Why this JVM cannot open a local file of that name, whether it is there or not; empty when it
   * can.
   */
  public static Optional<String> unnameable(String name) {
    return unnameable(name, System.getProperty("sun.jnu.encoding"));
  }

  // The property is the JDK's own; a JVM without it is asked nothing.
  static Optional<String> unnameable(String name, String encoding) {
    if (encoding == null
        || !Charset.isSupported(encoding)
        || Charset.forName(encoding).newEncoder().canEncode(name)) {
      return Optional.empty();
    }
    return Optional.of(
        "this JVM's locale cannot express its name (the encoding is "
            + encoding
            + "): start driver and executors with LC_ALL=C.UTF-8 in their environment (executors:"
            + " spark.executorEnv.LC_ALL=C.UTF-8)");
  }

  /**
   * The absolute path that a key or a variable gives; a relative one belongs to the working
   * directory of the process.
   *
   * @param source the name of the key or the variable
   * @throws io.sparkclassify.ClassifyException with condition CLASSIFY_BACKEND_UNAVAILABLE when it
   *     is no path
   */
  static Path path(String source, String value) {
    if (value.matches("[A-Za-z][A-Za-z0-9+.-]+:/.*")) {
      throw Unavailable.because(
          source
              + "="
              + value
              + " is a URI; it is to be the path of a folder or file of each executor");
    }
    try {
      return Path.of(value).toAbsolutePath();
    } catch (InvalidPathException invalid) {
      throw Unavailable.because(
          source + "=" + value + " is no path",
          unnameable(value).orElse(invalid.getReason()),
          invalid);
    }
  }
}
