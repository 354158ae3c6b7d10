package io.sparkclassify.model

import io.sparkclassify.image.ImageBytes

/** What runs over the images of a batch: a model, or [[ImageHasher]]. */
trait ImageRunner {

  /**
   * Runs over a batch in one native call, on the cores of the task that runs on this thread.
   *
   * @param outputs
   *   what it is asked for, which it must give
   * @return
   *   the results, which have to be released
   */
  def run(images: collection.Seq[ImageBytes], outputs: ModelOutputs): BatchResults

  /** Whether it runs on a GPU. */
  def onGpu: Boolean
}
