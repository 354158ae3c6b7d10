package io.sparkclassify.image

import java.io.{EOFException, File, FileNotFoundException}
import java.nio.ByteBuffer
import java.nio.file.{AccessDeniedException, NoSuchFileException}

import io.sparkclassify.conf.{ClassifyConf, ClassifyErrors, ImageSpec}
import io.sparkclassify.memory.DirectBuffers
import io.sparkclassify.natives.{LocalFile, NativeEngine}
import io.sparkclassify.threads.Retries
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FSDataInputStream, FileStatus, FileSystem, LocalFileSystem, Path, RawLocalFileSystem}
import org.apache.hadoop.util.functional.FutureIO

/**
 * Why an image has no result.
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
    BadImage("CLASSIFY_UNREADABLE_IMAGE", ClassifyErrors.badImage("read", name, reason))

  /** Its bytes are no image that can be used. */
  def undecodable(name: String, reason: String): BadImage =
    BadImage("CLASSIFY_BAD_IMAGE", ClassifyErrors.badImage("use", name, reason))
}

/**
 * The bytes of an image, a file's or pixels, which has to be released when they are no longer needed.
 *
 * @param name
 *   what errors call it
 * @param buffer
 *   one of [[DirectBuffers]]; the bytes are those between its position and its limit
 * @param size
 *   of the pixels that the bytes are; None for those of a file
 */
final class ImageBytes(val name: String, buffer: ByteBuffer, val size: Option[PixelSize] = None) {

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
 *
 * @param natives
 *   what opens local files; not needed before the first image
 */
final class ImageReader(spec: ImageSpec, configuration: Configuration, natives: => NativeEngine) {

  private val paths = new ImagePath(new Path(spec.directory), configuration)

  /** Found once, since it is every image's. */
  private lazy val localFileSystem = spec.files.schemes.fileSystem(new Path(ImagePath.LocalRoot), configuration)

  private lazy val opener = natives
  private val retries = new Retries(spec.files.retries)

  /**
   * To be called before the first [[read]]: what that needs once may take longer to load than a read may take.
   *
   * @throws ClassifyException
   *   CLASSIFY_BACKEND_UNAVAILABLE when the native library cannot be loaded
   */
  def prepare(): Unit = opener

  /** `spark.classify.read.timeout`. Who waits for a read keeps to it. */
  def timeoutMillis: Long = spec.files.timeoutMillis

  /** How often files have been read again so far. */
  def retried: Long = retries.count

  /**
   * The bytes of a file. Opening and reading may last for ever, and may ignore interrupts.
   *
   * @param room
   *   gives the memory for them
   */
  def read(file: ImageSource.File, room: ImageReader.Room): Either[BadImage, ImageBytes] =
    try {
      val places = paths.places(file.path)
      places.iterator.map(read(file.path, _, room)).collectFirst { case Some(result) => result }.getOrElse(
        Left(BadImage.unreadable(file.path, ImagePath.missing(file.path)))
      )
    } catch {
      case InputFault(reason) => Left(BadImage.unreadable(file.path, reason))
    }

  /** A direct buffer with the bytes, for which memory has been taken as [[fits]] says. */
  def copy(source: ImageSource.Content): Either[BadImage, ImageBytes] =
    filled(source.name, source.bytes.length, source.size)(_.put(source.bytes))

  /** How much memory an image of so many bytes takes, if it is not too large. */
  def fits(name: String, length: Long): Either[BadImage, Long] = {
    val memory = DirectBuffers.memory
    if (length > spec.maxBytes) {
      // Not how many: a session sets the limit, and would learn the size of any file that executors can read.
      val enough = java.lang.Long.highestOneBit(length - 1) * 2
      val way = if (enough <= ClassifyConf.LargestImageBytes) s"$enough would do" else "which cannot be set so high"
      val reason = s"it has more bytes than the limit of ${spec.maxBytes} (${ClassifyConf.ImageMaxBytes.key}; $way)"
      Left(BadImage.unreadable(name, reason))
    } else {
      val bytes = DirectBuffers.capacity(length.toInt).toLong
      if (bytes <= memory.largest) Right(bytes)
      else {
        val reason =
          s"it has more bytes than the ${memory.largest} that one image may take of the ${memory.total} bytes of " +
            s"direct memory that this executor has for images (${ClassifyConf.ReadMemory.key})"
        Left(BadImage.unreadable(name, reason))
      }
    }
  }

  /** None when there is no such file. */
  private def read(path: String, place: ImagePath.Place, room: ImageReader.Room): Option[Either[BadImage, ImageBytes]] =
    try
      Some(place match {
        case ImagePath.Local(name) =>
          val file = new Path("file", null, name)
          if (ImageReader.isLocal(localFileSystem)) readLocal(path, name, file, room)
          else readRemote(path, localFileSystem, file, room)
        case ImagePath.Located(file) => readRemote(path, spec.files.schemes.fileSystem(file, configuration), file, room)
      })
    catch { case _: FileNotFoundException | _: NoSuchFileException => None }

