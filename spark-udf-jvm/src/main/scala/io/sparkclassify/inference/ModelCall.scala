package io.sparkclassify.inference

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.BadImage
import io.sparkclassify.model.{BatchResults, ClassifyEngine, RunnerLease}

/** A column of results: its place, and what it shows. */
private[sparkclassify] final case class ResultColumn(index: Int, shape: ResultShape)

/**
 * The native calls of a task with one model, whose results fill one column or several.
 *
 * The model is got at the first batch: a task without images needs none.
 */
private[sparkclassify] final class ModelCall(spec: ClassifySpec, columns: Seq[ResultColumn], metrics: ClassifyMetrics)
    extends AutoCloseable {

  private val outputs = columns.map(_.shape.outputs).reduce(_ ++ _)
  private var lease: RunnerLease = _

  /**
   * Runs the model over a batch and fills in its results.
   *
   * @param rows
   *   all with an image
   */
  def classify(rows: collection.IndexedSeq[BatchRow]): Unit = {
    if (lease == null) {
      val start = System.nanoTime()
      lease = ClassifyEngine.runner(spec, outputs)
      metrics.modelLoadTime += System.nanoTime() - start
    }
    val images = rows.map(_.image.get)
    val called = System.nanoTime()
    val results = lease.runner.run(images, outputs)
    val returned = System.nanoTime()
    try fill(rows, results)
    finally results.release()
    metrics.rowTime += System.nanoTime() - returned
    metrics.callTime += returned - called
  }

  private def fill(rows: collection.IndexedSeq[BatchRow], results: BatchResults): Unit = {
    rows.indices.foreach { at =>
      val row = rows(at)
      columns.foreach { column =>
        column.shape.value(results, at) match {
          case Right(value) => row.succeed(column.index, value)
          case Left(reason) => row.fail(column.index, BadImage.undecodable(row.image.get.name, reason))
        }
      }
    }
    metrics.batches += 1
    if (lease.runner.onGpu) metrics.gpuImages += rows.length
    metrics.decodeTime += results.decodeNanos
    metrics.preprocessTime += results.resizeNanos
    metrics.inferenceTime += results.inferenceNanos
  }

  override def close(): Unit = if (lease != null) lease.close()
}
