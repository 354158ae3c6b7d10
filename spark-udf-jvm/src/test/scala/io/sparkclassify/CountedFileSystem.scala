package io.sparkclassify

import java.net.URI
import java.util.concurrent.atomic.LongAdder

import org.apache.hadoop.fs.{FSDataInputStream, Path, RawLocalFileSystem}

/** The local file system under another scheme, `counted:`, as a remote one would be; it counts the files it opens. */
class CountedFileSystem extends RawLocalFileSystem {
  override def getUri: URI = URI.create("counted:///")
  override def getScheme: String = "counted"

  override def open(file: Path, bufferSize: Int): FSDataInputStream = {
    CountedFileSystem.opened.increment()
    super.open(file, bufferSize)
  }
}

object CountedFileSystem {
  private val opened = new LongAdder

  /** How many files `body` opens. */
  def opens(body: => Any): Long = {
    val before = opened.sum
    body
    opened.sum - before
  }
}
