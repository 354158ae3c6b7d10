package io.sparkclassify.natives

import java.nio.file.{Files, Path}
import java.util.concurrent.TimeoutException

import scala.jdk.CollectionConverters._

import io.sparkclassify.{ClassifyException, TestData}
import org.scalatest.funsuite.AnyFunSuite

class TorchHomeSuite extends AnyFunSuite {
  private val wanted = "2.11.0"

  /** A folder that looks like the package of a Python torch. */
  private def python(folder: Path, version: String): Path = {
    library(folder)
    Files.writeString(
      folder.resolve("version.py"),
      s"from typing import Optional\n__version__ = '$version'\ndebug = False\n"
    )
    folder
  }

  /** A folder that looks like the C++ distribution. */
  private def distribution(folder: Path, version: String): Path = {
    library(folder)
    Files.writeString(folder.resolve("build-version"), s"$version\n")
    folder
  }

  private def library(folder: Path): Unit =
    Files.createFile(Files.createDirectories(folder.resolve("lib")).resolve(TorchHome.MAIN_LIBRARY))

  /** A Python that says its torch is at `folder`. */
  private def interpreter(at: Path, folder: Path): Path = {
    Files.writeString(at, s"#!/bin/sh\necho '$folder'\n")
    assert(at.toFile.setExecutable(true))
    at
  }

  private def find(configured: Path, environment: (String, String)*): TorchHome =
    TorchHome.find(Option(configured).map(_.toString).orNull, environment.toMap.asJava, wanted)

  private def assertIs(home: TorchHome, folder: Path, version: String): Unit =
    assert(home.folder == folder && home.version == version)

  private def unavailable(configured: Path, environment: (String, String)*)(parts: String*): Unit = {
    val failure = intercept[ClassifyException](find(configured, environment: _*))
    assert(failure.getCondition == "CLASSIFY_BACKEND_UNAVAILABLE")
    val always = Seq("pip install torch==2.11.0", "spark.classify.torch.home", "spark.classify.backend=onnx")
    (parts ++ always).foreach(part => assert(failure.getMessage.contains(part)))
  }

  test("the configured folder comes first, then LIBTORCH, then the installed Python's") {
    TestData.withFolder { folder =>
      val configured = python(folder.resolve("a/torch"), "2.11.0+cu130")
      val variable = distribution(folder.resolve("b"), "2.11.0+cpu")
      val installed = python(folder.resolve("c/torch"), "2.11.1")
      val asked = "PYSPARK_PYTHON" -> interpreter(folder.resolve("python"), installed).toString
      val set = "LIBTORCH" -> variable.toString

      assertIs(find(configured, set, asked), configured, "2.11.0+cu130")
      assert(find(configured.getParent, set, asked).folder == configured, "site-packages serve as well")
      assertIs(find(null, set, asked), variable, "2.11.0+cpu")
      assertIs(find(null, asked), installed, "2.11.1")
      assert(find(null, "LIBTORCH" -> "", asked).folder == installed)
      assert(find(null, "LIBTORCH" -> "/no/such", asked).folder == installed)
    }
  }

  test("a release that was tried with the library will do as well, the next one will not") {
    TestData.withFolder { folder =>
      val tried = python(folder.resolve("tried"), "2.12.1+cu130")
      assertIs(find(tried), tried, "2.12.1+cu130")
      val next = python(folder.resolve("next"), "2.13.0+cu130")
      unavailable(next)(s"spark.classify.torch.home=$next", "version 2.13.0+cu130", "built against 2.11.0")
    }
  }

  test("a configured folder is used or refused: there is no silent fall-back") {
    TestData.withFolder { folder =>
      val good = "LIBTORCH" -> distribution(folder.resolve("good"), wanted).toString
      val empty = Files.createDirectory(folder.resolve("empty"))
      unavailable(empty, good)(s"spark.classify.torch.home=$empty", "no lib/libtorch_cpu.so")
      val old = python(folder.resolve("old"), "2.10.0+cpu")
      unavailable(old, good)(s"spark.classify.torch.home=$old", "version 2.10.0+cpu", "built against 2.11.0")
      val unknown = folder.resolve("unknown")
      library(unknown)
      unavailable(unknown, good)("version unknown")
    }
  }

