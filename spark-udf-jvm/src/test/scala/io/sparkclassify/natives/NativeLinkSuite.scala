package io.sparkclassify.natives

import java.nio.file.Path

import scala.sys.process._

import org.scalatest.funsuite.AnyFunSuite

/** What the native libraries need from the machine that they are loaded on, as readelf tells it. */
class NativeLinkSuite extends AnyFunSuite {
  private val system = Set("libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2")

  /** RHEL 9, Ubuntu 22.04 and Debian 12 have it. */
  private val newestGlibc = (2, 34)

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

    test(s"the $name library runs with glibc ${newestGlibc._1}.${newestGlibc._2}") {
      val versions =
        "GLIBC_(\\d+)\\.(\\d+)".r
          .findAllMatchIn(readelf("-V", file))
          .map(found => (found.group(1).toInt, found.group(2).toInt))
          .toSet
      assert(versions.nonEmpty)
      assert(Ordering[(Int, Int)].lteq(versions.max, newestGlibc))
    }

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
