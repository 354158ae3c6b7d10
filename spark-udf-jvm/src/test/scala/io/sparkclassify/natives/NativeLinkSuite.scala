package io.sparkclassify.natives

import java.nio.file.Path

import scala.sys.process._

import org.scalatest.funsuite.AnyFunSuite

/**
 * What the native libraries have to do with this jar and with libtorch, as readelf tells it. What they need from a
 * machine is in tests/e2e/test_native_libraries.py.
 */
class NativeLinkSuite extends AnyFunSuite {
  private val system =
    Set("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1") ++
      Set("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")

  private def library(name: String): Path = FaultyLibrary.path.resolveSibling(name)

  private def readelf(option: String, file: Path): String = Seq("readelf", "-W", option, file.toString).!!

  private def needed(file: Path): Set[String] =
    "\\(NEEDED\\).*\\[(.+)\\]".r.findAllMatchIn(readelf("-d", file)).map(_.group(1)).toSet

  test("the ONNX library needs no inference engine to be loaded, and no C++ runtime") {
    val actual = needed(library("libspark_classify_onnx.so"))
    assert(actual.nonEmpty)
    assert(actual.subsetOf(system))
  }

  test("the torch library needs of libtorch the part for the CPU only") {
    val actual = needed(library("libspark_classify_torch.so")) -- system - "libstdc++.so.6"
    assert(actual == Set("libtorch_cpu.so", "libc10.so"))
  }

  Seq("onnx", "torch").foreach { name =>
    val file = library(s"libspark_classify_$name.so")

    test(s"the $name library exports the natives of its class, has no search path and no executable stack") {
      val symbols = readelf("--dyn-syms", file)
      val natives =
        "Java_io_sparkclassify_natives_(\\w+)_(\\w+)".r
          .findAllMatchIn(symbols)
          .map(found => found.group(1) -> found.group(2))
          .toSet
      assert(natives.map(_._1) == Set(s"${name.capitalize}Native"))
      assert(natives.map(_._2) == classOf[NativeEngine].getMethods.map(_.getName).toSet)
      assert(!readelf("-d", file).contains("PATH)"))
      assert("GNU_STACK.* RW ".r.findFirstIn(readelf("-l", file)).isDefined)
    }
  }
}
