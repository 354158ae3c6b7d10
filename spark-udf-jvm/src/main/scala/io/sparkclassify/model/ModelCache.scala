package io.sparkclassify.model

import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.locks.ReentrantLock

import scala.annotation.tailrec
import scala.collection.mutable

import io.sparkclassify.ClassifyException
import io.sparkclassify.threads.TaskKill

/**
 * Values that are loaded once for their key, leased to many, and closed again when there are too many of them.
 *
 * Whoever wants a value that is being loaded or closed waits for that; other keys are not held up. A load that failed
 * leaves nothing behind: its error goes to the one who loaded and to those who waited for it, each of whom would else
 * spend as long again, and the next one tries again. What is leased is never closed, so there may be more values than
 * the maximum for a while.
 *
 * @param close
 *   frees a value; must not throw
 * @param check
 *   is called again and again by who waits; when it throws, the wait is over
 */
private[sparkclassify] final class ModelCache[K, V](close: V => Unit, check: () => Unit) {

  /** A key, and its value when it is loaded. All fields are guarded by the cache. */
  private final class Slot(val key: K) {

    /** Held while the value is loaded or closed. Whoever holds it may lock the cache, and never the other way round. */
    val changing = new ReentrantLock

    var value: Option[V] = None

    /** How the last load failed that did. */
    var failure: Option[ClassifyException] = None
    var leases = 0
    var lastUse = 0L
  }

  private val slots = mutable.HashMap.empty[K, Slot]
  private var uses = 0L

  /** The keys whose values are loaded now. */
  def loaded: Seq[K] = entries.map(_._1)

  /** The values that are loaded now, with their keys. They may be closed at any time. */
  def entries: Seq[(K, V)] = synchronized(slots.values.flatMap(slot => slot.value.map(slot.key -> _)).toSeq)

  /**
   * Leases the value of `key`.
   *
   * @param max
   *   when more values than these are loaded, those that nobody leases are closed, the least recently used ones first
   * @param load
   *   makes the value
   */
  def acquire(key: K, max: Int)(load: => V): Lease[V] = {
    val slot = synchronized {
      val slot = slots.getOrElseUpdate(key, new Slot(key))
      slot.leases += 1
      slot
    }
    val value =
      try loadedValue(slot, max)(load)
      catch {
        case e: Throwable =>
          release(slot)
          throw e
      }
    evict(max)
    new Lease(
      value,
      () => {
        release(slot)
        evict(max)
      }
    )
  }

  private def loadedValue(slot: Slot, max: Int)(load: => V): V = {
    val before = synchronized(slot.failure)
    while (!slot.changing.tryLock(TaskKill.CHECK_MILLIS, TimeUnit.MILLISECONDS)) check()
    try {
      synchronized(slot.value).getOrElse {
        // Of a load that ended while this one waited.
        synchronized(slot.failure).filterNot(before.contains).foreach(throw _)
        // Before, as memory may not have room for both. None of those waits for this slot, which is leased.
        evict(max - 1)
        val value =
          try load
          catch {
            // Not what concerns this task alone, as its end.
            case e: ClassifyException =>
              synchronized { slot.failure = Some(e) }
              throw e
          }
        synchronized { slot.value = Some(value) }
        value
      }
    } finally slot.changing.unlock()
  }

  private def release(slot: Slot): Unit = synchronized {
    slot.leases -= 1
    uses += 1
    slot.lastUse = uses
    if (slot.leases == 0 && slot.value.isEmpty) slots.remove(slot.key)
  }

  /** Closes what nobody leases until at most `max` values are loaded. */
  @tailrec
  private def evict(max: Int): Unit = {
    val victim = synchronized {
      val loaded = slots.values.filter(_.value.isDefined)
      if (loaded.size <= max) None else loaded.filter(_.leases == 0).toSeq.sortBy(_.lastUse).headOption
    }
    victim match {
      case Some(slot) =>
        closeIdle(slot)
        evict(max)
      case None =>
    }
  }

  /**
   * Closes the value, unless someone has leased it meanwhile. Who leases it while it is closed waits and loads anew.
   */
  private def closeIdle(slot: Slot): Unit = {
    slot.changing.lock()
    try {
      val idle = synchronized {
        val value = if (slot.leases == 0) slot.value else None
        if (value.isDefined) {
          slot.value = None
          // A lease of our own keeps the slot, and with it those who want the value, until it is closed.
          slot.leases += 1
        }
        value
      }
      idle.foreach { value =>
        close(value)
        release(slot)
      }
    } finally slot.changing.unlock()
  }
}

/** The right to use a value. While there is one, the value is not closed. */
private[sparkclassify] final class Lease[V](val value: V, release: () => Unit) extends AutoCloseable {
  private val closed = new AtomicBoolean

  /** Ends it; once is enough. */
  override def close(): Unit = if (closed.compareAndSet(false, true)) release()
}
