package io.sparkclassify.image

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, FailingFileSystem, SharedSession, TestData}
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.memory.DirectBuffers
import io.sparkclassify.plans.Plans
import org.apache.commons.io.FileUtils

/** File systems that fail at times are asked again, for images and for models. */
class RetriesSuite extends SharedSession {

  private def withFiles(names: String*)(body: Path => Unit): Unit = TestData.withFolder { folder =>
    names.foreach(name => Files.write(folder.resolve(name), ColourImages.file(1)))
    body(folder)
    assert(DirectBuffers.lent == 0 && DirectBuffers.memory.taken == 0)
  }

  private def query(folder: Path, names: Seq[String], call: String => String): String =
    names.map(name => s"('$name')").mkString(
      s"SELECT name, ${call(s"'failing:$folder/' || name")} AS c FROM VALUES ",
      ", ",
      " AS t(name)"
    )

  private def tryClassify(path: String): String = s"try_classify($path, 'onnx', '${ColourImages.model}')"

  test("a file whose file system fails three times has its answer, and the metric counts the reads") {
    val names = Seq("status", "open", "short", "late").map(_ + "-3.png")
    withFiles(names :+ "good.png": _*) { folder =>
      val ran = Plans.run(sql(query(folder, names :+ "good.png", tryClassify)))
      ran.rows.foreach { row =>
        assert(row.getStruct(1).getAs[String]("error") == null, row)
        assert(row.getStruct(1).getAs[Int]("class_id") == 1, row)
      }
      assert(ran.rows.size == 5)
      assert(ran.metric("retries") == 4 * 3)
      assert(ran.metric("bytesRead") == 5 * ColourImages.file(1).length)
    }
  }

  test("row by row, too") {
    withFiles("open-2.png", "late-2.png") { folder =>
      val call = (path: String) => s"transform(array($path), p -> ${tryClassify("p")})[0]"
      val rows = sql(query(folder, Seq("open-2.png", "late-2.png"), call)).collect()
      assert(rows.map(_.getStruct(1).getAs[Int]("class_id")).toSeq == Seq(1, 1))
    }
  }

  test("a file that fails once more than it is asked for again is a bad image with the reason") {
    withFiles("open-2.png", "short-2.png", "late-1.png") { folder =>
      withConf(ClassifyConf.ReadRetries.key -> "1") {
        val rows = sql(query(folder, Seq("open-2.png", "short-2.png"), tryClassify)).collect()
        val errors = rows.map(_.getStruct(1).getAs[String]("error"))
        assert(errors(0).contains("open-2.png: the store refused this"), errors(0))
        val length = ColourImages.file(1).length
        assert(errors(1).contains(s"short-2.png: it ended after ${length / 2} of $length bytes"), errors(1))
      }
      withConf(ClassifyConf.ReadRetries.key -> "0") {
        val row = sql(query(folder, Seq("late-1.png"), tryClassify)).head()
        assert(row.getStruct(1).getAs[String]("error").contains("the connection was reset"), row)
        assert(FailingFileSystem.asked(s"$folder/late-1.png", "late") == 1)
      }
    }
  }

  test("what is not there or not allowed is asked for once") {
    withFiles("gone-1.png", "denied-1.png") { folder =>
      val ran = Plans.run(sql(query(folder, Seq("gone-1.png", "denied-1.png", "none.png"), tryClassify)))
      val errors = ran.rows.map(_.getStruct(1).getAs[String]("error"))
      assert(errors(0).contains("the file does not exist"), errors)
      assert(errors(1).contains("nobody may read this"), errors)
      assert(errors(2).contains("the file does not exist"), errors)
      assert(ran.metric("retries") == 0)
      assert(FailingFileSystem.asked(s"$folder/gone-1.png", "open") == 1)
      assert(FailingFileSystem.asked(s"$folder/denied-1.png", "open") == 1)
    }
  }

  test("a model is copied, and the backend found, from a file system that fails") {
    withFiles("good.png") { folder =>
      val model = folder.resolve("list-2")
      FileUtils.copyDirectory(ColourImages.model.toFile, model.toFile)
      val call = (path: String) => s"try_classify($path, model => 'failing:$model')"
      val row = sql(query(folder, Seq("good.png"), call)).head()
      assert(row.getStruct(1).getAs[Int]("class_id") == 1)
      assert(FailingFileSystem.asked(model.toString, "list") > 2)
    }
  }
}
