package io.sparkclassify.sql

import io.sparkclassify.{ColourImages, SharedSession, TestData}
import io.sparkclassify.image.ImageInput
import java.awt.image.BufferedImage
import java.nio.file.Files

import javax.imageio.ImageIO

import org.apache.spark.sql.Row
import org.apache.spark.sql.functions.{call_function, col, lit}
import org.apache.spark.sql.types._

class FunctionsSuite extends SharedSession {

  private val image = TestData.image(".png")
  private val view = s"FROM VALUES ('$image') AS t(path)"

  test("arguments can be given by name, in any order and case") {
    val expected = sql(s"SELECT classify(path, 'onnx', '${TestData.model}').class_id $view").head()
    Seq(
      s"classify(path, backend => 'onnx', model => '${TestData.model}')",
      s"classify(path, model => '${TestData.model}', backend => 'onnx')",
      s"classify(BACKEND => 'ONNX', input => path)",
      s"try_classify(path, 'onnx', model => '${TestData.model}')",
      s"classify_topk(path, backend => 'onnx', k => 1)[0]"
    ).foreach(call => assert(sql(s"SELECT $call.class_id $view").head() == expected, call))
  }

  test("from Spark 4.2 on, a name for Spark's own functions is one for ours, whatever else has it") {
    if (spark.catalog.functionExists("current_path")) {
      val expected = sql(s"SELECT classify(path, 'onnx').class_id $view").head()
      sql("CREATE TEMPORARY FUNCTION classify(path STRING, backend STRING) RETURNS INT RETURN 7")
      try Seq("builtin", "system.builtin").foreach { name =>
          assert(sql(s"SELECT $name.classify(path, 'onnx').class_id $view").head() == expected, name)
        }
      finally sql("DROP TEMPORARY FUNCTION classify")
    }
  }

