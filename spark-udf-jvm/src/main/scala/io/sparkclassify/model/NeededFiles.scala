package io.sparkclassify.model

import java.nio.file.Path

/** Which files of a model directory an engine needs, for whoever copies it. */
private[sparkclassify] trait NeededFiles {

  /**
   * The files that are needed, as far as `copy` tells: it is to be asked again when they are there.
   *
   * @param copy
   *   the folder that they are copied to
   * @param listing
   *   all files of the directory, by their paths in it
   * @throws ClassifyException
   *   CLASSIFY_BAD_MODEL when the directory lacks one
   */
  def apply(copy: Path, listing: Seq[String]): Seq[String]
}
