package io.sparkclassify

import java.io.{FileNotFoundException, IOException}
import java.net.URI
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicInteger

import org.apache.hadoop.fs.{FSDataInputStream, FileStatus, Path, RawLocalFileSystem}
import org.apache.hadoop.security.AccessControlException

/**
 * The local file system under the scheme `failing:`. The first questions for a file fail, as many as its name says and
 * in the way that it says: `open-2.png` is refused twice, `status-2.png` has no status twice, `short-2.png` ends in the
 * middle twice, `late-2.png` fails in the middle twice. `gone-1.png` is not there when it is opened, and `denied-1.png`
 * may not be read. A folder `list-2` is not listed twice.
 */
class FailingFileSystem extends RawLocalFileSystem {
  import FailingFileSystem._

  override def getUri: URI = URI.create("failing:///")
  override def getScheme: String = "failing"

  override def getFileStatus(file: Path): FileStatus = {
    if (fails(file, "status")) throw new IOException("the store did not answer")
    super.getFileStatus(file)
  }

  override def listStatus(folder: Path): Array[FileStatus] = {
    if (fails(folder, "list")) throw new IOException("the store did not list it")
    super.listStatus(folder)
  }

  override def open(file: Path, bufferSize: Int): FSDataInputStream = {
    if (fails(file, "open")) throw new IOException("the store refused this")
    if (fails(file, "gone")) throw new FileNotFoundException("it has just been deleted")
    if (fails(file, "denied")) throw new AccessControlException("nobody may read this")
    val (short, late) = (fails(file, "short"), fails(file, "late"))
    val whole = super.open(file, bufferSize)
    if (short || late) new FSDataInputStream(new Half(whole, super.getFileStatus(file).getLen / 2, late)) else whole
  }
}

object FailingFileSystem {
  private val questions = new ConcurrentHashMap[(String, String), AtomicInteger]

  /** How often a file has been asked for in this way. */
  def asked(file: String, kind: String): Int =
    questions.computeIfAbsent((file, kind), _ => new AtomicInteger).get

  private def fails(file: Path, kind: String): Boolean = {
    val path = file.toUri.getPath
    questions.computeIfAbsent((path, kind), _ => new AtomicInteger).incrementAndGet() <= (file.getName match {
      case Named(`kind`, times) => times.toInt
      case _                    => 0
    })
  }

  private val Named = raw"([a-z]+)-(\d+)(?:\.\w+)?".r

  /** A stream that ends, or fails, after so many bytes. */
  private final class Half(whole: FSDataInputStream, end: Long, fails: Boolean)
      extends org.apache.hadoop.fs.FSInputStream {
    private def over: Int = if (fails) throw new IOException("the connection was reset") else -1

    override def read(): Int = if (whole.getPos < end) whole.read() else over
    override def read(bytes: Array[Byte], from: Int, length: Int): Int =
      if (whole.getPos < end) whole.read(bytes, from, math.min(length.toLong, end - whole.getPos).toInt) else over
    override def seek(position: Long): Unit = whole.seek(position)
    override def getPos: Long = whole.getPos
    override def seekToNewSource(position: Long): Boolean = false
    override def close(): Unit = whole.close()
  }
}
