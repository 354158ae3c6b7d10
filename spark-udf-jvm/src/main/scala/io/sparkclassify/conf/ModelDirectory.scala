package io.sparkclassify.conf

import java.nio.file.{Files, Paths}

import org.apache.spark.SparkFiles

private[sparkclassify] object ModelDirectory {

  /**
   * The URI of a model directory on this machine: a `sparkfiles:` one becomes that of the local directory.
   *
   * @throws ClassifyException
   *   CLASSIFY_BAD_MODEL when Spark has brought no such directory
   */
  def locate(uri: String): String =
    if (!uri.startsWith(ModelSpec.SparkFiles)) uri
    else {
      val name = uri.stripPrefix(ModelSpec.SparkFiles)
      val root = Paths.get(SparkFiles.getRootDirectory()).toAbsolutePath.normalize
      val directory = root.resolve(name).normalize
      if (!directory.startsWith(root) || directory == root) {
        throw ClassifyErrors.badModel(uri, s"'$name' is no name of what --archives or --files has brought", null)
      }
      if (!Files.isDirectory(directory)) {
        val reason = s"there is no directory $directory; give the model to the application with --archives or --files"
        throw ClassifyErrors.badModel(uri, reason, null)
      }
      s"file:$directory"
    }
}
