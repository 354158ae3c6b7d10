package io.sparkclassify.job

import java.util.Locale

import io.sparkclassify.Printable
import io.sparkclassify.conf.{ClassifyConf, ClassifySpec}
import io.sparkclassify.model.{ClassifyEngine, ModelOutputs}
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.{Column, DataFrame, SparkSession}
import org.apache.spark.sql.functions.{col, concat, expr, lit, udf, when}

/** Classifies the images of a list and reports how well it went: what `ClassifyJob` runs. */
object Job {

  def main(arguments: Array[String]): Unit =
    if (arguments.contains("--help")) println(JobArguments.Usage)
    else {
      JobArguments.parse(arguments.toSeq) match {
        case Right(parsed) => run(parsed)
        case Left(problem) =>
          System.err.println(s"$problem\n\n${JobArguments.Usage}")
          System.exit(2)
      }
    }

  private def run(arguments: JobArguments): Unit = {
    val stopwatch = new Stopwatch
    val spark = stopwatch.time("session start")(SparkSession.builder().appName("spark-classify").getOrCreate())
    try new Job(spark, arguments, stopwatch).run()
    finally spark.stop()
  }

  /** Columns of a list that say what an image shows. */
  private val Actual = Seq("actual_class", "actual_class_id")

  /** What the executors tell about the model that they loaded. */
  private final case class LoadedModel(labels: Seq[String], millis: Long)
}

/**
 * One run of the job in a session that has `classify`. It prints its results as they come.
 *
 * Every image is classified once, by the query that writes the predictions; all that is shown is read back from them.
 */
private[sparkclassify] final class Job(spark: SparkSession, arguments: JobArguments, stopwatch: Stopwatch) {
  import Job.{Actual, LoadedModel}

  def run(): Unit = {
    spark.conf.set(ClassifyConf.Model.key, arguments.model)
    spark.conf.set(ClassifyConf.Backend.key, arguments.backend)

    val images = stopwatch.time("read list")(readList())
    val model = stopwatch.time("model load")(loadModel())
    val predictions = predict(images, model.labels)
    stopwatch.time("classify and write") {
      predictions.write.mode("overwrite").options(Predictions.WriteOptions).csv(arguments.output)
    }

    val written = spark.read.schema(predictions.schema).options(Predictions.ReadOptions).csv(arguments.output)
    println(s"\nPrediction details (all of them in ${arguments.output}):")
    stopwatch.time("prediction details")(showDetails(written))
    val count = stopwatch.time("count")(written.count())
    println("Confusion matrix:")
    if (written.columns.exists(Actual.contains)) {
      println(stopwatch.time("confusion matrix")(confusionMatrix(written, model.labels)).render)
    } else println(s"none, because ${arguments.images} has neither column actual_class nor actual_class_id")

    val rate = String.format(Locale.ROOT, "%.1f", Double.box(count / stopwatch("classify and write")))
    println("\nTime of each step, until its result was there:")
    println(
      stopwatch.report(
        Map(
          "model load" -> s"${arguments.backend}; ${model.millis} ms of it in the engine",
          "classify and write" -> s"$count images, $rate images/s"
        )
      )
    )
  }

  /** The list, with a column `image` that holds the full path, spread over all cores. */
  private def readList(): DataFrame = {
    val list = spark.read.options(Predictions.ListOptions).csv(arguments.images)
    if (!list.columns.contains("image_path")) {
      throw new IllegalArgumentException(
        s"${arguments.images} has no column image_path; its columns: ${list.columns.mkString("[", ", ", "]")}"
      )
    }
    val directory = new Path(arguments.imageDirectory)
    val hadoop = spark.sparkContext.hadoopConfiguration
    val base = directory.getFileSystem(hadoop).makeQualified(directory).toString.stripSuffix("/")
    val path = col("image_path")
    list
      .withColumn(
        "image",
        when(path.rlike("^(/|[A-Za-z][A-Za-z0-9+.-]*:)"), path).otherwise(concat(lit(s"$base/"), path))
      )
      .repartition(math.max(spark.sparkContext.defaultParallelism, list.rdd.getNumPartitions))
  }

  /** Loads the model on the executors ahead of the images, so that the report can tell the one time from the other. */
  private def loadModel(): LoadedModel = {
    val spec = ClassifySpec.resolve()
    val tasks = spark.sparkContext.defaultParallelism
    val loaded = spark.sparkContext
      .parallelize(0 until tasks, tasks)
      .map { _ =>
        val lease = ClassifyEngine.acquire(spec, ModelOutputs.Classes)
        try LoadedModel(lease.model.labels.map(_.toString).toSeq, lease.model.loadMillis)
        finally lease.close()
      }
      .collect()
    loaded.maxBy(_.millis)
  }

  private def predict(images: DataFrame, labels: Seq[String]): DataFrame = {
    val actual = Seq(col("actual_class"), col("actual_class_id").cast("int").as("actual_class_id"))
      .zip(Actual)
      .collect { case (column, name) if images.columns.contains(name) => column }
    val predicted = Seq[Column](
      col("prediction.class").as("predicted_class"),
      col("prediction.class_id").as("predicted_class_id"),
      col("prediction.confidence").as("confidence")
    )
    val probabilities = ClassNames.unique(labels).zipWithIndex.map { case (name, classId) =>
      col("prediction.probabilities").getItem(classId).as(s"prob_$name")
    }
    images
      .withColumn("prediction", expr("classify(image)"))
      .select(col("image_path") +: (actual ++ predicted ++ probabilities): _*)
  }

  private def showDetails(written: DataFrame): Unit = {
    val columns = Seq("image_path", "actual_class", "predicted_class", "confidence").filter(written.columns.contains)
    val printable = udf(Printable.escape _)
    written
      .orderBy("image_path")
      .select(columns.map(name => if (name == "confidence") col(name) else printable(col(name)).as(name)): _*)
      .show(20, truncate = false)
  }

  private def confusionMatrix(written: DataFrame, labels: Seq[String]): ConfusionMatrix = {
    def knownAs(name: String): Column = if (written.columns.contains(name)) col(name) else lit(null)
    val counts = written
      .groupBy(
        knownAs("actual_class").cast("string"),
        knownAs("actual_class_id").cast("int"),
        col("predicted_class_id")
      )
      .count()
      .collect()
      .map(row =>
        ((Option(row.getString(0)), Option(row.getAs[Integer](1)).map(_.intValue), row.getInt(2)), row.getLong(3))
      )
    ConfusionMatrix.of(labels, counts.toSeq)
  }
}
