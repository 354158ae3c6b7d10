package io.sparkclassify.sql

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, SharedSession, TestData}

/** docs/embeddings.md, whose examples define a SQL function: Spark has them since 4.0. */
class EmbeddingsPageSuite extends SharedSession {

  test("the examples of the documentation run as they are written") {
    TestData.withFolder { folder =>
      val model = ColourImages.model.resolveSibling("colour-embedding")
      val page = Files.readString(Path.of("docs/embeddings.md"))
      val blocks = "(?s)```sql\n(.*?)```".r.findAllMatchIn(page.split("## With Spark 4.2").head).map(_.group(1))
      val statements = blocks.mkString(";").replaceAll("--.*", "").split(";").map(_.trim).filter(_.nonEmpty)
      val images = (0 to 2).map(id => Files.write(folder.resolve(s"$id.png"), ColourImages.file(id))) :+
        // Another image of the first one's colour.
        Files.write(folder.resolve("query.jpg"), ColourImages.file(0, "jpg", 64))
      spark.conf.set("spark.classify.backend", "onnx")
      val rows = images.map(path => s"('$path')").mkString(", ")
      sql(s"CREATE OR REPLACE TEMPORARY VIEW images AS SELECT path FROM VALUES $rows AS t(path)")
      try {
        val results = statements.map { statement =>
          val frame =
            sql(statement.replace("/models/clip", model.toString).replace("/images/query.jpg", s"$folder/query.jpg"))
          statement -> frame.collect().toSeq
        }
        val selected = results.collect { case (statement, rows) if statement.startsWith("SELECT") => rows }
        assert(selected.length == 2)
        val (duplicates, found) = (selected.head, selected.last)
        assert(duplicates.map(row => Set(row.getString(0), row.getString(1))) ==
          Seq(Set(s"$folder/0.png", s"$folder/query.jpg")))
        assert(found.take(2).map(_.getString(0)).toSet == Set(s"$folder/0.png", s"$folder/query.jpg"))
        assert(found.last.getDouble(1) < 0.1)
      } finally {
        sql("DROP TABLE IF EXISTS vectors")
        spark.conf.unset("spark.classify.backend")
        spark.conf.unset("spark.classify.models.clip")
      }
    }
  }
}
