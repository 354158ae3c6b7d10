package io.sparkclassify.job

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

/** docs/job.md, whose table of options is made from [[JobArguments]]; `gradle generatedPages` writes it. */
object JobPage {

  val file: Path = Paths.get("docs/job.md")

  private val Begin = "<!-- The options, written by `gradle generatedPages` from JobArguments.scala. -->\n"
  private val End = "<!-- End of the options. -->\n"

  def main(arguments: Array[String]): Unit = {
    Files.write(file, text.getBytes(UTF_8))
    println(s"Wrote $file")
  }

  /** The page with the table as it should be. */
  def text: String = {
    val page = new String(Files.readAllBytes(file), UTF_8)
    val (before, after) = (page.indexOf(Begin) + Begin.length, page.indexOf(End))
    page.take(before) + table + page.drop(after)
  }

  private def table: String = {
    val rows = JobArguments.commandLine.options.map { option =>
      val default = option.default.fold("")(value => s"`$value`")
      s"| `${option.written}` | ${option.help.replace("|", "\\|")} | $default |\n"
    }
    "| option | what it does | default |\n|---|---|---|\n" + rows.mkString
  }
}
