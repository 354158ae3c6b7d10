package io.sparkclassify.job

import org.apache.spark.sql.{Column, DataFrame}
import org.apache.spark.sql.functions._
import org.apache.spark.storage.StorageLevel

/**
 * What the written predictions say, an image a row, without its probabilities.
 *
 * What is brought to the driver of it is bounded by the number of classes, not by that of the images.
 *
 * @param labels
 *   the model's, in class-id order
 */
private[job] final class Results(written: DataFrame, labels: Seq[String]) extends AutoCloseable {
  import Results._

  private def known(name: String, kind: String): Column =
    (if (written.columns.contains(name)) Columns.named(name) else lit(null)).cast(kind)

  /** Whether it says what images show. */
  val areLabelled: Boolean = Seq(Columns.Label, Columns.LabelId).exists(written.columns.contains(_))

  /** What images can be counted as. */
  lazy val classes: ActualClasses = {
    val (name, id) = (known(Columns.Label, "string"), known(Columns.LabelId, "int"))
    if (areLabelled) ActualClasses.in(written, name, id, labels) else ActualClasses(labels, Nil)
  }

  /** The columns of [[Results]], kept, as a folder of CSV would else be read for each question. */
  lazy val images: DataFrame = {
    val predicted = col(Columns.PredictedId)
    val actual = classes.column(known(Columns.Label, "string"), known(Columns.LabelId, "int"), predicted)
    val probabilities = written.columns.filter(_.startsWith(Columns.Probability)).map(Columns.named)
    val narrow = written.select(
      col(Columns.Path).as(Path),
      col(Columns.PredictedId).as(Predicted),
      col(Columns.Confidence).as(Confidence),
      known(Columns.Error, "string").as(Error),
      actual.as(Actual),
      array(probabilities.toSeq: _*).as(Probabilities)
    )
    // The actual class may be one that the model does not have.
    val ofActual = when(col(Actual) < labels.length, element_at(col(Probabilities), col(Actual) + 1))
    narrow.withColumn(ActualProbability, ofActual).drop(Probabilities).persist(StorageLevel.MEMORY_AND_DISK)
  }

  /** Images with a prediction, and without. */
  def numbers(): (Long, Long) = {
    val counts = images.select(count(lit(1)), count(col(Predicted))).head()
    (counts.getLong(1), counts.getLong(0) - counts.getLong(1))
  }

  def confusionMatrix(): ConfusionMatrix = {
    val counts = images
      .where(col(Actual).isNotNull && col(Predicted).isNotNull)
      .groupBy(Actual, Predicted)
      .count()
      .collect()
      .map(row => (row.getInt(0), row.getInt(1)) -> row.getLong(2))
    ConfusionMatrix(classes.names, counts.toMap)
  }

  override def close(): Unit = images.unpersist()
}

private[job] object Results {
  val Path = "path"
  val Predicted = "predicted"
  val Confidence = "confidence"
  val Error = "error"

  /** Its place among [[ActualClasses.names]]. */
  val Actual = "actual"

  /** The probability of the actual class; NULL where the model does not have that. */
  val ActualProbability = "actual_probability"
  private val Probabilities = "probabilities"
}
