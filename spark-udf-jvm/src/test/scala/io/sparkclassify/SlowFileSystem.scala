package io.sparkclassify

import java.net.URI
import java.util.concurrent.atomic.{AtomicInteger, AtomicLong}

import org.apache.hadoop.fs.{FSDataInputStream, Path, RawLocalFileSystem}

/** The local file system under the scheme `slow:`, with a delay before a file opens, as an object store has it. */
class SlowFileSystem extends RawLocalFileSystem {
  override def getUri: URI = URI.create("slow:///")
  override def getScheme: String = "slow"

  override def open(file: Path, bufferSize: Int): FSDataInputStream = {
    val under = SlowFileSystem.running.incrementAndGet()
    SlowFileSystem.most.accumulateAndGet(under, math.max)
    try Thread.sleep(SlowFileSystem.delayMillis.get)
    finally SlowFileSystem.running.decrementAndGet()
    super.open(file, bufferSize)
  }
}

object SlowFileSystem {
  private val running = new AtomicInteger
  private val most = new AtomicInteger

  /** How long each file takes to open. */
  val delayMillis = new AtomicLong(50)

  /** How many files are being opened now. */
  def opening: Int = running.get

  /** How many files `body` has opened at once, at most. */
  def concurrently(body: => Any): Int = {
    most.set(0)
    body
    most.get
  }
}
