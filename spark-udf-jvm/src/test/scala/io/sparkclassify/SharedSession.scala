package io.sparkclassify

import io.sparkclassify.conf.{ClassifyConf, Schemes}
import org.apache.spark.SparkThrowable
import org.apache.spark.sql.{DataFrame, Row, SparkSession}
import org.scalatest.funsuite.AnyFunSuite

/** A suite with a real Spark: one context for all suites, as one JVM allows, and a session of its own for each test. */
abstract class SharedSession extends AnyFunSuite {

  protected def spark: SparkSession = SharedSession.spark

  /** Runs `body` with these settings in the session; the old ones come back. */
  protected def withConf[T](settings: (String, String)*)(body: => T): T = {
    val before = settings.map { case (key, _) => key -> spark.conf.getOption(key) }
    settings.foreach { case (key, value) => spark.conf.set(key, value) }
    try body
    finally
      before.foreach {
        case (key, Some(value)) => spark.conf.set(key, value)
        case (key, None)        => spark.conf.unset(key)
      }
  }

  protected def sql(query: String): DataFrame = spark.sql(query)

  /** The error of ours, or of Spark's analysis, that `query` fails with, wherever Spark has put it. */
  protected def failure(query: String): Throwable with SparkThrowable = failureOf(sql(query).collect())

  protected def failureOf(action: => Any): Throwable with SparkThrowable = {
    val thrown = intercept[Throwable](action)
    val chain = Iterator.iterate(thrown)(_.getCause).takeWhile(_ != null).toSeq
    chain
      .collectFirst {
        case ours: ClassifyException                          => ours
        case analysis: org.apache.spark.sql.AnalysisException => analysis
        case other: SparkThrowable if chain.last eq other     => other.asInstanceOf[Throwable with SparkThrowable]
      }
      .getOrElse(fail("not an error with a condition", thrown))
  }

  protected def assertError(error: Throwable with SparkThrowable, condition: String, parts: String*): Unit = {
    assert(Condition.of(error) == condition, error)
    parts.foreach(part => assert(error.getMessage.contains(part), s"\nno '$part' in: ${error.getMessage}"))
  }

  protected def probabilities(result: Row): Seq[Double] =
    result.getSeq[Float](result.fieldIndex("probabilities")).map(_.toDouble).toSeq
}

object SharedSession {

  lazy val spark: SparkSession = SparkSession
    .builder()
    .master("local[2]")
    .appName("spark-classify tests")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.sql.warehouse.dir", s"${System.getProperty("java.io.tmpdir")}/warehouse")
    .config("spark.ui.enabled", "false")
    // As in Spark 4; in 3.5, CREATE TABLE would ask for Hive.
    .config("spark.sql.legacy.createHiveTableByDefault", "false")
    .config("spark.hadoop.fs.counted.impl", classOf[CountedFileSystem].getName)
    .config("spark.hadoop.fs.slow.impl", classOf[SlowFileSystem].getName)
    .config("spark.hadoop.fs.blocking.impl", classOf[BlockingFileSystem].getName)
    .config("spark.hadoop.fs.failing.impl", classOf[FailingFileSystem].getName)
    .config(ClassifyConf.Model.key, TestData.model.toString)
    .config(ClassifyConf.AllowPaths.key, "true")
    // Suites have file systems of their own.
    .config(ClassifyConf.ReadSchemes.key, Schemes.All)
    .getOrCreate()
}
