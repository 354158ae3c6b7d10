package io.sparkclassify.conf

import io.sparkclassify.{OtherFileSystem, SharedSession, TestData}
import io.sparkclassify.inference.ImageInference
import org.apache.spark.SparkEnv
import org.apache.spark.sql.SparkSession

/**
 * What the application was started with, on a server whose users have sessions, views and SQL functions of their own.
 */
class SharedServerSuite extends SharedSession {

  private val image = TestData.image(".png").toString
  private val other = "tests/cases/models/plain"
  private val model = ClassifyConf.Model.key
  private val locked = ClassifyConf.ModelsLocked.key
  private val limits =
    Seq(ClassifyConf.ImageMaxBytes, ClassifyConf.ImageMaxPixels, ClassifyConf.ImageMaxMemory).map(_.key)

  /** Runs `body` as if the application had been started with these settings. */
  private def startedWith(settings: (String, String)*)(body: => Unit): Unit = {
    val conf = {
      // Begins the application, if no suite has.
      spark.version
      SparkEnv.get.conf
    }
    val before = settings.map { case (key, _) => key -> conf.getOption(key) }
    settings.foreach { case (key, value) => conf.set(key, value) }
    try body
    finally
      before.foreach {
        case (key, Some(value)) => conf.set(key, value)
        case (key, None)        => conf.remove(key)
      }
  }

  /** Runs `body` with a view, and a SQL function, that have these settings stored with them. */
  private def withStored[T](settings: (String, String)*)(body: => T): T = {
    try {
      sql(s"CREATE TABLE shared_paths AS SELECT '$image' AS path")
      sql("CREATE VIEW shared_view AS SELECT classify(path, 'onnx').class_id AS c FROM shared_paths")
      sql("CREATE FUNCTION shared_function(p STRING) RETURNS INT RETURN classify(p, 'onnx').class_id")
      val properties = settings.map { case (key, value) => s"'view.sqlConfig.$key'='$value'" }
      if (settings.nonEmpty) sql(properties.mkString("ALTER VIEW shared_view SET TBLPROPERTIES (", ", ", ")"))
      StoredFunction.addSettings(spark, "shared_function", settings)
      body
    } finally {
      sql("DROP FUNCTION IF EXISTS shared_function")
      sql("DROP VIEW IF EXISTS shared_view")
      sql("DROP TABLE IF EXISTS shared_paths")
    }
  }

  private val stored = Seq("SELECT c FROM shared_view", "SELECT shared_function(path) FROM shared_paths")

  private def call(more: String = ""): String = s"SELECT classify('$image', 'onnx'$more).class_id"

  private def refused(parts: String*)(action: => Any): Unit = {
    val thrown = intercept[Throwable](action)
    val texts = Iterator.iterate(thrown)(_.getCause).takeWhile(_ != null).map(_.toString).mkString("\n")
    parts.foreach(part => assert(texts.contains(part), texts))
  }

  test("no session, view or SQL function has limits above the application's, or below the least") {
    val most = 1 << 20
    limits.foreach { key =>
      // A session begins with what the application has.
      startedWith(key -> most.toString)(withConf(key -> most.toString) {
        val huge = Seq(s"${most + 1}", if (key == ClassifyConf.ImageMaxPixels.key) s"${Int.MaxValue}" else "1g")
        huge.foreach { value =>
          withConf(key -> value)(refused(key, s"started with $most")(sql(call()).collect()))
          withStored(key -> value) {
            stored.foreach(query => refused(key, s"started with $most")(sql(query).collect()))
          }
          val session = spark.newSession()
          session.conf.set(key, value)
          refused(key, s"started with $most")(session.sql(call()).collect())
        }
        val tiny = if (key == ClassifyConf.ImageMaxPixels.key) "1" else "1b"
        refused(key)(sql(s"SET $key=$tiny"))
        withStored(key -> tiny)(stored.foreach(query => refused(key)(sql(query).collect())))
        // What it may have.
        withConf(key -> s"${most / 2}")(assert(specs(spark, call()).nonEmpty))
      })
    }
  }

  test("with models.locked, nobody has another model than the application was started with") {
    val expected = sql(call()).head()
    startedWith(locked -> "true", "spark.classify.models.cards" -> TestData.model.toString) {
      def good(session: SparkSession = spark): Unit = {
        assert(session.sql(call()).head() == expected)
        assert(session.sql(call(s", '${TestData.model}'")).head() == expected)
      }
      good()
      refused(locked, other)(sql(call(s", '$other'")).collect())
      withConf(model -> other)(refused(locked, other)(sql(call()).collect()))
      withConf("spark.classify.models.mine" -> other)(refused(locked, other)(sql(call(", 'mine'")).collect()))
      withConf("spark.classify.models.cards" -> other)(refused(locked, other)(sql(call(", 'cards'")).collect()))
      withStored(model -> other)(stored.foreach(query => refused(locked, other)(sql(query).collect())))
      withStored(locked -> "false", model -> other) {
        stored.foreach(query => refused(locked, other)(sql(query).collect()))
      }
      val session = spark.newSession()
      good(session)
      session.conf.set(model, other)
      refused(locked, other)(session.sql(call()).collect())
      // With a file system of the session's, a model that may be used would be found elsewhere.
      withConf("fs.other.impl" -> classOf[OtherFileSystem].getName, "fs.defaultFS" -> "other:///") {
        val found = specs(spark, call()).head
        assert(found.model.uri == s"file:${TestData.model}")
        assert(found.modelHadoop.configuration.get("fs.other.impl") == null)
      }
    }
  }

  test("no view or SQL function brings settings for Hadoop with it") {
    val hadoop =
      Seq(
        "fs.other.impl" -> classOf[OtherFileSystem].getName,
        "fs.s3a.endpoint" -> "127.0.0.1:1",
        "fs.defaultFS" -> "other:///"
      )
    val before = withStored()(stored.map(specs(spark, _)))
    assert(before.forall(_.nonEmpty))
    withStored(hadoop ++ hadoop.map { case (key, value) => s"spark.hadoop.$key" -> value }: _*) {
      assert(stored.map(specs(spark, _)) == before)
      stored.foreach(query => assert(sql(query).head() == sql(call()).head()))
    }
  }

  /** What the calls of a query are to do. */
  private def specs(session: SparkSession, query: String): Seq[ClassifySpec] =
    session.sql(query).queryExecution.analyzed.collect { case node =>
      node.expressions.flatMap(_.collect { case call: ImageInference => call.spec })
    }.flatten
}
