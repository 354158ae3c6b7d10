package io.sparkclassify.model

import io.sparkclassify.image.ImageBytes
import io.sparkclassify.natives.NativeEngine

/**
 * Hashes images, without a model. A hash of two numbers has the place of an embedding of four values.
 *
 * @param decode
 *   how images are decoded, as the native methods take it
 */
private[model] final class ImageHasher(natives: NativeEngine, decode: String) extends ImageRunner {

  override def run(images: collection.Seq[ImageBytes], outputs: ModelOutputs): BatchResults =
    BatchCall.run(images, outputs, labels = Array.empty, width = 4) { batch =>
      natives.hash(decode, batch.contents, batch.sizes, batch.threads, batch.output)
    }

  override def onGpu: Boolean = false
}
