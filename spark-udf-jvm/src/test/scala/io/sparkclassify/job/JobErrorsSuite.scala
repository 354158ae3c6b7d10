package io.sparkclassify.job

import java.awt.image.BufferedImage
import java.nio.file.{Files, Path, Paths}
import javax.imageio.ImageIO

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.TestData
import io.sparkclassify.conf.ClassifyConf

/** What the job says last of an error is the sentence that SQL has for it in tests/golden/errors.json. */
class JobErrorsSuite extends JobRunner {

  private val golden = new ObjectMapper().readTree(Files.readString(Paths.get("tests/golden/errors.json")))

  private val colours = Paths.get("tests/golden/colour-model").toAbsolutePath.toString

  /** In the folder `work`: the model, and the image of the list. */
  private val cases = Seq[(String, Path => (String, String))](
    "no model directory" -> (work => (s"$work/none", s"$work/red.png")),
    "empty model directory" -> (work => (s"$work/empty", s"$work/red.png")),
    "broken configuration" -> (work => (s"$work/broken", s"$work/red.png")),
    "two slashes" -> (work => ("//models/cards", s"$work/red.png")),
    "server of a local model" -> (work => ("file://host/cards", s"$work/red.png")),
    "no URI" -> (work => ("a:b:/c", s"$work/red.png")),
    "engine that fails" -> (work =>
      (Paths.get("tests/golden/failing-model").toAbsolutePath.toString, s"$work/red.png")
    ),
    "directory" -> (work => (colours, s"$work")),
    "no image" -> (work => (colours, s"$work/text.png")),
    "pixels" -> (work => (colours, s"$work/red.png"))
  )

  cases.foreach { case (name, files) =>
    test(s"$name: the sentence that SQL has for it") {
      TestData.withFolder { work =>
        Files.createDirectory(work.resolve("empty"))
        Files.writeString(Files.createDirectory(work.resolve("broken")).resolve("config.json"), "{")
        Files.writeString(work.resolve("text.png"), "this is no picture")
        val red = new BufferedImage(300, 300, BufferedImage.TYPE_INT_RGB)
        red.setRGB(0, 0, 300, 300, Array.fill(300 * 300)(0xff0000), 0, 300)
        ImageIO.write(red, "png", work.resolve("red.png").toFile)
        val (model, image) = files(work)
        val list = Files.writeString(work.resolve("list.csv"), s"image_path\n$image\n")
        val pixels = if (name == "pixels") Seq(ClassifyConf.ImageMaxPixels.key -> "65536") else Nil
        val error = withConf(pixels: _*) {
          intercept[Exception] {
            val named = Seq("--images", s"$list", "--output", s"${work.resolve("output")}")
            runJob(named ++ Seq("--model", model, "--backend", "onnx"))
          }
        }
        val expected = golden.get(name).textValue
          .replace("{work}", work.toString)
          .replace("{root}", Paths.get("").toAbsolutePath.toString)
          .replaceAll("; line \\d+ pos \\d+$", "")
        assert(Job.explanation(error).map(_.replaceAll("; line \\d+ pos \\d+$", "")).contains(expected), error)
      }
    }
  }
}
