package io.sparkclassify.image

import java.nio.file.{Files, Paths}

import scala.util.Random

import io.sparkclassify.{ColourImages, SharedSession, TestData}
import org.apache.spark.sql.Row

/** Which file a path means, and what is said of one that means none. */
class ImagePathSuite extends SharedSession {

  private def classified(paths: Seq[String]): Seq[Row] = {
    spark.createDataFrame(paths.zipWithIndex).toDF("path", "id").coalesce(1).createOrReplaceTempView("names")
    sql(
      s"SELECT id, c.class_id, c.error FROM (SELECT id, try_classify(path, 'onnx', '${ColourImages.model}') AS c FROM names)"
    )
      .collect().sortBy(_.getInt(0)).toSeq
  }

  private val names = Seq(
    "a:b.png",
    "10:00:00.png",
    "a b.png",
    "a%20b.png",
    "a+b.png",
    "50%.png",
    "a?b.png",
    "a#b.png",
    "a[1].png",
    "{a}.png",
    "*.png",
    "über.png",
    "日本.png",
    "a\\b.png",
    "C:\\a.png",
    "a;b=c,d&e.png",
    "nowhere:a.png",
    "'\"`.png",
    "a\u0001b.png",
    "a.png\r",
    "\ufeffa.png",
    "a.png "
  ).filterNot(_.isEmpty)

  test("names are those that open() takes, absolute, relative and with slashes, and as URIs") {
    TestData.withFolder { folder =>
      names.zipWithIndex.foreach { case (name, id) => Files.write(folder.resolve(name), ColourImages.file(id % 3)) }
      val relative = Paths.get("").toAbsolutePath.relativize(folder.toAbsolutePath)
      val forms = Seq[String => String](
        name => s"$folder/$name",
        name => s"/$folder//$name",
        name => s"$relative/$name",
        name => s"file:$folder/$name",
        name => s"file://$folder/$name",
        name => s"file:$relative/$name"
      )
      forms.zipWithIndex.foreach { case (form, number) =>
        classified(names.map(form)).zip(names).foreach { case (row, name) =>
          assert(!row.isNullAt(1) && row.getInt(1) == names.indexOf(name) % 3, s"form $number of $name: $row")
        }
      }
    }
  }

  test("a name with a colon in the working directory") {
    val name = s"test-${System.nanoTime()}:a+b.png"
    val file = Files.write(Paths.get(name).toAbsolutePath, ColourImages.file(2))
    try classified(Seq(name, s"file:$name")).foreach(row => assert(!row.isNullAt(1) && row.getInt(1) == 2, row))
    finally Files.delete(file)
  }

  test("what Spark tells of its files is read back") {
    TestData.withFolder { folder =>
      // A name that is another one, encoded, is taken as it stands.
      val files = names.filterNot(_ == "a%20b.png")
      files.zipWithIndex.foreach { case (name, id) => Files.write(folder.resolve(name), ColourImages.file(id % 3)) }
      Seq("_metadata.file_path", "input_file_name()").foreach { source =>
        val paths =
          spark.read.format("binaryFile").load(folder.toString).selectExpr(source, "_metadata.file_name").collect()
        assert(paths.length == files.size)
        classified(paths.map(_.getString(0)).toSeq).foreach(row => assert(!row.isNullAt(1), row))
      }
    }
  }

  test("the error of a file that is not there shows what is odd in its name") {
    val cases = Seq(
      "/none/a.png\r" -> "/none/a.png\\r:",
      "/none/a.png " -> "/none/a.png\\u0020:",
      "\ufeff/none/a.png" -> "\\ufeff/none",
      "/none/a\u001b[31m\n.png" -> "a\\u001b[31m\\n.png",
      "/none/a%20b.png" -> "looks URL-encoded",
      "file:///none/a%20b.png" -> "looks URL-encoded",
      "C:\\data\\x.jpg" -> "a path of Windows",
      "D:/data/x.jpg" -> "a path of Windows",
      "\\\\server\\data\\x.jpg" -> "a path of Windows",
      "file://server/x.jpg" -> "server",
      "/none/" + "x" * 100000 -> "100006 characters",
      "a\u0000b" -> "NUL"
    )
    classified(cases.map(_._1)).zip(cases).foreach { case (row, (_, part)) =>
      assert(row.isNullAt(1) && row.getString(2).contains(part), s"\nno '$part' in ${row.getString(2).take(3000)}")
      assert(row.getString(2).length < 5000 && !row.getString(2).exists(_.isControl), part)
    }
  }

  test("whatever a path is, it is its row's error at most") {
    val schemes =
      Seq("file", "s3a", "abfs", "abfss", "wasb", "adl", "har", "viewfs", "counted", "jar", "data", "nowhere", "mailto")
    val fixed = Seq(
      "/",
      "//",
      "///",
      ".",
      "..",
      "~",
      ":",
      "://",
      "file:",
      "file:/",
      "file://",
      "file:///",
      "s3a://b/x",
      "s3a://b",
      "abfs://c@a/x",
      "wasb://c@a.blob/x",
      "adl://a/x",
      "har:///x",
      "har:/",
      "viewfs://x/y",
      "s3a:",
      "%",
      "%zz",
      "\u0000",
      0xd800.toChar.toString
    )
    val alphabet = "ab/:@?#%[]{}*\\. +~,;=&$'\"<>|^`\u0000\u0001\n\r\t\u007f\u202e\ufeffü日".toVector :+ 0xd83d.toChar
    val random = new Random(16)
    val generated = Seq.fill(600) {
      val text = Seq.fill(random.nextInt(12))(alphabet(random.nextInt(alphabet.size))).mkString
      val scheme = schemes(random.nextInt(schemes.size))
      random.nextInt(4) match {
        case 0 => text
        case 1 => s"$scheme:$text"
        case 2 => s"$scheme://$text"
        case 3 => s"$scheme:///$text"
      }
    }
    val long = Seq("/" * 100000, "a/" * 50000, "s3a://" + "x" * 100000, ":" * 100000, "%20" * 33333)
    val paths = fixed ++ generated ++ long
    val rows = classified(paths)
    assert(rows.size == paths.size)
    rows.foreach(row =>
      assert(row.isNullAt(1) && row.getString(2).startsWith("[CLASSIFY_UNREADABLE_IMAGE] cannot read"), row)
    )
  }

  test("a model whose file system throws is a bad model") {
    val image = TestData.image(".png")
    Seq("s3a://b/x", "abfs://c@a/x", "wasb://c@a/x", "adl://a/x").foreach { model =>
      val error = failure(s"SELECT classify(path, 'onnx', '$model') FROM VALUES ('$image'), (NULL) AS t(path)")
      assertError(error, "CLASSIFY_BAD_MODEL", model)
    }
  }
}
