package io.sparkclassify.natives;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/**
 * Which names of local files this JVM can express: on Linux they are bytes, and the locale says
 * what text these are.
 */
public final class FileNames {
  private FileNames() {}

  /**
   * Why Java cannot open a local file of that name, whether it is there or not; empty when it can.
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
   * A local file's name as the system takes it: in the encoding of this JVM's locale, in which Java
   * reads and lists names, too; where that cannot express it, in UTF-8, which other programs use.
   *
   * @throws IllegalArgumentException when no file can have it
   */
  static byte[] bytes(String name) {
    return bytes(name, System.getProperty("sun.jnu.encoding"));
  }

  static byte[] bytes(String name, String encoding) {
    if (name.indexOf(0) >= 0) {
      throw new IllegalArgumentException("its name has a NUL character");
    }
    Charset own =
        encoding != null && Charset.isSupported(encoding) ? Charset.forName(encoding) : UTF_8;
    try {
      return encode(name, own);
    } catch (CharacterCodingException notInOurs) {
      try {
        return encode(name, UTF_8);
      } catch (CharacterCodingException notAtAll) {
        throw new IllegalArgumentException("its name is not text: it has half of a surrogate pair");
      }
    }
  }

  private static byte[] encode(String name, Charset charset) throws CharacterCodingException {
    ByteBuffer encoded = charset.newEncoder().encode(CharBuffer.wrap(name));
    return Arrays.copyOf(encoded.array(), encoded.limit());
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
