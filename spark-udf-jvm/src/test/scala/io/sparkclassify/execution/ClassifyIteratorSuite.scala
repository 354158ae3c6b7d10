package io.sparkclassify.execution

import io.sparkclassify.{ColourImages, SharedSession}
import io.sparkclassify.conf.{BatchSpec, ClassifySpec}
import io.sparkclassify.inference.{ClassifyMetrics, ImageInference, NotInOptimizer, ResultShape}
import io.sparkclassify.memory.DirectBuffers
import java.util.concurrent.CountDownLatch

import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.BoundReference
import org.apache.spark.sql.types.BinaryType

class ClassifyIteratorSuite extends SharedSession {

  test("a task that ends while another thread classifies its rows leaves that thread its buffers") {
    spark // resolves the specification
    val spec = ClassifySpec.resolve(Some("onnx"), Some(ColourImages.model.toString))
    val inference =
      ImageInference(BoundReference(0, BinaryType, nullable = true), NotInOptimizer(), spec, ResultShape.Prediction)
    val metrics = new ClassifyMetrics(ClassifyMetrics.create(spark.sparkContext))
    val image = ColourImages.file(1)
    assert(DirectBuffers.lent == 0)
    spark.sparkContext
      .parallelize(Seq(0), 1)
      .foreach { _ =>
        val rows = new ClassifyIteratorSuite.BlockedRows(image)
        val batches = BatchSpec(size = 1, readThreads = 1, maxBytes = 1 << 20)
        ClassifyIteratorSuite.consume(new ClassifyIterator(rows, Seq(inference), batches, metrics, TaskContext.get()))
        ClassifyIteratorSuite.blocked.await()
      }
    assert(DirectBuffers.lent == 1, "the other thread is amid a batch")
    ClassifyIteratorSuite.go.countDown()
    ClassifyIteratorSuite.consumer.join(20000)
    assert(DirectBuffers.lent == 0)
    assert(ClassifyIteratorSuite.classIds == Seq(1, 1), "it ends after its batch")
    assert(ClassifyIteratorSuite.failure.isEmpty)
  }
}

/** What the task and the test share. */
object ClassifyIteratorSuite {
  val blocked, go = new CountDownLatch(1)
  @volatile var consumer: Thread = _
  @volatile var classIds: Seq[Int] = Nil
  @volatile var failure: Option[Throwable] = None

  def consume(rows: ClassifyIterator): Unit = {
    consumer = new Thread(() =>
      try rows.foreach(row => classIds :+= row.getStruct(1, 3).getStruct(0, 4).getInt(1))
      catch { case e: Throwable => failure = Some(e) }
    )
    consumer.start()
  }

  /** Rows of which the fourth is late: it is asked for while the second batch of one is under way. */
  final class BlockedRows(image: Array[Byte]) extends Iterator[InternalRow] {
    private var taken = 0

    override def hasNext: Boolean = {
      if (taken == 3) {
        blocked.countDown()
        go.await()
      }
      true
    }

    override def next(): InternalRow = {
      taken += 1
      InternalRow(image)
    }
  }
}
