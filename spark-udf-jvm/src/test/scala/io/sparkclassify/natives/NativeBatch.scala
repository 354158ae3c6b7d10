package io.sparkclassify.natives

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.{ByteBuffer, ByteOrder}
import java.nio.file.{Files, Path}

/** Calls of the native methods as tests make them: from the contract in [[NativeEngine]], not from its users. */
object NativeBatch {

  /** What a row of the output holds. */
  sealed trait Row
  final case class Good(classId: Int, probabilities: Seq[Float]) extends Row
  final case class Bad(message: String) extends Row

  /** @param nanos of decoding, resizing and inference */
  final case class Results(nanos: Seq[Long], rows: Seq[Row])

  val classes = 3

  /** What a call asks for. */
  val Classes = 1
  val Both = 3

  def capacity(count: Int): Int = 24 + count * (8 + 4 * classes + 4 + 512)

  def direct(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder)

  def pack(images: Seq[Array[Byte]]): Array[ByteBuffer] =
    images.map(image => direct(image.length).put(image)).toArray

  /** The sizes of so many images that are files. */
  def files(count: Int): Array[Int] = new Array(3 * count)

  def classify(natives: NativeEngine, model: Long, images: Seq[Array[Byte]], threads: Int = 1): Results =
    classifySized(natives, model, images, files(images.length), threads)

  def classifySized(
      natives: NativeEngine,
      model: Long,
      images: Seq[Array[Byte]],
      sizes: Array[Int],
      threads: Int = 1
  ): Results = {
    val output = direct(capacity(images.length))
    val written = natives.classify(model, Classes, pack(images), sizes, threads, output)
    val rows = images.indices.map { image =>
      val row = 24 + image * (8 + 4 * classes)
      if (output.getInt(row) == 0) {
        Good(output.getInt(row + 4), (0 until classes).map(c => output.getFloat(row + 8 + 4 * c)))
      } else {
        val position = output.getInt(row + 4)
        val message = new Array[Byte](output.getInt(position))
        assert(position + 4 + message.length <= written)
        output.duplicate().position(position + 4).get(message)
        Bad(new String(message, UTF_8))
      }
    }
    Results((0 until 3).map(field => output.getLong(8 * field)), rows)
  }

  def request(directory: Path, device: String = "cpu"): String =
    s"""{"directory": "$directory", "device": "$device"}"""

  def read(image: Path): Array[Byte] = Files.readAllBytes(image)
}
