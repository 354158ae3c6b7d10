package io.sparkclassify.execution

import java.io.{File, FileInputStream, FileNotFoundException, IOException}

import io.sparkclassify.ClassifyErrors
import io.sparkclassify.conf.{ClassifyConf, ImageSpec}
import io.sparkclassify.expressions.ImageSource
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, FileStatus, FileSystem, LocalFileSystem, Path, RawLocalFileSystem}
import org.apache.hadoop.util.functional.FutureIO

/**
 * Why an image cannot be classified.
 *
 * @param condition
 *   CLASSIFY_UNREADABLE_IMAGE or CLASSIFY_BAD_IMAGE
 * @param reason
 *   with the name of the image
 */
final case class BadImage(condition: String, reason: String)

object BadImage {

  /** Its bytes cannot be had. */
  def unreadable(name: String, reason: String): BadImage =
    BadImage("CLASSIFY_UNREADABLE_IMAGE", ClassifyErrors.badImage(name, reason))

  /** Its bytes are no image that can be classified. */
  def undecodable(name: String, reason: String): BadImage =
    BadImage("CLASSIFY_BAD_IMAGE", ClassifyErrors.badImage(name, reason))
}

/**
 * The bytes of an image.
 *
 * @param name
 *   what errors call it
 */
final case class ImageBytes(name: String, bytes: Array[Byte])

/**
 * Gets the bytes of images, from any file system that Hadoop knows. May be used by several threads at once.
 *
 * Files with more bytes than `spec` allows are refused unread.
 */
final class ImageReader(spec: ImageSpec, configuration: Configuration) {

  private val directory = new Path(spec.directory)

  /** The bytes, read now where they are in a file. */
  def read(source: ImageSource): Either[BadImage, ImageBytes] = source match {
    case ImageSource.File(path)            => readFile(path)
    case ImageSource.Invalid(name, reason) => Left(BadImage.undecodable(name, reason))
    case ImageSource.Content(name, bytes)  => sized(name, bytes.length).map(_ => ImageBytes(name, bytes))
  }

  private def readFile(path: String): Either[BadImage, ImageBytes] =
    try {
      val file = new Path(directory, path)
      ImageReader.direct(file.getFileSystem(configuration), file) match {
        case local: RawLocalFileSystem if local.getClass == classOf[RawLocalFileSystem] =>
          readLocal(path, local.pathToFile(file))
        case other => readRemote(path, other, file)
      }
    } catch {
      case e: FileNotFoundException =>
        Left(BadImage.unreadable(path, s"the file does not exist (${e.getMessage})"))
      case e @ (_: IOException | _: IllegalArgumentException | _: UnsupportedOperationException) =>
        Left(BadImage.unreadable(path, Option(e.getMessage).getOrElse(e.toString)))
    }

  private def readRemote(path: String, fileSystem: FileSystem, file: Path): Either[BadImage, ImageBytes] = {
    val status = fileSystem.getFileStatus(file)
    if (status.isDirectory) ImageReader.directory(path)
    else {
      sized(path, status.getLen).flatMap { _ =>
        val stream = ImageReader.open(fileSystem, file, status)
        try content(path, stream, status.getLen)
        finally stream.close()
      }
    }
  }

  /** Hadoop's way to a local file, with its status and buffers, takes longer than resizing the image. */
  private def readLocal(path: String, file: File): Either[BadImage, ImageBytes] =
    if (file.isDirectory) ImageReader.directory(path)
    else {
      val stream = new FileInputStream(file)
      try {
        val length = stream.getChannel.size
        sized(path, length).flatMap { _ =>
          val content = stream.readNBytes(length.toInt)
          if (content.length == length) Right(ImageBytes(path, content))
          else Left(BadImage.unreadable(path, "it has become shorter while it was read"))
        }
      } finally stream.close()
    }

  /** @param length as the file system tells it; web servers may leave it open, and then it is negative */
  private def content(path: String, stream: FSDataInputStream, length: Long): Either[BadImage, ImageBytes] =
    if (length >= 0) {
      val content = new Array[Byte](length.toInt)
      // Not at a position: streams that verify checksums open the file once more for that.
      stream.readFully(content)
      Right(ImageBytes(path, content))
    } else {
      val content = stream.readNBytes((spec.maxBytes + 1).toInt)
      sized(path, content.length).map(_ => ImageBytes(path, content))
    }

  private def sized(name: String, bytes: Long): Either[BadImage, Unit] =
    if (bytes <= spec.maxBytes) Right(())
    else {
      val limit = s"the limit of ${spec.maxBytes} (${ClassifyConf.ImageMaxBytes.key})"
      Left(BadImage.unreadable(name, s"it has $bytes bytes, over $limit"))
    }
}

private object ImageReader {

  private def directory(path: String): Either[BadImage, ImageBytes] =
    Left(BadImage.unreadable(path, "it is a directory"))

  /**
   * The file system that reads a local file without the layer of checksums, where it has none: that is half of the work
   * of reading an image.
   */
  private def direct(fileSystem: FileSystem, file: Path): FileSystem = fileSystem match {
    case local: LocalFileSystem
        if local.getClass == classOf[LocalFileSystem] && !local.pathToFile(local.getChecksumFile(file)).exists() =>
      local.getRaw
    case other => other
  }

  /** Opens a file that will be read from its beginning to its end. An object store need not ask for its status again. */
  private def open(fileSystem: FileSystem, file: Path, status: FileStatus): FSDataInputStream = {
    val builder = fileSystem.openFile(file)
    FutureIO.awaitFuture(builder.opt("fs.option.openfile.read.policy", "whole-file").withFileStatus(status).build())
  }
}
