package io.sparkclassify.conf

import io.sparkclassify.{ColourImages, OtherFileSystem, SharedSession, TestData}
import io.sparkclassify.plans.Plans
import org.apache.spark.sql.Row

/** Views, for which Spark keeps a part of the configuration from when they were made. */
class ViewsSuite extends SharedSession {

  private val image = TestData.image(".png")
  private val models = "spark.classify.models.cards" -> TestData.model.toString

  /** What a call over the image gives. */
  private def expected(call: String): Row = sql(s"SELECT $call.class_id FROM VALUES ('$image') AS t(path)").head()

  private def withPaths(body: => Unit): Unit = {
    sql(s"CREATE TABLE stored_paths AS SELECT '$image' AS path")
    try body
    finally sql("DROP TABLE stored_paths")
  }

  test("a permanent view may classify, and ask classify_info") {
    withPaths {
      sql("CREATE VIEW stored_classes AS SELECT classify(path, 'onnx').class_id AS c FROM stored_paths")
      sql("CREATE VIEW stored_backends AS SELECT backend FROM classify_info()")
      try {
        val ran = Plans.run(spark.table("stored_classes"))
        assert(ran.rows == Seq(expected("classify(path, 'onnx')")) && ran.images == 1 && ran.left.isEmpty)
        assert(spark.table("stored_backends").count() == 2)
      } finally {
        sql("DROP VIEW stored_classes")
        sql("DROP VIEW stored_backends")
      }
    }
  }

  test("a view knows the session's models by name, its static keys and its file systems") {
    withPaths {
      withConf(models, "fs.other.impl" -> classOf[OtherFileSystem].getName) {
        sql("CREATE VIEW by_name AS SELECT classify('other:' || path, 'onnx', 'cards').class_id AS c FROM stored_paths")
        // Allowed by a static key.
        sql(
          s"CREATE TEMPORARY VIEW by_path AS SELECT classify(path, 'onnx', '${ColourImages.model}').class_id AS c FROM stored_paths"
        )
        try {
          assert(sql("SELECT c FROM by_name").head() == expected("classify(path, 'onnx')"))
          assert(sql("SELECT c FROM by_path").head() == expected(s"classify(path, 'onnx', '${ColourImages.model}')"))
        } finally {
          sql("DROP VIEW by_name")
          sql("DROP VIEW by_path")
        }
      }
    }
  }

  test("a view keeps the runtime keys that it was made with") {
    withPaths {
      withConf(ClassifyConf.Backend.key -> "onnx")(
        sql("CREATE VIEW stored_classes AS SELECT classify(path) AS c FROM stored_paths")
      )
      try {
        val plan =
          withConf(ClassifyConf.Backend.key -> "pytorch")(
            spark.table("stored_classes").queryExecution.analyzed.toString
          )
        assert(plan.contains("onnx") && !plan.contains("pytorch"), plan)
      } finally sql("DROP VIEW stored_classes")
    }
  }
}
