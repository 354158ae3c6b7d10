package io.sparkclassify.model

import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.memory.DirectBuffers
import java.nio.ByteBuffer
import java.nio.charset.StandardCharsets.UTF_8

import org.apache.spark.unsafe.types.UTF8String

/**
 * The results of a native call, read out of its output buffer, which they give back when they are released.
 *
 * The buffer opens with four int64: nanoseconds for decoding, resizing and inference, and the number of bad images.
 * Then comes a row for each image: int32 status; for a good image, whose status is 0, int32 class id, float32
 * confidence, int32 0 and a float32 for each class; for a bad one int32 offset and int32 length of its message, in
 * bytes from the buffer's start. Status 2 is that of an image with too many pixels, 3 that of one that takes too much
 * memory, 1 that of any other bad one.
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
      val message = new Array[Byte](output.getInt(at + 8))
      output.duplicate().position(output.getInt(at + 4)).get(message)
      val reason = new String(message, UTF_8)
      Some(limits.get(status).fold(reason)(key => s"$reason ($key)"))
    }
  }

  /** The most probable class of a good image. */
  def classId(image: Int): Int = output.getInt(start(image) + 4)

  /** The probabilities of a good image, in class-id order; a copy. */
  def probabilities(image: Int): Array[Float] = {
    val first = start(image) + 16
    Array.tabulate(labels.length)(classId => output.getFloat(first + 4 * classId))
  }
}

object BatchResults {
  private val Good = 0

  /** The keys of the limits by the statuses of images beyond them. */
  private val limits = Map(2 -> ClassifyConf.ImageMaxPixels.key, 3 -> ClassifyConf.ImageMaxMemory.key)

  private val HeaderBytes = 32
  private val MessageBytes = 512

  private def rowBytes(classes: Int): Int = 16 + 4 * classes

  /** The bytes that the output of `count` images may need. */
  def capacity(count: Int, classes: Int): Long = HeaderBytes + count.toLong * (rowBytes(classes) + MessageBytes)
}
