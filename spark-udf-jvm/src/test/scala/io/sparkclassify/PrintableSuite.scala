package io.sparkclassify

import org.scalatest.funsuite.AnyFunSuite

class PrintableSuite extends AnyFunSuite {

  test("what controls, hides or turns text is shown, and nothing else changes") {
    Seq(
      "plain/über 図.jpg" -> "plain/über 図.jpg",
      "C:\\dir\\a.jpg" -> "C:\\dir\\a.jpg",
      "a\n2026 ERROR b\r\t" -> "a\\n2026 ERROR b\\r\\t",
      "\u001b[2J\u0007\u009b\u0000" -> "\\u001b[2J\\u0007\\u009b\\u0000",
      "a\u2028b\u2029c\u0085" -> "a\\u2028b\\u2029c\\u0085",
      "\u202egpj.exe\ufeff\u200b" -> "\\u202egpj.exe\\ufeff\\u200b",
      0xd800.toChar.toString -> "\\ud800",
      "😀" -> "😀"
    ).foreach { case (text, shown) =>
      assert(Printable.escape(text) == shown)
      assert(Printable.escape(shown) == shown)
    }
    assert(Printable.escape(null) == null)
  }

  test("an error has no line of its reason's own, nor of its causes'") {
    val root = new IllegalStateException("root\nforged")
    val error = new ClassifyException("CLASSIFY_BAD_IMAGE", "a\nforged", new java.io.IOException("b\nforged", root))
    val text = new java.io.StringWriter
    error.printStackTrace(new java.io.PrintWriter(text, true))
    assert(!text.toString.linesIterator.exists(_.startsWith("forged")))
    assert(text.toString.contains("java.lang.IllegalStateException: root\\nforged"))
    assert(error.getReason == "a\\nforged" && error.getMessageParameters.get("message") == "a\\nforged")
    val harmless = new java.io.IOException("b")
    assert(new ClassifyException("CLASSIFY_BAD_IMAGE", "a", harmless).getCause eq harmless)
  }
}
