package io.sparkclassify.inference

import java.util.Comparator

import io.sparkclassify.model.{BatchResults, ModelOutputs}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** What a call shows of what a model gave for an image, or of its hashes. */
sealed trait ResultShape extends Serializable {

  /** The type of the value of a good image. */
  def dataType: DataType

  /** What it needs of the model. */
  def outputs: ModelOutputs

  /** What it is called as a field of a struct, where it is none itself. */
  def name: String = "value"

  /** The value of the image at this place in a batch, which holds nothing of the batch's buffers, or its error. */
  def value(results: BatchResults, image: Int): Either[String, Any]

  /** The type of an inference's result: the value of a good image, or the error of a bad one. */
  final lazy val resultType: StructType = StructType(
    Seq(
      StructField(name, dataType),
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

  /** A view of probabilities. */
  sealed trait OfClasses extends ResultShape {
    override def outputs: ModelOutputs = ModelOutputs.Classes

    override def value(results: BatchResults, image: Int): Either[String, Any] =
      results.classes.error(image).toLeft(results.classes.values(image)).map { probabilities =>
        ofClasses(results.labels, results.classes.classId(image), probabilities)
      }

    protected def ofClasses(labels: Array[UTF8String], best: Int, probabilities: Array[Float]): Any
  }

  /** The most probable class, and all probabilities in class-id order. */
  case object Prediction extends OfClasses {

    override val dataType: StructType =
      StructType(top :+ StructField("probabilities", ArrayType(FloatType, containsNull = false), nullable = false))

    override protected def ofClasses(labels: Array[UTF8String], best: Int, probabilities: Array[Float]): Any =
      InternalRow(labels(best), best, probabilities(best), UnsafeArrayData.fromPrimitiveArray(probabilities))
  }

  /** The `k` most probable classes, the most probable first; of equal ones that with the lower class id first. */
  final case class TopK(k: Int) extends OfClasses {

    override val dataType: ArrayType = ArrayType(StructType(top), containsNull = false)

    override protected def ofClasses(labels: Array[UTF8String], best: Int, probabilities: Array[Float]): Any = {
      val classIds = Array.tabulate(probabilities.length)(Integer.valueOf)
      // Sorting objects is stable, so equal probabilities keep the order of their ids.
      java.util.Arrays.sort(classIds, Comparator.comparingDouble[Integer](classId => -probabilities(classId).toDouble))
      new GenericArrayData(classIds.take(k).map { classId =>
        InternalRow(labels(classId), classId, probabilities(classId)): Any
      })
    }
  }

  /** The vector that the model makes of the image. */
  case object Embedding extends ResultShape {
    override val name: String = "embedding"
    override val dataType: ArrayType = ArrayType(FloatType, containsNull = false)
    override def outputs: ModelOutputs = ModelOutputs.Embedding

    override def value(results: BatchResults, image: Int): Either[String, Any] =
      results.embeddings
        .error(image)
        .toLeft(results.embeddings.values(image))
        .map(UnsafeArrayData.fromPrimitiveArray(_))
  }

  /** The hashes of the image, which no model makes. */
  case object Hashes extends ResultShape {

    override val dataType: StructType = StructType(
      Seq(StructField("phash", LongType, nullable = false), StructField("dhash", LongType, nullable = false))
    )
    override def outputs: ModelOutputs = ModelOutputs.Hashes

    override def value(results: BatchResults, image: Int): Either[String, Any] =
      results.embeddings.error(image).toLeft(results.embeddings.hashes(image)).map { case (phash, dhash) =>
        InternalRow(phash, dhash)
      }
  }

  /** The result of a good image. */
  def good(value: Any): InternalRow = InternalRow(value, null, null)

  /** The result of a bad image: its condition, and the reason with the image's name. */
  def bad(condition: String, reason: String): InternalRow =
    InternalRow(null, UTF8String.fromString(condition), UTF8String.fromString(reason))
}
