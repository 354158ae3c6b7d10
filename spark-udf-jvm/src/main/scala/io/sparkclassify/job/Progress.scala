package io.sparkclassify.job

import java.io.PrintStream
import java.nio.file.{Files, Paths}
import java.util.Locale

import scala.collection.mutable
import scala.util.Try

import org.apache.spark.SparkContext
import org.apache.spark.scheduler.{
  AccumulableInfo,
  SparkListener,
  SparkListenerExecutorMetricsUpdate,
  SparkListenerTaskEnd
}

/**
 * Shows how far the classification is: on a terminal in a line that stays in its place, elsewhere in a line a minute.
 *
 * It counts what the operator's metrics say: of tasks that have ended well, and of those that run, which tell it every
 * ten seconds (`spark.executor.heartbeatInterval`).
 *
 * @param total
 *   how many images there are
 */
private[job] final class Progress(total: Long, out: PrintStream, onTerminal: Boolean, everyMillis: Long)
    extends SparkListener
    with AutoCloseable {
  import Progress._

  private val start = System.nanoTime()

  // Guarded by this.
  private val done = mutable.Map.empty[String, Long].withDefaultValue(0L)
  private val running = mutable.Map.empty[Long, Map[String, Long]]
  private val ended = mutable.Set.empty[(Int, Int)]
  private var closed = false

  private val printer = new Thread("classify-progress") {
    override def run(): Unit = printUntilClosed()
  }
  printer.setDaemon(true)
  printer.start()

  override def onExecutorMetricsUpdate(update: SparkListenerExecutorMetricsUpdate): Unit = synchronized {
    update.accumUpdates.foreach { case (task, _, _, infos) =>
      val values = ours(infos)
      if (values.nonEmpty) running(task) = values
    }
  }

  override def onTaskEnd(task: SparkListenerTaskEnd): Unit = synchronized {
    running -= task.taskInfo.taskId
    // Of several attempts at a part, the first that succeeds is the one whose results are taken.
    if (task.taskInfo.successful && ended.add((task.stageId, task.taskInfo.index))) {
      ours(task.taskInfo.accumulables).foreach { case (name, value) => done(name) += value }
    }
  }

  /** The sum of a metric over the tasks that have ended. */
  def finished(metric: String): Long = synchronized(done(metric))

  /** Waits until the end of every task is known, which may be after that of the query; at the most so long. */
  def awaitEnd(images: Long, millis: Long): Unit = {
    val until = System.nanoTime() + millis * 1000000
    while (finished(Images) < images && System.nanoTime() < until) Thread.sleep(10)
  }

  /** Ends the display. */
  override def close(): Unit = {
    synchronized {
      closed = true
      notifyAll()
    }
    printer.join()
  }

  private def now: State = synchronized {
    def sum(metric: String) = done(metric) + running.values.map(_.getOrElse(metric, 0L)).sum
    State(math.min(sum(Images), total), sum(BadImages), (System.nanoTime() - start) / 1e9)
  }

  private def printUntilClosed(): Unit = {
    var last = false
    while (!last) {
      synchronized {
        if (!closed) wait(everyMillis)
        last = closed
      }
      if (onTerminal) out.print(s"\r${line(total, now)}\u001b[K${if (last) "\n" else ""}")
      else if (!last) out.println(line(total, now))
      out.flush()
    }
  }
}

private[job] object Progress {

  // The names of the operator's metrics, see ClassifyMetrics.
  private val Images = "number of images"
  private val BadImages = "number of bad images"

  /** What the report calls the steps, and the metrics with the nanoseconds of each. */
  val Steps: Seq[(String, String)] = Seq(
    "read" -> "time to read files",
    "decode" -> "time to decode",
    "resize" -> "time to preprocess",
    "inference" -> "time of inference"
  )

  private val names = Set(Images, BadImages) ++ Steps.map(_._2)

  private val TerminalMillis = 500L
  private val LogMillis = 60000L

  final case class State(images: Long, bad: Long, seconds: Double)

  /** On standard error, as whoever reads the results has standard output. */
  def start(context: SparkContext, total: Long): Progress = {
    val onTerminal = isTerminal
    val progress = new Progress(total, System.err, onTerminal, if (onTerminal) TerminalMillis else LogMillis)
    context.addSparkListener(progress)
    progress
  }

  /** Whether standard error is a terminal. Java knows it of standard input and output together alone. */
  private def isTerminal: Boolean =
    Try(Files.readSymbolicLink(Paths.get("/proc/self/fd/2")).toString).toOption
      .exists(_.matches("/dev/(pts/.*|tty.*|console)"))

  private def ours(infos: scala.collection.Seq[AccumulableInfo]): Map[String, Long] =
    (for {
      info <- infos
      name <- info.name if names(name)
      update <- info.update
      value <- Try(update.toString.toLong).toOption
    } yield name -> value).toMap

  def line(total: Long, state: State): String = {
    val rate = if (state.seconds > 0) state.images / state.seconds else 0.0
    val percent = if (total == 0) 100 else state.images * 100 / total
    val left = if (state.images == 0) "" else s", ${duration((total - state.images) / rate)} left"
    val bad = if (state.bad == 0) "" else s", ${grouped(state.bad)} bad"
    s"${grouped(state.images)} of ${grouped(total)} images ($percent%), ${String
        .format(Locale.ROOT, "%.1f", Double.box(rate))} images/s$left$bad"
  }

  private def grouped(number: Long): String = String.format(Locale.ROOT, "%,d", Long.box(number))

  /** `0:42`, `12:34`, `1:23:45`. */
  private def duration(seconds: Double): String = {
    val whole = math.ceil(seconds).toLong
    val (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
    if (hours > 0) f"$hours%d:$minutes%02d:$rest%02d" else f"$minutes%d:$rest%02d"
  }
}
