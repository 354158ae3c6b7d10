package io.sparkclassify.job

import java.io.InputStream
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.Locale

import scala.util.control.NonFatal

import io.sparkclassify.{ClassifyException, Printable, SparkLog}
import io.sparkclassify.conf.{ClassifyConf, ClassifySpec}
import io.sparkclassify.image.InputFault
import io.sparkclassify.natives.BuildVersions
import org.apache.spark.SPARK_VERSION
import org.apache.spark.sql.{AnalysisException, Column, DataFrame, SparkSession}
import org.apache.spark.sql.functions.{coalesce, col, count, expr, lit, udf, when}

/** Classifies images and reports how well it went: what `ClassifyJob` runs. */
object Job {

  private val log = SparkLog.named("io.sparkclassify.ClassifyJob")

  /** All images have been classified, or it has been told what to do with bad ones. */
  private val Done = 0
  private val Failed = 1
  private val WrongArguments = 2
  private val BadImages = 3

  /** What the tasks have measured may come so long after the end of the query. */
  private val MetricsMillis = 5000L

  /** Runs the job in a session of its own, and returns what the process is to exit with. */
  def execute(arguments: Array[String]): Int =
    if (JobArguments.asksHelp(arguments.toSeq)) {
      println(JobArguments.commandLine.help)
      Done
    } else if (JobArguments.asksVersion(arguments.toSeq)) {
      println(s"spark-classify ${BuildVersions.read().version} on Spark $SPARK_VERSION")
      Done
    } else {
      JobArguments.parse(arguments.toSeq) match {
        case Right(parsed) => execute(parsed)
        case Left(problem) =>
          System.err.println(s"${JobArguments.commandLine.usage}\nClassifyJob: error: ${Printable.escape(problem)}")
          WrongArguments
      }
    }

  private def execute(arguments: JobArguments): Int =
    try {
      val stopwatch = new Stopwatch
      val spark = stopwatch.time("session start")(SparkSession.builder().appName("spark-classify").getOrCreate())
      val bad =
        try new Job(spark, arguments, stopwatch, System.in).run()
        finally spark.stop()
      if (arguments.failsOnBad && bad > 0) BadImages else Done
    } catch {
      case NonFatal(e) if explanation(e).nonEmpty =>
        log.info("The job failed", e)
        System.err.println(s"ClassifyJob: error: ${Printable.escape(explanation(e).get)}")
        Failed
    }

  /** What its user has to know of an error whose place in the code says nothing to them. */
  private[job] def explanation(error: Throwable): Option[String] =
    Iterator.iterate(error)(_.getCause).takeWhile(_ != null).take(32).collectFirst {
      case e @ (_: ClassifyException | _: JobException) => e.getMessage
      // What follows is a plan.
      case e: AnalysisException => e.getMessage.takeWhile(_ != '\n').stripSuffix(";")
    }
}

/**
 * One run of the job in a session that has `classify`. It prints its results as they come.
 *
 * Every image is classified once, by the query that writes the predictions; all that is shown is read back from them.
 */
