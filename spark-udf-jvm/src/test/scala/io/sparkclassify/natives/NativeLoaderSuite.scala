package io.sparkclassify.natives

import java.io.File
import java.net.{URL, URLClassLoader}
import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.{Callable, Executors}

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.{ClassifyException, TestData}
import org.scalatest.funsuite.AnyFunSuite

/** The real libraries, as the jar carries them. */
class NativeLoaderSuite extends AnyFunSuite {
  import NativeBatch._

  private def natives(backend: String): NativeEngine = NativeLoader.load(backend, NativeOptions.DEFAULTS)

  private lazy val images = TestData.golden("onnx").keys.toSeq.sorted.take(4)
  private lazy val contents = images.map(name => read(TestData.images.resolve(name)))

  private def assertGolden(backend: String, results: Results): Unit =
    images.zip(results.rows).foreach {
      case (name, Good(_, probabilities)) =>
        probabilities.zip(TestData.golden(backend)(name)).foreach { case (actual, expected) =>
          assert(math.abs(actual - expected) <= 1e-4, s"$backend, $name")
        }
      case (name, bad) => fail(s"$backend, $name: $bad")
    }

  test("both backends work in one JVM at once, from several threads, and their libraries are loaded once") {
    TestData.withFolder { folder =>
      // No other suite has this directory open.
      val directory = TestData.copyModel(folder)
      val pool = Executors.newFixedThreadPool(4)
      try {
        val tasks = Seq.tabulate(16) { task =>
          new Callable[(String, NativeEngine, Long, Results)] {
            override def call() = {
              val backend = TestData.engines(task % 2)
              val loaded = natives(backend)
              val model = loaded.openModel(request(directory))
              (backend, loaded, model, classify(loaded, model, contents))
            }
          }
        }
        val done = pool.invokeAll(tasks.asJava).asScala.map(_.get).toSeq
        done.groupBy(_._1).foreach { case (backend, calls) =>
          assert(calls.map(call => System.identityHashCode(call._2)).distinct.length == 1, backend)
          // Each has a model of its own.
          val listed = new ObjectMapper().readTree(calls.head._2.models())
          assert(listed.elements.asScala.count(_.get("directory").asText == directory.toString) == calls.length, listed)
          calls.foreach { case (_, loaded, model, results) =>
            assertGolden(backend, results)
            loaded.closeModel(model)
          }
        }
      } finally pool.shutdown()
    }
  }

  test("what the engines tell about themselves") {
    Seq("onnx" -> "1\\.\\d+\\.\\d+.*", "pytorch" -> "2\\.11\\..*").foreach { case (backend, version) =>
      val info = new ObjectMapper().readTree(natives(backend).engineInfo())
      assert(info.get("backend").asText == backend)
      assert(info.get("version").asText.matches(version))
      // Whether or not this machine has GPUs.
      val devices = info.get("devices").elements.asScala.map(_.asText).toSeq
      assert(devices.head == "cpu" && devices.tail.forall(_.startsWith("cuda:")))
      assert(info.get("no_gpu").isNull == (devices.length > 1))
      assert(info.get("instruction_set").asText.matches("[A-Z0-9_]+"))
    }
  }

  TestData.engines.foreach { engine =>
    test(s"$engine: a closed model gives its memory back") {
      val loaded = natives(engine)
      def openAndClose(times: Int): Unit = (1 to times).foreach { _ =>
        val model = loaded.openModel(s"""{"directory": "${TestData.model}/."}""")
        try classify(loaded, model, contents.take(1))
        finally loaded.closeModel(model)
      }
      openAndClose(20)
      val before = residentBytes
      openAndClose(200)
      // The weights of one model are 9 MiB, so 200 that stayed would be unmistakable.
      assert(residentBytes - before < (100L << 20))
    }
  }

  /** The memory of this process that is in RAM. */
  private def residentBytes: Long = {
    val pages = Files.readString(Paths.get("/proc/self/statm")).split(' ')(1).toLong
    pages * 4096
  }

  test("an unknown backend is refused") {
    val failure = intercept[ClassifyException](natives("tensorflow"))
    assert(failure.getCondition == "CLASSIFY_BAD_CONFIGURATION")
    assert(failure.getMessage.contains("'tensorflow'"))
  }

