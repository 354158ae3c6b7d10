package io.sparkclassify

/**
 * A name that users or files have made up, or what is said of it, for messages and logs: all can be seen in it, as
 * [[Printable]] shows it, and the blanks at both ends, too. Of a long text the beginning and the end are left.
 */
private[sparkclassify] object Escaped {
  private val Longest = 2000

  def apply(text: String): String = {
    val half = Longest / 2
    val short =
      if (text.length <= Longest) text else s"${text.take(half)}… (${text.length} characters) …${text.takeRight(half)}"
    val (first, rest) = short.span(isBlank)
    val (last, middle) = rest.reverse.span(isBlank)
    codes(first) + Printable.escape(middle.reverse) + codes(last.reverse)
  }

  private def isBlank(character: Char): Boolean = Character.getType(character) == Character.SPACE_SEPARATOR

  private def codes(blanks: String): String = blanks.map(blank => f"\\u${blank.toInt}%04x").mkString
}
