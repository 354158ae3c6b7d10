package io.sparkclassify.memory

import java.nio.ByteOrder

import scala.util.Random

import io.sparkclassify.Concurrently
import org.scalatest.funsuite.AnyFunSuite

class DirectBuffersSuite extends AnyFunSuite {

  test("a buffer is as large as was asked for, and is used again") {
    // What other suites have left may be all that is kept.
    DirectBuffers.freeIdle(0)
    val before = DirectBuffers.lent
    val size = 13 << 20
    val first = DirectBuffers.acquire(size)
    try {
      assert(first.isDirect && first.order == ByteOrder.nativeOrder && DirectBuffers.lent == before + 1)
      assert(first.position() == 0 && first.limit() == size && first.capacity <= size / 4 * 5)
      first.put(new Array[Byte](70000))
    } finally DirectBuffers.release(first)
    assert(DirectBuffers.lent == before)
    val second = DirectBuffers.acquire(size - 1000)
    val third = DirectBuffers.acquire(size - 1000)
    try {
      assert((second eq first) && second.position() == 0 && second.limit() == size - 1000)
      assert(!(third eq second))
    } finally Seq(second, third).foreach(DirectBuffers.release)
  }

  test("a small need does not take a large buffer") {
    DirectBuffers.release(DirectBuffers.acquire(8 << 20))
    val small = DirectBuffers.acquire(3 << 20)
    assert(small.capacity < (8 << 20))
    DirectBuffers.release(small)
  }

  test("sizes at both ends") {
    Seq(0, 1, 4096, 4097).foreach { size =>
      val buffer = DirectBuffers.acquire(size)
      assert(buffer.remaining == size && buffer.capacity >= size)
      DirectBuffers.release(buffer)
    }
  }

  test("what is given back beyond the bound is freed at once, not by the garbage collector") {
    def direct = java.lang.management.ManagementFactory
      .getPlatformMXBeans(classOf[java.lang.management.BufferPoolMXBean])
      .stream
      .filter(_.getName == "direct")
      .mapToLong(_.getMemoryUsed)
      .sum
    val before = direct
    val buffers = Seq.fill(40)(DirectBuffers.acquire(5 << 20))
    assert(direct >= before + (100L << 20))
    buffers.foreach(DirectBuffers.release)
    assert(direct <= before + (64L << 20))
  }

  test("threads never share a buffer") {
    val before = DirectBuffers.lent
    Concurrently(6) { thread =>
      val random = new Random(thread)
      (1 to 2000).foreach { _ =>
        val buffer = DirectBuffers.acquire(8 + random.nextInt(50000))
        val last = buffer.limit() - 8
        buffer.putLong(0, thread.toLong).putLong(last, thread.toLong)
        Thread.`yield`()
        assert(buffer.getLong(last) == thread)
        if (last >= 8) assert(buffer.getLong(0) == thread)
        DirectBuffers.release(buffer)
      }
    }
    assert(DirectBuffers.lent == before)
  }
}
