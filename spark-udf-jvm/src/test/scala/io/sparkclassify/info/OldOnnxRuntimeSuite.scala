package io.sparkclassify.info

import java.nio.file.{Files, Path}

import io.sparkclassify.{ClassifyExtensions, OwnJvm, TestData}
import io.sparkclassify.conf.ClassifyConf
import org.apache.spark.sql.SparkSession
import org.scalatest.funsuite.AnyFunSuite

/** ONNX Runtimes that cannot serve. A process loads one at most, so each is met in a JVM of its own. */
class OldOnnxRuntimeSuite extends AnyFunSuite {

  /** A library that says that it is ONNX Runtime of this version, and ends the process when it is asked for more. */
  private def runtime(folder: Path, version: String): Path = {
    val (code, library) = (folder.resolve("runtime.c"), folder.resolve("libonnxruntime.so"))
    Files.writeString(
      code,
      s"""#include <stdlib.h>
         |static const void *api(unsigned version) { abort(); }
         |static const char *version(void) { return "$version"; }
         |static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base = {api, version};
         |const void *OrtGetApiBase(void) { return &base; }
         |""".stripMargin
    )
    val compiler =
      new ProcessBuilder("cc", "-shared", "-fPIC", "-o", library.toString, code.toString).inheritIO().start()
    assert(compiler.waitFor() == 0, "a C compiler called cc is needed")
    library
  }

  Seq("1.22.1", "1.23.2").foreach { version =>
    test(s"classify_info() shows ONNX Runtime $version as unavailable, with the reason") {
      TestData.withFolder { folder =>
        val library = runtime(folder, version)
        val (status, output) = OwnJvm.run("io.sparkclassify.info.AskInfo", Nil, Seq(library.toString))
        assert(status == 0, output.takeRight(2000))
        val rows = output.linesIterator.filter(_.startsWith("info|")).toSeq.sorted
        assert(rows.length == 2, output.takeRight(2000))
        Seq(
          "info|onnx|false|",
          library.toString,
          s"is ONNX Runtime $version; version 1.24 or later is needed"
        ).foreach {
          part => assert(rows.head.contains(part), rows)
        }
        assert(rows.last == "info|pytorch|true|null")
      }
    }
  }
}

/** A program that prints what `classify_info()` says of the driver, with this ONNX Runtime. */
object AskInfo {
  def main(arguments: Array[String]): Unit = {
    val spark = SparkSession
      .builder()
      .master("local[1]")
      .config("spark.sql.extensions", classOf[ClassifyExtensions].getName)
      .config("spark.ui.enabled", "false")
      .config(ClassifyConf.OnnxRuntimeLibrary.key, arguments.head)
      .getOrCreate()
    spark.sql("SELECT backend, available, reason FROM classify_info()").collect().foreach { row =>
      println(s"info|${row.toSeq.mkString("|")}")
    }
    spark.stop()
  }
}
