package io.sparkclassify.ml

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.plans.{Plans, Ran}
import org.apache.spark.ml.evaluation.MulticlassClassificationEvaluator
import org.apache.spark.ml.linalg.{SQLDataTypes, Vector}
import org.apache.spark.ml.param.ParamMap
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.types._

class ImageClassifierSuite extends SharedSession {

  private val colours = ColourImages.model.toString

  private def classifier: ImageClassifier = new ImageClassifier().setInputCol("path").setModel(colours)

  /** A red, a green and a blue image, one that is none, one that is not there, and none. */
  private def withImages(body: DataFrame => Unit): Unit = TestData.withFolder { folder =>
    def write(name: String, bytes: Array[Byte]): Path = Files.write(folder.resolve(name), bytes)
    val good = (0 to 2).map(id => Row(id, write(s"$id.png", ColourImages.file(id)).toString))
    val bad = Seq(Row(3, write("bad.png", "no image".getBytes).toString), Row(4, s"$folder/none.png"), Row(5, null))
    val schema = new StructType().add("id", IntegerType).add("path", StringType)
    body(spark.createDataFrame(spark.sparkContext.parallelize(good ++ bad, 2), schema))
  }

  private def run(transformer: ImageTransformer, frame: DataFrame): Ran = Plans.run(transformer.transform(frame))

  test("the committed images get the reference's classes and probabilities, by both engines") {
    val images = LabelledImages.frame(spark)
    TestData.engines.foreach { engine =>
      val ran = run(new ImageClassifier().setInputCol("path").setBackend(engine), images)
      assert(ran.operators.length == 1 && ran.left.isEmpty && ran.images == 120)
      ran.rows.foreach { row =>
        val expected = TestData.golden(engine)(row.getAs[String]("name"))
        val actual = row.getAs[Vector]("probability").toArray
        assert(actual.length == 3)
        actual.zip(expected).foreach { case (a, b) => assert(math.abs(a - b) < 1e-4) }
        val best = expected.indexOf(expected.max)
        assert(row.getAs[Double]("prediction") == best)
        assert(row.getAs[String]("predictedLabel") == TestData.labels(best))
      }
    }
  }

  test("Spark's evaluator gives the reference's accuracy and log loss") {
    val predictions =
      new ImageClassifier().setInputCol("path").setBackend("onnx").transform(LabelledImages.frame(spark)).cache()
    try {
      def evaluate(metric: String): Double = new MulticlassClassificationEvaluator()
        .setMetricName(metric)
        .setLabelCol("label")
        .setPredictionCol("prediction")
        .setProbabilityCol("probability")
        .evaluate(predictions)
      assert(math.abs(evaluate("accuracy") - LabelledImages.accuracy(spark, "onnx")) < 1e-9)
      assert(math.abs(evaluate("logLoss") - LabelledImages.logLoss(spark, "onnx")) < 1e-3)
    } finally predictions.unpersist()
  }

  test("what is added is what transformSchema says, and comes after the columns of the data") {
    withImages { images =>
      Seq("error", "skip", "keep").foreach { handle =>
        val transformer = classifier.setHandleInvalid(handle)
        val expected = transformer.transformSchema(images.schema)
        val actual = transformer.transform(images).schema
        assert(actual == expected, handle)
        val added = Seq("prediction", "probability", "predictedLabel") ++ Seq("error").filter(_ => handle == "keep")
        assert(actual.fieldNames.toSeq == Seq("id", "path") ++ added)
        assert(actual("prediction").dataType == DoubleType && actual("probability").dataType == SQLDataTypes.VectorType)
      }
      val few = classifier.setPredictionCol("").setProbabilityCol("").setPredictedLabelCol("c").setHandleInvalid("keep")
      assert(few.setErrorCol("").transform(images).columns.toSeq == Seq("id", "path", "c"))
    }
  }

