package io.sparkclassify;

import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Text that comes from users and their files (paths, labels, names, what a library says of them),
 * made fit for error messages and logs.
 *
 * <p>A line break in a file's name would begin a line of the log that nobody has written, and a
 * terminal obeys control characters. They are shown as Java writes them in a literal. A backslash
 * stays as it is, so that paths can be read and that escaping text twice changes nothing.
 */
public final class Printable {
  /** Where a chain of causes is cut, should it be a ring. */
  private static final int MAX_CAUSES = 32;

  private static final Set<Byte> HIDDEN =
      Set.of(
          Character.CONTROL,
          Character.FORMAT,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR,
          Character.SURROGATE);

  private Printable() {}

  /**
   * The text, with a visible name in the place of every character that controls, hides or turns
   * others.
   */
  public static String escape(String text) {
    if (text == null || text.codePoints().allMatch(Printable::isShown)) {
      return text;
    }
    StringBuilder shown = new StringBuilder(text.length() + 16);
    text.codePoints().forEach(point -> append(shown, point));
    return shown.toString();
  }

  /**
   * An error that may be printed as the cause of another: itself, unless its text or that of an
   * error after it has to be escaped, and then its likeness.
   */
  public static Throwable cause(Throwable cause) {
    boolean isShown =
        cause == null
            || Stream.iterate(cause, error -> error != null, Throwable::getCause)
                .limit(MAX_CAUSES)
                .allMatch(error -> error.toString().codePoints().allMatch(Printable::isShown));
    return isShown ? cause : new Likeness(cause, MAX_CAUSES);
  }

  private static boolean isShown(int point) {
    return !HIDDEN.contains((byte) Character.getType(point));
  }

  private static void append(StringBuilder shown, int point) {
    if (isShown(point)) {
      shown.appendCodePoint(point);
      return;
    }
    switch (point) {
      case '\n':
        shown.append("\\n");
        break;
      case '\r':
        shown.append("\\r");
        break;
      case '\t':
        shown.append("\\t");
        break;
      default:
        for (char unit : Character.toChars(point)) {
          shown.append(String.format(Locale.ROOT, "\\u%04x", (int) unit));
        }
    }
  }

  /** What is printed of an error: its text and its place. */
  private static final class Likeness extends Exception {
    private static final long serialVersionUID = 1L;

    private final String text;

    Likeness(Throwable error, int left) {
      super(
          escape(error.getMessage()),
          error.getCause() == null || left == 0 ? null : new Likeness(error.getCause(), left - 1));
      text = escape(error.toString());
      setStackTrace(error.getStackTrace());
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
