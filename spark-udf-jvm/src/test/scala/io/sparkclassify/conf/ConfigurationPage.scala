package io.sparkclassify.conf

import java.nio.file.{Files, Path, Paths}

/** docs/configuration.md, made from the table in [[ClassifyConf]]; `gradle generatedPages` writes it. */
object ConfigurationPage {

  val file: Path = Paths.get("docs/configuration.md")

  def main(arguments: Array[String]): Unit = {
    Files.writeString(file, text)
    println(s"Wrote $file")
  }

  def text: String = {
    val introduction =
      """<!-- Written by `gradle generatedPages` from ClassifyConf.scala; change it there. -->
        |# Configuration
        |
        |All keys start with `spark.classify.` and are given like Spark's own: with `--conf`, in `spark-defaults.conf`, or
        |to the session's builder. A *runtime* key can also change in a running session (`SET key=value`,
        |`spark.conf.set`) and then counts for the queries that are analysed afterwards. A *static* key is fixed when the
        |application starts. A wrong value is refused where it is set; a key that does not exist gets a warning in the
        |driver's log with the nearest one that does.
        |""".stripMargin
    val sections = ClassifyConf.documentation.map { case (subject, keys) =>
      s"\n## $subject\n\n| key | default | | meaning | since |\n|---|---|---|---|---|\n" + keys.map(row).mkString
    }
    introduction + sections.mkString
  }

  private def row(key: ClassifyConf.Key): String = {
    val default = key.default.fold("")(value => s"`$value`")
    val kind = if (key.isStatic) "static" else "runtime"
    val doc = key.doc.replace("|", "\\|").replaceAll("docs/([a-z-]+)\\.md", "[$1]($1.md)")
    s"| `${key.name}` | $default | $kind | $doc | ${key.since} |\n"
  }
}