private[sparkclassify] final class Job(
    spark: SparkSession,
    arguments: JobArguments,
    stopwatch: Stopwatch,
    standardInput: => InputStream
) {
  private val output = Output.of(spark, arguments.output)

  /** Returns how many images have no prediction. */
  def run(): Long = {
    val started = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString
    spark.conf.set(ClassifyConf.Model.key, arguments.model)
    spark.conf.set(ClassifyConf.Backend.key, arguments.backend)

    output.check()
    val report = arguments.report.map(new JobReport(spark, _, arguments.baseline))
    val images = stopwatch.time("read list")(readList())
    val spec = ClassifySpec.resolve()
    val model = stopwatch.time("model load")(JobModel.load(spark, spec))
    val predictions = predict(images.spread, model.labels)
    val progress = Progress.start(spark.sparkContext, images.number)
    try stopwatch.time("classify and write")(output.write(predictions))
    finally progress.close()

    try {
      val bad = tell(output.read(predictions), model) { results =>
        report.foreach { report =>
          stopwatch.time("report") {
            progress.awaitEnd(images.number, Job.MetricsMillis)
            val steps = Progress.Steps.map { case (step, metric) => step -> progress.finished(metric) / 1e9 }
            val head = report.head(arguments, spec, model, started, stopwatch("classify and write"), steps)
            val document = new RunDocument(results).make(head)
            report.write(document, thumbnails(images.table, RunDocument.shown(document), spec))
          }
        }
      }
      arguments.report.foreach(page => println(s"\nReport: ${Printable.escape(page)}"))
      bad
    } catch {
      case NonFatal(e) =>
        val reason = Job.explanation(e).getOrElse(InputFault.sentence(e))
        throw new JobException(s"the predictions are written (${output.name}), but not all is told of them: $reason", e)
    }
  }

  /** Prints what the predictions say, with `report` before the times; returns how many images have none. */
  private def tell(written: DataFrame, model: JobModel)(report: Results => Unit): Long = {
    println(s"\nPrediction details (all of them in ${Printable.escape(output.name)}):")
    stopwatch.time("prediction details")(showDetails(written))
    val results = new Results(written, model.labels)
    try {
      val (classified, bad) = stopwatch.time("count")(results.numbers())
      println("Confusion matrix:")
      if (results.areLabelled) println(stopwatch.time("confusion matrix")(results.confusionMatrix()).render)
      else
        println(
          s"none, because ${arguments.input.source.name} has neither column ${Columns.Label} nor ${Columns.LabelId}"
        )
      if (bad > 0) println(s"\n$bad of ${classified + bad} images have no prediction")
      report(results)
      showTimes(model, classified + bad)
      bad
    } finally results.close()
  }

  /** None where the list cannot be read again: the predictions may have taken its place. */
  private def thumbnails(images: DataFrame, paths: Seq[String], spec: ClassifySpec): Map[String, String] =
    try Thumbnails.of(images, paths, arguments.input.columns.image.isEmpty, spec)
    catch {
      case NonFatal(e) =>
        Job.log.warn("The report has no pictures: the list of images cannot be read again", e)
        Map.empty
    }

  private def showTimes(model: JobModel, images: Long): Unit = {
    val rate = String.format(Locale.ROOT, "%.1f", Double.box(images / stopwatch("classify and write")))
    println("\nTime of each step, until its result was there:")
    println(
      stopwatch.report(
        Map(
          "model load" -> s"${arguments.backend}; ${model.millis} ms of it in the engine",
          "classify and write" -> s"$images images, $rate images/s"
        )
      )
    )
  }

  /**
   * @param spread
   *   over the cores
   */
  private case class Images(table: DataFrame, spread: DataFrame, number: Long)

  private def readList(): Images = {
    val list = new ImageList(spark, arguments.input, standardInput).read()
    val counts = list.select(count(lit(1)), count(col(Columns.Image))).head()
    val (rows, images) = (counts.getLong(0), counts.getLong(1))
    val parts = arguments.partitions.orElse {
      // Images themselves would have to go through a shuffle.
      if (arguments.input.columns.image.nonEmpty) None
      else Some(Partitions.number(rows, spark.sparkContext.defaultParallelism, batchSize))
    }
    Images(list, parts.fold(list)(list.repartition), images)
  }

  private def batchSize: Int = spark.conf.get(ClassifyConf.BatchSize.key).toInt

  private def predict(images: DataFrame, labels: Seq[String]): DataFrame = {
    val actual = Seq(Columns.Label, Columns.LabelId).filter(images.columns.contains).map(col)
    val predicted = Seq[Column](
      col("prediction.class").as(Columns.Predicted),
      col("prediction.class_id").as(Columns.PredictedId),
      col("prediction.confidence").as(Columns.Confidence)
    )
    val probabilities = ClassNames.unique(labels).zipWithIndex.map { case (name, classId) =>
      col("prediction.probabilities").getItem(classId).as(s"${Columns.Probability}$name")
    }
    val error = coalesce(col("prediction.error"), when(col(Columns.Image).isNull, lit("there is no path in this row")))
    images
      .withColumn("prediction", expr(if (arguments.keepsBad) "try_classify(image)" else "classify(image)"))
      .select(
        (col(Columns.Path) +: (actual ++ predicted ++ probabilities)) ++
          (if (arguments.keepsBad) Seq(error.as(Columns.Error)) else Nil): _*
      )
  }

  private def showDetails(written: DataFrame): Unit = {
    val columns = Seq(Columns.Path, Columns.Label, Columns.Predicted, Columns.Confidence, Columns.Error)
      .filter(written.columns.contains)
    val printable = udf(Printable.escape _)
    written
      .orderBy(Columns.Path)
      .select(columns.map(name => if (name == Columns.Confidence) col(name) else printable(col(name)).as(name)): _*)
      .show(20, truncate = false)
  }
}
