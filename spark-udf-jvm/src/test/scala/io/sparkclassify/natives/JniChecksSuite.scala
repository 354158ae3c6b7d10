package io.sparkclassify.natives

import io.sparkclassify.{ColourImages, OwnJvm, TestData}
import org.scalatest.funsuite.AnyFunSuite

/**
 * What the JVM itself finds wrong with native calls: it checks them with `-Xcheck:jni`, and tells on standard output.
 */
class JniChecksSuite extends AnyFunSuite {

  private val images = 4096

  TestData.engines.foreach { engine =>
    test(s"$engine: the JVM has no warning about a batch of $images images") {
      val (status, output) =
        OwnJvm.run("io.sparkclassify.natives.ClassifyCopies", Seq("-Xcheck:jni"), Seq(engine, images.toString))
      assert(status == 0 && output.contains(s"classified $images images"), output.takeRight(2000))
      // Java 24 and later have warnings of their own, about the use of native code as such.
      val found = Seq("WARNING in native method", "WARNING: JNI", "FATAL ERROR")
      val warnings = output.linesIterator.filter(line => found.exists(line.contains)).toSeq
      assert(warnings.isEmpty, s"${warnings.length} warnings")
    }
  }
}

/** A program that classifies one small image many times, in one native call. */
object ClassifyCopies {
  def main(arguments: Array[String]): Unit = {
    val (engine, count) = (arguments(0), arguments(1).toInt)
    val natives = NativeLoader.load(engine, NativeOptions.DEFAULTS)
    val model = natives.openModel(NativeBatch.request(ColourImages.model))
    val results = NativeBatch.classify(natives, model, Seq.fill(count)(ColourImages.file(classId = 1)))
    println(s"classified ${results.rows.count(_.isInstanceOf[NativeBatch.Good])} images")
  }
}
