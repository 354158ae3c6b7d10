package io.sparkclassify.sql

import java.nio.file.Files

import io.sparkclassify.SharedSession

class SqlPageSuite extends SharedSession {

  test("docs/sql.md has what the functions are registered with") {
    assert(Files.readString(SqlPage.file) == SqlPage.text, "; `gradle generatedPages` writes the page again")
  }

  test("the page has every function, and what DESCRIBE FUNCTION prints of it") {
    spark // makes Spark load the extension
    val page = Files.readString(SqlPage.file)
    val names = Seq(
      "classify",
      "try_classify",
      "classify_info",
      "classify_topk",
      "embed_image",
      "try_embed_image",
      "image_hash",
      "try_image_hash"
    )
    assert(SqlPage.functions.map(_.getName).toSet == names.toSet)
    names.foreach { name =>
      val usage = sql(s"DESCRIBE FUNCTION $name").collect().map(_.getString(0)).find(_.startsWith("Usage: ")).get
      val signature = usage.stripPrefix("Usage:").trim.split(" - ").head
      assert(page.contains(s"## $name\n\n```\n$signature\n```\n"), name)
    }
  }
}
