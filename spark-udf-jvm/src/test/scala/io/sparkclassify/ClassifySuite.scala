package io.sparkclassify

import java.net.{InetAddress, InetSocketAddress}
import java.nio.file.Files

import com.sun.net.httpserver.HttpServer
import io.sparkclassify.conf.{ClassifyConf, ClassifySpec, DecodeSpec, DeviceSpec, Engine, ModelSpec, Precision}
import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.Row
import org.apache.spark.sql.functions.{call_function, col, lit}
import org.apache.spark.sql.types._

class ClassifySuite extends SharedSession {

  private def loadImages(): Unit = {
    val list = spark.read.option("header", "true").csv(TestData.list.toString)
    list.createOrReplaceTempView("images")
    spark.read.format("binaryFile").load(TestData.images.toString).createOrReplaceTempView("contents")
  }

  private def assertGolden(engine: String, results: Seq[(String, Row)]): Unit = {
    val golden = TestData.golden(engine)
    assert(results.map(_._1).sorted == golden.keys.toSeq.sorted)
    results.foreach { case (name, result) =>
      val expected = golden(name)
      probabilities(result).zip(expected).foreach { case (actual, wanted) =>
        assert(math.abs(actual - wanted) <= 1e-4, s"$name: ${probabilities(result)} instead of $expected")
      }
      val classId = expected.indexOf(expected.max)
      assert(result.getAs[Int]("class_id") == classId, name)
      assert(result.getAs[String]("class") == TestData.labels(classId), name)
      assert(result.getAs[Float]("confidence") == probabilities(result)(classId).toFloat, name)
    }
  }

  TestData.engines.foreach { engine =>
    test(s"$engine: every image, by its path, has the reference's probabilities") {
      loadImages()
      val rows =
        sql(s"SELECT image_path, classify('${TestData.images}/' || image_path, '$engine') FROM images").collect()
      assertGolden(engine, rows.map(row => row.getString(0) -> row.getStruct(1)).toSeq)
    }

    test(s"$engine: every image, by its content, has the reference's probabilities") {
      loadImages()
      val rows = sql(s"SELECT path, classify(content, '$engine') FROM contents").collect()
      assertGolden(engine, rows.map(row => row.getString(0).split('/').last -> row.getStruct(1)).toSeq)
    }
  }

  test("the result is a struct of class, class_id, confidence and probabilities") {
    val result = sql("SELECT classify(path) AS c FROM VALUES ('a') AS t(path)").schema("c")
    assert(
      result.dataType == StructType(
        Seq(
          StructField("class", StringType, nullable = false),
          StructField("class_id", IntegerType, nullable = false),
          StructField("confidence", FloatType, nullable = false),
          StructField("probabilities", ArrayType(FloatType, containsNull = false), nullable = false)
        )
      )
    )
  }

  test("NULL gives NULL, in every type and beside other rows") {
    assert(sql("SELECT classify(NULL, 'onnx')").head().isNullAt(0))
    assert(sql("SELECT classify(CAST(NULL AS BINARY), 'onnx')").head().isNullAt(0))
    val path = TestData.image(".png")
    val rows = sql(s"SELECT path, classify(path, 'onnx').class_id FROM VALUES ('$path'), (NULL) AS t(path)").collect()
    assert(rows.length == 2)
    rows.foreach(row => assert(row.isNullAt(0) == row.isNullAt(1)))
  }

  test("NULL for an option stands for its default, so that a later one can be given by position") {
    val path = TestData.image(".png")
    withConf(
      ClassifyConf.Backend.key -> "onnx",
      "spark.classify.models.committed" -> TestData.model.toString
    ) {
      val plain = sql(s"SELECT classify('$path')").head()
      Seq("NULL", "CAST(NULL AS STRING), 'committed'", "'onnx', NULL", "NULL, NULL", "model => NULL").foreach {
        options =>
          assert(sql(s"SELECT classify('$path', $options)").head() == plain, options)
      }
      assert(sql(s"SELECT classify_topk('$path', 1, NULL, 'committed')").head().getSeq[Row](0).length == 1)
    }
  }

  test("an image that SQL gives as a constant is classified too") {
    val path = TestData.image(".jpg")
    val expected = TestData.golden("onnx")(path.getFileName.toString)
    val result = sql(s"SELECT c.* FROM (SELECT classify('$path', 'onnx') AS c)").head()
    assert(result.getAs[Int]("class_id") == expected.indexOf(expected.max))
  }

  test("a relative path belongs to the driver's working directory, and any Hadoop file system will do") {
    val image = TestData.image(".png")
    val relative = TestData.images.getParent.getParent.relativize(image)
    val expected = sql(s"SELECT classify('$image', 'onnx')").head()
    assert(sql(s"SELECT classify('$relative', 'onnx')").head() == expected)
    assert(sql(s"SELECT classify('file://$image', 'onnx')").head() == expected)
    assert(CountedFileSystem.opens {
      assert(sql(s"SELECT classify('counted:$image', 'onnx')").head() == expected)
    } == 1)
  }

