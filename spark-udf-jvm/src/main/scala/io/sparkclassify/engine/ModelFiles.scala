package io.sparkclassify.engine

import java.io.{FileNotFoundException, IOException}
import java.nio.file.{Files, Path => LocalPath, Paths}

import io.sparkclassify.ClassifyErrors
import org.apache.commons.io.FileUtils
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.slf4j.LoggerFactory

/** Brings a model directory to where the native libraries can read it. */
private[sparkclassify] object ModelFiles {

  private val log = LoggerFactory.getLogger("io.sparkclassify.ModelFiles")

  /**
   * Runs `load` with a local copy of the directory, which is gone afterwards; a local directory is used as it is.
   *
   * @throws ClassifyException
   *   CLASSIFY_BAD_MODEL when it cannot be read
   */
  def withLocal[T](uri: String, configuration: Configuration)(load: LocalPath => T): T = {
    val directory = new Path(uri)
    if (directory.toUri.getScheme == "file") load(Paths.get(directory.toUri.getPath))
    else {
      val parent = Files.createTempDirectory("spark-classify-model-")
      try load(copy(directory, parent.resolve("model"), configuration))
      finally FileUtils.deleteQuietly(parent.toFile)
    }
  }

  private def copy(directory: Path, target: LocalPath, configuration: Configuration): LocalPath =
    try {
      val fileSystem = directory.getFileSystem(configuration)
      fileSystem.copyToLocalFile(false, directory, new Path(target.toUri), true)
      log.info("Copied the model {} to {}", directory, target)
      target
    } catch {
      case e: FileNotFoundException => throw ClassifyErrors.badModel(directory.toString, "it does not exist", e)
      case e @ (_: IOException | _: UnsupportedOperationException) =>
        throw ClassifyErrors.badModel(directory.toString, s"it cannot be copied: ${e.getMessage}", e)
    }
}
