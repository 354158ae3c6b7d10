package io.sparkclassify.execution

import io.sparkclassify.conf.BatchSpec
import io.sparkclassify.image.{ImageInput, ImageReader, ReadAhead}
import io.sparkclassify.inference.{BatchRow, ClassifyMetrics, ImageInference, InputPosition, ModelCall, ResultColumn}
import io.sparkclassify.threads.{HeldByTask, TaskKill}
import java.util.ArrayDeque

import scala.collection.mutable.ArrayBuffer

import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{JoinedRow, UnsafeRow}

/**
 * The rows of a partition, each joined with the results of the inferences over its image.
 *
 * Rows wait in a queue while their images are read. The task takes a batch from its head, and before it classifies that
 * it asks for the images of the next ones. A batch is full of images: rows without one are between them, many where few
 * need the inference.
 *
 * One thread takes the rows, but it need not be the task's own: what feeds the input of a script (`TRANSFORM`,
 * `RDD.pipe`) is a thread of Spark's, which may be amid a batch when the task ends. Then that thread gives back what
 * the native call uses, after the call.
 *
 * Operators above see the thread where the row came from that they have, see [[InputPositions]].
 *
 * @param inferences
 *   over one input, bound to `rows`
 */
final class ClassifyIterator(
    rows: Iterator[InternalRow],
    inferences: Seq[ImageInference],
    batches: BatchSpec,
    metrics: ClassifyMetrics,
    context: TaskContext
) extends Iterator[InternalRow]
    with HeldByTask {
  import ClassifyIterator._

  private val input = inferences.head.child
  private val inputKind = ImageInput.of(input.dataType)

  private val images = {
    val spec = inferences.head.spec
    val reader = new ImageReader(spec.images, spec.hadoop.configuration, spec.nativeEngine())
    new ReadAhead(reader, batches.readThreads, batches.maxBytes, Some(context))
  }

  private val models = inferences.zipWithIndex.groupBy(_._1.spec.model).values.toSeq.map { calls =>
    val columns = calls.map { case (inference, column) => ResultColumn(column, inference.shape) }
    new ModelCall(calls.head._1.spec, columns, metrics)
  }

  /** So many images are asked for: a batch's, and beside it the next one's, or as many as threads read at once. */
  private val wanted = batches.size + math.max(batches.size, batches.readThreads)

  /** Rows whose images have been asked for, how many images these are, and the bytes of the rows. */
  private val waiting = new ArrayDeque[WaitingRow]
  private var waitingImages = 0
  private var waitingBytes = 0L
  private val positions = new InputPositions
  private var classified: Iterator[InternalRow] = Iterator.empty

  // What has been counted of the reading.
  private var bytesRead = 0L
  private var readNanos = 0L
  private var retries = 0L

  context.addTaskCompletionListener[Unit](_ => close())

  override def hasNext: Boolean = classified.hasNext || {
    if (begin()) {
      try {
        askAhead()
        if (waiting.isEmpty) close() else classified = classify(takeBatch())
      } finally end()
    }
    if (!classified.hasNext) positions.end()
    classified.hasNext
  }

  override def next(): InternalRow = if (hasNext) classified.next() else Iterator.empty.next()

  /** While one batch is classified, the images of the next one arrive, and reading threads all have something to do. */
  private def askAhead(): Unit = positions.takeAhead {
    while (!enoughWait && rows.hasNext) {
      val row = rows.next().copy()
      // Not compiled: generating that code again for each task takes longer than evaluating it for thousands of rows.
      val value = Option(input.eval(row))
      val image = value.map(image => images.ask(inputKind.image(image)))
      waiting.add(new WaitingRow(row, positions.ofTaken(), image))
      waitingImages += image.size
      waitingBytes += bytesOf(row)
    }
  }

  private def enoughWait: Boolean = waitingImages >= wanted ||
    waiting.size >= wanted && waitingBytes >= MaxRowBytes ||
    !waiting.isEmpty && images.full

  private def takeBatch(): ArrayBuffer[BatchRow] = {
    val start = System.nanoTime()
    val batch = new ArrayBuffer[BatchRow](batches.size)
    var taken = 0
    var bytes = 0L
    var scarce = false
    while (!scarce && !waiting.isEmpty && taken < batches.size && bytes < batches.maxBytes) {
      TaskKill.check(context)
      val next = waiting.peek()
      // A batch that waited for memory would keep its own from those who wait, too.
      val image = next.image.map(image => if (taken == 0) Some(image.take()) else image.takeBesideOthers())
      scarce = image.contains(None)
      if (!scarce) {
        waiting.poll()
        taken += next.image.size
        waitingImages -= next.image.size
        waitingBytes -= bytesOf(next.row)
        val row = new BatchRow(next.row, next.position, image.flatten, inferences.length)
        bytes += row.image.map(_.length.toLong).getOrElse(0L)
        batch += row
      }
    }
    metrics.waitTime += System.nanoTime() - start
    batch
  }

  private def classify(batch: ArrayBuffer[BatchRow]): Iterator[InternalRow] = {
    askAhead()
    val good = batch.filter(_.image.isDefined)
    if (good.nonEmpty) {
      models.foreach(_.classify(good))
      good.foreach(row => images.release(row.image.get))
    }
    count(batch)
    val joined = new JoinedRow
    batch.iterator.map { row =>
      positions.handOn(row.position)
      joined(row.row, row.results)
    }
  }

  private def count(batch: ArrayBuffer[BatchRow]): Unit = {
    metrics.images += batch.count(!_.isNull)
    metrics.badImages += batch.count(_.isBad)
    countReading()
  }

  /** Adds, because a task of a coalesced partition has an operator with several of these. */
  private def countReading(): Unit = {
    val (bytes, nanos, again) = (images.bytesRead, images.readNanos, images.retries)
    metrics.bytesRead += bytes - bytesRead
    metrics.readTime += nanos - readNanos
    metrics.retries += again - retries
    bytesRead = bytes
    readNanos = nanos
    retries = again
  }

  override protected def stop(): Unit = images.close()

  override protected def free(): Unit = {
    countReading()
    models.foreach(_.close())
    waiting.clear()
    images.free()
  }
}

private object ClassifyIterator {

  /** Rows beyond as many as there are images wanted wait only up to so many bytes in all. */
  val MaxRowBytes: Long = 4L << 20

  private def bytesOf(row: InternalRow): Long = row match {
    case unsafe: UnsafeRow => unsafe.getSizeInBytes
    case _                 => MaxRowBytes
  }

  /** @param image None for NULL */
  final class WaitingRow(val row: InternalRow, val position: InputPosition, val image: Option[ReadAhead#Image])
}
