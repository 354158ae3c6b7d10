package io.sparkclassify.conf

import io.sparkclassify.SharedSession
import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.{AnalysisException, SparkSession}
import org.apache.spark.sql.internal.SQLConf

/** Static keys in the places that users other than the application's own may write to: sessions and views. */
class PlantedKeysSuite extends SharedSession {

  /** Runs `body` with something in the catalog that has these settings stored with it: a view. */
  protected def withStored[T](settings: Seq[(String, String)])(body: => T): T =
    try {
      sql("CREATE TABLE planted_paths AS SELECT 'a.png' AS path")
      sql("CREATE VIEW planted_view AS SELECT classify(path, 'onnx') AS c FROM planted_paths")
      sql(settings.map { case (key, value) => s"'view.sqlConfig.$key'='$value'" }
        .mkString("ALTER VIEW planted_view SET TBLPROPERTIES (", ", ", ")"))
      body
    } finally {
      sql("DROP VIEW IF EXISTS planted_view")
      sql("DROP TABLE IF EXISTS planted_paths")
    }

  /** A query of it. */
  protected def stored: String = "SELECT c FROM planted_view"

  private val call = "SELECT classify('a.png', 'onnx')"

  private def spec(query: String, session: SparkSession = spark): ClassifySpec =
    session
      .sql(query)
      .queryExecution
      .analyzed
      .collect { case node => node.expressions.flatMap(_.collect { case inference: ImageInference => inference.spec }) }
      .flatten
      .head

  test("nothing in the catalog, and no session, changes what static keys resolve to") {
    val staticKeys = ClassifyConf.keys.filter(_.isStatic).map(_.name)
    val planted = staticKeys.map(key => key -> plantedValue(key))
    val before = spec(call)
    withStored(planted) {
      assert(spec(stored) == before)
      // As the options of a builder would have it.
      planted.foreach { case (key, value) => SQLConf.get.setConfString(key, value) }
      try Seq(stored, call).foreach(query => assert(spec(query) == before))
      finally staticKeys.foreach(key => SQLConf.get.unsetConf(key))
    }
    val fresh = spark.newSession()
    planted.foreach { case (key, value) =>
      assert(intercept[AnalysisException](fresh.conf.set(key, value)).getMessage.contains(key))
    }
    SparkSession.setActiveSession(fresh)
    try planted.foreach { case (key, value) => SQLConf.get.setConfString(key, value) }
    finally SparkSession.setActiveSession(spark)
    val found = spec(call, fresh)
    // Keys that other tests have set in their session may be settings for Hadoop.
    assert(found.copy(hadoop = before.hadoop, modelHadoop = before.modelHadoop) == before)
    val builder = SparkSession.builder()
    planted.foreach { case (key, value) => builder.config(key, value) }
    try assert(spec(call, builder.getOrCreate()) == before)
    finally staticKeys.foreach(key => SQLConf.get.unsetConf(key))
  }

  /** A value that the key may have and the application's has not. */
  private def plantedValue(key: String): String = key match {
    case _ if key == ClassifyConf.AllowPaths.key                                                  => "false"
    case _ if key.endsWith("locked") || key.endsWith("tf32") || key.endsWith("allowAllOperators") => "true"
    case _ if key == ClassifyConf.MaxLoadedModels.key                                             => "3"
    case _ if key == ClassifyConf.ReadMemory.key                                                  => "3m"
    case _                                                                                        => "/planted"
  }
}
