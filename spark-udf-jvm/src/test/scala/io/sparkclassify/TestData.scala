package io.sparkclassify

import java.io.File
import java.nio.file.{Files, Path, Paths}
import java.util.Comparator

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.apache.commons.io.FileUtils

/** The committed dataset and model, and what the Python reference says about them. */
object TestData {

  val model: Path = Paths.get("model").toAbsolutePath
  val images: Path = Paths.get("dataset/all_images").toAbsolutePath
  val list: Path = Paths.get("dataset/image_data.csv").toAbsolutePath
  val labels: Seq[String] = Seq("crop_and_replace", "font_issue", "valid_id")
  val engines: Seq[String] = Seq("onnx", "pytorch")

  private val reference = new ObjectMapper().readTree(new File("tests/golden/predictions.json"))

  /** Probabilities in class-id order, by image name, from the reference with the same engine. */
  def golden(engine: String): Map[String, Seq[Double]] = {
    val images: JsonNode = reference.get("images")
    images.fieldNames.asScala.map { name =>
      name -> images.get(name).get(engine).elements.asScala.map(_.asDouble).toSeq
    }.toMap
  }

  /** Some image of the dataset whose name ends like this. */
  def image(suffix: String): Path = {
    val name = golden("onnx").keys.filter(_.endsWith(suffix)).min
    images.resolve(name)
  }

  /** Runs `body` with a folder that is deleted afterwards. */
  def withFolder[T](body: Path => T): T = {
    val folder = Files.createTempDirectory("spark-classify-test-")
    try body(folder)
    finally {
      // Commons IO opens what it deletes, and so waits for ever at a FIFO.
      val paths = Files.walk(folder)
      try paths.sorted(Comparator.reverseOrder[Path]).forEach(path => Files.deleteIfExists(path))
      finally paths.close()
    }
  }

  /** Makes a FIFO. Nobody writes to it: whoever opens it to read waits for ever. */
  def fifo(path: Path): Path = {
    assert(new ProcessBuilder("mkfifo", path.toString).start().waitFor() == 0)
    path
  }

  /** A Unix socket that nobody listens on. */
  def socket(path: Path): Path = {
    val code = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    assert(new ProcessBuilder("python3", "-c", code, path.toString).start().waitFor() == 0)
    path
  }

  /** A copy of the model directory, for tests that break it. */
  def copyModel(folder: Path): Path = {
    val copy = folder.resolve("model")
    FileUtils.copyDirectory(model.toFile, copy.toFile)
    copy
  }
}
