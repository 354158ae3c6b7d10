package io.sparkclassify.execution

import java.util.{ArrayDeque, Collections, HashMap, IdentityHashMap}
import java.util.concurrent.{ExecutionException, Future, FutureTask, TimeUnit, TimeoutException}
import java.util.concurrent.atomic.LongAdder

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

  private type Result = Either[BadImage, ImageBytes]

  private val identity = ReadThreads.identity()
  private val fileBytes = new LongAdder
  private val fileNanos = new LongAdder

  // Guarded by this.
  private val files = new ArrayDeque[FutureTask[Result]]
  private val workers = new HashMap[Worker, Future[_]]
  private var closed = false
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
    case file: ImageSource.File => synchronized {
        val place = asked
        asked += 1
        val future = new FutureTask[Result](() => {
          awaitRoom(place)
          readFile(file)
        })
        files.add(future)
        if (workers.size < threads && !closed) {
          val worker = new Worker
          workers.put(worker, identity.start(worker))
        }
        new FileImage(place, future)
      }
    case _ =>
      val result = reader.read(source)
      hold(result)
      new Image(result)
  }

  /** Gives an image's memory back. */
  def release(image: ImageBytes): Unit = synchronized {
    if (unreleased.remove(image)) image.release()
  }

  /** Stops reading. */
  override def close(): Unit = synchronized {
    closed = true
    files.clear()
    workers.values.forEach(_.cancel(true))
    workers.clear()
  }

  /** Gives the memory of all images back, also of those that are still being read. */
  def free(): Unit = synchronized {
    freed = true
    unreleased.forEach(_.release())
    unreleased.clear()
  }

  /** The next file for a worker, which ends when there is none. */
  private def nextFile(worker: Worker): Option[Runnable] = synchronized {
    val next = Option(files.poll())
    if (next.isEmpty) workers.remove(worker)
    next
  }

  /** Reads files as long as there are any. */
  private final class Worker extends Runnable {
    override def run(): Unit = Iterator.continually(nextFile(this)).takeWhile(_.isDefined).foreach(_.get.run())
  }

  /** Reads begin in the order of their places, so the one that is awaited always gets here, and never waits. */
  private def awaitRoom(place: Long): Unit = synchronized {
    while (held >= maxBytes && place > awaited) wait()
  }

  private def readFile(file: ImageSource.File): Result = {
    val start = System.nanoTime()
    val result = reader.read(file)
    fileNanos.add(System.nanoTime() - start)
    result.foreach(image => fileBytes.add(image.length))
    hold(result)
    result
  }

  private def hold(result: Result): Unit = result.foreach { image =>
    synchronized {
      if (freed) image.release()
      else {
        held += image.length
        unreleased.add(image)
      }
    }
  }

  private def take(result: Result): Unit = synchronized {
    held -= result.fold(_ => 0, _.length)
    notifyAll()
  }

  /** An image that has been asked for. */
  sealed class Image(result: => Result) {

    /** Its bytes, once they are there; to be called once. They are to be released. */
    def take(): Result = {
      val taken = result
      ReadAhead.this.take(taken)
      taken
    }
  }

  private final class FileImage(place: Long, future: Future[Result])
      extends Image({
        ReadAhead.this.synchronized {
          awaited = place
          ReadAhead.this.notifyAll()
        }
        ReadAhead.get(future, context)
      })
}

private object ReadAhead {

  /** How often a task that waits looks whether it has been killed. */
  private val KillCheckMillis = 100L

  @scala.annotation.tailrec
  private def get[T](future: Future[T], context: TaskContext): T = {
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
