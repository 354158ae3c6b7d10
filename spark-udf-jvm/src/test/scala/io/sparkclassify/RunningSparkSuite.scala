package io.sparkclassify

import java.util.Properties

import org.apache.spark.SPARK_VERSION
import org.scalatest.funsuite.AnyFunSuite

/** Which jar is for which Spark; tests/e2e/test_wrong_spark.py starts real ones. */
class RunningSparkSuite extends AnyFunSuite {

  private def jar(line: String, javaRelease: String = "11"): Properties = {
    val properties = new Properties
    Seq("version" -> "1.2.3", "line" -> line, "java.release" -> javaRelease, "spark.newest" -> "4.3").foreach {
      case (key, value) => properties.setProperty(key, value)
    }
    properties
  }

  private def objection(line: String, spark: String, scala: String, java: String = "17"): Option[String] =
    Option(new RunningSpark(spark, scala, java).objection(jar(line)))

  test("each jar runs on its own line, whatever a vendor appends to the version") {
    Seq("4.0.0", "4.0.0-preview2", "4.1.0-SNAPSHOT", "4.3.1", "4.12.0").foreach { spark =>
      assert(objection("spark4_2.13", spark, "2.13.16").isEmpty, spark)
    }
    Seq("3.5.0", "3.5.9", "3.5.1.amzn-2", "3.5.4.7.2.18.0-641").foreach { spark =>
      assert(objection("spark3.5_2.12", spark, "2.12.18").isEmpty, spark)
      assert(objection("spark3.5_2.13", spark, "2.13.8").isEmpty, spark)
    }
  }

  test("elsewhere, one sentence names both versions and what to take") {
    def refused(line: String, spark: String, scala: String)(own: String, wayOut: String): Unit = {
      val expected =
        s"spark-classify-$line 1.2.3 is made for $own, and this is Spark $spark with Scala $scala: $wayOut"
      assert(objection(line, spark, scala).contains(expected))
    }
    val four = "Spark 4 with Scala 2.13"
    refused("spark4_2.13", "3.5.9", "2.12.18")(four, "take spark-classify-spark3.5_2.12 instead")
    refused("spark4_2.13", "3.5.9", "2.13.8")(four, "take spark-classify-spark3.5_2.13 instead")
    refused("spark3.5_2.12", "4.1.1", "2.13.17")(
      "Spark 3.5 with Scala 2.12",
      "take spark-classify-spark4_2.13 instead"
    )
    refused("spark3.5_2.12", "3.5.0", "2.13.8")(
      "Spark 3.5 with Scala 2.12",
      "take spark-classify-spark3.5_2.13 instead"
    )
    refused("spark3.5_2.13", "3.5.0", "2.12.18")(
      "Spark 3.5 with Scala 2.13",
      "take spark-classify-spark3.5_2.12 instead"
    )
    val none = "there is no spark-classify for it, only for Spark 3.5 and 4"
    refused("spark4_2.13", "3.4.4", "2.12.17")(four, none)
    refused("spark4_2.13", "2.4.8", "2.11.12")(four, none)
    refused("spark4_2.13", "4.0.0", "3.3.1")(four, none)
    refused("spark4_2.13", "main", "2.13.16")(four, none)
    refused("spark4_2.13", "5.0.0", "2.13.18")(four, "look for a newer release of spark-classify")
    refused("spark3.5_2.12", "10.1.0", "3.9.0")(
      "Spark 3.5 with Scala 2.12",
      "look for a newer release of spark-classify"
    )
  }

  test("a Java that is too old is named") {
    val spark = "3.5.9"
    assert(objection("spark3.5_2.12", spark, "2.12.18", java = "1.8").contains(
      "spark-classify-spark3.5_2.12 1.2.3 needs Java 11 or newer, and this Spark runs on Java 1.8"
    ))
    assert(objection("spark3.5_2.12", spark, "2.12.18", java = "11").isEmpty)
  }

  test("a newer minor release than the newest tested one is warned of") {
    def doubt(line: String, spark: String): Option[String] =
      Option(new RunningSpark(spark, "2.13.18", "17").doubt(jar(line)))
    assert(doubt("spark4_2.13", "4.4.0").contains(
      "spark-classify-spark4_2.13 1.2.3 was tested with Spark 4.3 and older, and this is Spark 4.4.0"
    ))
    assert(doubt("spark4_2.13", "4.10.0-SNAPSHOT").isDefined)
    Seq("4.3.7", "4.0.0").foreach(spark => assert(doubt("spark4_2.13", spark).isEmpty))
    assert(doubt("spark3.5_2.13", "3.5.99").isEmpty)
  }

  test("this jar is for the Spark of these tests") {
    RunningSpark.check()
    val properties = new Properties
    properties.load(classOf[RunningSpark].getResourceAsStream("version.properties"))
    assert(properties.getProperty("line").startsWith(if (SPARK_VERSION.startsWith("4.")) "spark4_" else "spark3.5_"))
  }
}
