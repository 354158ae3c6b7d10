package io.sparkclassify.engine

import java.nio.{ByteBuffer, ByteOrder}
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger

/**
 * The two direct buffers of a native call. They grow as needed and are used again; not for concurrent use.
 *
 * Input: int64[count + 1] with the start of each image and the end of the last one, then the images' bytes. Output: see
 * [[BatchResults]].
 */
final class BatchBuffers {
  import BatchBuffers._

  private var packed = allocate(1 << 16)
  private var results = allocate(1 << 12)
  private var images = 0

  /** How many images the input holds. */
  def count: Int = images

  /** The input of the native call: what [[pack]] made. */
  def input: ByteBuffer = packed

  /** Lays a batch out in the input buffer. */
  def pack(batch: collection.Seq[Array[Byte]]): Unit = {
    val table = (batch.length + 1) * java.lang.Long.BYTES
    val size = batch.foldLeft(table.toLong)(_ + _.length)
    packed = atLeast(packed, size)
    packed.clear()
    var start = table.toLong
    batch.foreach { image =>
      packed.putLong(start)
      start += image.length
    }
    packed.putLong(start)
    batch.foreach(packed.put(_))
    packed.flip()
    images = batch.length
  }

  /** The output buffer, with room for the results of a model with `classes` classes. */
  def output(classes: Int): ByteBuffer = {
    results = atLeast(results, BatchResults.capacity(images, classes))
    results.clear()
    results
  }

  private def large: Boolean = packed.capacity > Retained || results.capacity > Retained
}

object BatchBuffers {

  /** A buffer up to this size, in bytes, is kept even after a batch that needed far less. */
  private val Retained = 16L << 20

  private val idle = new ConcurrentLinkedQueue[BatchBuffers]
  private val away = new AtomicInteger

  /** How many buffers tasks have at the moment. */
  def lent: Int = away.get

  /** Buffers for one task. There are as many in a JVM as tasks have run at once. */
  def acquire(): BatchBuffers = {
    away.incrementAndGet()
    Option(idle.poll()).getOrElse(new BatchBuffers)
  }

  /** Gives them back; nobody may use them afterwards. */
  def release(buffers: BatchBuffers): Unit = {
    away.decrementAndGet()
    if (!buffers.large) idle.add(buffers)
  }

  private def allocate(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

  /** `buffer` when it is large enough and not wastefully so, else another one, rounded up to a power of 2. */
  private def atLeast(buffer: ByteBuffer, size: Long): ByteBuffer =
    if (size <= buffer.capacity && buffer.capacity <= math.max(Retained, 4 * size)) buffer
    else if (size > Int.MaxValue) throw new IllegalArgumentException(s"a batch of $size bytes; at most ${Int.MaxValue}")
    else allocate(math.min(Int.MaxValue.toLong, java.lang.Long.highestOneBit(math.max(1, size - 1)) << 1).toInt)
}
