package io.sparkclassify.conf

import java.nio.file.Files
import java.util.Locale

import io.sparkclassify.{CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.inference.ImageInference
import io.sparkclassify.natives.CapturedLog
import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.internal.SQLConf

class ConfSuite extends SharedSession {

  test("every key is ours, documented, and known to Spark") {
    spark // makes Spark load the extension
    val known = sql("SET -v").collect().map(row => row.getString(0) -> row.getString(2)).toMap
    ClassifyConf.keys.foreach { key =>
      assert(key.name.startsWith("spark.classify."))
      assert(key.since == "0.1.0")
      assert(key.doc.trim.endsWith("."), key)
      if (!key.isStatic && key != ClassifyConf.NamedModel) assert(known(key.name) == key.doc)
    }
    assert(ClassifyConf.keys.map(_.name).distinct.size == ClassifyConf.keys.size)
  }

  test("docs/configuration.md has this table") {
    assert(
      Files.readString(ConfigurationPage.file) == ConfigurationPage.text,
      "; `gradle generatedPages` writes the page again"
    )
  }

  test("a misspelt key is warned of once, with the nearest one that exists") {
    val settings =
      Seq("bachSize", "torch.hom", "models.right-name", "models.wrong name").map(name => s"spark.classify.$name" -> "8")
    withConf(settings :+ ("spark.other.batchSize" -> "8"): _*) {
      def warnings: Seq[String] = CapturedLog.of("io.sparkclassify.ClassifyConf") {
        sql("SELECT classify('a.png')")
      }.map(_.message)
      assert(
        warnings.sorted == Seq(
          "bachSize" -> "batchSize",
          "models.wrong name" -> "models.<name>",
          "torch.hom" -> "torch.home"
        ).map { case (wrong, right) =>
          s"The configuration key spark.classify.$wrong means nothing; did you mean spark.classify.$right?"
        }
      )
      assert(warnings.isEmpty)
    }
  }

  test("a wrong value is refused where it is set, by name") {
    Seq(
      ClassifyConf.Backend.key -> "tensorflow",
      ClassifyConf.ImageMaxBytes.key -> "many",
      ClassifyConf.ImageMaxBytes.key -> "1b",
      ClassifyConf.ImageMaxBytes.key -> "65535",
      ClassifyConf.ImageMaxBytes.key -> "2g",
      ClassifyConf.ImageMaxPixels.key -> "65535",
      ClassifyConf.ImageMaxMemory.key -> "65535",
      ClassifyConf.ImageExifTranspose.key -> "6",
      ClassifyConf.Decode.key -> "draft",
      ClassifyConf.PrecisionName.key -> "fp8",
      ClassifyConf.Model.key -> " "
    ).foreach { case (key, value) =>
      val before = spark.conf.getOption(key)
      val error = intercept[IllegalArgumentException](sql(s"SET $key=$value"))
      assert(error.getMessage.contains(key), error.getMessage)
      assert(spark.conf.getOption(key) == before)
    }
  }

  test("static keys cannot change in a running session, however they are written") {
    staticKeys.foreach { key =>
      Seq(s"SET $key=/x", s"set  $key = /x ", s"SET `$key`=`/x`", s"SET `$key` = /x", s"SET $key /x").foreach {
        statement =>
          val refused = failureOf(sql(statement))
          assert(refused.getMessage.contains(key), statement)
      }
      assert(intercept[AnalysisException](spark.conf.set(key, "/x")).getMessage.contains(key))
      // Another key, since keys have cases, and so without a meaning.
      sql(s"SET ${key.toUpperCase(Locale.ROOT)}=/x")
    }
  }

  test("a static key can be read from nothing but the application's configuration") {
    val types = ClassifyConf.getClass.getMethods.toSeq
      .filter(method => method.getParameterCount == 0)
      .map(method => method.getName -> method)
    val entries = types.collect {
      case (_, method)
          if method.getReturnType.getName == "org.apache.spark.internal.config.ConfigEntry" ||
            method.getReturnType.getName == "org.apache.spark.internal.config.OptionalConfigEntry" =>
        val entry = method.invoke(ClassifyConf)
        entry.getClass.getMethod("key").invoke(entry).asInstanceOf[String]
    }
    assert(entries.toSet == ClassifyConf.keys.filterNot(_.isStatic).map(_.name).toSet - ClassifyConf.NamedModel.name)
    val static = types.collect {
      case (_, method) if method.getReturnType == classOf[StaticEntry[_]] =>
        method.invoke(ClassifyConf).asInstanceOf[StaticEntry[_]].key
    }
    assert(static.toSet == staticKeys.toSet && staticKeys.size >= 9)
  }

  private def staticKeys: Seq[String] = ClassifyConf.keys.filter(_.isStatic).map(_.name)

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
