import io.sparkclassify.functions._
import org.apache.spark.sql.{Column, SparkSession}
import org.apache.spark.sql.functions.{col, lit, to_json}

/** A client of Spark Connect, which has its own Spark API and none of a server's classes: `ConnectClient URL IMAGE`. */
object ConnectClient {
  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession.builder().remote(arguments(0)).getOrCreate()
    val image = spark.read.format("binaryFile").load(arguments(1))
    def show(name: String, call: Column): Unit = println(s"$name\t${image.select(call).head().get(0)}")
    show("classify", classify(col("content"), "onnx")("class_id"))
    show("model", classify(col("path"), model = "colours")("class"))
    show("try_classify", try_classify(col("content"))("error"))
    show("classify_topk", to_json(classify_topk(col("content"), 2, "onnx")))
    show("embed_image", to_json(embed_image(col("content"), "onnx", "colours")))
    show("try_embed_image", try_embed_image(col("content"), model = "colours")("error"))
    show("image_hash", image_hash(col("content"))("phash"))
    show("try_image_hash", try_image_hash(col("content"))("phash"))
    println(s"classify_info\t${classify_info(spark).select("backend").collect().map(_.getString(0)).sorted.mkString(",")}")
    def refused(name: String, call: Column): Unit =
      try show(name, call)
      catch { case error: Exception => println(s"$name\t${error.getMessage.linesIterator.mkString(" ")}") }
    refused("backend", classify(col("content"), "tensorflow"))
    refused("image", classify(lit("/no/such.png"), "onnx"))
    spark.stop()
  }
}
