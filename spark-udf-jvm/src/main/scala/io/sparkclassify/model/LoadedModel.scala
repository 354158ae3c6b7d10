package io.sparkclassify.model

import io.sparkclassify.image.ImageBytes
import io.sparkclassify.memory.DirectBuffers

import scala.util.control.NonFatal

import io.sparkclassify.natives.NativeEngine
import org.apache.spark.TaskContext
import org.apache.spark.unsafe.types.UTF8String
import org.slf4j.LoggerFactory

/**
 * A model that this JVM has loaded.
 *
 * @param labels
 *   the names of the classes, in class-id order; none where it gives no classes
 * @param noClasses
 *   why it gives none
 * @param embeddingWidth
 *   the number of values of an embedding; 0 where it gives none
 * @param noEmbedding
 *   why it gives none
 * @param loadMillis
 *   how long the engine took to load it
 * @param onGpu
 *   whether it runs on a GPU
 * @param notes
 *   what somebody who uses it should know about the way its files are read, a sentence each
 */
final class LoadedModel(
    natives: NativeEngine,
    handle: Long,
    val labels: Array[UTF8String],
    noClasses: Option[String],
    embeddingWidth: Int,
    noEmbedding: Option[String],
    val loadMillis: Long,
    val onGpu: Boolean,
    val notes: Seq[String]
) {

  /** Why it does not give what is asked for; None where it does. */
  def missing(outputs: ModelOutputs): Option[String] =
    noClasses.filter(_ => outputs.classes).orElse(noEmbedding.filter(_ => outputs.embedding))

  /**
   * Runs the model over a batch in one native call, on the cores of the task that runs on this thread.
   *
   * @param outputs
   *   what it is asked for, which it must give
   * @return
   *   the results, which have to be released
   */
  def classify(images: collection.Seq[ImageBytes], outputs: ModelOutputs): BatchResults = {
    val size = BatchResults.capacity(images.length, outputs, labels.length, embeddingWidth)
    if (size > Int.MaxValue)
      throw new IllegalArgumentException(
        s"the results of ${images.length} images have $size bytes; at most ${Int.MaxValue}"
      )
    val output = DirectBuffers.acquire(size.toInt)
    try {
      // A task owns `spark.task.cpus` cores. Where no task runs, the driver evaluates single rows.
      val threads = Option(TaskContext.get()).fold(1)(_.cpus())
      val sizes = images.flatMap(_.size.fold(LoadedModel.File)(size => Seq(size.width, size.height, size.channels)))
      natives.classify(handle, outputs.code, images.map(_.content).toArray, sizes.toArray, threads, output)
      new BatchResults(output, images.length, outputs, labels, embeddingWidth)
    } catch {
      case e: Throwable =>
        DirectBuffers.release(output)
        throw e
    }
  }

  /** Frees its memory. To be called once, when nobody uses it any more. */
  private[sparkclassify] def close(): Unit =
    try natives.closeModel(handle)
    catch {
      // The caller wanted room for another model, and has it.
      case NonFatal(e) => LoggerFactory.getLogger("io.sparkclassify.ClassifyEngine").warn("Cannot close a model", e)
    }
}

private object LoadedModel {

  /** What a native call has for the size of an image that is a file. */
  val File: Seq[Int] = Seq(0, 0, 0)
}
