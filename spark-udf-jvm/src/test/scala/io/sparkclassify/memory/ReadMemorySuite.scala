package io.sparkclassify.memory

import java.util.concurrent.atomic.AtomicLong

import scala.collection.mutable
import scala.util.Random

import io.sparkclassify.Concurrently
import org.scalatest.funsuite.AnyFunSuite

class ReadMemorySuite extends AnyFunSuite {

  private val mebibyte = 1L << 20

  /**
   * A task as [[io.sparkclassify.execution.ReadAhead]] runs it: images are taken in any order as long as there is
   * plenty, and else one after the other; a batch is what is there in order, and is given back as a whole.
   */
  private def task(memory: ReadMemory, random: Random, images: Int, use: Long => Unit): Int = {
    val largest = if (random.nextInt(4) == 0) memory.largest else 1 + memory.largest / (1 + random.nextInt(50))
    val sizes = Array.fill(images)(1 + (random.nextDouble() * (largest - 1)).toLong)
    val ahead = mutable.Set.empty[Int]
    val killedAt = if (random.nextInt(3) == 0) random.nextInt(images) else images
    var next = 0
    while (next < killedAt) {
      // Others of its images, which threads have come to earlier than to the next one.
      random.shuffle((next until math.min(images, next + 12)).toList).filterNot(ahead).foreach { image =>
        if (memory.tryTake(sizes(image))) {
          ahead += image
          use(sizes(image))
        }
      }
      if (!ahead(next)) {
        def check(): Unit = {
          if (random.nextInt(20) == 0) throw new InterruptedException
        }
        try {
          memory.take(sizes(next))(check())
          use(sizes(next))
          ahead += next
        } catch { case _: InterruptedException => }
      }
      val batch = Iterator.from(next).takeWhile(ahead).take(1 + random.nextInt(4)).toList
      if (random.nextBoolean()) Thread.`yield`()
      batch.foreach { image =>
        ahead -= image
        use(-sizes(image))
        memory.give(sizes(image))
      }
      next += batch.size
    }
    // It is killed with what it has read ahead.
    ahead.foreach { image =>
      use(-sizes(image))
      memory.give(sizes(image))
    }
    next
  }

  test("tasks with images of any size come to their end, and never have more than there is") {
    (1 to 40).foreach { seed =>
      val total = mebibyte << new Random(seed).nextInt(10)
      val memory = new ReadMemory(total)
      val inUse = new AtomicLong
      Concurrently(12) { number =>
        val random = new Random(100 * seed + number)
        def use(bytes: Long): Unit = assert(inUse.addAndGet(bytes) <= total)
        (1 to 3).foreach(_ => task(memory, random, 60, use))
      }
      assert(memory.taken == 0 && inUse.get == 0)
    }
  }

  test("an image of the largest size finds room beside what others have taken in any order") {
    val memory = new ReadMemory(100)
    while (memory.tryTake(1)) {}
    assert(memory.taken == 25 && memory.largest == 75)
    memory.take(75)(fail("it does not wait"))
    assert(memory.taken == 100 && !memory.tryTakeInTurn(1))
    intercept[IllegalArgumentException](memory.take(76)(()))
  }

  test("who waits gets what is given back, in turn, and who gives up leaves nothing behind") {
    val memory = new ReadMemory(100)
    memory.take(75)(())
    intercept[InterruptedException](memory.take(60)(throw new InterruptedException))
    val order = new java.util.concurrent.ConcurrentLinkedQueue[Int]
    val threads = (1 to 3).map { number =>
      val thread = new Thread(() => {
        memory.take(50)(())
        order.add(number)
        memory.give(50)
      })
      thread.start()
      while (thread.getState != Thread.State.TIMED_WAITING && thread.isAlive) Thread.sleep(1)
      thread
    }
    memory.give(75)
    threads.foreach(_.join())
    assert(memory.taken == 0 && order.size == 3)
  }

  test("what images may take by default") {
    val gibibyte = 1L << 30
    // A heap of 1 GiB on a large machine, and in Spark's container for it.
    assert(ReadMemory.allowed(gibibyte, 20 * gibibyte) == 512 * mebibyte)
    assert(ReadMemory.allowed(gibibyte, 384 * mebibyte) == 128 * mebibyte)
    assert(ReadMemory.allowed(gibibyte, -gibibyte) == 64 * mebibyte)
    assert(ReadMemory.allowed(64 * mebibyte, gibibyte) == 32 * mebibyte)
  }

  test("what its task must have is taken beyond the total, and out of turn") {
    val memory = new ReadMemory(100)
    memory.take(75)(())
    memory.take(25)(())
    memory.take(50, Some(1L), mustHave = true)(fail("it does not wait"))
    // One task at a time.
    intercept[InterruptedException](memory.take(50, Some(2L), mustHave = true)(throw new InterruptedException))
    memory.take(50, Some(1L), mustHave = true)(fail("it does not wait"))
    assert(memory.taken == 200)
    memory.end(1)
    memory.take(50, Some(2L), mustHave = true)(fail("it does not wait"))
    memory.give(250)
    memory.take(75)(())
    memory.give(75)
    assert(memory.taken == 0)
  }
}
