package io.sparkclassify

import java.io.{FileNotFoundException, IOException}

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, Path}

/**
 * Reads the bytes of images from any file system that Hadoop knows.
 *
 * Files with more bytes than `spec` allows are refused unread.
 */
final class ImageReader(spec: ImageSpec, configuration: Configuration) {

  private val directory = new Path(spec.directory)

  /**
   * The content of the file.
   *
   * @throws ClassifyException
   *   CLASSIFY_UNREADABLE_IMAGE with path and reason
   */
  def read(path: String): Array[Byte] =
    try {
      val file = new Path(directory, path)
      val fileSystem = file.getFileSystem(configuration)
      val status = fileSystem.getFileStatus(file)
      if (status.isDirectory) throw ClassifyErrors.unreadableImage(path, "it is a directory")
      checkSize(path, status.getLen)
      val stream = fileSystem.open(file)
      try content(path, stream, status.getLen)
      finally stream.close()
    } catch {
      case e: FileNotFoundException =>
        throw ClassifyErrors.unreadableImage(path, s"the file does not exist (${e.getMessage})", e)
      case e @ (_: IOException | _: IllegalArgumentException | _: UnsupportedOperationException) =>
        throw ClassifyErrors.unreadableImage(path, String.valueOf(e.getMessage), e)
    }

  /** @param length as the file system tells it; web servers may leave it open, and then it is negative */
  private def content(path: String, stream: FSDataInputStream, length: Long): Array[Byte] =
    if (length >= 0) {
      val content = new Array[Byte](length.toInt)
      stream.readFully(0, content)
      content
    } else {
      val content = stream.readNBytes((spec.maxBytes + 1).toInt)
      checkSize(path, content.length)
      content
    }

  /**
   * Refuses content over the limit.
   *
   * @param name
   *   what the error calls it
   */
  def checkSize(name: String, bytes: Long): Unit =
    if (bytes > spec.maxBytes) {
      throw ClassifyErrors.unreadableImage(
        name,
        s"it has $bytes bytes, over the limit of ${spec.maxBytes} (${ClassifyConf.ImageMaxBytes.key})"
      )
    }
}
