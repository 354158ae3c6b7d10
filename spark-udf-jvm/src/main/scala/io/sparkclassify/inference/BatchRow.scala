package io.sparkclassify.inference

import io.sparkclassify.image.{BadImage, ImageBytes}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow

/**
 * A row of a batch, and the results of the inferences over its image.
 *
 * @param position
 *   where the row came from
 * @param content
 *   the image; None for NULL, whose results are NULL
 */
private[sparkclassify] final class BatchRow(
    val row: InternalRow,
    val position: InputPosition,
    content: Option[Either[BadImage, ImageBytes]],
    inferences: Int
) {
  private var bad = false

  val results: InternalRow = new GenericInternalRow(inferences)

  /** The image, where there is one to be classified. */
  val image: Option[ImageBytes] = content.flatMap(_.toOption)

  content.foreach(_.left.foreach(reason => (0 until inferences).foreach(fail(_, reason))))

  def isNull: Boolean = content.isEmpty
  def isBad: Boolean = bad

  /** The result of an inference is this value. */
  def succeed(inference: Int, value: Any): Unit = results.update(inference, ResultShape.good(value))

  /** The result of an inference is this error. */
  def fail(inference: Int, reason: BadImage): Unit = {
    bad = true
    results.update(inference, ResultShape.bad(reason.condition, reason.reason))
  }
}