  test("error fails with the path and the reason, skip drops the row, keep says why") {
    withImages { images =>
      TestData.engines.foreach { engine =>
        def handling(handle: String) = classifier.setBackend(engine).setHandleInvalid(handle)
        Seq("id = 3" -> "bad.png", "id = 4" -> "none.png").foreach { case (condition, name) =>
          val error = failureOf(handling("error").transform(images.where(condition)).collect())
          assert(error.getMessage.contains(name) && error.getMessage.contains("CLASSIFY_"), error)
          assert(error.getMessage.contains("handleInvalid"), error)
        }
        val nothing = intercept[Exception](handling("error").transform(images.where("id IN (0, 5)")).collect())
        val text =
          Iterator.iterate[Throwable](nothing)(_.getCause).takeWhile(_ != null).map(_.getMessage).mkString("\n")
        Seq("'path'", "NULL", "handleInvalid is 'error'", "'skip'", "'keep'").foreach(part =>
          assert(text.contains(part))
        )

        val skipped = run(handling("skip"), images)
        assert(skipped.rows.map(_.getInt(0)).sorted == Seq(0, 1, 2))
        assert(skipped.operators.length == 1 && skipped.left.isEmpty)
        skipped.rows.foreach(row => assert(row.getAs[Double]("prediction") == row.getInt(0)))

        val kept = run(handling("keep"), images)
        assert(kept.operators.length == 1 && kept.left.isEmpty)
        val rows = kept.rows.map(row => row.getInt(0) -> row).toMap
        (0 to 2).foreach { id =>
          assert(rows(id).getAs[Double]("prediction") == id && rows(id).isNullAt(rows(id).fieldIndex("error")))
          assert(rows(id).getAs[String]("predictedLabel") == ColourImages.labels(id))
        }
        Seq(3 -> "bad.png", 4 -> "none.png", 5 -> "the image is NULL").foreach { case (id, reason) =>
          val row = rows(id)
          assert(row.getAs[Double]("prediction").isNaN && row.getAs[String]("error").contains(reason))
          Seq("probability", "predictedLabel").foreach(name => assert(row.isNullAt(row.fieldIndex(name))))
        }
      }
    }
  }

  test("each image is read and classified once, however many columns are made of it and filtered by") {
    withImages { images =>
      val counted = images.where("id < 3").selectExpr("id", "'counted:' || path AS path")
      Seq("error", "skip", "keep").foreach { handle =>
        var ran: Ran = null
        val query =
          classifier.setHandleInvalid(handle).transform(counted).where("prediction > 0 AND predictedLabel != 'x'")
        assert(CountedFileSystem.opens { ran = Plans.run(query) } == 3, handle)
        assert(ran.rows.length == 2 && ran.operators.length == 1 && ran.images == 3, handle)
      }
    }
  }

  test("contents, Spark's image structs and fields of structs are taken, too") {
    TestData.withFolder { folder =>
      (0 to 2).foreach(id => Files.write(folder.resolve(s"$id.png"), ColourImages.file(id)))
      val contents = spark.read.format("binaryFile").load(folder.toString)
      val structs = spark.read.format("image").load(folder.toString)
      Seq(
        contents -> "content",
        contents -> "path",
        contents.selectExpr("path AS `a.b`") -> "`a.b`",
        structs -> "image",
        structs -> "image.origin",
        contents.selectExpr("named_struct('file', named_struct('at', path)) AS s") -> "s.file.at"
      ).foreach { case (frame, column) =>
        val found =
          classifier.setInputCol(column).transform(frame).select("predictedLabel").collect().map(_.getString(0))
        assert(found.toSet == ColourImages.labels.toSet, column)
      }
    }
  }

  test("a stream is classified as a table is") {
    withImages { images =>
      TestData.withFolder { folder =>
        images.select("path").where("path IS NOT NULL").write.text(folder.resolve("paths").toString)
        val paths = spark.readStream.text(folder.resolve("paths").toString)
        Seq("skip" -> 3, "keep" -> 5).foreach { case (handle, rows) =>
          val stream = classifier.setInputCol("value").setHandleInvalid(handle).transform(paths)
          val query = stream.writeStream.format("memory").queryName(s"classified_$handle").start()
          try query.processAllAvailable()
          finally query.stop()
          val labels = spark.table(s"classified_$handle").select("predictedLabel").collect().map(_.getString(0))
          assert(labels.length == rows && labels.filter(_ != null).toSet == ColourImages.labels.toSet, handle)
        }
      }
    }
  }

