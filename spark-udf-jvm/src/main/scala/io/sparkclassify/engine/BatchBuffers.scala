package io.sparkclassify.engine

import java.nio.ByteBuffer
import java.util.concurrent.atomic.AtomicInteger

/**
 * The two direct buffers of a native call. They grow as needed and are used again; not for concurrent use.
 *
 * Input: int64[count + 1] with the start of each image and the end of the last one, then the images' bytes. Output: see
 * [[BatchResults]].
 */
final class BatchBuffers private {
  import BatchBuffers._

  private var packed = DirectBuffers.acquire(0)
  private var results = DirectBuffers.acquire(0)
  private var images = 0

  /** How many images the input holds. */
  def count: Int = images

  /** The input of the native call: what [[pack]] made. */
  def input: ByteBuffer = packed

  /** Lays a batch out in the input buffer; each image is what is between the position and the limit of its buffer. */
  def pack(batch: collection.Seq[ByteBuffer]): Unit = {
    val table = (batch.length + 1) * java.lang.Long.BYTES
    packed = exchange(packed, batch.foldLeft(table.toLong)(_ + _.remaining))
    var start = table.toLong
    batch.foreach { image =>
      packed.putLong(start)
      start += image.remaining
    }
    packed.putLong(start)
    batch.foreach(image => packed.put(image.duplicate()))
    packed.flip()
    images = batch.length
  }

  /** The output buffer, with room for the results of a model with `classes` classes. */
  def output(classes: Int): ByteBuffer = {
    results = exchange(results, BatchResults.capacity(images, classes))
    results
  }
}

object BatchBuffers {

  /** A buffer up to this size, in bytes, is kept even after a batch that needed far less. */
  private val Small = 16L << 20

  private val away = new AtomicInteger

  /** How many tasks have buffers at the moment. */
  def lent: Int = away.get

  /** Buffers for one task. */
  def acquire(): BatchBuffers = {
    val buffers = new BatchBuffers
    away.incrementAndGet()
    buffers
  }

  /** Gives them back; nobody may use them afterwards. */
  def release(buffers: BatchBuffers): Unit = {
    away.decrementAndGet()
    DirectBuffers.release(buffers.packed)
    DirectBuffers.release(buffers.results)
  }

  /**
   * `buffer`, cleared, when it is large enough and not wastefully so, else another one in its place, whose size is a power
   * of 2, so that few are needed until one fits all batches.
   */
  private def exchange(buffer: ByteBuffer, size: Long): ByteBuffer =
    if (size > Int.MaxValue) throw new IllegalArgumentException(s"a batch of $size bytes; at most ${Int.MaxValue}")
    else if (size <= buffer.capacity && buffer.capacity <= math.max(Small, 4 * size)) buffer.clear().limit(size.toInt)
    else {
      DirectBuffers.release(buffer)
      val power = java.lang.Long.highestOneBit(math.max(1, size - 1)) << 1
      DirectBuffers.acquire(math.min(power, Int.MaxValue).toInt).limit(size.toInt)
    }
}