  test("wrong arguments fail the analysis with condition, SQLSTATE and position") {
    def refused(call: String, parts: String*): Unit = {
      val error = failureOf(sql(s"SELECT $call $view"))
      assertError(error, "CLASSIFY_WRONG_ARGUMENTS", parts :+ "line 1 pos 7": _*)
      assert(error.getSqlState == "4274K")
    }
    refused("classify(path, modell => 'a')", "no parameter modell", "classify(input, backend, model)")
    refused("classify(path, 'onnx', backend => 'onnx')", "backend is given twice")
    refused("classify(path, model => 'a', model => 'b')", "model is given twice")
    refused("classify(backend => 'onnx')", "input is missing")
    refused("classify(backend => 'onnx', path)", "without a name")
    refused("classify_topk(path, backend => 'onnx')", "k is missing")
    assertError(failureOf(sql(s"SELECT classify_topk(path) $view")), "WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "[2, 3, 4]")
    assertError(failureOf(sql(s"SELECT classify_topk(path, 0) $view")), "CLASSIFY_BAD_CONFIGURATION", "k", "is 0")
    assertError(
      failureOf(sql(s"SELECT classify_topk(path, length(path)) $view")),
      "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
      "`k`",
      "INT"
    )
    assertError(
      failureOf(sql(s"SELECT classify_topk(path, 'two') $view")),
      "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
      "second"
    )
  }

  test("classify_topk gives the most probable classes first") {
    val expected = TestData.golden("onnx")(image.getFileName.toString)
    val order = expected.indices.sortBy(classId => -expected(classId))
    Seq(1, 2, 3, 10).foreach { k =>
      val top = sql(s"SELECT classify_topk(path, $k, 'onnx') $view").head().getSeq[Row](0)
      assert(top.map(_.getInt(1)) == order.take(k))
      assert(top.map(_.getString(0)) == order.take(k).map(TestData.labels))
      top.foreach(row => assert(math.abs(row.getFloat(2) - expected(row.getInt(1))) < 1e-4))
    }
    val equal = sql(s"SELECT classify_topk(unhex('${hex(grey)}'), 3, 'onnx', '${ColourImages.model}').class_id").head()
    assert(equal.getSeq[Int](0) == Seq(0, 1, 2), "of equal classes the lower id comes first")
    val schema = sql(s"SELECT classify_topk(path, 2) AS t $view").schema("t").dataType.asInstanceOf[ArrayType]
    assert(!schema.containsNull)
    assert(schema.elementType.asInstanceOf[StructType].map(f => f.name -> f.dataType) ==
      Seq("class" -> StringType, "class_id" -> IntegerType, "confidence" -> FloatType))
  }

  private def hex(bytes: Array[Byte]): String = bytes.map(byte => f"$byte%02x").mkString

  private def grey: Array[Byte] = {
    val bytes = new java.io.ByteArrayOutputStream
    val picture = new BufferedImage(2, 2, BufferedImage.TYPE_INT_RGB)
    (0 until 4).foreach(i => picture.setRGB(i / 2, i % 2, 0x808080))
    ImageIO.write(picture, "png", bytes)
    bytes.toByteArray
  }

  test("try_classify adds the error, and every field may be NULL") {
    val schema = sql(s"SELECT try_classify(path) AS t $view").schema("t").dataType.asInstanceOf[StructType]
    assert(schema.map(_.name) == Seq("class", "class_id", "confidence", "probabilities", "error"))
    assert(schema.forall(_.nullable) && schema.last.dataType == StringType)
  }

  test("pixels of Spark's image data source are classified like the file they come from") {
    TestData.withFolder { folder =>
      (0 to 2).foreach(classId => Files.write(folder.resolve(s"$classId.png"), ColourImages.file(classId, size = 7)))
      val alpha = new BufferedImage(5, 3, BufferedImage.TYPE_4BYTE_ABGR)
      val shade = new BufferedImage(5, 3, BufferedImage.TYPE_BYTE_GRAY)
      for (x <- 0 until 5; y <- 0 until 3) {
        alpha.setRGB(x, y, 0x80ff0000)
        shade.setRGB(x, y, if (y == 0) 0xffffff else 0)
      }
      ImageIO.write(alpha, "png", folder.resolve("alpha.png").toFile)
      ImageIO.write(shade, "png", folder.resolve("shade.png").toFile)
      Files.write(folder.resolve("broken.png"), "none".getBytes)
      val images = spark.read.format("image").load(folder.toString)
      val rows = images
        .withColumn("c", call_function("try_classify", col("image"), lit("onnx"), lit(ColourImages.model.toString)))
        .select(col("image.origin"), col("c"))
        .collect()
        .map(row => row.getString(0).split('/').last -> row.getStruct(1))
        .toMap
      (0 to 2).foreach(classId => assert(rows(s"$classId.png").getInt(1) == classId))
      assert(rows("alpha.png").getString(0) == "red")
      val byPath = sql(s"SELECT classify('$folder/shade.png', 'onnx', '${ColourImages.model}')").head().getStruct(0)
      assert(probabilities(rows("shade.png")) == probabilities(byPath))
      assert(rows("broken.png").getString(4).contains("CLASSIFY_BAD_IMAGE"))
      assert(rows("broken.png").getString(4).contains("broken.png"))
    }
  }

  test("image structs that contradict themselves are bad images") {
    val schema = StructType(Seq(StructField(
      "image",
      StructType(ImageInput.Pixels.fields.map { case (name, dataType) =>
        StructField(name, dataType)
      })
    )))
    val images = Seq(
      Row("short", 2, 2, 3, 16, new Array[Byte](11)),
      Row("flat", 2, 2, 2, 8, new Array[Byte](8)),
      Row("negative", -1, 2, 3, 16, new Array[Byte](0)),
      Row("signed", 2, 2, 3, 17, new Array[Byte](12)),
      Row("floats", 1, 1, 4, 5, new Array[Byte](4)),
      Row("undefined", 2, 2, 3, -1, new Array[Byte](12)),
      Row("large", 70000, 1, 1, 0, new Array[Byte](70000)),
      Row("huge", Int.MaxValue, Int.MaxValue, 3, 16, new Array[Byte](0)),
      Row(null, null, null, null, null, null),
      null
    )
    val frame = spark.createDataFrame(spark.sparkContext.parallelize(images.map(Row(_)), 1), schema)
    val results = frame
      .select(call_function("try_classify", col("image"), lit("onnx"), lit(ColourImages.model.toString)))
      .collect()
      .map(row => if (row.isNullAt(0)) None else Some(row.getStruct(0).getString(4)))
    assert(results.last.isEmpty)
    val expected = Seq(
      "short: 11 bytes of data are not 2 x 2 pixels of 3 channels",
      "flat: it has 2 channels",
      "negative: the image data source could not decode it",
      "signed: its mode is 17; 3 channels of bytes have OpenCV's 16",
      "floats: its mode is 5; 4 channels of bytes have OpenCV's 24",
      "undefined: its mode is -1",
      "large: height in pixels is 70000, over the limit",
      s"huge: 0 bytes of data are not ${Int.MaxValue} x ${Int.MaxValue} pixels",
      "image struct: the image data source could not decode it"
    )
    assert(results.length == expected.length + 1)
    expected.zip(results).foreach { case (part, error) => assert(error.exists(_.contains(part)), error) }
  }

  test("DESCRIBE FUNCTION EXTENDED explains every function") {
    Seq("classify", "try_classify", "classify_topk", "classify_info").foreach { name =>
      val text = sql(s"DESCRIBE FUNCTION EXTENDED $name").collect().map(_.getString(0)).mkString("\n")
      // As it stands on a terminal: the lines of the note are below each other, and none is too long for one.
      val note = text.linesIterator.toSeq.dropWhile(_ != "    Note:").drop(1).takeWhile(_.trim.nonEmpty)
      assert(note.nonEmpty && note.forall(line => line.matches("      \\S.*") && line.length <= 120), text)
    }
    Seq("classify", "try_classify", "classify_topk").foreach { name =>
      val text = sql(s"DESCRIBE FUNCTION EXTENDED $name").collect().map(_.getString(0)).mkString("\n")
      Seq(s"$name(input", "image data source", "backend", "spark.classify.models", "STRUCT<", "Since: 0.1.0")
        .foreach(part => assert(text.contains(part), text))
      assert(!text.contains("_FUNC_"), text)
    }
  }
}
