package io.sparkclassify.inference

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.{BadImage, ImageBytes, ImageInput, ImageReader, ReadAhead}
import io.sparkclassify.model.{ClassifyEngine, ImageRunner, RunnerLease}
import io.sparkclassify.threads.TaskKill
import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow

/** Classifies one image at a time, where Spark evaluates the expression itself. For one thread. */
final class RowInference(spec: ClassifySpec, input: ImageInput, shape: ResultShape) {

  private lazy val reader = new ImageReader(spec.images, spec.hadoop.configuration, spec.nativeEngine())

  // Both held to the end of the task.
  private var lease: RunnerLease = _
  private var images: ReadAhead = _

  /**
   * The result of the inference.
   *
   * @param value
   *   of the input column, not null
   */
  def run(value: Any): InternalRow = withImages { images =>
    val read = images.ask(input.image(value)).take()
    val result =
      try {
        // A read that a killed task was interrupted in says nothing of its image.
        TaskKill.check()
        read.flatMap(image => withRunner(classify(_, image)))
      } finally read.foreach(images.release)
    result.fold(bad => ResultShape.bad(bad.condition, bad.reason), ResultShape.good)
  }

  private def withImages[T](use: ReadAhead => T): T = {
    val task = Option(TaskContext.get())
    def open() = new ReadAhead(reader, threads = 1, maxBytes = 1, task)
    def close(images: ReadAhead): Unit = {
      images.close()
      images.free()
    }
    if (task.isEmpty) {
      val once = open()
      try use(once)
      finally close(once)
    } else {
      if (images == null) {
        images = open()
        task.get.addTaskCompletionListener[Unit](_ => close(images))
      }
      use(images)
    }
  }

  private def classify(runner: ImageRunner, image: ImageBytes): Either[BadImage, Any] = {
    val results = runner.run(Seq(image), shape.outputs)
    try shape.value(results, 0).left.map(BadImage.undecodable(image.name, _))
    finally results.release()
  }

  private def withRunner[T](use: ImageRunner => T): T = Option(TaskContext.get()) match {
    case Some(task) =>
      if (lease == null) {
        lease = ClassifyEngine.runner(spec, shape.outputs)
        task.addTaskCompletionListener[Unit](_ => lease.close())
      }
      use(lease.runner)
    case None =>
      // The driver, now and then.
      val once = ClassifyEngine.runner(spec, shape.outputs)
      try use(once.runner)
      finally once.close()
  }
}
