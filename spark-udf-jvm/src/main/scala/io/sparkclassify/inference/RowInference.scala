package io.sparkclassify.inference

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.{BadImage, ImageBytes, ImageInput, ImageReader, ReadAhead}
import io.sparkclassify.model.{ClassifyEngine, ImageRunner, RunnerLease}
import io.sparkclassify.threads.TaskKill
import org.apache.spark.{TaskContext, TaskKilledException}
import org.apache.spark.sql.catalyst.InternalRow

/** Classifies one image at a time, where Spark evaluates the expression itself. For one thread at a time. */
final class RowInference(spec: ClassifySpec, input: ImageInput, shape: ResultShape) {

  private lazy val reader = new ImageReader(spec.images, spec.hadoop.configuration, spec.nativeEngine())

  private var held: Held = _

  /**
   * The result of the inference.
   *
   * @param value
   *   of the input column, not null
   */
  def run(value: Any): InternalRow = Option(TaskContext.get()) match {
    case Some(task) =>
      if (held == null || !held.isOf(task)) held = new Held(Some(task))
      held.use(result(value, _, _))
    case None =>
      // The driver, now and then.
      val once = new Held(None)
      try once.use(result(value, _, _))
      finally once.close()
  }

  private def result(value: Any, images: ReadAhead, runner: () => ImageRunner): InternalRow = {
    val read = images.ask(input.image(value)).take()
    val result =
      try {
        // A read that a killed task was interrupted in says nothing of its image.
        TaskKill.check()
        read.flatMap(classify(runner(), _))
      } finally read.foreach(images.release)
    result.fold(bad => ResultShape.bad(bad.condition, bad.reason), ResultShape.good)
  }

  private def classify(runner: ImageRunner, image: ImageBytes): Either[BadImage, Any] = {
    val results = runner.run(Seq(image), shape.outputs)
    try shape.value(results, 0).left.map(BadImage.undecodable(image.name, _))
    finally results.release()
  }

  /**
   * What a task holds to its end. The thread that classifies need not be the task's own, see
   * [[io.sparkclassify.execution.ClassifyIterator]]: where it is amid a call when the task ends, it gives back what the
   * call uses, after the call.
   */
  private final class Held(task: Option[TaskContext]) extends AutoCloseable {
    private val images = new ReadAhead(reader, threads = 1, maxBytes = 1, task)
    private var lease: Option[RunnerLease] = None

    // Guarded by this.
    private var working = false
    private var ended = false

    task.foreach(_.addTaskCompletionListener[Unit](_ => close()))

    def isOf(other: TaskContext): Boolean = task.exists(_ eq other)

    def use[T](body: (ReadAhead, () => ImageRunner) => T): T = {
      begin()
      try body(images, () => runner)
      finally end()
    }

    private def runner: ImageRunner = {
      if (lease.isEmpty) lease = Some(ClassifyEngine.runner(spec, shape.outputs))
      lease.get.runner
    }

    private def begin(): Unit = synchronized {
      if (ended) throw new TaskKilledException("the task is over")
      working = true
    }

    private def end(): Unit = synchronized {
      working = false
      if (ended) free()
    }

    override def close(): Unit = synchronized {
      ended = true
      images.close()
      if (!working) free()
    }

    private def free(): Unit = {
      images.free()
      lease.foreach(_.close())
      lease = None
    }
  }
}
