package io.sparkclassify.job

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.model.{ClassifyEngine, ModelOutputs}
import org.apache.spark.sql.SparkSession

/**
 * What the executors tell about the model that they have loaded.
 *
 * @param file
 *   its path in the model directory
 * @param millis
 *   how long the engine took to load it
 */
private[job] final case class JobModel(
    labels: Seq[String],
    file: Option[String],
    device: String,
    engineVersion: String,
    millis: Long
)

private[job] object JobModel {

  /** Loads the model on the executors ahead of the images, so that the one time can be told from the other. */
  def load(spark: SparkSession, spec: ClassifySpec): JobModel = {
    val tasks = spark.sparkContext.defaultParallelism
    val loaded = spark.sparkContext
      .parallelize(0 until tasks, tasks)
      .map { _ =>
        val lease = ClassifyEngine.acquire(spec, ModelOutputs.Classes)
        try {
          val model = lease.model
          val engine = new ObjectMapper().readTree(spec.nativeEngine().engineInfo())
          val labels = model.labels.map(_.toString).toSeq
          JobModel(labels, model.file, model.device.name, engine.get("version").asText, model.loadMillis)
        } finally lease.close()
      }
      .collect()
    loaded.maxBy(_.millis)
  }
}
