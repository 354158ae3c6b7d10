package io.sparkclassify

import org.apache.spark.SparkThrowable

object Condition {

  /** The condition of an error, which Spark 4 calls so. */
  def of(error: SparkThrowable): String = error.getErrorClass
}
