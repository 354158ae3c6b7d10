package io.sparkclassify

import java.nio.ByteBuffer
import java.nio.charset.StandardCharsets.UTF_8

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/**
 * The results of a native call, read out of its output buffer; valid until that buffer is used again.
 *
 * The buffer opens with four int64: nanoseconds for decoding, resizing and inference, and the number of bad images.
 * Then comes a row for each image: int32 status, and for a good image int32 class id, float32 confidence, int32 0 and
 * a float32 for each class; for a bad one int32 offset and int32 length of its message, in bytes from the buffer's
 * start.
 */
final class ResultRows(output: ByteBuffer, labels: Array[UTF8String]) {
  import ResultRows._

  private def start(image: Int): Int = HeaderBytes + image * rowBytes(labels.length)

  /** Why an image could not be classified; None for a good one. */
  def error(image: Int): Option[String] = {
    val at = start(image)
    if (output.getInt(at) == 0) None
    else {
      val message = new Array[Byte](output.getInt(at + 8))
      output.duplicate().position(output.getInt(at + 4)).get(message)
      Some(new String(message, UTF_8))
    }
  }

  /** The result of a good image, a value of [[ResultRows.schema]]. It holds nothing of the buffer. */
  def row(image: Int): InternalRow = {
    val at = start(image)
    val classId = output.getInt(at + 4)
    val probabilities = new Array[Float](labels.length)
    var i = 0
    while (i < probabilities.length) {
      probabilities(i) = output.getFloat(at + 16 + 4 * i)
      i += 1
    }
    InternalRow(labels(classId), classId, output.getFloat(at + 8), UnsafeArrayData.fromPrimitiveArray(probabilities))
  }
}

object ResultRows {

  /** The result of `classify`: probabilities stand in class-id order. */
  val schema: StructType = StructType(
    Seq(
      StructField("class", StringType, nullable = false),
      StructField("class_id", IntegerType, nullable = false),
      StructField("confidence", FloatType, nullable = false),
      StructField("probabilities", ArrayType(FloatType, containsNull = false), nullable = false)
    )
  )

  private val HeaderBytes = 32
  private val MessageBytes = 512

  private def rowBytes(classes: Int): Int = 16 + 4 * classes

  /** The bytes that the output of `count` images may need. */
  def capacity(count: Int, classes: Int): Long = HeaderBytes + count.toLong * (rowBytes(classes) + MessageBytes)
}
