package io.sparkclassify.conf

import java.nio.file.Files
import java.util.Locale

import io.sparkclassify.{CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.inference.ImageInference
import io.sparkclassify.natives.CapturedLog
import org.apache.spark.sql.{AnalysisException, SparkSession}
import org.apache.spark.sql.catalyst.FunctionIdentifier
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
      "; `gradle configurationDocs` writes the page again"
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

  test("no session, view or SQL function changes what static keys resolve to") {
    def spec(text: String): ClassifySpec = sql(text).queryExecution.analyzed
      .collect { case node => node.expressions.flatMap(_.collect { case call: ImageInference => call.spec }) }
      .flatten
      .head
    sql("CREATE TABLE planted_paths AS SELECT 'a.png' AS path")
    sql("CREATE VIEW planted_view AS SELECT classify(path, 'onnx') AS c FROM planted_paths")
    sql("CREATE FUNCTION planted_function(p STRING) RETURNS INT RETURN classify(p, 'onnx').class_id")
    try {
      val queries =
        Seq("SELECT c FROM planted_view", "SELECT planted_function('a.png')", "SELECT classify('a.png', 'onnx')")
      val before = queries.map(spec)
      assert(before.forall(_ == before.head))
      val planted = staticKeys.map(key => key -> plantedValue(key))
      sql(planted.map { case (key, value) => s"'view.sqlConfig.$key'='$value'" }
        .mkString("ALTER VIEW planted_view SET TBLPROPERTIES (", ", ", ")"))
      StoredFunction.addSettings(spark, "planted_function", planted)
      val metadata = spark.asInstanceOf[org.apache.spark.sql.classic.SparkSession].sessionState.catalog
        .getFunctionMetadata(FunctionIdentifier("planted_function"))
      assert(metadata.resources.exists(_.uri.contains("/planted")))
      // As the options of a builder would have it.
      planted.foreach { case (key, value) => SQLConf.get.setConfString(key, value) }
      assert(queries.map(spec) == before)
      staticKeys.foreach(key => SQLConf.get.unsetConf(key))
      val fresh = spark.newSession()
      planted.foreach { case (key, value) =>
        assert(intercept[AnalysisException](fresh.conf.set(key, value)).getMessage.contains(key))
        fresh.asInstanceOf[org.apache.spark.sql.classic.SparkSession].sessionState.conf.setConfString(key, value)
      }
      val found = fresh.sql("SELECT classify('a.png', 'onnx')").queryExecution.analyzed.expressions
        .flatMap(_.collect { case call: ImageInference => call.spec }).head
      // Keys that other tests have set in their session may be settings for Hadoop.
      assert(found.copy(hadoop = before.head.hadoop, modelHadoop = before.head.modelHadoop) == before.head)
      val built = SparkSession.builder()
      planted.foreach { case (key, value) => built.config(key, value) }
      val other = built.getOrCreate()
      assert(other.sql("SELECT classify('a.png', 'onnx')").queryExecution.analyzed.expressions
        .flatMap(_.collect { case call: ImageInference => call.spec }).head == before.head)
    } finally {
      sql("DROP FUNCTION planted_function")
      sql("DROP VIEW planted_view")
      sql("DROP TABLE planted_paths")
      staticKeys.foreach(key => SQLConf.get.unsetConf(key))
    }
  }

  private def staticKeys: Seq[String] = ClassifyConf.keys.filter(_.isStatic).map(_.name)

  /** A value that the key may have and the application's has not. */
  private def plantedValue(key: String): String = key match {
    case _ if key == ClassifyConf.AllowPaths.key                                                  => "false"
    case _ if key.endsWith("locked") || key.endsWith("tf32") || key.endsWith("allowAllOperators") => "true"
    case _ if key == ClassifyConf.MaxLoadedModels.key                                             => "3"
    case _ if key == ClassifyConf.ReadMemory.key                                                  => "3m"
    case _                                                                                        => "/planted"
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
