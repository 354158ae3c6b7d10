package io.sparkclassify.conf

/** The same with SQL functions in the place of views: Spark has them since 4.0. */
class SharedServerFunctionsSuite extends SharedServerSuite {

  override protected def withStored[T](settings: (String, String)*)(body: => T): T =
    try {
      sql(s"CREATE TABLE shared_paths AS SELECT '$image' AS path")
      sql("CREATE FUNCTION shared_function(p STRING) RETURNS INT RETURN classify(p, 'onnx').class_id")
      StoredFunctions.plant(spark, "shared_function", settings)
      body
    } finally {
      sql("DROP FUNCTION IF EXISTS shared_function")
      sql("DROP TABLE IF EXISTS shared_paths")
    }

  override protected def stored: String = "SELECT shared_function(path) FROM shared_paths"
}
