package io.sparkclassify

import org.apache.spark.SparkThrowable

object Condition {

  /** The condition of an error, which Spark 3.5 calls its class. */
  def of(error: SparkThrowable): String = error.getCondition
}
