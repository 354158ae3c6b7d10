package io.sparkclassify.job

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, CountedFileSystem, TestData}
import org.apache.spark.sql.DataFrame

class JobSuite extends JobRunner {

  test("the confusion matrix counts right") {
    val counts = Map((0, 0) -> 3L, (0, 1) -> 1L, (1, 1) -> 4L, (2, 1) -> 2L)
    val matrix = ConfusionMatrix(Seq("a", "b", "c"), counts)
    assert(matrix.total == 10 && matrix.correct == 7)
    assert(matrix.accuracy.contains(0.7))
    assert(matrix.precision(1).contains(4.0 / 7))
    assert(matrix.precision(2).isEmpty)
    assert(matrix.recall(0).contains(0.75))
    assert(matrix.recall(2).contains(0.0))
    assert(
      matrix.render ==
        """actual \ predicted        a       b  c   recall
          |a                         3       1  0   75.00%
          |b                         0       4  0  100.00%
          |c                         0       2  0    0.00%
          |precision           100.00%  57.14%  -
          |
          |accuracy: 70.00% (7 of 10 images)""".stripMargin
    )
    assert(ConfusionMatrix(Seq("a"), Map.empty).accuracy.isEmpty)
  }

  test("of many classes, those most often taken for another are shown") {
    val classes = (0 until 40).map("class " + _)
    val matrix = ConfusionMatrix(classes, Map((0, 0) -> 5L, (3, 7) -> 2L, (9, 8) -> 4L))
    assert(
      matrix.render ==
        """of 40 classes, those most often taken for another
          |
          |actual   predicted  images
          |class 9    class 8       4
          |class 3    class 7       2
          |
          |accuracy: 45.45% (5 of 11 images)""".stripMargin
    )
  }

  test("class names are unique to Spark, and show their ids only where they have to") {
    Seq(
      Seq("a", "b") -> Seq("a", "b"),
      Seq("crane", "dog", "crane", "Crane") -> Seq("crane (0)", "dog", "crane (2)", "Crane (3)"),
      Seq("crane", "CRANE (0)", "crane") -> Seq("crane (0) (0)", "CRANE (0) (1)", "crane (2)")
    ).foreach { case (labels, names) => assert(ClassNames.unique(labels) == names) }
  }

  test("the actual class is the list's name, and its id tells classes of one name apart") {
    val classes = ActualClasses(Seq("crane", "dog", "crane"), Seq("a\nb", "class 9", "(other labels)"))
    assert(classes.of(Some("crane"), Some(2), 0).contains(2))
    assert(classes.of(Some("crane"), None, 2).contains(2))
    assert(classes.of(Some("crane"), None, 1).contains(0))
    assert(classes.of(Some("dog"), Some(7), 1).contains(1))
    assert(classes.of(None, Some(2), 2).contains(2))
    assert(classes.of(None, None, 2).isEmpty)
    assert(classes.of(Some("a\nb"), Some(0), 0).contains(3))
    assert(classes.of(None, Some(9), 1).contains(4))
    assert(classes.of(Some("one of many"), None, 1).contains(5))
    assert(classes.names == Seq("crane (0)", "dog", "crane (2)", "a\nb", "class 9", "(other labels)"))
    assert(ConfusionMatrix(classes.names, Map((3, 0) -> 2L)).render.contains("\na\\nb "))
  }

  private def run(
      list: Path,
      directory: String,
      engine: String,
      output: Path,
      model: Path = TestData.model
  ): String = runJob(
    Seq("--images", list.toString, "--image-dir", directory, "--model", model.toString, "--backend", engine) ++
      Seq("--output", output.toString)
  )._1