  test("the error lists everything that was looked at") {
    TestData.withFolder { folder =>
      val old = distribution(folder.resolve("old"), "2.1.10")
      val mute = interpreter(folder.resolve("mute"), folder.resolve(""))
      Files.writeString(mute, "#!/bin/sh\necho\n")
      unavailable(null, "LIBTORCH" -> old.toString, "PYSPARK_PYTHON" -> mute.toString)(
        s"LIBTORCH=$old, which is version 2.1.10",
        s"$mute, which has no torch"
      )
      unavailable(null, "PYSPARK_PYTHON" -> "/no/python")(
        "LIBTORCH, which is not set",
        "/no/python, which cannot be run"
      )
    }
  }

  test("Python is asked from the root folder, and runs nothing of the working directory or PYTHONPATH") {
    TestData.withFolder { folder =>
      // What Python itself imports first, should it look there.
      Seq("contextlib.py", "importlib/__init__.py", "importlib/util.py", "sitecustomize.py").foreach { name =>
        val file = folder.resolve(name)
        Files.createDirectories(file.getParent)
        Files.writeString(file, s"open('$folder/ran', 'w')\n")
      }
      val python = System.getenv("PYSPARK_PYTHON")
      assume(python != null)
      val command = Seq(s"${System.getProperty("java.home")}/bin/java", "-cp", System.getProperty("java.class.path")) ++
        Seq("io.sparkclassify.natives.AskPython", python)
      val builder = new ProcessBuilder(command: _*).directory(folder.toFile).redirectErrorStream(true)
      builder.environment.put("PYTHONPATH", folder.toString)
      val process = builder.start()
      val output = new String(process.getInputStream.readAllBytes())
      assert(process.waitFor() == 0 && output.contains("/torch"), output)
      assert(!Files.exists(folder.resolve("ran")))

      val pwd = folder.resolve("pwd")
      Files.writeString(pwd, s"""#!/bin/sh\npwd > '$folder/where'; echo "$$@" >> '$folder/where'\n""")
      assert(pwd.toFile.setExecutable(true))
      PythonTorch.locate(pwd.toString, "", new Tried)
      assert(Files.readString(folder.resolve("where")).startsWith("/\n-I -c "))
      // A program of the working directory is none that a name finds.
      val tried = new Tried
      assert(
        !PythonTorch.locate("pwd-of-nobody", s".::bin:$folder", tried).isPresent && tried.toString.contains("PATH")
      )
    }
  }

  /** A Python that never answers. */
  private def hanging(at: Path): Path = {
    Files.writeString(at, "#!/bin/sh\nexec sleep 60\n")
    assert(at.toFile.setExecutable(true))
    at
  }

  test("a Python that does not answer is told from one without torch") {
    TestData.withFolder { folder =>
      val python = hanging(folder.resolve("python")).toString
      val tried = new Tried
      assert(!PythonTorch.locate(python, "", 1, tried).isPresent)
      assert(tried.toString == s"$python, which did not answer in 1 s")
      assert(tried.noAnswer.isInstanceOf[TimeoutException])

      Thread.currentThread.interrupt()
      val cancelled = intercept[ClassifyException](find(null, "PYSPARK_PYTHON" -> python))
      assert(Thread.interrupted(), "the thread must still see it")
      assert(cancelled.getCause.isInstanceOf[InterruptedException])
      assert(intercept[ClassifyException](find(null, "PYSPARK_PYTHON" -> "/no/python")).getCause == null)
    }
  }

  test("libraries of the CUDA runtime that are missing are named with their package") {
    TestData.withFolder { folder =>
      val home = find(python(folder.resolve("torch"), "2.11.0+cu130"))
      assert(home.missingCudaLibraries.asScala.toSet == Set(
        "libcudart.so (pip install nvidia-cuda-runtime)",
        "libcupti.so (pip install nvidia-cuda-cupti)"
      ))
      val wheels = Files.createDirectories(folder.resolve("nvidia/cu13/lib"))
      Files.createFile(wheels.resolve("libcudart.so.13"))
      assert(home.missingCudaLibraries.asScala == Seq("libcupti.so (pip install nvidia-cuda-cupti)"))
      Files.createFile(wheels.resolve("libcupti.so.13"))
      assert(home.missingCudaLibraries.isEmpty)
      assert(find(distribution(folder.resolve("cpu"), "2.11.0+cpu")).missingCudaLibraries.isEmpty)
    }
  }
}

/** A program that says where a Python's torch is, or why there is none. */
object AskPython {
  def main(arguments: Array[String]): Unit = {
    val tried = new Tried
    println(s"${PythonTorch.locate(arguments.head, System.getenv("PATH"), tried)} $tried")
  }
}
