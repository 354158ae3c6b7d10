package io.sparkclassify.conf

import java.io.File
import java.net.URI
import java.nio.file.Files
import java.util.UUID

import io.sparkclassify.{CountedFileSystem, OtherFileSystem, SharedSession, TestData}
import io.sparkclassify.inference.ImageInference
import org.apache.commons.io.FileUtils
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.apache.spark.SparkEnv
import org.apache.spark.sql.SparkSession

/** What the application was started with, on a server whose users have sessions and views of their own. */
class SharedServerSuite extends SharedSession {

  protected val image: String = TestData.image(".png").toString
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

  /** Runs `body` with something in the catalog that has these settings stored with it: a view. */
  protected def withStored[T](settings: (String, String)*)(body: => T): T =
    try {
      sql(s"CREATE TABLE shared_paths AS SELECT '$image' AS path")
      sql("CREATE VIEW shared_view AS SELECT classify(path, 'onnx').class_id AS c FROM shared_paths")
      val properties = settings.map { case (key, value) => s"'view.sqlConfig.$key'='$value'" }
      if (settings.nonEmpty) sql(properties.mkString("ALTER VIEW shared_view SET TBLPROPERTIES (", ", ", ")"))
      body
    } finally {
      sql("DROP VIEW IF EXISTS shared_view")
      sql("DROP TABLE IF EXISTS shared_paths")
    }

  /** A query of it. */
  protected def stored: String = "SELECT c FROM shared_view"

  private def call(more: String = ""): String = s"SELECT classify('$image', 'onnx'$more).class_id"

  private def refused(parts: String*)(action: => Any): Unit = {
    val thrown = intercept[Throwable](action)
    val texts = Iterator.iterate(thrown)(_.getCause).takeWhile(_ != null).map(_.toString).mkString("\n")
    parts.foreach(part => assert(texts.contains(part), texts))
  }

  test("no session, and nothing in the catalog, has limits above the application's, or below the least") {
    val most = 1 << 20
    limits.foreach { key =>
      // A session begins with what the application has.
      startedWith(key -> most.toString)(withConf(key -> most.toString) {
        val huge = Seq(s"${most + 1}", if (key == ClassifyConf.ImageMaxPixels.key) s"${Int.MaxValue}" else "1g")
        huge.foreach { value =>
          withConf(key -> value)(refused(key, s"started with $most")(sql(call()).collect()))
          withStored(key -> value) {
            refused(key, s"started with $most")(sql(stored).collect())
          }
          val session = spark.newSession()
          session.conf.set(key, value)
          refused(key, s"started with $most")(session.sql(call()).collect())
        }
        val tiny = if (key == ClassifyConf.ImageMaxPixels.key) "1" else "1b"
        refused(key)(sql(s"SET $key=$tiny"))
        withStored(key -> tiny)(refused(key)(sql(stored).collect()))
        // Made before the application had the key.
        withStored()(assert(specs(spark, stored).nonEmpty))
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
      withStored(model -> other)(refused(locked, other)(sql(stored).collect()))
      withStored(locked -> "false", model -> other) {
        refused(locked, other)(sql(stored).collect())
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

  test("with models.locked, no file system that a session has opened is asked for a model") {
    val application = spark.sparkContext.hadoopConfiguration
    TestData.withFolder { folder =>
      val (good, evil) = (folder.resolve("good"), folder.resolve("evil"))
      TestData.copyModel(Files.createDirectory(good))
      FileUtils.copyDirectory(new File(other), evil.resolve(TestData.model.getFileName.toString).toFile)
      Files.copy(TestData.image(".png"), evil.resolve("x.png"))
      application.set("fs.rooted.impl", classOf[RootedFileSystem].getName)
      application.set("fs.rooted.root", good.toString)
      // This suite runs more than once in a JVM.
      val rooted = s"rooted://${UUID.randomUUID()}"
      val cards = "spark.classify.models.cards" -> s"$rooted/${TestData.model.getFileName}"
      try startedWith(locked -> "true", cards)(withConf(cards) {
          // Hadoop keeps it, with the root of this session.
          withConf("fs.rooted.root" -> evil.toString)(sql(s"SELECT image_hash('$rooted/x.png')").collect())
          assert(sql(call(", 'cards'")).head() == sql(call()).head())
        })
      finally Seq("fs.rooted.impl", "fs.rooted.root").foreach(application.unset)
    }
  }

  test("nothing in the catalog brings settings for Hadoop with it") {
    val hadoop =
      Seq(
        "fs.other.impl" -> classOf[OtherFileSystem].getName,
        "fs.s3a.endpoint" -> "127.0.0.1:1",
        "fs.defaultFS" -> "other:///"
      )
    val before = withStored()(specs(spark, stored))
    assert(before.nonEmpty)
    withStored(hadoop ++ hadoop.map { case (key, value) => s"spark.hadoop.$key" -> value }: _*) {
      assert(specs(spark, stored) == before)
      assert(sql(stored).head() == sql(call()).head())
    }
  }

  /** What the calls of a query are to do. */
  private def specs(session: SparkSession, query: String): Seq[ClassifySpec] =
    session.sql(query).queryExecution.analyzed.collect { case node =>
      node.expressions.flatMap(_.collect { case call: ImageInference => call.spec })
    }.flatten
}

/** A folder of the local file system as `rooted://HOST/`: which one, `fs.rooted.root` says. */
class RootedFileSystem extends CountedFileSystem {
  private var uri: URI = _

  override def initialize(name: URI, configuration: Configuration): Unit = {
    uri = new URI(name.getScheme, name.getAuthority, "/", null)
    super.initialize(name, configuration)
  }

  /** The constructor asks, too. */
  override def getUri: URI = Option(uri).getOrElse(URI.create("rooted:///"))
  override def getScheme: String = "rooted"
  override def pathToFile(path: Path): File = new File(getConf.get("fs.rooted.root"), path.toUri.getPath)
}
