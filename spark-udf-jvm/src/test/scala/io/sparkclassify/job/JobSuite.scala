package io.sparkclassify.job

import java.io.ByteArrayOutputStream
import java.nio.file.{Files, Path}

import io.sparkclassify.{ClassifyJob, CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.conf.ClassifyConf

class JobSuite extends SharedSession {

  private val complete = Seq("--images", "list.csv", "--image-dir", "images", "--model", "model")

  test("arguments have defaults") {
    assert(
      JobArguments.parse(complete) ==
        Right(JobArguments("list.csv", "images", "model", "pytorch", "output_predictions"))
    )
    assert(JobArguments.parse(complete ++ Seq("--backend=ONNX", "--output", "out")).map(_.backend) == Right("onnx"))
  }

  test("wrong arguments are named") {
    def problem(arguments: Seq[String]): String = JobArguments.parse(arguments).left.getOrElse("none")
    assert(problem(Nil) == "missing --images, --image-dir, --model")
    assert(problem(complete.dropRight(2)) == "missing --model")
    assert(problem(complete :+ "--imagez") == "unknown argument --imagez")
    assert(problem(complete :+ "--output") == "--output needs a value")
    assert(problem(complete ++ Seq("--output", "--backend", "onnx")) == "--output needs a value")
    assert(problem(complete ++ Seq("--model", "other")) == "--model is given twice")
    assert(problem(complete ++ Seq("--backend", "tensorflow")) == "--backend tensorflow is unknown")
  }

  test("the confusion matrix counts right") {
    val counts = Map(("a", "a") -> 3L, ("a", "b") -> 1L, ("b", "b") -> 4L, ("c", "b") -> 2L)
    val matrix = ConfusionMatrix(Seq("a", "b", "c"), counts)
    assert(matrix.total == 10 && matrix.correct == 7)
    assert(matrix.accuracy.contains(0.7))
    assert(matrix.precision("b").contains(4.0 / 7))
    assert(matrix.precision("c").isEmpty)
    assert(matrix.recall("a").contains(0.75))
    assert(matrix.recall("c").contains(0.0))
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

  /** Runs the job; what it prints. */
  private def run(list: Path, directory: String, engine: String, output: Path): String = {
    val printed = new ByteArrayOutputStream
    val stopwatch = new Stopwatch
    stopwatch.time("session start")(spark)
    val arguments = JobArguments(list.toString, directory, TestData.model.toString, engine, output.toString)
    withConf(ClassifyConf.Model.key -> "unset", ClassifyConf.Backend.key -> "onnx") {
      Console.withOut(printed)(new ClassifyJob(spark, arguments, stopwatch).run())
    }
    printed.toString("UTF-8")
  }

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

  test("a list without actual classes gives predictions and no matrix") {
    TestData.withFolder { folder =>
      val image = TestData.image(".png")
      val list = Files.write(folder.resolve("list.csv"), s"image_path\n$image\n".getBytes)
      val output = folder.resolve("predictions")
      val text = run(list, "elsewhere", "onnx", output)
      assert(text.contains("no column actual_class"))
      assert(spark.read.option("header", "true").csv(output.toString).head().getString(0) == image.toString)
    }
  }

  test("a list without image_path is refused") {
    TestData.withFolder { folder =>
      val list = Files.write(folder.resolve("list.csv"), "picture\na.png\n".getBytes)
      val error = intercept[IllegalArgumentException](run(list, "elsewhere", "onnx", folder.resolve("out")))
      assert(error.getMessage.contains("image_path") && error.getMessage.contains("picture"))
    }
  }
}
