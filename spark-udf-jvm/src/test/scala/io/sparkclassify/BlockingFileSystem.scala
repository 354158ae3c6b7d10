package io.sparkclassify

import java.io.InputStream
import java.net.URI
import java.util.concurrent.{CountDownLatch, TimeUnit}
import java.util.concurrent.atomic.AtomicInteger

import org.apache.hadoop.fs.{FSDataInputStream, FileStatus, Path, PositionedReadable, RawLocalFileSystem, Seekable}

/**
 * The local file system under the scheme `blocking:`. Files whose name begins with `open`, and those beside a file
 * `open.txt`, are never opened, and those of `read` never read, whoever interrupts, until
 * [[BlockingFileSystem.answer]]. A folder with a file `list.txt` is never listed.
 */
class BlockingFileSystem extends RawLocalFileSystem {
  override def getUri: URI = URI.create("blocking:///")
  override def getScheme: String = "blocking"

  override def open(file: Path, bufferSize: Int): FSDataInputStream = {
    if (isStuck(file, "open")) BlockingFileSystem.block()
    val stream = super.open(file, bufferSize)
    if (isStuck(file, "read")) new FSDataInputStream(new BlockingFileSystem.Blocking(stream)) else stream
  }

  override def listStatus(folder: Path): Array[FileStatus] = {
    if (pathToFile(new Path(folder, "list.txt")).exists) BlockingFileSystem.block()
    super.listStatus(folder)
  }

  private def isStuck(file: Path, where: String): Boolean =
    file.getName.startsWith(where) || pathToFile(new Path(file.getParent, s"$where.txt")).exists
}

object BlockingFileSystem {
  private val waiting = new AtomicInteger
  @volatile private var answered = new CountDownLatch(1)

  /** How many threads wait. */
  def blocked: Int = waiting.get

  /** Answers all who wait. */
  def answer(): Unit = {
    val before = answered
    answered = new CountDownLatch(1)
    before.countDown()
  }

  private def block(): Unit = {
    val latch = answered
    waiting.incrementAndGet()
    try {
      while (latch.getCount > 0)
        try latch.await(1, TimeUnit.MINUTES)
        catch { case _: InterruptedException => }
    } finally waiting.decrementAndGet()
  }

  private final class Blocking(stream: FSDataInputStream)
      extends InputStream
      with Seekable
      with PositionedReadable {
    override def read(): Int = stream.read()
    override def read(bytes: Array[Byte], offset: Int, length: Int): Int = {
      block()
      stream.read(bytes, offset, length)
    }
    override def close(): Unit = stream.close()
    override def seek(position: Long): Unit = stream.seek(position)
    override def getPos: Long = stream.getPos
    override def seekToNewSource(position: Long): Boolean = false
    override def read(position: Long, bytes: Array[Byte], offset: Int, length: Int): Int =
      stream.read(position, bytes, offset, length)
    override def readFully(position: Long, bytes: Array[Byte], offset: Int, length: Int): Unit =
      stream.readFully(position, bytes, offset, length)
    override def readFully(position: Long, bytes: Array[Byte]): Unit = stream.readFully(position, bytes)
  }
}
