package io.sparkclassify.memory

import java.nio.{ByteBuffer, ByteOrder}
import java.util.{ArrayDeque, TreeMap}

import io.sparkclassify.conf.ClassifyErrors
import io.sparkclassify.natives.DirectMemory

/**
 * Direct buffers of this JVM that are used again and again: files are read into them and native code reads out of them,
 * and neither moves the bytes to the heap and back or leaves garbage.
 *
 * All that is lent is taken from [[memory]]. For several threads at once. Who has a buffer gives it back when nobody
 * uses it any more.
 */
object DirectBuffers {

  /** So many bytes are kept for the next ones; what is given back beyond that is freed. */
  private val Retained = 64L << 20
  private val SmallestStep = 4096

  // Others of this JVM may give direct memory back meanwhile. The JVM itself collects garbage, and waits, at each try.
  private val Tries = 10
  private val BetweenTriesMillis = 200L

  /** The budget of all buffers. */
  private[sparkclassify] lazy val memory: ReadMemory = ReadMemory.ofProcess()

  // Guarded by this. By capacity; the one that was used last comes first, since it may be in a cache.
  private val idle = new TreeMap[Integer, ArrayDeque[ByteBuffer]]
  private var idleBytes = 0L
  private var away = 0

  /** How many buffers are in use at the moment. */
  def lent: Int = synchronized(away)

  /**
   * What a buffer of `size` bytes takes of [[memory]]: a quarter more at most, so that buffers for files of about one
   * size fit each other.
   */
  def capacity(size: Int): Int = {
    val step = math.max(SmallestStep, Integer.highestOneBit(math.max(size, 1)) / 4)
    val steps = (math.max(size, 1).toLong + step - 1) / step
    math.min(steps * step, Int.MaxValue).toInt
  }

  /**
   * A buffer of at least `size` bytes, in native byte order, whose position is 0 and whose limit is `size`. What it
   * holds is what its last user left. It waits for no other buffer, and so may go beyond the budget.
   *
   * @throws ClassifyException
   *   CLASSIFY_BAD_CONFIGURATION where the JVM grants no more direct memory (`-XX:MaxDirectMemorySize`)
   */
  def acquire(size: Int): ByteBuffer = {
    memory.takeForResults(capacity(size))
    acquireTaken(size).getOrElse(throw ClassifyErrors.noDirectMemory(size))
  }

  /**
   * The same, for whom has taken its [[capacity]] from [[memory]].
   *
   * @return
   *   None where the JVM grants no more direct memory; what had been taken has been given back then
   */
  private[sparkclassify] def acquireTaken(size: Int): Option[ByteBuffer] = {
    val buffer =
      try reuse(size).orElse(allocate(capacity(size), Tries))
      catch {
        case e: Throwable =>
          memory.give(capacity(size))
          throw e
      }
    if (buffer.isEmpty) memory.give(capacity(size)) else synchronized(away += 1)
    buffer.map(_.clear().limit(size))
  }

  /** Gives a buffer back; nobody may use it, or a slice or duplicate of it, afterwards. */
  def release(buffer: ByteBuffer): Unit = {
    val kept = synchronized {
      away -= 1
      val fits = idleBytes + buffer.capacity <= Retained && memory.taken + idleBytes <= memory.total
      if (fits) {
        idle.computeIfAbsent(buffer.capacity, _ => new ArrayDeque).push(buffer)
        idleBytes += buffer.capacity
      }
      fits
    }
    // Freed before it is given: who waits for it allocates at once.
    if (!kept) DirectMemory.free(buffer)
    memory.give(buffer.capacity)
  }

  /** The smallest idle buffer that is large enough, at most twice as large as need be, and fits the budget. */
  private def reuse(size: Int): Option[ByteBuffer] = synchronized {
    val need = capacity(size)
    Option(idle.ceilingEntry(size))
      .map(_.getKey.toLong)
      .filter(found => found == need || found <= 2L * need && memory.tryTake(found - need))
      .map(found => take(found.toInt))
  }

  /** Guarded by this. */
  private def take(capacity: Integer): ByteBuffer = {
    val buffers = idle.get(capacity)
    val buffer = buffers.pop()
    if (buffers.isEmpty) idle.remove(capacity)
    idleBytes -= buffer.capacity
    buffer
  }

  @scala.annotation.tailrec
  private def allocate(capacity: Int, tries: Int): Option[ByteBuffer] = {
    freeIdle(memory.total - memory.taken)
    val buffer =
      try Some(ByteBuffer.allocateDirect(capacity).order(ByteOrder.nativeOrder()))
      catch {
        // It says that of direct memory only, and Spark would take it for the end of the JVM.
        case _: OutOfMemoryError => None
      }
    if (buffer.isDefined || tries == 1) buffer
    else {
      freeIdle(0)
      Thread.sleep(BetweenTriesMillis)
      allocate(capacity, tries - 1)
    }
  }

  /** Idle buffers give way: so many bytes of them may be left. */
  private[memory] def freeIdle(most: Long): Unit = synchronized {
    while (!idle.isEmpty && idleBytes > most) DirectMemory.free(take(idle.lastKey))
  }
}
