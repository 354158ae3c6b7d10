package io.sparkclassify.execution

import java.io.{EOFException, File, FileInputStream, FileNotFoundException, IOException}
import java.nio.ByteBuffer

import io.sparkclassify.ClassifyErrors
import io.sparkclassify.conf.{ClassifyConf, ImageSpec}
import io.sparkclassify.engine.DirectBuffers
import io.sparkclassify.expressions.ImageSource
import io.sparkclassify.natives.FileNames
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
 * The bytes of an image, which has to be released when they are no longer needed.
 *
 * @param name
 *   what errors call it
 * @param buffer
 *   one of [[DirectBuffers]]; the bytes are those between its position and its limit
 */
final class ImageBytes(val name: String, buffer: ByteBuffer) {

  /** A direct buffer that is the image, whole. */
  val content: ByteBuffer = buffer.slice()

  def length: Int = content.capacity

  /** Gives the memory back. To be called once. */
  def release(): Unit = DirectBuffers.release(buffer)
}

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
    case ImageSource.Content(name, bytes)  => copy(name, bytes)
  }

  private def readFile(path: String): Either[BadImage, ImageBytes] =
    try {
      val file = new Path(directory, path)
      ImageReader.direct(spec.schemes.fileSystem(file, configuration), file) match {
        case local: RawLocalFileSystem if local.getClass == classOf[RawLocalFileSystem] =>
          readLocal(path, local.pathToFile(file))
        case other => readRemote(path, other, file)
      }
    } catch {
      case e: FileNotFoundException =>
        val reason = FileNames.unnameable(path).orElse(s"the file does not exist (${e.getMessage})")
        Left(BadImage.unreadable(path, reason))
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
        val channel = stream.getChannel
        filled(path, channel.size)(channel.read(_))
      } finally stream.close()
    }

  /** @param length as the file system tells it; web servers may leave it open, and then it is negative */
  private def content(path: String, stream: FSDataInputStream, length: Long): Either[BadImage, ImageBytes] =
    if (length >= 0) {
      val chunk = ImageReader.chunks.get
      // Not at a position: streams that verify checksums open the file once more for that.
      filled(path, length) { buffer =>
        val count = stream.read(chunk, 0, math.min(chunk.length, buffer.remaining))
        if (count > 0) buffer.put(chunk, 0, count)
        count
      }
    } else copy(path, stream.readNBytes((spec.maxBytes + 1).toInt))

  private def copy(name: String, bytes: Array[Byte]): Either[BadImage, ImageBytes] =
    filled(name, bytes.length) { buffer =>
      buffer.put(bytes)
      bytes.length
    }

  /** @param read puts the next bytes into the buffer, and tells how many; a negative number when there are no more */
  private def filled(name: String, length: Long)(read: ByteBuffer => Int): Either[BadImage, ImageBytes] =
    sized(name, length).map { _ =>
      val buffer = DirectBuffers.acquire(length.toInt)
      try {
        while (buffer.hasRemaining)
          if (read(buffer) < 0) throw new EOFException(s"it ended after ${buffer.position()} of $length bytes")
        new ImageBytes(name, buffer.flip())
      } catch {
        case e: Throwable =>
          DirectBuffers.release(buffer)
          throw e
      }
    }

  private def sized(name: String, bytes: Long): Either[BadImage, Unit] =
    if (bytes <= spec.maxBytes) Right(())
    else {
      // Not how many: a session sets the limit, and would learn the size of any file that executors can read.
      val enough = java.lang.Long.highestOneBit(bytes - 1) * 2
      val way = if (enough <= ClassifyConf.LargestImageBytes) s"$enough would do" else "which cannot be set so high"
      val reason = s"it has more bytes than the limit of ${spec.maxBytes} (${ClassifyConf.ImageMaxBytes.key}; $way)"
      Left(BadImage.unreadable(name, reason))
    }
}

private object ImageReader {
  private val ChunkBytes = 64 << 10

  /** Streams read into arrays. One that is used again stays in a cache, and is no garbage. */
  private val chunks = ThreadLocal.withInitial[Array[Byte]](() => new Array(ChunkBytes))

  /** Hadoop's, and Hive's in its place in Spark's distribution, which renames otherwise and reads alike. */
  private val LocalFileSystems =
    Set(classOf[LocalFileSystem].getName, "org.apache.hadoop.hive.ql.io.ProxyLocalFileSystem")

  private def directory(path: String): Either[BadImage, ImageBytes] =
    Left(BadImage.unreadable(path, "it is a directory"))

  /**
   * The file system that reads a local file without the layer of checksums, where it has none: that is half of the work
   * of reading an image.
   */
  private def direct(fileSystem: FileSystem, file: Path): FileSystem = fileSystem match {
    case local: LocalFileSystem
        if LocalFileSystems(local.getClass.getName) && !local.pathToFile(local.getChecksumFile(file)).exists() =>
      local.getRaw
    case other => other
  }

  /** Opens a file that will be read from its beginning to its end. An object store need not ask for its status again. */
  private def open(fileSystem: FileSystem, file: Path, status: FileStatus): FSDataInputStream = {
    val builder = fileSystem.openFile(file)
    FutureIO.awaitFuture(builder.opt("fs.option.openfile.read.policy", "whole-file").withFileStatus(status).build())
  }
}
