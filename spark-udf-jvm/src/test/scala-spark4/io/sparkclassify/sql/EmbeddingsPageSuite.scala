package io.sparkclassify.sql

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, SharedSession, TestData}
import org.apache.spark.sql.Row

/** docs/embeddings.md, whose examples define a SQL function: Spark has them since 4.0. */
class EmbeddingsPageSuite extends SharedSession {

  test("the examples of the documentation run as they are written") {
    TestData.withFolder { folder =>
      val model = ColourImages.model.resolveSibling("colour-embedding")
      val sections = Files.readString(Path.of("docs/embeddings.md")).split("(?m)^## ")
      val newer = spark.catalog.functionExists("vector_cosine_similarity")
      val page =
        sections.takeWhile(!_.startsWith("Duplicates")).filter(newer || !_.startsWith("With Spark 4.2")).mkString
      val blocks = "(?s)```sql\n(.*?)```".r.findAllMatchIn(page).map(_.group(1))
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
        val selected = results.collect { case (statement, found) if statement.startsWith("SELECT") => found }
        assert(selected.length == (if (newer) 4 else 2))
        val duplicates = selected.head
        assert(duplicates.map(row => Set(row.getString(0), row.getString(1))) ==
          Seq(Set(s"$folder/0.png", s"$folder/query.jpg")))
        for (found <- selected.slice(1, 3)) {
          assert(found.take(2).map(_.getString(0)).toSet == Set(s"$folder/0.png", s"$folder/query.jpg"))
          assert(found.last.getAs[Number](1).doubleValue < 0.1)
        }
        for (alike <- selected.drop(3)) {
          assert(alike.collect { case Row(path, other) if path == s"$folder/0.png" => other }.toSet ==
            Set(s"$folder/0.png", s"$folder/query.jpg"))
        }
      } finally {
        sql("DROP TABLE IF EXISTS vectors")
        spark.conf.unset("spark.classify.backend")
        spark.conf.unset("spark.classify.models.clip")
      }
    }
  }
}
