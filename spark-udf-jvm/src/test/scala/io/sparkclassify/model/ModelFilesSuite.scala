package io.sparkclassify.model

import java.net.URLEncoder
import java.nio.charset.StandardCharsets
import java.nio.file.{Files, Path, Paths}
import java.nio.file.attribute.{FileTime, PosixFilePermissions}

import scala.jdk.CollectionConverters._

import io.sparkclassify.{ClassifyException, CountedFileSystem, TestData}
import io.sparkclassify.conf.{FileSpec, Schemes}
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, FileStatus, Path => HadoopPath}
import org.scalatest.funsuite.AnyFunSuite

class ModelFilesSuite extends AnyFunSuite {

  private val all = Schemes(Set(Schemes.All))
  private val minute = 60000L

  private val configuration = {
    val configuration = new Configuration
    configuration.set("fs.changing.impl", classOf[ChangingFileSystem].getName)
    configuration.set("fs.crafted.impl", classOf[CraftedFileSystem].getName)
    configuration
  }

  /** Every file is copied. */
  private def withLocal[T](uri: String, schemes: Schemes = all, timeoutMillis: Long = minute)(load: Path => T): T =
    withNeeded((_, listing) => listing, uri, schemes, timeoutMillis)(load)

  private def withNeeded[T](needed: NeededFiles, uri: String, schemes: Schemes = all, timeoutMillis: Long = minute)(
      load: Path => T
  ): T = new ModelFiles(configuration, FileSpec(timeoutMillis, retries = 0, schemes), needed).withLocal(uri)(load)

  /** The files of a folder, by relative path, and what they hold. */
  private def contents(folder: Path): Map[String, String] =
    Files.walk(folder).iterator.asScala.filter(Files.isRegularFile(_)).map { file =>
      folder.relativize(file).toString -> Files.readString(file)
    }.toMap

  private def withModel(body: Path => Unit): Unit = TestData.withFolder { folder =>
    val model = Files.createDirectories(folder.resolve("a model"))
    Files.writeString(model.resolve("a.json"), "{}")
    Files.writeString(model.resolve("b.onnx"), "weights")
    Files.writeString(Files.createDirectories(model.resolve("deep/er")).resolve("c.bin"), "more weights")
    body(model)
  }

  private def copies: Seq[String] =
    Paths.get(System.getProperty("java.io.tmpdir")).toFile.list.filter(_.matches("spark-classify-.*-model-.*")).toSeq

  test("a remote directory is copied whole, and the copy is gone afterwards, even when the load fails") {
    withModel { model =>
      val copied = withLocal(s"changing:$model") { copy =>
        assert(copy != model)
        contents(copy)
      }
      assert(copied == contents(model) && copied.size == 3)
      intercept[IllegalStateException] {
        withLocal(s"changing:$model")(_ => throw new IllegalStateException("no load"))
      }
      assert(copies.isEmpty)
    }
  }

  test("what is needed is asked until it is there, and nothing else is copied") {
    withModel { model =>
      Files.writeString(model.resolve("model.safetensors"), "weights for others")
      var asked = Seq.empty[Seq[String]]
      val needed: NeededFiles = (copy, listing) => {
        asked :+= contents(copy).keys.toSeq.sorted
        assert(listing == Seq("a.json", "b.onnx", "deep/er/c.bin", "model.safetensors"))
        // The second file tells of the third.
        Seq("a.json", "b.onnx") ++ Seq("deep/er/c.bin").filter(_ => Files.exists(copy.resolve("b.onnx")))
      }
      val opened = CountedFileSystem.opens {
        withNeeded(needed, s"changing:$model") { copy =>
          assert(contents(copy) == contents(model) - "model.safetensors")
        }
      }
      assert(opened == 3)
      assert(asked == Seq(Seq(), Seq("a.json", "b.onnx"), Seq("a.json", "b.onnx", "deep/er/c.bin")))
    }
  }

