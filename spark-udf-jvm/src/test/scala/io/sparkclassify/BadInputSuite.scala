package io.sparkclassify

import java.nio.file.{Files, Path}
import java.util.Arrays

import io.sparkclassify.conf.ClassifyConf

class BadInputSuite extends SharedSession {

  private def classify(path: Any, arguments: String = "'onnx'"): String = s"SELECT classify('$path', $arguments)"

  /** The same image in a table, so that a task meets it and not the driver. */
  private def inTask(path: Any): String = s"SELECT classify(path, 'onnx') FROM VALUES ('$path'), (NULL) AS t(path)"

  TestData.engines.foreach { engine =>
    test(s"$engine: a bad image fails the query with its path and the reason") {
      TestData.withFolder { folder =>
        def file(name: String, content: Array[Byte]): Path = Files.write(folder.resolve(name), content)
        val jpeg = Files.readAllBytes(TestData.image(".jpg"))
        val png = Files.readAllBytes(TestData.image(".png"))
        val cases = Seq(
          file("empty.jpg", Array.empty) -> "the file is empty",
          file("truncated.jpg", Arrays.copyOf(jpeg, jpeg.length / 2)) -> "JPEG",
          file("truncated.png", Arrays.copyOf(png, png.length / 2)) -> "PNG",
          file("text.png", "this is no image".getBytes) -> "not an image of a supported format"
        )
        cases.foreach { case (path, reason) =>
          val byPath = s"SELECT classify(path, '$engine') FROM VALUES ('$path') AS t(path)"
          assertError(failure(byPath), "CLASSIFY_BAD_IMAGE", path.toString, reason)
          val content = spark.createDataFrame(Seq(Tuple1(Files.readAllBytes(path)))).toDF("content")
          val byContent = failureOf(content.repartition(1).selectExpr(s"classify(content, '$engine')").collect())
          assertError(byContent, "CLASSIFY_BAD_IMAGE", s"BINARY value of ${Files.size(path)} bytes", reason)
        }
      }
    }
  }

  test("a file that cannot be read fails the query with its path and the reason") {
    TestData.withFolder { folder =>
      val missing = folder.resolve("missing.jpg")
      assertError(failure(inTask(missing)), "CLASSIFY_UNREADABLE_IMAGE", missing.toString, "does not exist")
      assertError(failure(inTask(folder)), "CLASSIFY_UNREADABLE_IMAGE", folder.toString, "is a directory")
      assertError(
        failure(inTask("nowhere://host/a.jpg")),
        "CLASSIFY_UNREADABLE_IMAGE",
        "nowhere://host/a.jpg",
        "scheme"
      )
      assertError(failure(inTask("")), "CLASSIFY_UNREADABLE_IMAGE", "empty string")
      assert(failure(inTask(missing)).getSqlState == "58030")
    }
  }

  test("an image over the limit is refused, as a file before it is read") {
    val image = TestData.golden("onnx").keys.map(TestData.images.resolve(_)).maxBy(Files.size(_))
    val size = Files.size(image)
    withConf(ClassifyConf.ImageMaxBytes.key -> (size - 1).toString) {
      val opened = CountedFileSystem.opens {
        assertError(
          failure(inTask(s"counted:$image")),
          "CLASSIFY_UNREADABLE_IMAGE",
          image.toString,
          s"more bytes than the limit of ${size - 1}",
          ClassifyConf.ImageMaxBytes.key
        )
      }
      assert(opened == 0)
      val byContent = s"SELECT classify(content, 'onnx') FROM binaryFile.`$image`"
      assertError(failure(byContent), "CLASSIFY_UNREADABLE_IMAGE", s"BINARY value of $size bytes")
    }
    withConf(ClassifyConf.ImageMaxBytes.key -> size.toString) {
      assert(sql(inTask(image)).collect().length == 2)
    }
  }

