package io.sparkclassify

/**
 * Text that users or files have made up, for messages and logs: one line, in which everything can be seen.
 *
 * Control and format characters (with the byte order mark and those that turn the direction of writing), separators of
 * lines, halves of surrogate pairs, and blanks at both ends become `\u000A` and the like. Of a long text the beginning and
 * the end are left.
 */
private[sparkclassify] object Escaped {
  private val Longest = 2000

  def apply(text: String): String = {
    val last = text.length - 1
    val half = Longest / 2
    if (text.length <= Longest) part(text, 0, text.length)
    else s"${part(text, 0, half)}… (${text.length} characters) …${part(text, last + 1 - half, last + 1)}"
  }

  private def part(text: String, from: Int, to: Int): String = {
    val escaped = new StringBuilder
    var at = from
    while (at < to) {
      val character = text.codePointAt(at)
      val next = at + Character.charCount(character)
      val atEnd = at == 0 || next == text.length
      if (visible(character) || (character == ' ' && !atEnd)) escaped.appendAll(Character.toChars(character))
      else text.substring(at, next).foreach(unit => escaped.append(f"\\u${unit.toInt}%04X"))
      at = next
    }
    escaped.toString
  }

  private def visible(character: Int): Boolean = Character.getType(character).toByte match {
    case Character.CONTROL | Character.FORMAT | Character.SURROGATE | Character.LINE_SEPARATOR |
        Character.PARAGRAPH_SEPARATOR | Character.SPACE_SEPARATOR => false
    case _ => true
  }
}
