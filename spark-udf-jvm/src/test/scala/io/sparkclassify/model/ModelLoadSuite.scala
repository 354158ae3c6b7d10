package io.sparkclassify.model

import java.nio.file.{Files, Paths, StandardCopyOption}
import java.util.zip.{ZipEntry, ZipOutputStream}

import io.sparkclassify.{CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.natives.Scratch
import org.apache.commons.io.FileUtils

class ModelLoadSuite extends SharedSession {

  private val images =
    TestData.golden("onnx").keys.toSeq.sorted.take(8).map(name => Tuple1(s"${TestData.images}/$name"))

  /** Classifies some images in many tasks, two at a time. */
  private def classify(engine: String, model: Any): Seq[Int] = {
    val frame = spark.createDataFrame(images).toDF("path").repartition(8)
    frame.selectExpr(s"classify(path, '$engine', '$model').class_id").collect().map(_.getInt(0)).toSeq
  }

  private def loads(body: => Any): Long = {
    val before = ClassifyEngine.modelsLoaded
    body
    ClassifyEngine.modelsLoaded - before
  }

  TestData.engines.foreach { engine =>
    test(s"$engine: concurrent tasks load a model once, later queries not at all") {
      TestData.withFolder { folder =>
        val model = TestData.copyModel(folder)
        assert(loads(classify(engine, model)) == 1)
        assert(loads(classify(engine, model)) == 0)
      }
    }

    test(s"$engine: a load that failed is tried again") {
      TestData.withFolder { folder =>
        val model = TestData.copyModel(folder)
        val config = model.resolve("config.json")
        val aside = folder.resolve("config.json")
        Files.move(config, aside)
        assert(loads(assertError(failureOf(classify(engine, model)), "CLASSIFY_BAD_MODEL", "config.json")) == 0)
        Files.move(aside, config, StandardCopyOption.REPLACE_EXISTING)
        assert(loads(assert(classify(engine, model) == classify(engine, TestData.model))) >= 1)
      }
    }
  }

  test("of a model on another file system only what is needed is copied, once, and nothing of the copy stays") {
    TestData.withFolder { folder =>
      val model = TestData.copyModel(folder)
      val temporary = Paths.get(System.getProperty("java.io.tmpdir")).toFile
      def copies: Int = temporary.list().count(_.matches("spark-classify-.*-model-.*"))
      // That is what they are called.
      val example = Scratch.in(temporary.toPath).directory("model")
      assert(copies == 1)
      Files.delete(example)
      val opened = CountedFileSystem.opens {
        assert(loads(classify("onnx", s"counted:$model")) == 1)
        assert(classify("onnx", s"counted:$model") == classify("onnx", TestData.model))
      }
      // Two files of configuration and model.onnx, of a directory that has model.pt and others, too.
      assert(opened == 3 && model.toFile.list().length > 5)
      assert(copies == 0)
    }
  }

  private val cases = Paths.get("tests/cases").toAbsolutePath

  /** The probabilities of one image. */
  private def probabilities(model: Any): Seq[Float] =
    sql(s"SELECT classify('$cases/images/probe.png', 'onnx', '$model').probabilities").head().getSeq[Float](0)

  private lazy val plain = probabilities(s"$cases/models/plain")

  test("weights beside a model on another file system are copied with it") {
    val models = Seq("external" -> 4, "external_subdir" -> 4, "transformers_js" -> 3)
    models.foreach { case (name, files) =>
      TestData.withFolder { folder =>
        val model = folder.resolve(name)
        FileUtils.copyDirectory(cases.resolve(s"models/$name").toFile, model.toFile)
        Files.writeString(model.resolve("model.safetensors"), "weights for others")
        Files.writeString(model.resolve("weights.bin"), "more of them")
        val opened = CountedFileSystem.opens(assert(probabilities(s"counted:$model") == plain, name))
        assert(opened == files, name)
      }
    }
  }

  test("a model that is missing on another file system is an error that says what is there, and nothing is copied") {
    TestData.withFolder { folder =>
      val model = TestData.copyModel(folder)
      Files.delete(model.resolve("model.onnx"))
      val opened = CountedFileSystem.opens {
        val error = failureOf(classify("onnx", s"counted:$model"))
        val parts =
          Seq(s"counted:$model", "model.onnx: is missing", "choose the backend `pytorch`", "spark-classify export")
        assertError(error, "CLASSIFY_BAD_MODEL", parts: _*)
      }
      assert(opened == 0)
    }
  }

  test("the links of a hub cache and of a Kubernetes volume are followed") {
    val snapshot = cases.resolve("models/hub/models--someone--vit/snapshots/0123abcd")
    assert(probabilities(snapshot) == plain)
    assert(probabilities(s"counted:$snapshot") == plain)
    TestData.withFolder { folder =>
      val version = folder.resolve("..2026_11_27_12_00_00.123456789")
      FileUtils.copyDirectory(cases.resolve("models/external_subdir").toFile, version.toFile)
      Files.createSymbolicLink(folder.resolve("..data"), version.getFileName)
      version.toFile.list.foreach { name =>
        Files.createSymbolicLink(folder.resolve(name), Paths.get(s"..data/$name"))
      }
      Seq(folder.toString, s"counted:$folder").foreach(model => assert(probabilities(model) == plain, model))
    }
  }

  test("an archive that Spark brings to the executors is a model directory") {
    // Spark fetches it for sessions to come as well, so it stays as long as the context.
    val archive = Files.createTempFile("packed-", ".zip")
    val zip = new ZipOutputStream(Files.newOutputStream(archive))
    TestData.model.toFile.listFiles.filter(_.isFile).foreach { file =>
      zip.putNextEntry(new ZipEntry(s"cards/${file.getName}"))
      Files.copy(file.toPath, zip)
    }
    zip.close()
    spark.sparkContext.addArchive(s"$archive#packed")
    assert(classify("onnx", "sparkfiles:packed/cards") == classify("onnx", TestData.model))
    assert(loads(classify("onnx", "sparkfiles:packed/cards")) == 0)
    val outside = failureOf(classify("onnx", "sparkfiles:../packed/cards"))
    assertError(outside, "CLASSIFY_BAD_MODEL", "'../packed/cards' is no name of what --archives or --files has brought")
    val error = failureOf(classify("onnx", "sparkfiles:none"))
    assertError(error, "CLASSIFY_BAD_MODEL", "sparkfiles:none", "there is no directory /", "--archives")
  }

  test("both backends work in one query") {
    val query = s"""SELECT classify(path, 'onnx').probabilities, classify(path, 'pytorch').probabilities
                   |FROM VALUES ('${images.head._1}') AS t(path)""".stripMargin
    val row = sql(query).head()
    row.getSeq[Float](0).zip(row.getSeq[Float](1)).foreach { case (onnx, pytorch) =>
      assert(math.abs(onnx - pytorch) <= 2e-4)
    }
  }
}
