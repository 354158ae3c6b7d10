package io.sparkclassify.conf

import io.sparkclassify.{SharedSession, TestData}
import io.sparkclassify.plans.Plans

/** SQL functions: Spark has them since 4.0, and keeps with each a part of the configuration from when it was made. */
class SqlFunctionsSuite extends SharedSession {

  test("a SQL function may classify with a model by its name") {
    TestData.withFolder { folder =>
      // A file: of rows that stand in the query Spark makes others, which have the parameter in them.
      sql(s"SELECT '${TestData.image(".png")}' AS path").write.parquet(s"$folder/paths")
      val paths = s"parquet.`$folder/paths`"
      withConf("spark.classify.models.cards" -> TestData.model.toString) {
        sql("CREATE TEMPORARY FUNCTION card(p STRING) RETURNS INT RETURN classify(p, 'onnx', 'cards').class_id")
        try {
          val ran = Plans.run(sql(s"SELECT card(path) FROM $paths WHERE card(path) >= 0"))
          assert(ran.rows == Seq(sql(s"SELECT classify(path, 'onnx').class_id FROM $paths").head()) && ran.images == 1)
        } finally sql("DROP TEMPORARY FUNCTION card")
      }
    }
  }
}