  private def readRemote(
      path: String,
      fileSystem: FileSystem,
      file: Path,
      room: ImageReader.Room
  ): Either[BadImage, ImageBytes] = {
    val status = retries(fileSystem.getFileStatus(file))
    def open() = ImageReader.open(fileSystem, file, status)
    if (status.isDirectory) Left(BadImage.unreadable(path, "it is a directory"))
    else if (status.getLen >= 0)
      // What is too large is not opened, and what is never opened has no memory.
      fits(path, status.getLen).flatMap { memory =>
        var opened = Option(retries(open()))
        try {
          room.take(memory)
          filled(path, status.getLen.toInt) { buffer =>
            retries {
              val stream = opened.getOrElse(open())
              opened = None
              try {
                buffer.rewind()
                fill(buffer)(ImageReader.next(stream))
              } finally stream.close()
            }
          }
        }
        // Not the next place: a read takes memory once.
        catch { case e: FileNotFoundException => Left(BadImage.unreadable(path, InputFault.sentence(e))) }
        finally opened.foreach(_.close())
      }
    else {
      // Web servers may leave the length open.
      val bytes = retries {
        val stream = open()
        try stream.readNBytes((spec.maxBytes + 1).toInt)
        finally stream.close()
      }
      fits(path, bytes.length).flatMap { memory =>
        room.take(memory)
        copy(ImageSource.Content(path, bytes))
      }
    }
  }

  /**
   * Hadoop's way to a local file, with its status and buffers, takes longer than resizing the image, and opens a FIFO.
   *
   * A file with checksums is read by it nevertheless, if it is one now. What takes its place in that moment can but
   * cost a thread, see [[io.sparkclassify.threads.ReadThreads]].
   */
  private def readLocal(
      path: String,
      name: String,
      hadoopName: Path,
      room: ImageReader.Room
  ): Either[BadImage, ImageBytes] =
    try {
      val file = LocalFile.open(opener, name)
      try
        if (ImageReader.readsAsIs(localFileSystem, name)) readOpened(path, file, room)
        else readRemote(path, localFileSystem, hadoopName, room)
      finally file.close()
    } catch {
      case _: AccessDeniedException => Left(BadImage.unreadable(path, "permission to read it is denied"))
    }

  private def readOpened(path: String, file: LocalFile, room: ImageReader.Room): Either[BadImage, ImageBytes] =
    fits(path, file.size).flatMap { memory =>
      room.take(memory)
      filled(path, file.size.toInt)(fill(_)(file.read))
    }

  /** @param filling fills the buffer, which has `length` bytes, and for which memory has been taken */
  private def filled(name: String, length: Int, size: Option[PixelSize] = None)(
      filling: ByteBuffer => Unit
  ): Either[BadImage, ImageBytes] =
    DirectBuffers.acquireTaken(length) match {
      case None => Left(BadImage.unreadable(name, ClassifyErrors.noDirectMemory(length).getReason))
      case Some(buffer) =>
        try {
          filling(buffer)
          Right(new ImageBytes(name, buffer.flip(), size))
        } catch {
          case e: Throwable =>
            DirectBuffers.release(buffer)
            throw e
        }
    }

  /** @param read puts the next bytes into the buffer, and says how many; a negative number when there are no more */
  private def fill(buffer: ByteBuffer)(read: ByteBuffer => Int): Unit =
    while (buffer.hasRemaining)
      if (read(buffer) < 0) throw new EOFException(s"it ended after ${buffer.position()} of ${buffer.limit()} bytes")
}

object ImageReader {

  /** Whom a read asks for memory before it takes it. */
  trait Room {

    /** Returns when there are so many bytes in [[DirectBuffers.memory]], and has taken them. */
    def take(bytes: Long): Unit
  }

  private val ChunkBytes = 64 << 10

  /** Streams read into arrays. One that is used again stays in a cache, and is no garbage. */
  private val chunks = ThreadLocal.withInitial[Array[Byte]](() => new Array(ChunkBytes))

  /** Hadoop's, and Hive's in its place in Spark's distribution, which renames otherwise and reads alike. */
  private val LocalFileSystems =
    Set(classOf[LocalFileSystem].getName, "org.apache.hadoop.hive.ql.io.ProxyLocalFileSystem")

  private def isLocal(fileSystem: FileSystem): Boolean =
    fileSystem.getClass == classOf[RawLocalFileSystem] || LocalFileSystems(fileSystem.getClass.getName)

  /**
   * Whether nothing lies between this local file system and the file. The layer of checksums is half of the work of
   * reading an image; where the file has none, nothing is lost. Hadoop cannot name the checksums of a file with a colon
   * in its name.
   */
  private def readsAsIs(fileSystem: FileSystem, name: String): Boolean =
    fileSystem.getClass == classOf[RawLocalFileSystem] || {
      val file = new File(name)
      file.getName.contains(':') || !new File(file.getParentFile, s".${file.getName}.crc").exists()
    }

  /** Puts the next bytes into the buffer, and says how many; a negative number when there are no more. */
  private def next(stream: FSDataInputStream)(buffer: ByteBuffer): Int = {
    val chunk = chunks.get
    // Not at a position: streams that verify checksums open the file once more for that.
    val count = stream.read(chunk, 0, math.min(chunk.length, buffer.remaining))
    if (count > 0) buffer.put(chunk, 0, count)
    count
  }

  /**
   * Opens a file that will be read from its beginning to its end. An object store need not ask for its status again.
   */
  private def open(fileSystem: FileSystem, file: Path, status: FileStatus): FSDataInputStream = {
    val builder = fileSystem.openFile(file)
    FutureIO.awaitFuture(builder.opt("fs.option.openfile.read.policy", "whole-file").withFileStatus(status).build())
  }
}
