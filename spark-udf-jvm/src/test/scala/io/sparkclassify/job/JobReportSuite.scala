package io.sparkclassify.job

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.sparkclassify.{ClassifyException, ColourImages, TestData}
import io.sparkclassify.natives.{NativeLoader, NativeOptions}

/** The report that the job writes; tests/e2e compares one with that of classify-bench. */
class JobReportSuite extends JobRunner {

  private def natives = NativeLoader.load("onnx", NativeOptions.DEFAULTS)

  /** A red, a green and a blue image, the last labelled as green, one of an unknown class, and two that are bad. */
  private val rows =
    Seq("0.png,red", "1.png,green", "2.png,green", "0.png,purple", "broken.png,red", "none.png,", ",blue")

  private def withReport(list: Seq[String], options: String*)(check: (JsonNode, String, Path) => Unit): Unit =
    TestData.withFolder { folder =>
      (0 to 2).foreach(id => Files.write(folder.resolve(s"$id.png"), ColourImages.file(id)))
      Files.write(folder.resolve("broken.png"), ColourImages.file(1).take(40))
      Files.write(folder.resolve("list.csv"), list.mkString("\n").getBytes(UTF_8))
      // Another file system than the default one.
      runJob(
        Seq("--images", s"$folder/list.csv", "--model", ColourImages.model.toString, "--backend", "onnx", "--try") ++
          Seq("--output", s"$folder/out", "--report", s"counted:$folder/page.html") ++ options
      )
      val page = new String(Files.readAllBytes(folder.resolve("page.html")), UTF_8)
      check(read(folder.resolve("page.json")), page, folder)
    }

  private def read(file: Path): JsonNode = new ObjectMapper().readTree(Files.readAllBytes(file))

  private def texts(nodes: JsonNode, field: String): Seq[String] =
    nodes.elements.asScala.map(_.get(field).asText).toSeq

  test("it counts what the predictions say") {
    withReport("image_path,actual_class" +: rows) { (report, page, folder) =>
      val figures = report.get("figures")
      assert(figures.get("classified").asInt == 4 && figures.get("bad").asInt == 3)
      assert(report.get("classes").elements.asScala.map(_.asText).toSeq == ColourImages.labels :+ "purple")
      val labelled = figures.get("labelled")
      assert(labelled.get("images").asInt == 4 && labelled.get("correct").asInt == 2)
      val confusion = labelled.get("confusion").elements.asScala.map(cell =>
        (cell.get("actual").asInt, cell.get("predicted").asInt, cell.get("images").asInt)
      )
      assert(confusion.toSeq == Seq((0, 0, 1), (1, 1, 1), (1, 2, 1), (3, 0, 1)))
      // Of the images whose class the model has.
      val written = spark.read.options(CsvFiles.ReadOptions).csv(s"$folder/out").where("predicted_class IS NOT NULL")
      val losses = written.collect().toSeq.filter(_.getAs[String]("actual_class") != "purple").map { row =>
        -math.log(row.getAs[String](s"prob_${row.getAs[String]("actual_class")}").toDouble.max(1e-15))
      }
      assert(losses.length == 3 && math.abs(labelled.get("log_loss").asDouble - losses.sum / 3) < 1e-6, losses)
      val samples = report.get("samples")
      assert(texts(samples.get("mistakes"), "path").toSet == Set("2.png", "0.png"))
      assert(texts(samples.get("uncertain"), "path").length == 4)
      assert(texts(samples.get("pairs"), "path") == Seq("2.png", "0.png", "0.png", "1.png"))
      assert(texts(report.get("bad"), "condition") ==
        Seq("CLASSIFY_BAD_IMAGE", "CLASSIFY_UNREADABLE_IMAGE", "NO_IMAGE"))
      assert(report.get("bad").get(0).get("examples").get(0).get("reason").asText.contains("broken.png"))

      val head = report.get("head")
      assert(head.get("backend").asText == "onnx" && head.get("device").asText == "cpu")
      assert(head.get("model_sha256").asText.matches("[0-9a-f]{64}"))
      assert(head.get("steps").size == 4 && head.get("seconds").asDouble > 0)
      assert(head.get("steps").elements.asScala.exists(step =>
        step.get("name").asText == "inference" && step.get("seconds").asDouble > 0
      ))
      assert(head.get("started").asText.matches("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"))
      assert(head.get("versions").get(2).get(0).asText == "Spark")
      assert(page.split("data:image/jpeg;base64,/9j/").length > 3 && !page.contains("no picture"))
    }
  }

  test("without labels there are no figures about them") {
    withReport("image_path" +: rows.map(_.takeWhile(_ != ','))) { (report, page, _) =>
      assert(report.get("figures").get("labelled").isNull)
      assert(report.get("samples").get("mistakes").size == 0 && report.get("samples").get("uncertain").size == 4)
      assert(page.contains("Least certain images"))
    }
  }

  test("another run is set beside it, and is read before the work") {
    withReport("image_path,actual_class" +: rows) { (_, _, folder) =>
      val usual = Seq("--images", s"$folder/list.csv", "--model", ColourImages.model.toString, "--backend", "onnx") ++
        Seq("--try", "--output", s"$folder/again", "--report", s"$folder/again.html", "--baseline")
      runJob(usual :+ s"$folder/page.json")
      assert(new String(Files.readAllBytes(folder.resolve("again.html")), UTF_8).contains("Beside another run"))
      def refused(name: String): String = intercept[JobException](runJob(usual :+ s"$folder/$name")).getMessage
      assert(refused("none.json").endsWith("/none.json: there is no such file"))
      assert(refused("list.csv").endsWith("/list.csv: this is no report.json"))
      Files.write(folder.resolve("other.json"), "{\"head\": {}}".getBytes)
      assert(refused("other.json").endsWith("/other.json: this is no report.json"))
    }
  }

