package io.sparkclassify.sql

import java.nio.file.{Files, Path, Paths}

import io.sparkclassify.info.ClassifyInfo
import org.apache.spark.sql.SparkSessionExtensions
import org.apache.spark.sql.catalyst.analysis.{FunctionRegistry, FunctionRegistryBase, TableFunctionRegistry}
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo

/**
 * docs/sql.md, made from what the functions are registered with, which `DESCRIBE FUNCTION EXTENDED` prints; `gradle
 * generatedPages` writes it.
 */
object SqlPage {

  val file: Path = Paths.get("docs/sql.md")
  private val width = 120

  def main(arguments: Array[String]): Unit = {
    Files.writeString(file, text)
    println(s"Wrote $file")
  }

  /** The functions of this project that Spark knows: each before the one that keeps the rows of bad images. */
  def functions: Seq[ExpressionInfo] = {
    Registration(new SparkSessionExtensions)
    Seq[FunctionRegistryBase[_]](FunctionRegistry.builtin, TableFunctionRegistry.builtin)
      .flatMap(registry => registry.listFunction().flatMap(name => registry.lookupFunction(name)))
      .filter(_.getClassName.startsWith("io.sparkclassify."))
      .sortBy(info => (info.getName.stripPrefix("try_"), info.getName))
  }

  def text: String = {
    val introduction =
      """<!-- Written by `gradle generatedPages` from FunctionDocs.scala and ClassifyInfo.scala; change it there. -->
        |# SQL functions
        |
        |`DESCRIBE FUNCTION EXTENDED classify` shows the same in a session. The functions work wherever a column may stand, in
        |views, SQL functions, streaming queries and over Spark Connect. [Tuning](tuning.md) tells what they become in a plan,
        |and [errors](errors.md) what their errors are.
        |
        || function | |
        ||---|---|
        |""".stripMargin
    val table = functions.map { info =>
      s"| [`${info.getName}`](#${info.getName}) | ${links(quoted(summary(info)), info)} |\n"
    }
    introduction + table.mkString + functions.map(section).mkString
  }

  private def section(info: ExpressionInfo): String = {
    val (signature, _) = usage(info)
    val parts = Seq(
      s"## ${info.getName}",
      s"```\n$signature\n```",
      paragraph(summary(info), info)
    ) ++ arguments(info) ++ Seq(s"```sql\n${examples(info)}\n```", paragraph(info.getNote, info)) ++ columns(info)
    "\n" + parts.mkString("\n\n") + "\n"
  }

  /** `classify(input[, backend[, model]])`, and what stands behind the dash. */
  private def usage(info: ExpressionInfo): (String, String) = atDash(info.getUsage.trim)

  private def atDash(text: String): (String, String) = {
    val dash = text.indexOf(" - ")
    (text.take(dash), text.drop(dash + 3))
  }

  private def summary(info: ExpressionInfo): String = usage(info)._2

  /** The list of the parameters, and what is said of all of them. */
  private def arguments(info: ExpressionInfo): Seq[String] = {
    // Spark names the function in the other texts, and not in this one.
    val lines = info.getArguments.replace("_FUNC_", info.getName).linesIterator.filter(_.trim.nonEmpty).drop(1).toSeq
    // A line that goes on with a parameter stands further in.
    val entries = lines.foldLeft(Vector.empty[String]) {
      case (before, line) if line.startsWith(" " * 10) => before.init :+ s"${before.last} ${line.trim}"
      case (before, line)                              => before :+ line.trim
    }
    val (parameters, general) = entries.partition(_.startsWith("* "))
    val list = parameters.map { entry =>
      val (name, meaning) = atDash(entry.stripPrefix("* "))
      wrapped(s"- **$name**: ${links(quoted(meaning), info)}", "  ")
    }
    Seq(list.mkString("\n"), general.map(paragraph(_, info)).mkString("\n\n")).filter(_.nonEmpty)
  }

  /** The statements, each with its result as a comment. */
  private def examples(info: ExpressionInfo): String = {
    val lines = info.getExamples.linesIterator.map(_.trim).filter(_.nonEmpty).drop(1)
    lines.map(line => if (line.startsWith("> ")) line.drop(2) else s"-- $line").mkString("\n")
  }

  /** The columns of a table function. */
  private def columns(info: ExpressionInfo): Seq[String] = if (info.getName != ClassifyInfo.Name) Nil
  else {
    val rows = ClassifyInfo.schema.map(field => s"| `${field.name}` | `${field.dataType.sql}` |")
    Seq((Seq("| column | type |", "|---|---|") ++ rows).mkString("\n"))
  }

  private def paragraph(text: String, info: ExpressionInfo): String = wrapped(links(quoted(text), info), "")

  private val types = "(?:STRUCT|ARRAY)<".r
  private val literals =
    "\\w+\\([^)]*=>[^)]*\\)|spark\\.classify\\.[A-Za-z.]*[A-Za-z]|'[^' ]+'|\"[^\"]+\": \\w+|config\\.json".r

  /** Types, keys and literals as code, where they are not yet. */
  private def quoted(text: String): String = text.split("`", -1).zipWithIndex.map {
    case (plain, index) if index % 2 == 0 => quotedLiterals(plain)
    case (code, _)                        => s"`$code`"
  }.mkString

  private def quotedLiterals(text: String): String = types.findFirstMatchIn(text) match {
    case None => literals.replaceAllIn(text, found => s"`${found.matched}`")
    case Some(start) =>
      val depths =
        text.drop(start.end).scanLeft(1)((depth, c) => depth + (if (c == '<') 1 else if (c == '>') -1 else 0))
      val end = start.end + depths.indexOf(0)
      quotedLiterals(text.take(start.start)) + s"`${text.slice(start.start, end)}`" + quotedLiterals(text.drop(end))
  }

  private val names = "\\b(?:try_)?(?:classify|classify_topk|classify_info|embed_image|image_hash)\\b(?![.:(\\-])".r

  /** Links to the other functions, outside of code. */
  private def links(text: String, info: ExpressionInfo): String = text.split("`", -1).zipWithIndex.map {
    case (plain, index) if index % 2 == 0 =>
      names.replaceAllIn(
        plain,
        found => if (found.matched == info.getName) found.matched else s"[`${found.matched}`](#${found.matched})"
      )
    case (code, _) => s"`$code`"
  }.mkString

  /** Lines of at most 120 columns; those after the first begin with `indent`. */
  private def wrapped(text: String, indent: String): String =
    text.trim.split("\\s+").foldLeft(Vector.empty[String]) {
      case (lines :+ last, word) if last.length + 1 + word.length <= width => lines :+ s"$last $word"
      case (lines, word) => lines :+ (if (lines.isEmpty) word else indent + word)
    }.mkString("\n")
}
