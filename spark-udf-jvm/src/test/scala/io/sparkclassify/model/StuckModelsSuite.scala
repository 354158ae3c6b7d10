package io.sparkclassify.model

import io.sparkclassify.{BlockingFileSystem, ColourImages, SharedSession, TestData}
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.threads.ReadThreads
import java.nio.file.{Files, Path, Paths}

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

import org.apache.commons.io.FileUtils
import org.scalatest.concurrent.Eventually
import org.scalatest.time.{Millis, Seconds, Span}

/** Models on file systems that never answer. */
class StuckModelsSuite extends SharedSession with Eventually {

  implicit override val patienceConfig: PatienceConfig = PatienceConfig(Span(20, Seconds), Span(10, Millis))
  private implicit val executor: ExecutionContext = ExecutionContext.global

  private def copies: Int =
    Paths.get(System.getProperty("java.io.tmpdir")).toFile.list.count(_.matches("spark-classify-.*-model-.*"))

  /** A model directory with a file whose name says how those beside it are stuck, and the query of two tasks. */
  private def withModel(stuck: String)(body: (Path, String) => Unit): Unit = TestData.withFolder { folder =>
    val model = folder.resolve("model")
    FileUtils.copyDirectory(ColourImages.model.toFile, model.toFile)
    Files.writeString(model.resolve(stuck), "more")
    val image = Files.write(folder.resolve("image.png"), ColourImages.file(1))
    val path = s"'$image' || IF(id < 0, 'x', '')"
    try body(model, s"SELECT classify($path, 'onnx', 'blocking:$model').class_id FROM range(0, 2, 1, 2)")
    finally {
      // Again and again: a thread may only now come to ask.
      eventually {
        BlockingFileSystem.answer()
        // What had been copied goes, too.
        assert(ReadThreads.active == 0 && ReadThreads.stuck == 0 && copies == 0)
      }
    }
  }

  for (kind <- Seq("open", "read"); interrupt <- Seq(true, false))
    test(s"tasks are killed while the model's file system never answers ($kind, interrupt: $interrupt)") {
      withModel(s"$kind.txt") { (_, query) =>
        val group = s"stuck-model-$kind-$interrupt"
        val rows = Future {
          spark.sparkContext.setJobGroup(group, "to be cancelled", interrupt)
          try sql(query).collect()
          finally spark.sparkContext.clearJobGroup()
        }
        eventually(assert(BlockingFileSystem.blocked > 0))
        spark.sparkContext.cancelJobGroup(group)
        assert(intercept[Exception](Await.result(rows, 10.seconds)).getMessage.contains("cancelled"))
        // One loads, and one waits for that.
        val tracker = spark.sparkContext.statusTracker
        eventually(assert(tracker.getExecutorInfos.map(_.numRunningTasks).sum == 0))
        eventually(assert(ReadThreads.stuck == BlockingFileSystem.blocked))
        // The one that waits may have begun a load of its own before it is told.
        assert(ReadThreads.stuck >= 1 && ReadThreads.stuck <= 2)
      }
    }

  test("a model whose file system does not answer within the limit is an error, and is loaded once it does") {
    withModel("read.txt") { (model, query) =>
      withConf(ClassifyConf.ReadTimeout.key -> "300ms") {
        assertError(failure(query), "CLASSIFY_BAD_MODEL", s"blocking:$model", "300 ms", ClassifyConf.ReadTimeout.key)
        assert(ReadThreads.stuck > 0)
      }
      Files.delete(model.resolve("read.txt"))
      assert(sql(query).collect().map(_.getInt(0)).toSeq == Seq(1, 1))
    }
  }
}
