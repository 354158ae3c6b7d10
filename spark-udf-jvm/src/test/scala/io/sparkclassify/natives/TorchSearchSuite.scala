package io.sparkclassify.natives

import java.nio.file.Files
import java.util.concurrent.TimeoutException

import io.sparkclassify.{OwnJvm, TestData}
import org.scalatest.funsuite.AnyFunSuite

class TorchSearchSuite extends AnyFunSuite {

  /** A search that ends as it is told, at a time that it is told. */
  private final class Fixture {
    var outcome: Option[Throwable] = Some(null)
    var now = Long.MaxValue - 1 // Such times may overflow.
    var homes = Seq.empty[String]

    private val search = new TorchSearch(
      home => {
        homes :+= home
        outcome.foreach(cause => throw Unavailable.causedBy(cause, "no libtorch"))
      },
      () => now
    )

    def finds(home: String = null): Boolean = search.finds(home)
    def searches: Int = homes.length
  }

  test("one that is found stays found, for the home that was asked for") {
    val fixture = new Fixture
    fixture.outcome = None
    assert(fixture.finds() && fixture.finds())
    fixture.outcome = Some(null)
    fixture.now += 100 * TorchSearch.ABSENT_NANOS
    assert(fixture.finds() && !fixture.finds("/home") && fixture.finds())
    assert(fixture.homes == Seq(null, "/home"))
  }

  test("one that is not there is looked for again after minutes") {
    val fixture = new Fixture
    (1 to 3).foreach(_ => assert(!fixture.finds()))
    fixture.now += TorchSearch.ABSENT_NANOS - 1
    assert(!fixture.finds() && fixture.searches == 1)
    fixture.now += 1
    fixture.outcome = None
    assert(fixture.finds() && fixture.searches == 2)
  }

  test("a Python that does not answer is asked again sooner, and warned of once") {
    val fixture = new Fixture
    fixture.outcome = Some(new TimeoutException("Python did not answer in 20 s"))
    val messages = CapturedLog.of(classOf[TorchSearch].getName) {
      (1 to 3).foreach(_ => assert(!fixture.finds()))
      assert(fixture.searches == 1)
      assert(TorchSearch.UNKNOWN_NANOS < TorchSearch.ABSENT_NANOS)
      fixture.now += TorchSearch.UNKNOWN_NANOS
      assert(!fixture.finds() && fixture.searches == 2)
    }
    assert(messages.map(_.level) == Seq("WARN"))
    Seq("Python did not answer in 20 s", "spark.classify.torch.home", "spark.classify.backend").foreach { part =>
      assert(messages.head.message.contains(part))
    }
  }

  test("a search that was interrupted is no answer") {
    val fixture = new Fixture
    fixture.outcome = Some(new InterruptedException)
    assert(!fixture.finds())
    fixture.outcome = None
    assert(fixture.finds())
  }

  test("a Python without torch is started once, however often the loader is asked") {
    TestData.withFolder { folder =>
      val python = folder.resolve("python")
      Files.writeString(python, s"#!/bin/sh\necho >> '$folder/starts'\n")
      assert(python.toFile.setExecutable(true))
      val environment = Seq("env", "-u", "LIBTORCH", s"PYSPARK_PYTHON=$python")
      val (status, output) = OwnJvm.run("io.sparkclassify.natives.FindTorch", Seq.empty, Seq.empty, environment)
      assert(status == 0 && output.linesIterator.toSeq.last == "false false false", output)
      assert(Files.readString(folder.resolve("starts")) == "\n")
    }
  }
}

/** A program that asks three times whether there is a libtorch. */
object FindTorch {
  def main(arguments: Array[String]): Unit =
    println(Seq.fill(3)(NativeLoader.findsTorch(NativeOptions.DEFAULTS)).mkString(" "))
}
