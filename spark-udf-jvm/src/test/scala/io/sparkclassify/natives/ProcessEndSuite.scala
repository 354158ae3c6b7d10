package io.sparkclassify.natives

import java.nio.file.Files
import java.util.concurrent.CountDownLatch

import io.sparkclassify.{OwnJvm, TestData}
import org.scalatest.funsuite.AnyFunSuite

/**
 * A JVM that ends while threads of it are in native calls, in whichever way: it ends as it was told to. The environment
 * variable `PROCESS_ENDS` says how often each way is tried; `make test-faults` does it 50 times.
 */
class ProcessEndSuite extends AnyFunSuite {

  private val runs = sys.env.getOrElse("PROCESS_ENDS", "2").toInt

  for (engine <- TestData.engines; (how, expected) <- Seq("return" -> 0, "exit" -> 3, "halt" -> 4, "term" -> 143))
    test(s"$engine: $how amid native calls ($runs runs)") {
      TestData.withFolder { folder =>
        val report = folder.resolve("hs_err")
        (1 to runs).foreach { run =>
          val (status, output) =
            OwnJvm.run("io.sparkclassify.natives.Ending", Seq(s"-XX:ErrorFile=$report"), Seq(engine, how))
          assert(status == expected && output.contains("ends"), s"run $run: $status\n${output.takeRight(4000)}")
          assert(!output.contains("SIGSEGV") && !Files.exists(report), s"run $run")
        }
      }
    }
}

/** A program that ends while four daemon threads of it classify, in batches that take long. */
object Ending {
  private val threads = 4

  def main(arguments: Array[String]): Unit = {
    val natives = NativeLoader.load(arguments(0), NativeOptions.DEFAULTS)
    val model = natives.openModel(NativeBatch.request(TestData.model))
    val image = NativeBatch.read(TestData.image(".jpg"))
    val begun = new CountDownLatch(threads)
    (1 to threads).foreach { _ =>
      val thread = new Thread(() => {
        NativeBatch.classify(natives, model, Seq(image))
        begun.countDown()
        while (true) NativeBatch.classify(natives, model, Seq.fill(64)(image))
      })
      thread.setDaemon(true)
      thread.start()
    }
    begun.await()
    Thread.sleep((math.random() * 200).toLong)
    println("ends")
    arguments(1) match {
      case "return" =>
      case "exit"   => System.exit(3)
      case "halt"   => Runtime.getRuntime.halt(4)
      case "term" =>
        new ProcessBuilder("kill", "-TERM", ProcessHandle.current().pid().toString).start()
        Thread.sleep(600000)
    }
  }
}
