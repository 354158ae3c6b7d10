package io.sparkclassify.engine

import io.sparkclassify.natives.NativeBackend
import org.apache.spark.unsafe.types.UTF8String

/**
 * A model that this JVM has loaded.
 *
 * @param labels
 *   the names of the classes, in class-id order
 * @param loadMillis
 *   how long the engine took to load it
 */
final class LoadedModel(natives: NativeBackend, handle: Long, val labels: Array[UTF8String], val loadMillis: Long) {

  /**
   * Classifies the images that `buffers` holds, in one native call.
   *
   * @return
   *   the results, valid until `buffers` is used again
   */
  def classify(buffers: BatchBuffers): BatchResults = {
    val output = buffers.output(labels.length)
    natives.classify(handle, buffers.input, buffers.count, output)
    new BatchResults(output, labels)
  }
}
