package io.sparkclassify.engine

import scala.util.control.NonFatal

import io.sparkclassify.natives.NativeBackend
import org.apache.spark.TaskContext
import org.apache.spark.unsafe.types.UTF8String
import org.slf4j.LoggerFactory

/**
 * A model that this JVM has loaded.
 *
 * @param labels
 *   the names of the classes, in class-id order
 * @param loadMillis
 *   how long the engine took to load it
 * @param onGpu
 *   whether it runs on a GPU
 */
final class LoadedModel(
    natives: NativeBackend,
    handle: Long,
    val labels: Array[UTF8String],
    val loadMillis: Long,
    val onGpu: Boolean
) {

  /**
   * Classifies the images that `buffers` holds, in one native call, on the cores of the task that runs on this thread.
   *
   * @return
   *   the results, valid until `buffers` is used again
   */
  def classify(buffers: BatchBuffers): BatchResults = {
    val output = buffers.output(labels.length)
    // A task owns `spark.task.cpus` cores. Where no task runs, the driver evaluates single rows.
    val threads = Option(TaskContext.get()).fold(1)(_.cpus())
    natives.classify(handle, buffers.input, buffers.count, threads, output)
    new BatchResults(output, labels)
  }

  /** Frees its memory. To be called once, when nobody uses it any more. */
  private[engine] def close(): Unit =
    try natives.closeModel(handle)
    catch {
      // The caller wanted room for another model, and has it.
      case NonFatal(e) => LoggerFactory.getLogger("io.sparkclassify.ClassifyEngine").warn("Cannot close a model", e)
    }
}
