package io.sparkclassify.image

import java.nio.file.Files

import io.sparkclassify.{ColourImages, SharedSession, SlowFileSystem, TestData}
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.plans.Plans

class ReadAheadSuite extends SharedSession {

  private val count = 60

  private def withFiles(body: => Unit): Unit = TestData.withFolder { folder =>
    val rows = (0 until count).map { id =>
      Files.write(folder.resolve(s"$id.png"), ColourImages.file(id % 3))
      (s"slow:$folder/$id.png", id)
    }
    spark.createDataFrame(rows).toDF("path", "id").coalesce(1).createOrReplaceTempView("files")
    body
  }

  private val query = s"SELECT id, classify(path, 'onnx', '${ColourImages.model}').class_id FROM files"

  private def assertAll(ran: io.sparkclassify.plans.Ran): Unit =
    assert(ran.rows.map(row => row.getInt(0) -> row.getInt(1)) == (0 until count).map(id => id -> id % 3))

  test("as many threads read as configured, and rows keep their order") {
    withFiles {
      // The last is more than two batches have images.
      Seq(1, 4, 16, 32).foreach { threads =>
        withConf(ClassifyConf.ReadThreads.key -> threads.toString, ClassifyConf.BatchSize.key -> "8") {
          val most = SlowFileSystem.concurrently(assertAll(Plans.run(sql(query))))
          assert(most <= threads)
          assert(most >= math.min(threads, 8), "reads overlap")
          assert(most > threads / 2, "reads overlap")
        }
      }
    }
  }

  test("a budget of one byte reads one file after the other, and still comes to the end") {
    withFiles {
      withConf(ClassifyConf.ReadThreads.key -> "4", ClassifyConf.ReadMaxBytes.key -> "1") {
        val ran = Plans.run(sql(query))
        assertAll(ran)
        assert(ran.metric("batches") == count)
      }
    }
  }

  test("the metrics tell what was read and how long it took") {
    withFiles {
      withConf(ClassifyConf.ReadThreads.key -> "4", ClassifyConf.BatchSize.key -> "10") {
        val ran = Plans.run(sql(query.replace("classify(", "try_classify(").replace(
          "FROM files",
          "FROM (SELECT id, IF(id = 7, 'slow:/none', path) AS path FROM files)"
        )))
        assert(ran.images == count && ran.metric("badImages") == 1 && ran.metric("batches") == 6)
        val sizes = (0 until count).filter(_ != 7).map(id => ColourImages.file(id % 3).length.toLong).sum
        assert(ran.metric("bytesRead") == sizes)
        // 59 files of 50 ms each; four threads waited for them at once.
        assert(ran.metric("readTime") >= 59 * 50 * 1000000L)
        assert(ran.metric("waitTime") >= 59 * 50 * 1000000L / 8 && ran.metric("waitTime") < ran.metric("readTime"))
        Seq("decodeTime", "preprocessTime", "inferenceTime").foreach(name => assert(ran.metric(name) > 0, name))
      }
    }
  }

  test("metrics are right under concurrent tasks") {
    withFiles {
      spark.table("files").repartition(8).createOrReplaceTempView("spread")
      val ran = Plans.run(sql(query.replace("FROM files", "FROM spread")))
      assert(ran.rows.size == count && ran.images == count)
      assert(ran.metric("bytesRead") == (0 until count).map(id => ColourImages.file(id % 3).length.toLong).sum)
    }
  }

  test("metrics are right when one task has several partitions") {
    withFiles {
      val ran =
        Plans.run(sql(query.replace("FROM files", "FROM (SELECT /*+ REPARTITION(4) */ * FROM files)")).coalesce(1))
      assert(ran.rows.size == count && ran.images == count)
      assert(ran.metric("bytesRead") == (0 until count).map(id => ColourImages.file(id % 3).length.toLong).sum)
      assert(ran.metric("readTime") >= count * 50 * 1000000L)
    }
  }
}
