package io.sparkclassify.job

import java.io.{ByteArrayOutputStream, PrintStream}

import io.sparkclassify.{SharedSession, TestData}

class ProgressSuite extends SharedSession {

  test("a line says how far it is, how fast, what is left and what is bad") {
    import Progress.{State, line}
    assert(line(12000, State(3000, 0, 10)) == "3,000 of 12,000 images (25%), 300.0 images/s, 0:30 left")
    assert(line(12000, State(3000, 7, 10)).endsWith(", 0:30 left, 7 bad"))
    assert(line(1000000, State(1, 0, 2)) == "1 of 1,000,000 images (0%), 0.5 images/s, 555:33:18 left")
    assert(line(10, State(0, 0, 0)) == "0 of 10 images (0%), 0.0 images/s")
    assert(line(0, State(0, 0, 1)) == "0 of 0 images (100%), 0.0 images/s")
  }

  /** What is shown while the dataset is classified, and an image that is not there. */
  private def shown(onTerminal: Boolean): (String, Progress) = {
    val text = new ByteArrayOutputStream
    val progress = new Progress(images + 1, new PrintStream(text, true, "UTF-8"), onTerminal, 20)
    spark.sparkContext.addSparkListener(progress)
    try {
      val paths = TestData.golden("onnx").keys.toSeq.map(name => TestData.images.resolve(name).toString) :+ "/none.png"
      val session = spark
      import session.implicits._
      paths.toDF("path").repartition(4).selectExpr("try_classify(path, 'onnx').error")
        .write.format("noop").mode("overwrite").save()
      progress.awaitEnd(images + 1, 10000)
    } finally {
      progress.close()
      spark.sparkContext.removeSparkListener(progress)
    }
    (text.toString("UTF-8"), progress)
  }

  private def images = TestData.golden("onnx").size.toLong

  test("on a terminal, one line stays in its place until the end") {
    val (text, progress) = shown(onTerminal = true)
    assert(text.count(_ == '\n') == 1 && text.startsWith("\r0 of "), text)
    val last = text.substring(text.lastIndexOf('\r') + 1)
    assert(last.startsWith(s"${images + 1} of ${images + 1} images (100%), "), last)
    assert(last.endsWith(" images/s, 0:00 left, 1 bad\u001b[K\n"), last)
    Progress.Steps.foreach { case (step, metric) => assert(progress.finished(metric) > 0, step) }
  }

  test("elsewhere, lines come one after the other") {
    val (text, _) = shown(onTerminal = false)
    val lines = text.linesIterator.toSeq
    assert(lines.length > 1 && lines.forall(_.matches("[0-9]+ of [0-9]+ images .*")) && !text.contains("\r"), text)
  }
}
