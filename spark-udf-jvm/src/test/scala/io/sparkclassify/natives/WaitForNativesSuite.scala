package io.sparkclassify.natives

import io.sparkclassify.SharedSession
import java.util.concurrent.{CountDownLatch, FutureTask}
import java.util.concurrent.atomic.AtomicInteger

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

import org.apache.spark.TaskKilledException
import org.scalatest.concurrent.Eventually
import org.scalatest.time.{Millis, Seconds, Span}

/** Whoever waits for native libraries while another thread loads them, which hangs. */
class WaitForNativesSuite extends SharedSession with Eventually {

  implicit override val patienceConfig: PatienceConfig = PatienceConfig(Span(20, Seconds), Span(10, Millis))
  private implicit val executor: ExecutionContext = ExecutionContext.global

  private def whileLoading(body: HangingLoad => Unit): Unit = {
    val load = new HangingLoad
    HangingLoad.current = load
    val loading = new FutureTask[NativeEngine](() => load.get())
    new Thread(loading).start()
    try {
      eventually(assert(load.started.get == 1))
      body(load)
      assert(!loading.isDone)
    } finally load.end.countDown()
    assert(loading.get eq load.natives)
    assert((load.get() eq load.natives) && load.started.get == 1)
    Thread.currentThread.interrupt()
    try assert(load.get() eq load.natives, "nobody waits for what is there")
    finally assert(Thread.interrupted())
  }

  test("a thread that waits can be interrupted") {
    whileLoading { load =>
      @volatile var outcome: Option[(Throwable, Boolean)] = None
      val waiting = new Thread(() => {
        val failure = intercept[TaskKilledException](load.get())
        outcome = Some((failure, Thread.currentThread.isInterrupted))
      })
      waiting.start()
      eventually(assert(waiting.getState != Thread.State.RUNNABLE))
      waiting.interrupt()
      waiting.join(10000)
      assert(outcome.exists { case (failure, interrupted) => failure.getMessage != null && interrupted })
    }
  }

  Seq(true, false).foreach { interrupt =>
    test(s"a task that waits ends when its job is cancelled (interrupt: $interrupt)") {
      whileLoading { load =>
        val context = spark.sparkContext
        val group = s"wait-for-natives-$interrupt"
        val job = Future {
          context.setJobGroup(group, "to be cancelled", interrupt)
          try context.parallelize(Seq(1), 1).foreach(_ => HangingLoad.await())
          finally context.clearJobGroup()
        }
        eventually(assert(load.waiting.get == 1))
        context.cancelJobGroup(group)
        assert(intercept[Exception](Await.result(job, 10.seconds)).getMessage.contains("cancelled"))
        eventually(assert(load.waiting.get == 0))
      }
    }
  }
}

/** Native libraries that are not loaded until they shall be. */
private final class HangingLoad {
  val natives = new OnnxNative
  val end = new CountDownLatch(1)
  val started = new AtomicInteger
  val waiting = new AtomicInteger

  private val slot = new NativeLoader.Slot(
    "onnx",
    _ => {
      started.incrementAndGet()
      end.await()
      natives
    }
  )

  def get(): NativeEngine = slot.get(NativeOptions.DEFAULTS)
}

/** What a task of a local Spark can reach. */
private object HangingLoad {
  @volatile var current: HangingLoad = _

  def await(): Unit = {
    current.waiting.incrementAndGet()
    try current.get()
    finally current.waiting.decrementAndGet()
  }
}
