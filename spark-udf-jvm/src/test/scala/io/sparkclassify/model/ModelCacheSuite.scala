package io.sparkclassify.model

import java.util.concurrent.{ConcurrentHashMap, ConcurrentLinkedQueue, CountDownLatch, CyclicBarrier, TimeUnit}
import java.util.concurrent.atomic.AtomicInteger

import scala.jdk.CollectionConverters._
import scala.util.Random

import io.sparkclassify.{ClassifyException, Concurrently, TestData}
import io.sparkclassify.conf.ClassifyErrors
import io.sparkclassify.natives.{FaultyLibrary, NativeBatch}
import org.scalatest.funsuite.AnyFunSuite

class ModelCacheSuite extends AnyFunSuite {

  /** A value that knows how many use it and whether it has been closed. */
  private final class Value(val key: String) {
    val uses = new AtomicInteger
    @volatile var closed = false
  }

  private final class Cache {
    val closes = new AtomicInteger
    val loads = new AtomicInteger
    val cache = new ModelCache[String, Value](
      value => {
        assert(!value.closed)
        value.closed = true
        closes.incrementAndGet()
      },
      () => ()
    )
    def acquire(key: String, max: Int = 2): Lease[Value] = cache.acquire(key, max) {
      loads.incrementAndGet()
      new Value(key)
    }
    def loaded: Set[String] = cache.loaded.toSet
  }

  test("a value is loaded once and stays when nobody leases it") {
    val cache = new Cache
    val first = cache.acquire("a")
    val second = cache.acquire("a")
    assert(first.value eq second.value)
    first.close()
    second.close()
    assert(cache.acquire("a").value eq first.value)
    assert(cache.loads.get == 1 && cache.closes.get == 0)
  }

  test("callers that meet get one model from one load") {
    val natives = FaultyLibrary.natives
    val loads = new AtomicInteger
    val cache = new ModelCache[String, Long](natives.closeModel, () => ())
    val callers = 4
    val start = new CyclicBarrier(callers)
    val handles = new ConcurrentLinkedQueue[Long]
    Concurrently(callers) { _ =>
      start.await()
      val lease = cache.acquire("m", 1) {
        loads.incrementAndGet()
        natives.openModel(NativeBatch.request(TestData.model, "slow-load"))
      }
      handles.add(lease.value)
      natives.describeModel(lease.value)
      start.await()
      lease.close()
    }
    assert(loads.get == 1 && handles.asScala.toSet.size == 1 && handles.size == callers)
    assert(natives.models().split("slow-load", -1).length == 2)
    natives.closeModel(handles.peek)
  }

  test("beyond the maximum, the least recently used value that nobody leases is closed") {
    val cache = new Cache
    Seq("a", "b", "a").foreach(cache.acquire(_).close())
    val c = cache.acquire("c")
    assert(cache.loaded == Set("a", "c"))
    cache.acquire("b").close()
    assert(cache.loaded == Set("b", "c"))
    c.close()
    assert(cache.closes.get == 2)
  }

  test("a leased value is not closed; it is when the last lease ends, and a lease closed twice ends once") {
    val cache = new Cache
    val leases = Seq("a", "b", "c", "a").map(cache.acquire(_))
    assert(cache.loaded == Set("a", "b", "c") && cache.closes.get == 0)
    leases.head.close()
    leases.head.close()
    assert(!leases.head.value.closed, "the other lease on it counts")
    leases.last.close()
    assert(leases.head.value.closed && cache.loaded == Set("b", "c"))
  }

  test("a failed load leaves nothing behind, and the next one tries again") {
    val cache = new Cache
    intercept[IllegalStateException](cache.cache.acquire("a", 2)(throw new IllegalStateException("no")))
    assert(cache.loaded.isEmpty)
    assert(cache.acquire("a").value.key == "a")
  }

  test("those who wait for a load that fails try it themselves, and other keys do not wait") {
    val cache = new Cache
    val loading, go = new CountDownLatch(1)
    Concurrently(4) {
      case 0 =>
        intercept[IllegalStateException](cache.cache.acquire("a", 2) {
          loading.countDown()
          go.await()
          throw new IllegalStateException("no")
        })
      case 1 =>
        loading.await()
        cache.acquire("b").close()
        go.countDown()
      case _ =>
        loading.await()
        cache.acquire("a").close()
    }
    assert(cache.loads.get == 2 && cache.loaded == Set("a", "b"))
  }

  test("those who wait for a load that finds the model bad have its error, and the next one tries again") {
    val waiting = ConcurrentHashMap.newKeySet[Thread]()
    val loads = new AtomicInteger
    val cache = new ModelCache[String, String](_ => (), () => waiting.add(Thread.currentThread))
    Concurrently(4) { _ =>
      val error = intercept[ClassifyException](cache.acquire("a", 2) {
        loads.incrementAndGet()
        while (waiting.size < 3) Thread.sleep(10)
        throw ClassifyErrors.badModel("a", "no", null)
      })
      assert(error.getReason.contains("no"))
    }
    assert(loads.get == 1 && cache.acquire("a", 2)("a").value == "a")
  }

  test("what nobody leases goes before another value is loaded") {
    val cache = new Cache
    cache.acquire("a", 1).close()
    val lease = cache.cache.acquire("b", 1) {
      assert(cache.loaded.isEmpty && cache.closes.get == 1)
      new Value("b")
    }
    // What is leased stays.
    cache.acquire("c", 1).close()
    assert(!lease.value.closed)
  }

  test("who waits for a load looks whether it still has to, and its wait ends when it has not") {
    val loading, go = new CountDownLatch(1)
    val checks = new AtomicInteger
    val cache = new ModelCache[String, String](
      _ => (),
      () => if (checks.incrementAndGet() == 2) throw new IllegalStateException("killed")
    )
    Concurrently(2) {
      case 0 =>
        cache.acquire("a", 1) {
          loading.countDown()
          go.await()
          "a"
        }.close()
      case _ =>
        loading.await()
        assert(intercept[IllegalStateException](cache.acquire("a", 1)(fail("it is loaded"))).getMessage == "killed")
        go.countDown()
    }
    assert(cache.loaded == Seq("a"))
  }

  test("a value that is wanted while it is closed is loaded anew, after that") {
    val closing, wanted = new CountDownLatch(1)
    @volatile var closed = false
    val cache = new ModelCache[String, String](
      _ => {
        closing.countDown()
        // Time enough for a wrong load.
        wanted.await(200, TimeUnit.MILLISECONDS)
        closed = true
      },
      () => ()
    )
    cache.acquire("a", 1)("first").close()
    Concurrently(2) {
      case 0 => cache.acquire("b", 1)("b").close()
      case _ =>
        closing.await()
        val lease = cache.acquire("a", 2) {
          wanted.countDown()
          assert(closed)
          "second"
        }
        assert(lease.value == "second")
    }
  }

  test("many threads with random keys: nothing is closed in use, and in the end the maximum is kept") {
    val cache = new Cache
    Concurrently(8) { thread =>
      val random = new Random(thread)
      (1 to 5000).foreach { _ =>
        val lease = cache.acquire(s"key ${random.nextInt(6)}")
        lease.value.uses.incrementAndGet()
        if (random.nextBoolean()) Thread.`yield`()
        assert(!lease.value.closed)
        lease.value.uses.decrementAndGet()
        lease.close()
        if (random.nextInt(10) == 0) lease.close()
      }
    }
    assert(cache.loaded.size == 2)
    assert(cache.loads.get == cache.closes.get + 2)
    assert(cache.closes.get > 0)
  }
}
