package io.sparkclassify.plans

import io.sparkclassify.execution.ClassifyExec
import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.execution.SparkPlan
import org.apache.spark.sql.execution.adaptive.AdaptiveSparkPlanHelper

/** What became of a query: its rows, its operators, and what these counted. */
final case class Ran(rows: Seq[Row], operators: Seq[ClassifyExec], left: Seq[ImageInference]) {

  /** The sum of a metric over all operators. */
  def metric(name: String): Long = operators.map(_.metrics(name).value).sum

  /** How many images were classified. */
  def images: Long = metric("images")
}

object Plans extends AdaptiveSparkPlanHelper {

  /** Runs a query once and looks at the plan that ran. */
  def run(frame: DataFrame): Ran = {
    val rows = frame.collect().toSeq
    val plan = frame.queryExecution.executedPlan
    val operators = collectWithSubqueries(plan) { case operator: ClassifyExec => operator }
    val left = collectWithSubqueries(plan) { case other: SparkPlan if !other.isInstanceOf[ClassifyExec] => other }
      .flatMap(_.expressions.flatMap(_.collect { case inference: ImageInference => inference }))
    Ran(rows, operators, left)
  }
}
