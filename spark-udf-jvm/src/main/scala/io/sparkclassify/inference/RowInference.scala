package io.sparkclassify.inference

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.{BadImage, ImageBytes, ImageInput, ImageReader, ReadAhead}
import io.sparkclassify.model.{ClassifyEngine, ImageRunner, RunnerLease}
import io.sparkclassify.threads.{HeldByTask, TaskKill}
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

  /** What the calls of a task, or one on the driver, read with and run on. */
  private final class Held(task: Option[TaskContext]) extends HeldByTask {
    private val images = new ReadAhead(reader, threads = 1, maxBytes = 1, task)
    private var lease: Option[RunnerLease] = None

    task.foreach(_.addTaskCompletionListener[Unit](_ => close()))

    def isOf(other: TaskContext): Boolean = task.exists(_ eq other)

    def use[T](body: (ReadAhead, () => ImageRunner) => T): T = {
      if (!begin()) throw new TaskKilledException("the task is over")
      try body(images, () => runner)
      finally end()
    }

    private def runner: ImageRunner = {
      if (lease.isEmpty) lease = Some(ClassifyEngine.runner(spec, shape.outputs))
      lease.get.runner
    }

    override protected def stop(): Unit = images.close()

    override protected def free(): Unit = {
      images.free()
      lease.foreach(_.close())
      lease = None
    }
  }
}