  test("a needed file of a name that leads outside is refused, though the directory does not list it") {
    withModel { model =>
      Seq("../escaped", "/escaped", "deep/../../escaped").foreach { name =>
        val error = intercept[ClassifyException] {
          withNeeded((_, _) => Seq(name), s"changing:$model")(_ => fail("it was loaded"))
        }
        assert(error.getReason.contains("no name of a file in it"), error)
      }
      assert(copies.isEmpty)
    }
  }

  test("loads at once have copies of their own") {
    withModel { model =>
      withLocal(s"changing:$model") { first =>
        withLocal(s"changing:$model")(second => assert(second != first))
        assert(contents(first) == contents(model))
      }
    }
  }

  test("a local directory is used where it is") {
    withModel(model => withLocal(s"file:$model")(local => assert(local == model)))
  }

  Seq[(String, Path => Any, String)](
    ("grows", model => Files.writeString(model.resolve("b.onnx"), "weights and more"), "b.onnx"),
    (
      "is written again with the same length",
      model => Files.setLastModifiedTime(model.resolve("deep/er/c.bin"), FileTime.fromMillis(1L << 40)),
      "deep/er/c.bin"
    ),
    ("comes", model => Files.writeString(model.resolve("d.data"), "new"), "d.data"),
    ("goes", model => Files.delete(model.resolve("a.json")), "a.json")
  ).foreach { case (what, change, name) =>
    test(s"a file that $what while the directory is copied is an error that names it") {
      withModel { model =>
        // What happens before the last file is opened may or may not be in the copy.
        ChangingFileSystem.change(opens = 3, () => change(model)) {
          val error = intercept[ClassifyException] {
            withLocal(s"changing:$model")(_ => fail("a half copied model was loaded"))
          }
          assert(error.getCondition == "CLASSIFY_BAD_MODEL")
          assert(error.getReason.contains(name) && error.getReason.contains(s"changing:$model"), error.getReason)
        }
        assert(copies.isEmpty)
      }
    }
  }

  test("a file that is listed outside of the directory is refused, and nothing is written") {
    TestData.withFolder { folder =>
      val model = Files.createDirectories(folder.resolve("a/b/model"))
      Files.writeString(model.resolve("config.json"), "{}")
      Seq(
        "../escaped",
        "/escaped",
        "deep/../../escaped",
        "deep\\escaped",
        "line\nbreak",
        "nul\u0000",
        "deep//double"
      ).foreach {
        name =>
          CraftedFileSystem.name = s"$model/$name"
          if (name.startsWith("/")) CraftedFileSystem.name = s"$folder$name"
          val error = intercept[ClassifyException] {
            withLocal(s"crafted:$model")(_ => fail("a crafted model was loaded"))
          }
          assert(
            error.getCondition == "CLASSIFY_BAD_MODEL" && error.getReason.contains("no name of a file in it"),
            error
          )
          assert(!error.getMessage.exists(_ < ' '))
          assert(copies.isEmpty)
          assert(Files.walk(folder).iterator.asScala.count(Files.isRegularFile(_)) == 1)
      }
    }
  }

  /** An archive of Hadoop's with a model, in whose index the folder has another child of that name. */
  private def archive(folder: Path, child: String): String = {
    // Hadoop remembers indexes by their paths.
    val har = Files.createDirectories(folder.resolve(s"${Files.list(folder).count()}.har"))
    def encoded(text: String): String = URLEncoder.encode(text, StandardCharsets.UTF_8)
    val properties = encoded("1700000000000 420 user group")
    def file(name: String): String = s"${encoded(name)} file part-0 0 2 $properties \n"
    val folders =
      s"%2F dir $properties 0 0 model \n%2Fmodel dir $properties 0 0 config.json ${encoded(child)} \n"
    val index = folders + file("/model/config.json") + file(new HadoopPath("/model", child).toUri.getPath)
    Files.writeString(har.resolve("_index"), index)
    Files.writeString(har.resolve("_masterindex"), s"3 \n0 ${Int.MaxValue} 0 ${index.length} \n")
    Files.writeString(har.resolve("part-0"), "{}")
    s"har://$har/model"
  }