  test("an unknown backend fails the analysis and is named with the key") {
    val error = failureOf(sql(classify(TestData.image(".png"), "'tensorflow'")))
    assertError(error, "CLASSIFY_BAD_CONFIGURATION", "'tensorflow'", "spark.classify.backend", "'onnx'", "line 1 pos 7")
    assert(error.getSqlState == "22023")
  }

  test("a session without a model fails the analysis and names the key") {
    val model = spark.conf.get(ClassifyConf.Model.key)
    spark.conf.unset(ClassifyConf.Model.key)
    try {
      val error = failureOf(sql("SELECT classify('a.png')"))
      assertError(error, "CLASSIFY_BAD_CONFIGURATION", "spark.classify.model", "line 1 pos 7")
    } finally spark.conf.set(ClassifyConf.Model.key, model)
  }

  test("options that are no constant strings fail the analysis") {
    val view = "FROM VALUES ('a', 'onnx') AS t(path, backend)"
    assertError(
      failureOf(sql(s"SELECT classify(path, backend) $view")),
      "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
      "backend",
      "line 1 pos 7"
    )
    assertError(failureOf(sql(s"SELECT classify(path, 1) $view")), "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "INT")
    assertError(
      failureOf(sql(s"SELECT classify_topk(path, CAST(NULL AS INT)) $view")),
      "DATATYPE_MISMATCH.UNEXPECTED_NULL",
      "k"
    )
    assertError(
      failureOf(sql(s"SELECT classify(path, 'onnx', path) $view")),
      "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
      "model"
    )
  }

  test("a wrong input type or number of arguments fails the analysis") {
    assertError(failureOf(sql("SELECT classify(1)")), "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "BINARY", "INT")
    assertError(failureOf(sql("SELECT classify()")), "WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "classify")
    assertError(failureOf(sql("SELECT classify('a', 'onnx', 'm', 'x')")), "WRONG_NUM_ARGS.WITHOUT_SUGGESTION")
  }

  test("a model directory that is not there or has a broken file fails the first task and names key and file") {
    val image = TestData.image(".png")
    def fails(model: Any, parts: String*): Unit = {
      val query = s"SELECT classify(path, 'onnx', '$model') FROM VALUES ('$image'), (NULL) AS t(path)"
      assertError(failure(query), "CLASSIFY_BAD_MODEL", "spark.classify.model" +: parts: _*)
    }
    def broken(break: Path => Any)(parts: String*): Unit = TestData.withFolder { folder =>
      val model = TestData.copyModel(folder)
      break(model)
      fails(model, parts: _*)
    }
    fails("/no/such/model", "/no/such/model")
    fails("counted:/no/such/model", "counted:/no/such/model", "does not exist")
    fails(TestData.image(".png"), TestData.image(".png").toString)
    Seq("config.json", "preprocessor_config.json", "model.onnx").foreach { name =>
      broken(model => Files.delete(model.resolve(name)))(name)
      broken(model => Files.write(model.resolve(name), "{ not this".getBytes))(name)
    }
    // The model gives three values.
    val twoLabels = """{"id2label": {"0": "crop_and_replace", "1": "font_issue"}}"""
    broken(model => Files.write(model.resolve("config.json"), twoLabels.getBytes))("config.json", "id2label", "2", "3")
  }

  test("a pytorch model that is missing or broken fails the first task and is named") {
    TestData.withFolder { folder =>
      val model = TestData.copyModel(folder)
      val query = s"SELECT classify('${TestData.image(".png")}', 'pytorch', '$model')"
      Files.write(model.resolve("model.pt"), "no TorchScript".getBytes)
      assertError(failure(query), "CLASSIFY_BAD_MODEL", "model.pt")
      Files.delete(model.resolve("model.pt"))
      assertError(failure(query), "CLASSIFY_BAD_MODEL", "model.pt")
    }
  }

  test("after all these errors the JVM still classifies") {
    assert(!sql(classify(TestData.image(".png"))).head().isNullAt(0))
  }
}