  test("params that do not fit the data are refused by name, value and way out") {
    withImages { images =>
      def refused(transformer: => ImageTransformer, parts: String*): Unit = {
        var uid = ""
        val error = intercept[IllegalArgumentException] {
          val made = transformer
          uid = made.uid
          made.transformSchema(images.schema)
        }
        (uid +: parts).foreach(part => assert(error.getMessage.contains(part), error.getMessage))
      }
      refused(new ImageClassifier(), "inputCol is not set", "setInputCol")
      refused(classifier.setInputCol("pth"), "inputCol is 'pth'", "no such column", "id, path")
      refused(classifier.setInputCol("path.at"), "inputCol is 'path.at'", "no such column")
      refused(classifier.setInputCol("id"), "inputCol is 'id'", "INT", "BINARY")
      refused(classifier.setPredictionCol("ID"), "predictionCol is 'ID'", "set it to another one")
      refused(classifier.setProbabilityCol("prediction"), "probabilityCol is 'prediction'", "set it to another one")
      refused(classifier.setErrorCol("id").setHandleInvalid("keep"), "errorCol is 'id'")
      classifier.setErrorCol("id").transformSchema(images.schema)
      refused(
        classifier.setPredictionCol("").setProbabilityCol("").setPredictedLabelCol(""),
        "predictionCol or probabilityCol or predictedLabelCol"
      )
      refused(classifier.setHandleInvalid("drop"), "handleInvalid is 'drop'", "'error', 'skip', 'keep'")
      withConf("spark.sql.caseSensitive" -> "true") {
        classifier.setPredictionCol("ID").transformSchema(images.schema)
        refused(classifier.setInputCol("PATH"), "inputCol is 'PATH'", "no such column")
      }
    }
  }

  test("a model or backend that is not known is refused by transform, as in SQL") {
    withImages { images =>
      Seq(
        classifier.setModel("nine") -> "unknown model 'nine'",
        classifier.setBackend("tensorflow") -> "unknown backend 'tensorflow'"
      ).foreach { case (transformer, part) =>
        assertError(failureOf(transformer.transform(images)), "CLASSIFY_BAD_CONFIGURATION", part)
      }
    }
  }

  test("model and backend that are not set are those of the session") {
    withImages { images =>
      withConf(ClassifyConf.Model.key -> colours, ClassifyConf.Backend.key -> "onnx") {
        val rows = new ImageClassifier().setInputCol("path").setHandleInvalid("skip").transform(images).collect()
        assert(rows.map(_.getAs[String]("predictedLabel")).toSet == ColourImages.labels.toSet)
      }
    }
  }

  test("it is saved and loaded with all of its params, and overwritten") {
    TestData.withFolder { folder =>
      val path = folder.resolve("classifier").toString
      val saved = classifier.setBackend("onnx").setErrorCol("why").setHandleInvalid("keep").setPredictionCol("p")
      saved.save(path)
      val loaded = ImageClassifier.load(path)
      assert(loaded.uid == saved.uid)
      assert(loaded.params.map(param => param.name -> loaded.get(param)).toSeq ==
        saved.params.map(param => param.name -> saved.get(param)).toSeq)
      assert(loaded.explainParams() == saved.explainParams())
      new ImageClassifier().setInputCol("other").write.overwrite().save(path)
      val other = ImageClassifier.load(path)
      assert(other.getInputCol == "other" && !other.isSet(other.model) && other.getHandleInvalid == "error")
    }
  }

  test("copies have the uid and the params, and what is added to them alone") {
    val original = classifier.setBackend("onnx")
    val copy = original.copy(ParamMap(original.predictionCol -> "p"))
    assert(copy.uid == original.uid && copy.getModel == colours && copy.getPredictionCol == "p")
    assert(original.getPredictionCol == "prediction")
    withImages { images =>
      val columns = original.transform(images, original.predictedLabelCol -> "name").columns
      assert(columns.contains("name") && !columns.contains("predictedLabel"))
    }
  }

  test("it says what it is, and what its params mean") {
    val shown = new ImageClassifier("one").setInputCol("path").setBackend("onnx")
    assert(shown.toString == "ImageClassifier: uid=one, inputCol=path, backend=onnx, handleInvalid=error")
    val explained = shown.explainParams().linesIterator.toSeq
    assert(explained.map(_.takeWhile(_ != ':')) == Seq(
      "backend",
      "errorCol",
      "handleInvalid",
      "inputCol",
      "model",
      "predictedLabelCol",
      "predictionCol",
      "probabilityCol"
    ))
    assert(explained.exists(_.endsWith("(default: error)")) && explained.exists(_.endsWith("(current: path)")))
  }
}
