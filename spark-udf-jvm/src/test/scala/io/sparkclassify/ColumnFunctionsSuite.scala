package io.sparkclassify

import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._

import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.plans.Plans
import org.apache.spark.sql.{Column, DataFrame}
import org.apache.spark.sql.functions.{col, lit}

/** `io.sparkclassify.functions`, from Scala and from Java: each call is that of SQL. */
class ColumnFunctionsSuite extends SharedSession {

  private val model = ColourImages.model.resolveSibling("colour-embedding").toString

  private def withColours(body: DataFrame => Unit): Unit = TestData.withFolder { folder =>
    def write(name: String, bytes: Array[Byte]): Path = Files.write(folder.resolve(name), bytes)
    val paths = (0 to 2).map(id => write(s"$id.png", ColourImages.file(id)).toString)
    withConf(ClassifyConf.Model.key -> model) {
      body(spark.createDataFrame(paths.map(Tuple1(_))).toDF("path"))
    }
  }

  private def assertSame(frame: DataFrame, sql: String, call: Column): Unit = {
    val (expected, actual) = (frame.selectExpr(sql), frame.select(call))
    assert(actual.schema == expected.schema, sql)
    assert(actual.collect().toSeq == expected.collect().toSeq, sql)
  }

  test("each call in Scala is that of SQL, its column's name among it") {
    import functions._
    val path = col("path")
    val calls = Seq(
      "classify(path)" -> classify(path),
      "classify(path, 'onnx')" -> classify(path, "onnx"),
      s"classify(path, 'onnx', '$model')" -> classify(path, "onnx", model),
      s"classify(path, NULL, '$model')" -> classify(path, model = model),
      "classify(path, 'pytorch')" -> classify(path, backend = "pytorch"),
      s"try_classify(path, NULL, '$model')" -> try_classify(path, model = model),
      s"try_classify(path, 'onnx', '$model')" -> try_classify(path, model = model, backend = "onnx"),
      "classify_topk(path, 2)" -> classify_topk(path, 2),
      s"classify_topk(path, 2, NULL, '$model')" -> classify_topk(path, 2, model = model),
      "embed_image(path)" -> embed_image(path),
      s"embed_image(path, NULL, '$model')" -> embed_image(path, model = model),
      s"try_embed_image(path, NULL, '$model')" -> try_embed_image(path, model = model),
      "image_hash(path)" -> image_hash(path),
      "try_image_hash(path)" -> try_image_hash(path)
    )
    withColours(frame => calls.foreach { case (sql, call) => assertSame(frame, sql, call) })
  }

  test("each overload in Java is that of SQL") {
    withColours(frame =>
      JavaFunctions.calls(model).asScala.foreach { case (sql, call) => assertSame(frame, sql, call) }
    )
    assert(JavaFunctions.info(spark).collect().toSeq.map(_.getAs[String]("backend")).toSet == Set("onnx", "pytorch"))
    assert(functions.classify_info(spark).schema == sql("SELECT * FROM classify_info()").schema)
  }

  test("calls of the same image and model are one inference, in SQL and here") {
    withColours { frame =>
      val ran = Plans.run(
        frame.select(functions.classify(col("path"))("class"), functions.embed_image(col("path")))
          .selectExpr("*", "1 AS one")
      )
      assert(ran.operators.length == 1 && ran.images == 3 && ran.left.isEmpty)
    }
  }

  test("what is wrong is said as in SQL") {
    withColours { frame =>
      def refused(call: Column, condition: String, parts: String*): Unit =
        assertError(failureOf(frame.select(call)), condition, parts: _*)
      refused(functions.classify(col("path"), "tensorflow"), "CLASSIFY_BAD_CONFIGURATION", "'tensorflow'", "'onnx'")
      refused(functions.classify(col("path"), model = "nine"), "CLASSIFY_BAD_CONFIGURATION", "'nine'", "is set")
      refused(functions.classify_topk(col("path"), 0), "CLASSIFY_BAD_CONFIGURATION", "k of classify_topk is 0")
      refused(functions.classify(lit(7)), "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
      val bad = frame.select(functions.image_hash(lit("/no/such.png")))
      assertError(failureOf(bad.collect()), "CLASSIFY_UNREADABLE_IMAGE", "/no/such.png", "use try_image_hash")
    }
  }
}
