package io.sparkclassify.model

import io.sparkclassify.image.ImageBytes
import io.sparkclassify.memory.DirectBuffers
import java.nio.ByteBuffer

import org.apache.spark.TaskContext
import org.apache.spark.unsafe.types.UTF8String

/** The arguments that native calls over a batch of images have in common, see `NativeEngine.classify`. */
private[model] final class BatchCall(
    val contents: Array[ByteBuffer],
    val sizes: Array[Int],
    val threads: Int,
    val output: ByteBuffer
)

private[model] object BatchCall {

  /** The size of an image that is a file. */
  private val File = Seq(0, 0, 0)

  /**
   * Makes one native call for a batch, on the cores of the task that runs on this thread.
   *
   * @return
   *   the results, which have to be released
   */
  def run(
      images: collection.Seq[ImageBytes],
      outputs: ModelOutputs,
      labels: Array[UTF8String],
      width: Int
  )(call: BatchCall => Unit): BatchResults = {
    val size = BatchResults.capacity(images.length, outputs, labels.length, width)
    if (size > Int.MaxValue)
      throw new IllegalArgumentException(
        s"the results of ${images.length} images have $size bytes; at most ${Int.MaxValue}"
      )
    val output = DirectBuffers.acquire(size.toInt)
    try {
      // A task owns `spark.task.cpus` cores. Where no task runs, the driver evaluates single rows.
      val threads = Option(TaskContext.get()).fold(1)(_.cpus())
      val sizes = images.flatMap(_.size.fold(File)(size => Seq(size.width, size.height, size.channels)))
      call(new BatchCall(images.map(_.content).toArray, sizes.toArray, threads, output))
      new BatchResults(output, images.length, outputs, labels, width)
    } catch {
      case e: Throwable =>
        DirectBuffers.release(output)
        throw e
    }
  }
}
