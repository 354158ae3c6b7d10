package io.sparkclassify.job

import org.apache.spark.sql.Column
import org.apache.spark.sql.functions.col

/** The columns of lists of images and of predictions. */
private[sparkclassify] object Columns {
  val Path = "image_path"
  val Label = "actual_class"
  val LabelId = "actual_class_id"
  val Predicted = "predicted_class"
  val PredictedId = "predicted_class_id"
  val Confidence = "confidence"
  val Error = "error"

  /** That of a class's probabilities begins with this. */
  val Probability = "prob_"

  /** What is to be classified: a path that leads to the image, or the image itself. It is not written. */
  val Image = "image"

  /** The column of exactly this name, which may be anything. */
  def named(name: String): Column = col(s"`${name.replace("`", "``")}`")
}
