package io.sparkclassify.natives

import java.nio.file.{Files, Path}

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

      assert(find(configured, set, asked) == new TorchHome(configured, "2.11.0+cu130"))
      assert(find(configured.getParent, set, asked).folder == configured, "site-packages serve as well")
      assert(find(null, set, asked) == new TorchHome(variable, "2.11.0+cpu"))
      assert(find(null, asked) == new TorchHome(installed, "2.11.1"))
      assert(find(null, "LIBTORCH" -> "", asked).folder == installed)
      assert(find(null, "LIBTORCH" -> "/no/such", asked).folder == installed)
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
