package io.sparkclassify.ml

import io.sparkclassify.TestData
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.functions.{col, concat, lit}

/** The committed images with their labels, and what the reference says of them. */
object LabelledImages {

  /** Columns `path`, `name`, `actual_class`, and `label`, the class id as Spark ML has it. */
  def frame(spark: SparkSession): DataFrame = spark.read
    .option("header", "true")
    .csv(TestData.list.toString)
    .select(
      concat(lit(s"${TestData.images}/"), col("image_path")).as("path"),
      col("image_path").as("name"),
      col("actual_class"),
      col("actual_class_id").cast("double").as("label")
    )

  /** How often the reference's most probable class is the labelled one. */
  def accuracy(spark: SparkSession, engine: String): Double = {
    val right = labels(spark).map { case (name, label) =>
      val probabilities = TestData.golden(engine)(name)
      if (probabilities.indexOf(probabilities.max) == label) 1.0 else 0.0
    }
    right.sum / right.size
  }

  /** The mean of the negative logarithms of the labelled class's probabilities, none taken for less than 1e-15. */
  def logLoss(spark: SparkSession, engine: String): Double = {
    val losses = labels(spark).map { case (name, label) =>
      -math.log(math.min(math.max(TestData.golden(engine)(name)(label), 1e-15), 1 - 1e-15))
    }
    losses.sum / losses.size
  }

  private def labels(spark: SparkSession): Seq[(String, Int)] =
    frame(spark).select("name", "label").collect().toSeq.map(row => row.getString(0) -> row.getDouble(1).toInt)
}