  TestData.engines.foreach { engine =>
    test(s"$engine: the job classifies each image once, writes the predictions and shows what they say") {
      TestData.withFolder { folder =>
        val output = folder.resolve("predictions")
        val golden = TestData.golden(engine)
        var text = ""
        val opened = CountedFileSystem.opens {
          text = run(TestData.list, s"counted:${TestData.images}", engine, output)
        }
        assert(opened == golden.size)

        val written = spark.read.option("header", "true").csv(output.toString)
        assert(
          written.columns.toSeq == Seq("image_path", "actual_class", "actual_class_id", "predicted_class") ++
            Seq("predicted_class_id", "confidence") ++ TestData.labels.map("prob_" + _)
        )
        val rows = written.collect()
        assert(rows.map(_.getString(0)).sorted.toSeq == golden.keys.toSeq.sorted)
        rows.foreach { row =>
          val expected = golden(row.getString(0))
          expected.indices.foreach(i => assert(math.abs(row.getString(6 + i).toDouble - expected(i)) <= 1e-4))
          assert(row.getString(4).toInt == expected.indexOf(expected.max))
        }

        val right = rows.count(row => row.getString(1) == row.getString(3))
        Seq(s"($right of ${rows.length} images)", "|predicted_class ", "recall", "precision").foreach { part =>
          assert(text.contains(part), text)
        }
        Seq("session start", "read list", "model load", "classify and write", "prediction details", "confusion matrix")
          .foreach(step => assert(s"(?m)^ *$step +[0-9]+[.][0-9]{3} s".r.findFirstIn(text).isDefined, s"$step: $text"))
        assert(text.contains(s"${rows.length} images, "))
      }
    }
  }

  /** The predictions for a red, a green and a blue image that a model with these labels makes, and what is printed. */
  private def classifyColours(labels: Seq[String], list: Seq[String])(check: (DataFrame, String) => Unit): Unit =
    TestData.withFolder { folder =>
      val model = ColourImages.modelCalling(labels, folder.resolve("model"))
      labels.indices.foreach(id => Files.write(folder.resolve(s"$id.png"), ColourImages.file(id)))
      val images = Files.write(folder.resolve("list.csv"), list.mkString("\n").getBytes)
      val output = folder.resolve("predictions")
      val printed = run(images, folder.toString, "onnx", output, model)
      check(spark.read.options(CsvFiles.ReadOptions).csv(output.toString).orderBy("image_path"), printed)
    }

  test("two classes of one name have columns of their own, and are told apart by their ids") {
    val list = Seq("image_path,actual_class,actual_class_id", "0.png,crane,0", "1.png,crane,0", "2.png,Crane,2")
    classifyColours(Seq("crane", "crane", "Crane"), list) { (written, printed) =>
      assert(written.columns.drop(6).toSeq == Seq("prob_crane (0)", "prob_crane (1)", "prob_Crane (2)"))
      assert(written.select("predicted_class", "predicted_class_id").collect().map(_.toSeq.mkString(":")).toSeq ==
        Seq("crane:0", "crane:1", "Crane:2"))
      assert(printed.contains("(2 of 3 images)"), printed)
      assert("(?m)^crane \\(0\\) +1 +1 +0 +50[.]00%$".r.findFirstIn(printed).isDefined, printed)
    }
  }

  test("labels of any text are written so that they are read back, and printed on their line") {
    val odd = "a\n\"b\",c"
    val labels = Seq(odd, " b\\", "c\"")
    val list = Seq("image_path,actual_class", "0.png,\"a\n\"\"b\"\",c\"", "1.png,\" b\\\"", "2.png,\"c\"\"\"")
    classifyColours(labels, list) { (written, printed) =>
      assert(written.columns.drop(5).toSeq == labels.map("prob_" + _))
      assert(written.select("actual_class", "predicted_class").collect().map(_.toSeq).toSeq == labels.map(l =>
        Seq(l, l)
      ))
      assert(printed.contains("(3 of 3 images)") && printed.contains("a\\n\"b\",c") && !printed.contains(odd), printed)
    }
  }

  test("a list without actual classes gives predictions and no matrix") {
    TestData.withFolder { folder =>
      val image = TestData.image(".png")
      val list = Files.write(folder.resolve("list.csv"), s"image_path\n$image\n".getBytes)
      val output = folder.resolve("predictions")
      val text = run(list, "elsewhere", "onnx", output)
      assert(text.contains("neither column actual_class nor actual_class_id"))
      assert(spark.read.option("header", "true").csv(output.toString).head().getString(0) == image.toString)
    }
  }

  test("a list without image_path is refused") {
    TestData.withFolder { folder =>
      val list = Files.write(folder.resolve("list.csv"), "picture\na.png\n".getBytes)
      val error = intercept[JobException](run(list, "elsewhere", "onnx", folder.resolve("out")))
      assert(error.getMessage.contains("image_path") && error.getMessage.contains("picture"))
    }
  }
}