  test("an archive whose index names files outside of the model is refused, and nothing is written") {
    TestData.withFolder { folder =>
      assert(
        withLocal(archive(folder, "more.json"))(contents) == Map("config.json" -> "{}", "more.json" -> "{}")
      )
      Seq("../escaped", "../../../escaped", s"$folder/escaped", "deep\\escaped", "..", "line\nbreak").foreach { child =>
        val error = intercept[ClassifyException] {
          withLocal(archive(folder, child))(copy => fail(s"$child: ${contents(copy)}"))
        }
        assert(error.getCondition == "CLASSIFY_BAD_MODEL", error)
      }
      assert(copies.isEmpty && folder.toFile.list.forall(_.endsWith(".har")))
    }
  }

  test(
    "a folder for copies that cannot be written to, or in which all may rename them, is a bad model, which names it"
  ) {
    withModel { model =>
      val open = Files.createDirectory(model.resolveSibling("open"))
      Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"))
      Seq(s"$model/a.json" -> "Not a directory", open.toString -> "chmod +t").foreach { case (folder, reason) =>
        val before = System.setProperty("java.io.tmpdir", folder)
        try {
          val error = intercept[ClassifyException](withLocal(s"changing:$model")(_ => fail("it was copied")))
          assert(error.getCondition == "CLASSIFY_BAD_MODEL", error)
          Seq(folder, "java.io.tmpdir", reason).foreach(part => assert(error.getReason.contains(part), error))
        } finally System.setProperty("java.io.tmpdir", before)
      }
    }
  }

  test("a scheme that may not be read is refused, for models as for images") {
    withModel { model =>
      Seq("http://127.0.0.1:1/m", s"changing:$model", s"file:$model", "sparkfiles:cards").foreach { uri =>
        val error = intercept[ClassifyException](
          withLocal(uri, Schemes(Set("hdfs")))(_ => fail("it was read"))
        )
        assert(
          error.getCondition == "CLASSIFY_BAD_MODEL" && error.getReason.contains("spark.classify.read.schemes"),
          error
        )
      }
    }
  }

  test("what is no directory, and a scheme that Hadoop does not know, are errors") {
    withModel { model =>
      Seq(
        s"changing:$model/a.json" -> "no directory",
        s"changing:$model/none" -> "does not exist",
        "nowhere:/m" -> "nowhere"
      )
        .foreach { case (uri, reason) =>
          val error = intercept[ClassifyException](withLocal(uri)(_ => ()))
          assert(error.getCondition == "CLASSIFY_BAD_MODEL" && error.getReason.contains(reason), error)
        }
    }
  }
}

/** The local file system under the scheme `changing:`, whose files change while they are read. */
class ChangingFileSystem extends CountedFileSystem {
  override def getUri: java.net.URI = java.net.URI.create("changing:///")
  override def getScheme: String = "changing"

  override def open(file: HadoopPath, bufferSize: Int): FSDataInputStream = {
    val stream = super.open(file, bufferSize)
    ChangingFileSystem.opened()
    stream
  }
}

object ChangingFileSystem {
  private var opensLeft = 0
  private var action: () => Any = () => ()

  private def opened(): Unit = {
    opensLeft -= 1
    if (opensLeft == 0) action()
  }

  /** Runs `body`, and `action` when it opens a file for the `opens`-th time. */
  def change(opens: Int, action: () => Any)(body: => Unit): Unit = {
    this.opensLeft = opens
    this.action = action
    try body
    finally this.action = () => ()
  }
}

/** A file system that lists whatever name it is told to. */
class CraftedFileSystem extends CountedFileSystem {
  override def getUri: java.net.URI = java.net.URI.create("crafted:///")
  override def getScheme: String = "crafted"

  override def listStatus(folder: HadoopPath): Array[FileStatus] = {
    val uri = new java.net.URI("crafted", null, CraftedFileSystem.name, null)
    val path = new HadoopPath("crafted:/x") { override def toUri: java.net.URI = uri }
    Array(new FileStatus(6, false, 1, 4096, 0, path))
  }

  override def open(file: HadoopPath, bufferSize: Int): FSDataInputStream =
    super.open(new HadoopPath(TestData.list.toString), bufferSize)
}

object CraftedFileSystem {
  var name = ""
}