  /** A class loader that shares nothing with this one but the JDK, like the one that Spark gives to `--jars`. */
  private def isolated(): URLClassLoader = {
    val entries =
      System.getProperty("java.class.path").split(File.pathSeparator).map(entry => new File(entry).toURI.toURL)
    new URLClassLoader(entries: Array[URL], ClassLoader.getPlatformClassLoader)
  }

  private def load(loader: ClassLoader, backend: String, folder: Path): AnyRef = {
    val options = loader
      .loadClass(classOf[NativeOptions].getName)
      .getConstructor(Seq.fill(4)(classOf[String]): _*)
      .newInstance(folder.toString, null, null, null)
    val method = loader.loadClass(classOf[NativeLoader].getName).getMethod("load", classOf[String], options.getClass)
    method.invoke(null, backend, options.asInstanceOf[AnyRef])
  }

  private def causeOf(action: => Any): Throwable =
    intercept[java.lang.reflect.InvocationTargetException](action).getCause

  test("in a child class loader, errors are of that loader's class, whatever the thread's own loader is") {
    TestData.withFolder { folder =>
      val loader = isolated()
      val loaded = load(loader, "onnx", folder)
      val open = loader.loadClass(classOf[NativeEngine].getName).getMethod("openModel", classOf[String])
      assert(Thread.currentThread.getContextClassLoader ne loader)
      val failure = causeOf(open.invoke(loaded, request(Paths.get("/no/such/model"))))
      assert(failure.getClass == loader.loadClass(classOf[ClassifyException].getName))
      assert(open.invoke(loaded, request(TestData.model)).asInstanceOf[Long] > 0)

      // The same file, in a second loader: the JVM forbids it.
      val refused = causeOf(load(isolated(), "onnx", folder))
      Seq("[CLASSIFY_BACKEND_UNAVAILABLE]", "Another class loader", "userClassPathFirst").foreach { part =>
        assert(refused.getMessage.contains(part))
      }
      assert(refused.getCause.isInstanceOf[UnsatisfiedLinkError])
    }
  }

  test("a failed attempt is made again, and the first cause is kept") {
    TestData.withFolder { folder =>
      val loader = isolated()
      val file = Files.createFile(folder.resolve("file"))
      val first = causeOf(load(loader, "onnx", file.resolve("first")))
      assert(first.getMessage.contains(s"$file/first"))
      val second = causeOf(load(loader, "onnx", file.resolve("second")))
      assert(second.getMessage.contains(s"$file/second"))
      assert(second.getSuppressed.toSeq == Seq(first))
      assert(load(loader, "onnx", folder.resolve("third")) ne null)
    }
  }

  test("a command line of 30,000 characters does no harm to ONNX Runtime") {
    val padding = (1 to 60).map(number => s"-Dpadding.$number=${"x" * 500}") :+
      s"-Djava.io.tmpdir=${System.getProperty("java.io.tmpdir")}"
    val command = Seq(s"${System.getProperty("java.home")}/bin/java") ++ padding ++
      Seq("-cp", System.getProperty("java.class.path"), "io.sparkclassify.natives.ClassifyOnce", "onnx") ++
      images.map(TestData.images.resolve(_).toString)
    assert(command.mkString(" ").length > 30000)
    val process = new ProcessBuilder(command: _*).redirectErrorStream(true).start()
    val output = new String(process.getInputStream.readAllBytes())
    assert(process.waitFor() == 0, output)
    assert(output.contains(s"classified ${contents.length} images"), output)
  }
}

/** A program that classifies images with one backend, for tests that need a JVM of their own. */
object ClassifyOnce {
  def main(arguments: Array[String]): Unit = {
    val natives = NativeLoader.load(arguments.head, NativeOptions.DEFAULTS)
    val model = natives.openModel(NativeBatch.request(TestData.model))
    val results =
      NativeBatch.classify(natives, model, arguments.toSeq.tail.map(path => NativeBatch.read(Paths.get(path))))
    println(s"classified ${results.rows.count(_.isInstanceOf[NativeBatch.Good])} images")
  }
}
