package io.sparkclassify.execution

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

import io.sparkclassify.{ColourImages, SharedSession}
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.memory.DirectBuffers

/** Several operators in one task, where there is hardly any memory to read images into. */
class StackedOperatorsSuite extends SharedSession {
  private implicit val executor: ExecutionContext = ExecutionContext.global

  private val count = 60

  for (stacked <- Seq(true, false))
    test(s"a task does not wait for memory that it has itself (${if (stacked) "two operators"
      else "an operator and a call by row"})") {
      val images = spark.sparkContext.parallelize((0 until count).map(id => (id, ColourImages.file(id % 3))), 1)
      spark.createDataFrame(images).toDF("id", "content").createOrReplaceTempView("contents")
      val again = "IF(id < 0, NULL, content)"
      val second =
        if (stacked) s"classify($again).class_id" else s"transform(array($again), c -> classify(c).class_id)[0]"
      val memory = DirectBuffers.memory
      // All but four images' worth.
      val most = memory.total - memory.taken - 4 * DirectBuffers.capacity(1)
      memory.takeForResults(most)
      try
        withConf(
          "spark.classify.backend" -> "onnx",
          "spark.classify.model" -> ColourImages.model.toString,
          ClassifyConf.BatchSize.key -> "4"
        ) {
          val rows = Future(sql(s"SELECT id, classify(content).class_id, $second FROM contents").collect())
          val found = Await.result(rows, 60.seconds)
          assert(found.length == count)
          assert(found.forall(row => row.getInt(1) == row.getInt(0) % 3 && row.getInt(2) == row.getInt(0) % 3))
        }
      finally memory.give(most)
      assert(memory.taken == 0)
    }
}
