package io.sparkclassify.model

import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.memory.DirectBuffers
import java.nio.ByteBuffer
import java.nio.charset.StandardCharsets.UTF_8

import org.apache.spark.unsafe.types.UTF8String

/**
 * The results of a native call, read out of its output buffer, which they give back when they are released.
 *
 * [[io.sparkclassify.natives.NativeEngine]] says what lies where.
 *
 * @param outputs
 *   what was asked for; nothing else is there
 * @param labels
 *   the names of the classes, in class-id order
 * @param width
 *   the number of values of an embedding
 */
final class BatchResults(
    output: ByteBuffer,
    images: Int,
    outputs: ModelOutputs,
    val labels: Array[UTF8String],
    width: Int
) {
  import BatchResults._

  /** The predictions of the images. */
  val classes: Rows = new Rows(HeaderBytes, labels.length)

  /** Their embeddings. */
  val embeddings: Rows =
    new Rows(HeaderBytes + (if (outputs.classes) images * rowBytes(labels.length) else 0), width)

  /** Time spent in decoding, summed over the images and so over the threads that did it. */
  def decodeNanos: Long = output.getLong(0)

  /** Time spent in resizing, cropping and normalising, summed likewise. */
  def resizeNanos: Long = output.getLong(8)

  /** Time spent in the model. */
  def inferenceNanos: Long = output.getLong(16)

  /** Gives the buffer back. To be called once, after everything has been read. */
  def release(): Unit = DirectBuffers.release(output)

  /** A row for each image. */
  final class Rows(first: Int, width: Int) {

    private def start(image: Int): Int = first + image * rowBytes(width)

    /** Why an image has no result; None for a good one. */
    def error(image: Int): Option[String] = {
      val at = start(image)
      val status = output.getInt(at)
      if (status == Good) None
      else {
        val position = output.getInt(at + 4)
        val message = new Array[Byte](output.getInt(position))
        output.duplicate().position(position + MessageHeadBytes).get(message)
        val reason = new String(message, UTF_8)
        Some(limits.get(status).fold(reason)(key => s"$reason ($key)"))
      }
    }

    /** The most probable class of a good image. */
    def classId(image: Int): Int = output.getInt(start(image) + 4)

    /** The numbers of a good image, probabilities in class-id order or its embedding; a copy. */
    def values(image: Int): Array[Float] = {
      val values = new Array[Float](width)
      output.duplicate().order(output.order).position(start(image) + RowHeadBytes).asFloatBuffer().get(values)
      values
    }

    /** The pHash and the dHash of a good image, where these are the results. */
    def hashes(image: Int): (Long, Long) = {
      val at = start(image) + RowHeadBytes
      (output.getLong(at), output.getLong(at + 8))
    }
  }
}

object BatchResults {
  private val Good = 0

  /** The keys of the limits by the statuses of images beyond them. */
  private val limits = Map(2 -> ClassifyConf.ImageMaxPixels.key, 3 -> ClassifyConf.ImageMaxMemory.key)

  private val HeaderBytes = 24
  private val RowHeadBytes = 8
  private val MessageHeadBytes = 4
  private val MessageBytes = 512

  private def rowBytes(width: Int): Int = RowHeadBytes + 4 * width

  /** The bytes that the output of `count` images may need, for these numbers of classes and values of an embedding. */
  def capacity(count: Int, outputs: ModelOutputs, classes: Int, width: Int): Long = {
    val widths = Seq(classes).filter(_ => outputs.classes) ++ Seq(width).filter(_ => outputs.embedding)
    HeaderBytes + count.toLong * widths.map(rowBytes(_).toLong + MessageHeadBytes + MessageBytes).sum
  }
}
