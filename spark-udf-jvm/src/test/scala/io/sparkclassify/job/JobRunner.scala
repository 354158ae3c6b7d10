package io.sparkclassify.job

import java.io.{ByteArrayInputStream, ByteArrayOutputStream}

import io.sparkclassify.SharedSession
import io.sparkclassify.conf.ClassifyConf

/** Runs the job in the session of the tests. */
abstract class JobRunner extends SharedSession {

  /** What the job prints, and how many images have no prediction. */
  protected def runJob(arguments: Seq[String], input: String = ""): (String, Long) = {
    val printed = new ByteArrayOutputStream
    val stopwatch = new Stopwatch
    stopwatch.time("session start")(spark)
    val parsed = JobArguments.parse(arguments).fold(problem => fail(problem), identity)
    def standardInput = new ByteArrayInputStream(input.getBytes("UTF-8"))
    val bad = withConf(ClassifyConf.Model.key -> "unset", ClassifyConf.Backend.key -> "onnx") {
      Console.withOut(printed)(new Job(spark, parsed, stopwatch, standardInput).run())
    }
    (printed.toString("UTF-8"), bad)
  }
}
