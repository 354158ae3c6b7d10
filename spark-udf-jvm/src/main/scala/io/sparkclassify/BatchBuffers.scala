package io.sparkclassify

import java.nio.{ByteBuffer, ByteOrder}

/**
 * The two direct buffers of a native call. They grow as needed and are used again; not for concurrent use.
 *
 * Input: int64[count + 1] with the start of each image and the end of the last one, then the images' bytes. Output: see
 * [[ResultRows]].
 */
final class BatchBuffers {
  import BatchBuffers._

  private var input = allocate(1 << 16)
  private var output = allocate(1 << 12)

  /** Lays the images out in the input buffer, which it returns. */
  def pack(images: IndexedSeq[Array[Byte]]): ByteBuffer = {
    val table = (images.length + 1) * java.lang.Long.BYTES
    val size = images.foldLeft(table.toLong)(_ + _.length)
    input = atLeast(input, size)
    input.clear()
    var start = table.toLong
    var i = 0
    while (i < images.length) {
      input.putLong(start)
      start += images(i).length
      i += 1
    }
    input.putLong(start)
    images.foreach(input.put)
    input.flip()
    input
  }

  /** The output buffer, with room for `count` results of a model with `classes` classes. */
  def results(count: Int, classes: Int): ByteBuffer = {
    output = atLeast(output, ResultRows.capacity(count, classes))
    output.clear()
    output
  }
}

object BatchBuffers {

  private def allocate(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

  /** `buffer` when it is large enough and not wastefully so, else another one, rounded up to a power of 2. */
  private def atLeast(buffer: ByteBuffer, size: Long): ByteBuffer =
    if (size <= buffer.capacity && buffer.capacity <= math.max(Retained, 4 * size)) buffer
    else if (size > Int.MaxValue) throw new IllegalArgumentException(s"a batch of $size bytes; at most ${Int.MaxValue}")
    else allocate(math.min(Int.MaxValue.toLong, java.lang.Long.highestOneBit(math.max(1, size - 1)) << 1).toInt)

  /** A buffer up to this size is kept even after a batch that needed far less. */
  private val Retained = 16L << 20

  private val perThread = ThreadLocal.withInitial[BatchBuffers](() => new BatchBuffers)

  /** The buffers of this thread, for callers that classify row by row. */
  def ofThread: BatchBuffers = perThread.get
}
