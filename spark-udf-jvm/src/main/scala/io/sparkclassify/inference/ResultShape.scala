package io.sparkclassify.inference

import java.util.Comparator

import io.sparkclassify.model.BatchResults
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** What a call shows of the probabilities that a model gave to an image. */
sealed trait ResultShape extends Serializable {

  /** The type of the value of a good image. */
  def dataType: DataType

  /** The value of the good image at this place in a batch. It holds nothing of the batch's buffers. */
  def value(results: BatchResults, image: Int): Any

  /** The type of an inference's result: the value of a good image, or the error of a bad one. */
  final lazy val resultType: StructType = StructType(
    Seq(
      StructField("value", dataType),
      StructField("condition", StringType),
      StructField("error", StringType)
    )
  )
}

object ResultShape {
  private val top = Seq(
    StructField("class", StringType, nullable = false),
    StructField("class_id", IntegerType, nullable = false),
    StructField("confidence", FloatType, nullable = false)
  )

  /** The most probable class, and all probabilities in class-id order. */
  case object Prediction extends ResultShape {

    override val dataType: StructType =
      StructType(top :+ StructField("probabilities", ArrayType(FloatType, containsNull = false), nullable = false))

    override def value(results: BatchResults, image: Int): Any = {
      val classId = results.classId(image)
      val probabilities = results.probabilities(image)
      InternalRow(
        results.labels(classId),
        classId,
        probabilities(classId),
        UnsafeArrayData.fromPrimitiveArray(probabilities)
      )
    }
  }

  /** The `k` most probable classes, the most probable first; of equal ones that with the lower class id first. */
  final case class TopK(k: Int) extends ResultShape {

    override val dataType: ArrayType = ArrayType(StructType(top), containsNull = false)

    override def value(results: BatchResults, image: Int): Any = {
      val probabilities = results.probabilities(image)
      val classIds = Array.tabulate(probabilities.length)(Integer.valueOf)
      // Sorting objects is stable, so equal probabilities keep the order of their ids.
      java.util.Arrays.sort(classIds, Comparator.comparingDouble[Integer](classId => -probabilities(classId).toDouble))
      new GenericArrayData(classIds.take(k).map[Any] { classId =>
        InternalRow(results.labels(classId), classId, probabilities(classId))
      })
    }
  }

  /** The result of a good image. */
  def good(value: Any): InternalRow = InternalRow(value, null, null)

  /** The result of a bad image: its condition, and the reason with the image's name. */
  def bad(condition: String, reason: String): InternalRow =
    InternalRow(null, UTF8String.fromString(condition), UTF8String.fromString(reason))
}
