package io.sparkclassify.execution

import java.nio.file.Files

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

import io.sparkclassify.{ColourImages, SharedSession, SlowFileSystem, TestData}
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.memory.DirectBuffers
import io.sparkclassify.threads.ReadThreads
import org.scalatest.concurrent.Eventually
import org.scalatest.time.{Millis, Seconds, Span}

class CancelSuite extends SharedSession with Eventually {

  implicit override val patienceConfig: PatienceConfig = PatienceConfig(Span(20, Seconds), Span(50, Millis))
  private implicit val executor: ExecutionContext = ExecutionContext.global

  /** Cancels a query once it runs, and waits for the end of everything that it began. */
  private def cancel(query: String, interrupt: Boolean)(running: => Boolean): Unit = {
    val group = s"cancel-$interrupt"
    val rows = Future {
      spark.sparkContext.setJobGroup(group, "to be cancelled", interrupt)
      try sql(query).collect()
      finally spark.sparkContext.clearJobGroup()
    }
    eventually(assert(running))
    spark.sparkContext.cancelJobGroup(group)
    val failure = intercept[Exception](Await.result(rows, 20.seconds))
    assert(failure.getMessage.contains("cancelled"), failure)
    eventually {
      assert(DirectBuffers.lent == 0)
      assert(ReadThreads.active == 0)
      assert(spark.sparkContext.statusTracker.getActiveStageIds().isEmpty)
    }
    // The executor is as good as before.
    val image = TestData.image(".png")
    assert(sql(s"SELECT classify(path, 'onnx').class_id FROM VALUES ('$image') AS t(path)").count() == 1)
  }

  Seq(true, false).foreach { interrupt =>
    test(s"a task that waits for files stops when its job is cancelled (interrupt: $interrupt)") {
      TestData.withFolder { folder =>
        Files.write(folder.resolve("a.png"), ColourImages.file(0))
        val query = s"SELECT classify('slow:$folder/' || IF(id < 0, '', 'a.png'), 'onnx', '${ColourImages.model}') " +
          "FROM range(100000)"
        withConf(ClassifyConf.ReadThreads.key -> "2") {
          cancel(query, interrupt)(SlowFileSystem.opening > 0)
        }
      }
    }

    test(s"a task that classifies stops after its batch when its job is cancelled (interrupt: $interrupt)") {
      val image = TestData.image(".jpg")
      spark.read.format("binaryFile").load(image.toString).createOrReplaceTempView("one")
      val query =
        "SELECT c.class, count(*) FROM (SELECT classify(IF(id < 0, NULL, content), 'onnx') AS c FROM one, range(0, 100000, 1, 2)) " +
          "GROUP BY 1"
      withConf(ClassifyConf.BatchSize.key -> "4")(cancel(query, interrupt)(DirectBuffers.lent > 0))
    }
  }

  test("a task whose rows nobody takes to the end gives everything back") {
    TestData.withFolder { folder =>
      Files.write(folder.resolve("a.png"), ColourImages.file(0))
      val frame = sql(
        s"SELECT classify('slow:$folder/' || IF(id < 0, '', 'a.png'), 'onnx', '${ColourImages.model}') FROM range(1000)"
      )
      assert(frame.rdd.mapPartitions(_.take(1)).count() > 0)
      eventually(assert(DirectBuffers.lent == 0 && ReadThreads.active == 0))
    }
  }
}
