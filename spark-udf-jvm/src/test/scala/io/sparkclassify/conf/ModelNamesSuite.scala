package io.sparkclassify.conf

import io.sparkclassify.{SharedSession, TestData}
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.internal.SQLConf

class ModelNamesSuite extends SharedSession {

  private val models = Seq(
    "spark.classify.models.id-card" -> "/models/id-card",
    "spark.classify.models.resnet.50_v2" -> "hdfs://host/resnet",
    "spark.classify.models.packed" -> "sparkfiles:packed/model"
  )

  /** What a call finds in a session with these settings. */
  private def directory(argument: Option[String], settings: (String, String)*): String = {
    val allowPaths = settings.contains(allowed)
    val conf = new SQLConf
    settings.foreach { case (key, value) => conf.setConfString(key, value) }
    new ModelNames(conf, new Path("file:/work")).directory(argument, allowPaths)
  }

  private def refusal(argument: Option[String], settings: (String, String)*): AnalysisException =
    intercept[AnalysisException](directory(argument, settings: _*))

  private val allowed = ClassifyConf.AllowPaths.key -> "true"

  test("the argument is the name of a configured model") {
    assert(directory(Some("id-card"), models: _*) == "file:/models/id-card")
    assert(directory(Some(" resnet.50_v2 "), models: _*) == "hdfs://host/resnet")
    assert(directory(Some("packed"), models: _*) == "sparkfiles:packed/model")
    assert(directory(Some("relative"), "spark.classify.models.relative" -> "models/x") == "file:/work/models/x")
  }

  test("an unknown name is refused with the names that there are") {
    Seq(Nil, Seq(allowed)).foreach { more =>
      val error = refusal(Some("ID-card"), models ++ more: _*)
      assertError(error, "CLASSIFY_BAD_CONFIGURATION", "'ID-card'", "id-card, packed, resnet.50_v2")
    }
    assertError(
      refusal(Some("x")),
      "CLASSIFY_BAD_CONFIGURATION",
      "'x'",
      "spark.classify.models.<name> is set",
      "none is"
    )
  }

  test("the argument is a path or URI only where the configuration allows it") {
    Seq(
      "/models/x" -> "file:/models/x",
      "./x" -> "file:/work/x",
      "s3a://b/x" -> "s3a://b/x",
      "sparkfiles:x" -> "sparkfiles:x"
    )
      .foreach { case (text, uri) =>
        val error = refusal(Some(text), models: _*)
        assertError(error, "CLASSIFY_BAD_CONFIGURATION", s"'$text'", allowed._1, "spark.classify.models.<name>")
        assert(directory(Some(text), allowed) == uri)
      }
    assertError(refusal(Some("a:b:/c"), allowed), "CLASSIFY_BAD_CONFIGURATION", "argument `model`", "no path or URI")
  }

  test("spark.classify.model is a directory, or the name of a configured model") {
    val key = ClassifyConf.Model.key
    assert(directory(None, key -> "model") == "file:/work/model")
    assert(directory(None, key -> "s3a://b/x") == "s3a://b/x")
    assert(directory(None, models :+ (key -> "id-card"): _*) == "file:/models/id-card")
    assert(directory(Some("packed"), models :+ (key -> "model"): _*) == "sparkfiles:packed/model")
    assertError(refusal(None), "CLASSIFY_BAD_CONFIGURATION", key)
    assertError(refusal(None, key -> "a:b:/c"), "CLASSIFY_BAD_CONFIGURATION", key, "no path or URI")
  }

  test("a server in a local path would lose its first folder, and is refused with the way out") {
    val key = ClassifyConf.Model.key
    Seq(
      "//data/dir" -> "/data/dir",
      "///data/dir" -> "/data/dir",
      "file://server/dir" -> "file:///server/dir"
    ).foreach {
      case (text, way) =>
        assertError(refusal(None, key -> text), "CLASSIFY_BAD_CONFIGURATION", key, s"'$text'", way)
        assertError(
          refusal(Some("m"), "spark.classify.models.m" -> text),
          "CLASSIFY_BAD_CONFIGURATION",
          "models.m",
          way
        )
        assertError(refusal(Some(text), allowed), "CLASSIFY_BAD_CONFIGURATION", "argument `model`", way)
    }
    assert(directory(None, key -> "file:///data/dir") == "file:/data/dir")
    assert(directory(None, key -> "hdfs://server/dir") == "hdfs://server/dir")
  }

  test("all directories of a configuration are known") {
    val conf = new SQLConf
    (models :+ (ClassifyConf.Model.key -> "x")).foreach { case (key, value) => conf.setConfString(key, value) }
    val known = Set("file:/models/id-card", "hdfs://host/resnet", "sparkfiles:packed/model", "file:/work/x")
    assert(new ModelNames(conf, new Path("file:/work")).directories == known)
  }

  test("SQL classifies with a model by its name") {
    val image = TestData.image(".png")
    withConf("spark.classify.models.cards" -> TestData.model.toString) {
      val byName = sql(s"SELECT classify('$image', 'onnx', model => 'cards')").head()
      assert(byName == sql(s"SELECT classify('$image', 'onnx')").head())
      val error = failureOf(sql(s"SELECT classify('$image', 'onnx', 'card')"))
      assertError(error, "CLASSIFY_BAD_CONFIGURATION", "'card'", "cards", "line 1 pos 7")
    }
  }
}
