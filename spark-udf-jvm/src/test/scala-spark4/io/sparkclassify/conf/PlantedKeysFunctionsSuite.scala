package io.sparkclassify.conf

/** The same with SQL functions in the place of views: Spark has them since 4.0. */
class PlantedKeysFunctionsSuite extends PlantedKeysSuite {

  override protected def withStored[T](settings: Seq[(String, String)])(body: => T): T =
    try {
      sql("CREATE FUNCTION planted_function(p STRING) RETURNS INT RETURN classify(p, 'onnx').class_id")
      StoredFunctions.plant(spark, "planted_function", settings)
      body
    } finally sql("DROP FUNCTION IF EXISTS planted_function")

  override protected def stored: String = "SELECT planted_function('a.png')"
}
