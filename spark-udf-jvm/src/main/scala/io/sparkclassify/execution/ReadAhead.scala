package io.sparkclassify.execution

import java.util.{Collections, IdentityHashMap}
import java.util.concurrent.{ExecutionException, Executors, ThreadFactory, TimeUnit, TimeoutException}
import java.util.concurrent.atomic.{AtomicInteger, LongAdder}

import io.sparkclassify.expressions.ImageSource
import org.apache.spark.TaskContext

/**
 * Reads images on threads of its own while its task classifies others, because object stores have latency. For one
 * task, which takes the images in the order in which it asked for them.
 *
 * Memory: up to `maxBytes` of images are held at once, and one more for each thread. A thread that would begin beyond
 * that waits, unless its image is the one that the task waits for.
 *
 * @param threads
 *   at most so many reads are under way at once
 */
final class ReadAhead(reader: ImageReader, threads: Int, maxBytes: Long, context: TaskContext) extends AutoCloseable {

  // Threads start when there are files to read.
  private val pool = Executors.newFixedThreadPool(threads, ReadAhead.threadFactory)
  private val fileBytes = new LongAdder
  private val fileNanos = new LongAdder

  // Guarded by this.
  private var held = 0L
  private var asked = 0L
  private var awaited = -1L
  private var freed = false
  private val unreleased = Collections.newSetFromMap(new IdentityHashMap[ImageBytes, java.lang.Boolean])

  /** Bytes read from files so far. */
  def bytesRead: Long = fileBytes.sum

  /** Time spent in reading files so far, summed over the threads. */
  def readNanos: Long = fileNanos.sum

  /** Whether so much is held that no more should be asked for. */
  def full: Boolean = synchronized(held >= maxBytes)

  /** Begins to get an image. */
  def ask(source: ImageSource): Image = source match {
    case file: ImageSource.File =>
      val place = synchronized {
        asked += 1
        asked - 1
      }
      val future = pool.submit { () =>
        awaitRoom(place)
        readFile(file)
      }
      new FileImage(place, future)
    case _ =>
      val result = reader.read(source)
      hold(result)
      new Image(result)
  }

  /** Gives an image's memory back. */
  def release(image: ImageBytes): Unit = {
    synchronized(unreleased.remove(image))
    image.release()
  }

  /** Stops reading. */
  override def close(): Unit = pool.shutdownNow()

  /** Gives the memory of all images back, also of those that are still being read. */
  def free(): Unit = synchronized {
    freed = true
    unreleased.forEach(_.release())
    unreleased.clear()
  }

  /** Reads begin in the order of their places, so the one that is awaited always gets here, and never waits. */
  private def awaitRoom(place: Long): Unit = synchronized {
    while (held >= maxBytes && place > awaited) wait()
  }

  private def readFile(file: ImageSource.File): Either[BadImage, ImageBytes] = {
    val start = System.nanoTime()
    val result = reader.read(file)
    fileNanos.add(System.nanoTime() - start)
    result.foreach(image => fileBytes.add(image.length))
    hold(result)
    result
  }

  private def hold(result: Either[BadImage, ImageBytes]): Unit = result.foreach { image =>
    synchronized {
      if (freed) image.release()
      else {
        held += image.length
        unreleased.add(image)
      }
    }
  }

  private def take(result: Either[BadImage, ImageBytes]): Unit = synchronized {
    held -= result.fold(_ => 0, _.length)
    notifyAll()
  }

  /** An image that has been asked for. */
  sealed class Image(result: => Either[BadImage, ImageBytes]) {

    /** Its bytes, once they are there; to be called once. They are to be released. */
    def take(): Either[BadImage, ImageBytes] = {
      val taken = result
      ReadAhead.this.take(taken)
      taken
    }
  }

  private final class FileImage(place: Long, future: java.util.concurrent.Future[Either[BadImage, ImageBytes]])
      extends Image({
        ReadAhead.this.synchronized {
          awaited = place
          ReadAhead.this.notifyAll()
        }
        ReadAhead.get(future, context)
      })
}

private object ReadAhead {
  private val count = new AtomicInteger

  /** How often a task that waits looks whether it has been killed. */
  private val KillCheckMillis = 100L

  private val threadFactory: ThreadFactory = task => {
    val thread = new Thread(task, s"spark-classify-read-${count.incrementAndGet()}")
    thread.setDaemon(true)
    thread
  }

  @scala.annotation.tailrec
  private def get[T](future: java.util.concurrent.Future[T], context: TaskContext): T = {
    val result =
      try Some(future.get(KillCheckMillis, TimeUnit.MILLISECONDS))
      catch {
        case _: TimeoutException   => None
        case e: ExecutionException => throw e.getCause
      }
    result match {
      case Some(value) => value
      case None =>
        TaskKill.check(context)
        get(future, context)
    }
  }
}
