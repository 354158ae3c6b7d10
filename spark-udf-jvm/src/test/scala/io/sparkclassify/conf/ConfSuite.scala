package io.sparkclassify.conf

import io.sparkclassify.{CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.expressions.ImageInference
import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.internal.SQLConf

class ConfSuite extends SharedSession {

  test("every key is ours, documented, and known to Spark") {
    spark // makes Spark load the extension
    val known = sql("SET -v").collect().map(row => row.getString(0) -> row.getString(2)).toMap
    ClassifyConf.all.foreach { entry =>
      assert(entry.key.startsWith("spark.classify."))
      assert(entry.version == "0.1.0")
      assert(entry.doc.trim.endsWith("."), entry.key)
    }
    val runtime = Seq(ClassifyConf.Model, ClassifyConf.Backend, ClassifyConf.ImageMaxBytes)
    runtime.foreach(entry => assert(known(entry.key) == entry.doc))
    assert(ClassifyConf.all.map(_.key).distinct.size == ClassifyConf.all.size)
  }

  test("a wrong value is refused where it is set, by name") {
    Seq(
      ClassifyConf.Backend.key -> "tensorflow",
      ClassifyConf.ImageMaxBytes.key -> "many",
      ClassifyConf.ImageMaxBytes.key -> "0",
      ClassifyConf.ImageMaxBytes.key -> "2g",
      ClassifyConf.Model.key -> " "
    ).foreach { case (key, value) =>
      val before = spark.conf.getOption(key)
      val error = intercept[IllegalArgumentException](sql(s"SET $key=$value"))
      assert(error.getMessage.contains(key), error.getMessage)
      assert(spark.conf.getOption(key) == before)
    }
  }

  test("keys about the native libraries cannot change in a running session") {
    Seq(ClassifyConf.NativeDirectory.key, ClassifyConf.TorchHome.key).foreach { key =>
      val error = intercept[AnalysisException](sql(s"SET $key=/tmp"))
      assert(error.getMessage.contains(key))
    }
  }

  test("sizes are written as Spark's are") {
    withConf(ClassifyConf.ImageMaxBytes.key -> "3m") {
      assert(SQLConf.get.getConf(ClassifyConf.ImageMaxBytes) == (3L << 20))
    }
  }

  test("a plan shows no Hadoop setting, and calls with equal settings are equal") {
    withConf("fs.s3a.secret.key" -> "TOPSECRET") {
      val frame = sql("SELECT classify('a.png', 'onnx') AS a, classify('a.png', 'ONNX') AS b")
      val plan = frame.queryExecution.toString
      assert(plan.contains(s"classify(a.png, onnx, file:${TestData.model})") && !plan.contains("TOPSECRET"), plan)
      val calls = frame.queryExecution.analyzed.expressions.flatMap(_.collect { case call: ImageInference => call })
      assert(calls.size == 2)
      assert(calls.head.semanticEquals(calls.last))
      assert(calls.head.spec.hadoop.configuration.get("fs.s3a.secret.key") == "TOPSECRET")
    }
    assert(HadoopSettings.ofSession().configuration.get("fs.counted.impl") == classOf[CountedFileSystem].getName)
  }
}
