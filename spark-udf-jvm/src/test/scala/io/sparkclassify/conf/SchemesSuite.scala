package io.sparkclassify.conf

import java.io.IOException
import java.net.URI

import io.sparkclassify.{OtherFileSystem, SharedSession, TestData}
import io.sparkclassify.image.{ImageReader, ImageSource}
import io.sparkclassify.memory.DirectBuffers
import io.sparkclassify.natives.FaultyLibrary
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path

class SchemesSuite extends SharedSession {
  private val default = Schemes(
    ClassifyConf.keys.find(_.name == ClassifyConf.ReadSchemes.key).get.default.get.split(',').toSet
  )

  private def refused(uri: String): Option[String] = default.refusal(URI.create(uri), "file")

  test("the default has what data lakes use, and no protocol that fetches whatever a path says") {
    Seq("/a", "a", "file:/a", "hdfs://h/a", "S3A://b/a", "gs://b/a", "abfss://c@a.net/a", "viewfs:/a").foreach { uri =>
      assert(refused(uri).isEmpty, uri)
    }
    Seq(
      "http",
      "https",
      "ftp",
      "sftp",
      "webhdfs",
      "swebhdfs",
      "HTTP",
      "jar",
      "har://http-h:80",
      "har://webhdfs-h:80"
    ).foreach {
      scheme =>
        val reason = refused(if (scheme.contains(":")) s"$scheme/a.har/x" else s"$scheme://h/a").getOrElse(fail(scheme))
        Seq(ClassifyConf.ReadSchemes.key, "start the application").foreach(part => assert(reason.contains(part)))
    }
    assert(refused("har://hdfs-h:8020/a.har/x").isEmpty && refused("har:///a.har/x").isEmpty)
    assert(default.refusal(URI.create("/a"), "http").get.contains("'http'"))
    assert(Schemes(Set("*")).refusal(URI.create("http://h/a"), "file").isEmpty)
  }

  test("neither another class for a scheme nor a mounted file system leads around it") {
    val configuration = new Configuration
    configuration.set("fs.s3a.impl", "org.apache.hadoop.fs.http.HttpFileSystem")
    configuration.set("fs.gs.impl", "org.apache.hadoop.hdfs.web.WebHdfsFileSystem")
    configuration.set("fs.viewfs.mounttable.table.link./http", "http://127.0.0.1:1/x")
    Seq("s3a://b/a" -> "http", "gs://127.0.0.1:1/a" -> "webhdfs", "viewfs://table/http/a" -> "http").foreach {
      case (path, scheme) =>
        val error = intercept[IOException](default.fileSystem(new Path(path), configuration))
        assert(error.getMessage.contains(s"'$scheme'"), error)
    }
    // Links for what no other one has, by pattern, and to another view; and the class for what a link leads to.
    Seq("linkFallback", "linkRegx.replaceresolveddstpath:_:-#.^/(.*)$").foreach { link =>
      val view = new Configuration
      view.set(s"fs.viewfs.mounttable.table.$link", "http://127.0.0.1:1/x")
      val error = intercept[IOException](default.fileSystem(new Path("viewfs://table/latest"), view))
      assert(error.getMessage.contains("'http'"), error)
    }
    val view = new Configuration
    view.set("fs.viewfs.mounttable.table.link./a", "s3a://b/etc")
    view.set("fs.s3a.impl", "org.apache.hadoop.fs.RawLocalFileSystem")
    val onlyS3 = Schemes(Set("viewfs", "s3a"))
    Seq("viewfs://table/a/passwd", "s3a://b/etc").foreach { path =>
      assert(intercept[IOException](onlyS3.fileSystem(new Path(path), view)).getMessage.contains("'file'"))
    }
    configuration.set("fs.defaultFS", "http://127.0.0.1:1")
    assert(intercept[IOException](default.fileSystem(new Path("/a"), configuration)).getMessage.contains("'http'"))
  }

  test("a file system of a class that may not be read is not kept for others") {
    val configuration = new Configuration
    configuration.set("fs.gs.impl", "org.apache.hadoop.hdfs.web.WebHdfsFileSystem")
    val schemes = Schemes(Set("gs", "other"))
    intercept[IOException](schemes.fileSystem(new Path("gs://kept/a"), configuration))
    configuration.set("fs.gs.impl", classOf[OtherFileSystem].getName)
    assert(schemes.fileSystem(new Path("gs://kept/a"), configuration).isInstanceOf[OtherFileSystem])
  }

  test("an image of a scheme that may not be read is its row's error") {
    val minute = 60000L
    val room: ImageReader.Room = DirectBuffers.memory.take(_)(())
    def read(schemes: Schemes, path: String) =
      new ImageReader(
        ImageSpec("file:/", 1 << 20, FileSpec(minute, retries = 0, schemes)),
        new Configuration,
        FaultyLibrary.natives
      )
        .read(ImageSource.File(path), room)
    val bad = read(default, "http://127.0.0.1:1/a.jpg").left.toOption.get
    assert(bad.condition == "CLASSIFY_UNREADABLE_IMAGE")
    Seq("http://127.0.0.1:1/a.jpg", "'http'", ClassifyConf.ReadSchemes.key).foreach(part =>
      assert(bad.reason.contains(part))
    )
    val local = TestData.image(".png").toString
    assert(read(Schemes(Set("hdfs")), local).left.toOption.get.reason.contains("'file'"))
    val good = read(default, local)
    assert(good.isRight)
    good.foreach(_.release())
  }
}