  test("a web server is a file system too, even one that tells no sizes") {
    // Small Java runtimes come without it.
    assume(ModuleLayer.boot.findModule("jdk.httpserver").isPresent, "this Java has no web server")
    val image = TestData.golden("onnx").keys.map(TestData.images.resolve(_)).maxBy(Files.size(_))
    val server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress, 0), 0)
    server.createContext(
      "/",
      exchange => {
        exchange.sendResponseHeaders(200, 0)
        exchange.getResponseBody.write(Files.readAllBytes(image))
        exchange.close()
      }
    )
    server.start()
    try {
      val url = s"http://localhost:${server.getAddress.getPort}/image.jpg"
      val query = s"SELECT classify(path, 'onnx') FROM VALUES ('$url') AS t(path)"
      assert(sql(query).head() == sql(s"SELECT classify('$image', 'onnx')").head())
      withConf(ClassifyConf.ImageMaxBytes.key -> "64k") {
        assertError(failure(query), "CLASSIFY_UNREADABLE_IMAGE", url, "more bytes than the limit of 65536")
      }
    } finally server.stop(0)
  }

  test("the session's own Hadoop settings reach the tasks") {
    withConf("fs.other.impl" -> classOf[OtherFileSystem].getName) {
      val image = TestData.image(".png")
      val query = s"SELECT classify('other:' || path, 'onnx').class_id FROM VALUES ('$image') AS t(path)"
      assert(sql(query).repartition(2).collect().length == 1)
    }
  }

  test("filter, join and group by see the right values") {
    loadImages()
    val golden = TestData.golden("onnx").map { case (name, values) => name -> values.indexOf(values.max) }
    sql(s"SELECT image_path, actual_class_id, classify('${TestData.images}/' || image_path, 'onnx') AS c FROM images")
      .createOrReplaceTempView("classified")

    val filtered = sql("SELECT image_path FROM classified WHERE c.class = 'font_issue'").collect().map(_.getString(0))
    assert(filtered.toSet == golden.collect { case (name, 1) => name }.toSet)

    val grouped = sql("SELECT c.class_id, count(*) FROM classified GROUP BY c.class_id").collect()
    val counts = golden.values.groupBy(identity).map { case (classId, images) => classId -> images.size.toLong }
    assert(grouped.map(row => row.getInt(0) -> row.getLong(1)).toMap == counts)

    val joined = sql(
      """SELECT l.image_path, r.name FROM classified l
        |JOIN VALUES (0, 'zero'), (1, 'one'), (2, 'two') AS r(id, name) ON l.c.class_id = r.id""".stripMargin
    ).collect()
    assert(joined.map(row => row.getString(0) -> row.getString(1)).toMap ==
      golden.map { case (name, classId) => name -> Seq("zero", "one", "two")(classId) })
  }

  test("options come from the arguments first, then from the session, and may be any constant string") {
    val image = TestData.image(".png")
    def specOf(query: String): ClassifySpec = sql(query).queryExecution.analyzed.expressions
      .flatMap(_.collect { case inference: ImageInference => inference.spec })
      .head
    assert(specOf(s"SELECT classify('$image')").model.engine == Engine.PyTorch)
    assert(specOf(s"SELECT classify('$image', lower('ONNX'))").model.engine == Engine.Onnx)
    assert(specOf(s"SELECT classify('$image', 'onnx', '/other/model')").model.uri == "file:/other/model")
    assert(specOf(s"SELECT classify('$image', 'onnx', 's3a://bucket/model')").model.uri == "s3a://bucket/model")
    withConf(ClassifyConf.Backend.key -> "ONNX", ClassifyConf.Model.key -> "model") {
      val spec = specOf(s"SELECT classify('$image')")
      val decode = DecodeSpec(maxPixels = 178956970L, maxMemory = 256L << 20, exifTranspose = false, fast = false)
      val cpu = DeviceSpec("cpu", None)
      assert(spec.model == ModelSpec(Engine.Onnx, s"file:${TestData.model}", Precision.Fp32, decode, cpu))
      assert(specOf(s"SELECT classify('$image', 'pytorch')").model.engine == Engine.PyTorch)
    }
  }

  test("the function can be called from the DataFrame API") {
    val image = TestData.image(".png")
    val frame = spark.read.format("binaryFile").load(image.toString)
    val result = frame.select(call_function("classify", col("content"), lit("onnx")).as("c")).select("c.*").head()
    assert(probabilities(result).size == TestData.labels.size)
  }

  test("a column's name shows the call as it was written") {
    assert(
      sql("SELECT classify(path, 'onnx') FROM VALUES ('a') AS t(path)").columns.toSeq == Seq("classify(path, 'onnx')")
    )
  }

  test("DESCRIBE FUNCTION EXTENDED explains arguments and result") {
    val text = sql("DESCRIBE FUNCTION EXTENDED classify").collect().map(_.getString(0)).mkString("\n")
    Seq("classify(input[, backend[, model]])", "spark.classify.model", "'onnx'", "probabilities", "Since: 0.1.0")
      .foreach(part => assert(text.contains(part), text))
  }

  test("big and small images take turns in the same buffers") {
    val image = Files.readAllBytes(TestData.image(".jpg"))
    // Decoders stop at the end of the picture: what follows only makes the value large.
    val padded = image ++ new Array[Byte](40 << 20)
    val frame = spark.createDataFrame(Seq(Tuple1(image), Tuple1(padded), Tuple1(image))).toDF("content").coalesce(1)
    val results = frame.selectExpr("classify(content, 'onnx')").collect()
    assert(results.toSet.size == 1)
  }
}

/** The local file system under a scheme that only a session's own setting makes known. */
class OtherFileSystem extends CountedFileSystem {
  override def getUri: java.net.URI = java.net.URI.create("other:///")
  override def getScheme: String = "other"
}
