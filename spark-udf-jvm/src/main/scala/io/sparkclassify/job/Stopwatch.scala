package io.sparkclassify.job

import java.util.Locale

import scala.collection.mutable

/** Times the steps of a job, each from its start until its result is there. */
private[sparkclassify] final class Stopwatch {
  private val steps = mutable.LinkedHashMap.empty[String, Double]

  /** Runs a step, which must not return before its work is done. */
  def time[T](step: String)(work: => T): T = {
    val start = System.nanoTime()
    val result = work
    steps(step) = (System.nanoTime() - start) / 1e9
    result
  }

  /** The seconds that a step took. */
  def apply(step: String): Double = steps(step)

  /** One line for each step, with what `notes` says about it. */
  def report(notes: Map[String, String]): String = {
    val width = steps.keys.map(_.length).max
    steps
      .map { case (step, seconds) =>
        val time = String.format(Locale.ROOT, "%8.3f s", Double.box(seconds))
        s"  ${step.padTo(width, ' ')} $time  ${notes.getOrElse(step, "")}".replaceAll(" +$", "")
      }
      .mkString("\n")
  }
}
