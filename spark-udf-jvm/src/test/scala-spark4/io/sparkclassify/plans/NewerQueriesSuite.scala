package io.sparkclassify.plans

import org.apache.spark.sql.Row

/** SQL that Spark has since 4.0. */
class NewerQueriesSuite extends KnownImages {

  query(
    "pipes",
    "FROM images |> EXTEND classify(path) AS c |> WHERE c.class = 'red' |> AGGREGATE count(*) AS n GROUP BY c.class"
  )(rows => rows == Seq(Row("red", 4)))

  test("variables as constants") {
    withImages {
      sql("DECLARE OR REPLACE VARIABLE engine STRING DEFAULT 'onnx'")
      try assert(named(sql("SELECT id, classify(path, engine).class FROM images").collect().toSeq))
      finally sql("DROP TEMPORARY VARIABLE engine")
    }
  }
}
