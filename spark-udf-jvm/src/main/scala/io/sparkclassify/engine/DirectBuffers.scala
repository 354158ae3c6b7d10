package io.sparkclassify.engine

import java.nio.{ByteBuffer, ByteOrder}
import java.util.{ArrayDeque, TreeMap}

import io.sparkclassify.natives.DirectMemory

/**
 * Direct buffers of this JVM that are used again and again: files are read into them and native code reads out of them,
 * and neither moves the bytes to the heap and back or leaves garbage.
 *
 * For several threads at once. Who has a buffer gives it back when nobody uses it any more; one that is never given back
 * is freed with the garbage.
 */
object DirectBuffers {

  /** So many bytes are kept for the next ones; what is given back beyond that is freed. */
  private val Retained = 64L << 20
  private val SmallestStep = 4096

  // Guarded by this. By capacity; the one that was used last comes first, since it may be in a cache.
  private val idle = new TreeMap[Integer, ArrayDeque[ByteBuffer]]
  private var idleBytes = 0L
  private var away = 0

  /** How many buffers are in use at the moment. */
  def lent: Int = synchronized(away)

  /**
   * A buffer of at least `size` bytes, in native byte order, whose position is 0 and whose limit is `size`. What it
   * holds is what its last user left.
   *
   * Throws OutOfMemoryError where the JVM grants no more direct memory (`-XX:MaxDirectMemorySize`).
   */
  def acquire(size: Int): ByteBuffer = {
    val buffer = reuse(size).getOrElse(allocate(capacity(size)))
    synchronized(away += 1)
    buffer.clear().limit(size)
  }

  /** Gives a buffer back; nobody may use it, or a slice or duplicate of it, afterwards. */
  def release(buffer: ByteBuffer): Unit = {
    val kept = synchronized {
      away -= 1
      val fits = idleBytes + buffer.capacity <= Retained
      if (fits) {
        idle.computeIfAbsent(buffer.capacity, _ => new ArrayDeque).push(buffer)
        idleBytes += buffer.capacity
      }
      fits
    }
    if (!kept) DirectMemory.free(buffer)
  }

  /** The smallest idle buffer that is large enough, and at most twice as large as need be. */
  private def reuse(size: Int): Option[ByteBuffer] = synchronized {
    Option(idle.ceilingEntry(size)).filter(_.getKey.toLong <= 2 * capacity(size).toLong).map(entry =>
      take(entry.getKey)
    )
  }

  /** Guarded by this. */
  private def take(capacity: Integer): ByteBuffer = {
    val buffers = idle.get(capacity)
    val buffer = buffers.pop()
    if (buffers.isEmpty) idle.remove(capacity)
    idleBytes -= buffer.capacity
    buffer
  }

  private def allocate(capacity: Int): ByteBuffer =
    try ByteBuffer.allocateDirect(capacity).order(ByteOrder.nativeOrder())
    catch {
      // The JVM has collected garbage, and idle buffers are none.
      case _: OutOfMemoryError =>
        freeIdle()
        ByteBuffer.allocateDirect(capacity).order(ByteOrder.nativeOrder())
    }

  private def freeIdle(): Unit = synchronized {
    while (!idle.isEmpty) DirectMemory.free(take(idle.firstKey))
  }

  /** `size`, rounded up by a quarter at most, so that buffers for files of about one size fit each other. */
  private def capacity(size: Int): Int = {
    val step = math.max(SmallestStep, Integer.highestOneBit(math.max(size, 1)) / 4)
    val steps = (math.max(size, 1).toLong + step - 1) / step
    math.min(steps * step, Int.MaxValue).toInt
  }
}
