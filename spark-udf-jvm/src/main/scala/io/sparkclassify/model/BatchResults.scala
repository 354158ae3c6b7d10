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
 * @param labels
 *   the names of the classes, in class-id order
 */
final class BatchResults(output: ByteBuffer, val labels: Array[UTF8String]) {
  import BatchResults._

  /** Time spent in decoding, summed over the images and so over the threads that did it. */
  def decodeNanos: Long = output.getLong(0)

  /** Time spent in resizing, cropping and normalising, summed likewise. */
  def resizeNanos: Long = output.getLong(8)

  /** Time spent in the model. */
  def inferenceNanos: Long = output.getLong(16)

  /** Gives the buffer back. To be called once, after everything has been read. */
  def release(): Unit = DirectBuffers.release(output)

  private def start(image: Int): Int = HeaderBytes + image * rowBytes(labels.length)

  /** Why an image could not be classified; None for a good one. */
  def error(image: Int): Option[String] = {
    val at = start(image)
    val status = output.getInt(at)
    if (status == Good) None
    else {
      val position = output.getInt(at + 4)
      val message = new Array[Byte](output.getInt(position))
      output.get(position + MessageHeadBytes, message)
      val reason = new String(message, UTF_8)
      Some(limits.get(status).fold(reason)(key => s"$reason ($key)"))
    }
  }

  /** The most probable class of a good image. */
  def classId(image: Int): Int = output.getInt(start(image) + 4)

  /** The probabilities of a good image, in class-id order; a copy. */
  def probabilities(image: Int): Array[Float] = {
    val first = start(image) + RowHeadBytes
    Array.tabulate(labels.length)(classId => output.getFloat(first + 4 * classId))
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

  private def rowBytes(classes: Int): Int = RowHeadBytes + 4 * classes

  /** The bytes that the output of `count` images may need. */
  def capacity(count: Int, classes: Int): Long =
    HeaderBytes + count.toLong * (rowBytes(classes) + MessageHeadBytes + MessageBytes)
}
