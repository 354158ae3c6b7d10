package io.sparkclassify

import java.awt.Color
import java.awt.image.BufferedImage
import java.io.ByteArrayOutputStream
import java.nio.file.{Path, Paths}

import javax.imageio.ImageIO

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.commons.io.FileUtils

/** Images of one colour, and the tiny model that tells it. */
object ColourImages {

  /** Its classes are red, green and blue. */
  val model: Path = Paths.get("tests/golden/colour-model").toAbsolutePath

  val labels: Seq[String] = Seq("red", "green", "blue")

  /** The model in another folder, its classes called otherwise. */
  def modelCalling(labels: Seq[String], folder: Path): Path = {
    FileUtils.copyDirectory(model.toFile, folder.toFile)
    val mapper = new ObjectMapper
    val names = mapper.createObjectNode
    labels.zipWithIndex.foreach { case (label, id) => names.put(id.toString, label) }
    mapper.writeValue(folder.resolve("config.json").toFile, mapper.createObjectNode.set[ObjectNode]("id2label", names))
    folder
  }

  /** A file with `size` x `size` pixels of the class. */
  def file(classId: Int, format: String = "png", size: Int = 8): Array[Byte] = {
    val image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB)
    val graphics = image.createGraphics()
    graphics.setColor(Seq(Color.RED, Color.GREEN, Color.BLUE)(classId))
    graphics.fillRect(0, 0, size, size)
    graphics.dispose()
    val bytes = new ByteArrayOutputStream
    ImageIO.write(image, format, bytes)
    bytes.toByteArray
  }
}
