package io.sparkclassify.inference

import org.apache.spark.SparkContext
import org.apache.spark.sql.execution.metric.{SQLMetric, SQLMetrics}

/**
 * What the UI shows of the operator. Times are summed over tasks, and those of reading and preprocessing over their
 * threads too. Each task adds to a copy of its own, on its own thread.
 */
final class ClassifyMetrics(metrics: Map[String, SQLMetric]) extends Serializable {
  val images: SQLMetric = metrics("images")
  val batches: SQLMetric = metrics("batches")
  val gpuImages: SQLMetric = metrics("gpuImages")
  val badImages: SQLMetric = metrics("badImages")
  val bytesRead: SQLMetric = metrics("bytesRead")
  val readTime: SQLMetric = metrics("readTime")
  val retries: SQLMetric = metrics("retries")
  val waitTime: SQLMetric = metrics("waitTime")
  val callTime: SQLMetric = metrics("callTime")
  val decodeTime: SQLMetric = metrics("decodeTime")
  val preprocessTime: SQLMetric = metrics("preprocessTime")
  val inferenceTime: SQLMetric = metrics("inferenceTime")
  val rowTime: SQLMetric = metrics("rowTime")
  val modelLoadTime: SQLMetric = metrics("modelLoadTime")
}

object ClassifyMetrics {

  /** The names by which they are found again in what Spark tells of a query. */
  val Images = "number of images"
  val BadImages = "number of bad images"

  def create(context: SparkContext): Map[String, SQLMetric] = Map(
    "images" -> SQLMetrics.createMetric(context, Images),
    "batches" -> SQLMetrics.createMetric(context, "number of batches"),
    "gpuImages" -> SQLMetrics.createMetric(context, "number of images given to a GPU"),
    "badImages" -> SQLMetrics.createMetric(context, BadImages),
    "bytesRead" -> SQLMetrics.createSizeMetric(context, "size of files read"),
    "readTime" -> SQLMetrics.createNanoTimingMetric(context, "time to read files"),
    "retries" -> SQLMetrics.createMetric(context, "number of reads tried again"),
    "waitTime" -> SQLMetrics.createNanoTimingMetric(context, "time waiting for files"),
    "callTime" -> SQLMetrics.createNanoTimingMetric(context, "time of native calls"),
    "decodeTime" -> SQLMetrics.createNanoTimingMetric(context, "time to decode"),
    "preprocessTime" -> SQLMetrics.createNanoTimingMetric(context, "time to preprocess"),
    "inferenceTime" -> SQLMetrics.createNanoTimingMetric(context, "time of inference"),
    "rowTime" -> SQLMetrics.createNanoTimingMetric(context, "time to build results"),
    "modelLoadTime" -> SQLMetrics.createNanoTimingMetric(context, "time to get the model")
  )
}