  test("a report that cannot be written fails the run, whose predictions stay") {
    TestData.withFolder { folder =>
      Files.write(folder.resolve("0.png"), ColourImages.file(0))
      val usual = Seq("--images", s"$folder/*.png", "--model", ColourImages.model.toString, "--backend", "onnx")
      val error = intercept[JobException](
        runJob(usual ++ Seq("--output", s"$folder/out", "--report", s"$folder/0.png/page.html"))
      )
      assert(error.getMessage.startsWith(s"the predictions are written ($folder/out), but "), error)
      assert(error.getMessage.contains(s": --report $folder/0.png/page.html cannot be written: "), error)
      assert(Files.exists(folder.resolve("out/_SUCCESS")))
    }
  }

  test("images from a column have pictures, too") {
    TestData.withFolder { folder =>
      (0 to 2).foreach(id => Files.write(folder.resolve(s"$id.png"), ColourImages.file(id)))
      val files = spark.read.format("binaryFile").load(s"$folder/*.png")
      files.selectExpr("path AS image_path", "content").write.parquet(s"$folder/list")
      runJob(
        Seq("--images", s"$folder/list", "--image-column", "content", "--model", ColourImages.model.toString) ++
          Seq("--backend", "onnx", "--output", s"$folder/out", "--report", s"$folder/page.html")
      )
      val page = new String(Files.readAllBytes(folder.resolve("page.html")), UTF_8)
      assert(page.split("data:image/jpeg;base64,/9j/").length == 4 && !page.contains("no picture"))
    }
  }

  test("a name that several images of a column have has no picture, and none need have one") {
    TestData.withFolder { folder =>
      (0 to 2).foreach(id => Files.write(folder.resolve(s"$id.png"), ColourImages.file(id)))
      val files = spark.read.format("binaryFile").load(s"$folder/*.png")
      val name = "CASE WHEN path LIKE '%/2.png' THEN NULL ELSE 'image.png' END AS image_path"
      files.selectExpr(name, "content").write.parquet(s"$folder/list")
      runJob(
        Seq("--images", s"$folder/list", "--image-column", "content", "--model", ColourImages.model.toString) ++
          Seq("--backend", "onnx", "--output", s"$folder/out", "--report", s"$folder/page.html")
      )
      assert(texts(read(folder.resolve("page.json")).get("samples").get("uncertain"), "path").sorted ==
        Seq("", "image.png", "image.png"))
      assert(!new String(Files.readAllBytes(folder.resolve("page.html")), UTF_8).contains("data:image/jpeg"))
    }
  }

  test("a list whose place the predictions have taken has no pictures") {
    TestData.withFolder { folder =>
      Files.write(folder.resolve("0.png"), ColourImages.file(0))
      Files.write(folder.resolve("list.csv"), s"image_path\n$folder/0.png\n".getBytes(UTF_8))
      val usual = Seq("--model", ColourImages.model.toString, "--backend", "onnx", "--output", s"$folder/out")
      runJob(usual ++ Seq("--images", s"$folder/list.csv"))
      runJob(usual ++ Seq("--images", s"$folder/out", "--report", s"$folder/page.html"))
      val page = new String(Files.readAllBytes(folder.resolve("page.html")), UTF_8)
      assert(page.contains("no picture") && !page.contains("data:image/jpeg"))
    }
  }

  test("the native library refuses what is no run, no report and no buffer") {
    def refused(request: String): String = {
      val error = intercept[ClassifyException](natives.report(request))
      assert(error.getCondition == "CLASSIFY_INTERNAL_ERROR")
      error.getReason
    }
    assert(refused("{}").contains("missing field `run`"))
    assert(refused(null).contains("null"))
    val run = """{"head": {"model": "", "model_sha256": null, "backend": "", "device": "", "precision": "",
      "versions": [], "configuration": [], "started": "", "seconds": 0, "steps": []}, "classes": ["a"],
      "model_classes": 1, "counts": [{"actual": 7, "predicted": 9, "confidence_step": 1000, "images": 1,
      "confidence": 0.5, "log_loss": null}], "samples": {"uncertain": [{"path": "x", "actual": 7, "predicted": 9,
      "confidence": 0.5, "actual_probability": null}], "mistakes": [], "label_errors": [], "pairs": []}, "bad": []}"""
    assert(refused(s"""{"run": $run, "thumbnails": {}, "baseline": "{}"}""").contains("this is no report.json"))
    // Places that there are not.
    assert(natives.report(s"""{"run": $run, "thumbnails": {}, "baseline": null}""").contains("<!DOCTYPE html>"))

    val nothing = java.nio.ByteBuffer.allocateDirect(10)
    assert(natives.thumbnail(nothing).isEmpty)
    assert(intercept[ClassifyException](natives.thumbnail(null)).getReason.contains("null"))
    val onHeap = java.nio.ByteBuffer.allocate(10)
    assert(intercept[ClassifyException](natives.thumbnail(onHeap)).getReason.contains("not a direct buffer"))
  }
}
