package io.sparkclassify.image

import java.io.IOException
import java.util.{ArrayDeque, Collections, HashMap, IdentityHashMap}
import java.util.concurrent.{ConcurrentHashMap, TimeUnit}
import java.util.concurrent.atomic.LongAdder

import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.memory.DirectBuffers
import io.sparkclassify.threads.{ReadThreads, TaskKill}
import org.apache.spark.TaskContext

/**
 * Reads images on threads of its own while its task classifies others, because object stores have latency, and because
 * nothing else ends a read that a file system never answers. For one task, which takes the images in the order in which
 * it asked for them.
 *
 * Memory: up to `maxBytes` of images are held at once, and one more for each thread. A thread that would begin beyond
 * that waits, unless its image is the one that the task waits for. All tasks share [[DirectBuffers.memory]]; what a
 * task cannot have at once it asks for in the order of its images, and does not wait for what others of its own have.
 *
 * @param threads
 *   at most so many reads are under way at once
 * @param context
 *   of the task; None on the driver
 * @param identity
 *   starts the threads
 */
final class ReadAhead private[sparkclassify] (
    reader: ImageReader,
    threads: Int,
    maxBytes: Long,
    context: Option[TaskContext],
    identity: ReadThreads.Identity
) extends AutoCloseable {
  import ReadAhead._

  def this(reader: ImageReader, threads: Int, maxBytes: Long, context: Option[TaskContext]) =
    this(reader, threads, maxBytes, context, ReadThreads.identity())

  private type Result = Either[BadImage, ImageBytes]

  private val memory = DirectBuffers.memory
  private val fileBytes = new LongAdder
  private val fileNanos = new LongAdder

  // Guarded by this.
  private val files = new ArrayDeque[FileImage]
  private val withoutMemory = new ArrayDeque[FileImage]
  private val workers = new HashMap[Worker, ReadThreads.Work]
  private var held = 0L

  /** So many files that are being read have their memory. */
  private var reading = 0

  /** Since when no thread could be had, in System.nanoTime. */
  private var threadlessSince: Option[Long] = None
  private var asked = 0L
  private var awaited = -1L
  private var freed = false
  private val unreleased = Collections.newSetFromMap(new IdentityHashMap[ImageBytes, java.lang.Boolean])

  /** Set under the lock. */
  @volatile private var closed = false

  /** Whether any image has memory. Set under the lock. */
  @volatile private var holding = false

  /** The place of the file that the task waits for, whatever others it holds. Set under the lock. */
  @volatile private var needed = -1L

  private val task = context.map(_.taskAttemptId())
  task.foreach(begin(_, this))

  /** Bytes read from files so far. */
  def bytesRead: Long = fileBytes.sum

  /** Time spent in reading files so far, summed over the threads. */
  def readNanos: Long = fileNanos.sum

  /** How often files have been read again so far. */
  def retries: Long = reader.retried

  /** Whether so much is held that no more should be asked for. */
  def full: Boolean = synchronized(held >= maxBytes)

  /** Begins to get an image. */
  def ask(source: ImageSource): Image = source match {
    case file: ImageSource.File =>
      reader.prepare()
      synchronized {
        val image = new FileImage(asked, file)
        asked += 1
        files.add(image)
        withoutMemory.add(image)
        startWorker()
        image
      }
    case content: ImageSource.Content =>
      synchronized(held += content.bytes.length)
      new ContentImage(content)
    case ImageSource.Invalid(name, reason) => new InvalidImage(Left(BadImage.undecodable(name, reason)))
  }

  /** Gives an image's memory back. */
  def release(image: ImageBytes): Unit = synchronized {
    if (unreleased.remove(image)) image.release()
    countHeld()
  }

  /** Stops reading, and waits for no thread. */
  override def close(): Unit = synchronized {
    closed = true
    files.clear()
    workers.values.forEach(_.abandon())
    workers.keySet.forEach(_.image.foreach(_.loseMemory()))
    workers.clear()
    notifyAll()
    task.foreach { id =>
      end(id, this)
      memory.end(id)
    }
  }

  /** Gives the memory of all images back; that of those that are still being read when their reads end. */
  def free(): Unit = synchronized {
    freed = true
    unreleased.forEach(_.release())
    unreleased.clear()
    countHeld()
  }

  /** Guarded by this. */
  private def keep(image: ImageBytes): Unit =
    if (freed) image.release()
    else {
      unreleased.add(image)
      countHeld()
    }

  /** Guarded by this. */
  private def countHeld(): Unit = holding = !unreleased.isEmpty || reading > 0

  /** Whether the task has images elsewhere, which it gives back only when it goes on here. Takes no lock. */
  private def taskHolds: Boolean =
    task.flatMap(id => Option(ofTasks.get(id))).exists(_.stream.anyMatch(other => (other ne this) && other.holding))

  /** Whether to wait for a thread is in vain: none will come, or none has come for a while. Guarded by this. */
  private def noThreadComes: Boolean = {
    val now = System.nanoTime()
    threadlessSince = threadlessSince.orElse(Some(now))
    ReadThreads.isSettled || threadlessSince.exists(now - _ >= ReadThreads.GraceNanos)
  }

  /** Guarded by this. */
  private def startWorker(): Unit = if (workers.size < threads && !closed && !files.isEmpty) {
    val worker = new Worker
    identity.start(worker).foreach { work =>
      workers.put(worker, work)
      threadlessSince = None
    }
  }

  /** The next file for a worker, which ends when there is none. */
  private def nextFile(worker: Worker): Option[FileImage] = synchronized {
    val next = if (workers.containsKey(worker)) Option(files.poll()) else None
    if (next.isEmpty) workers.remove(worker)
    next.foreach(_.worker = worker)
    worker.image = next
    next
  }

  /** Reads files as long as there are any. */
  private final class Worker extends Runnable {

    /** Guarded by ReadAhead.this. */
    private[ReadAhead] var image: Option[FileImage] = None

    override def run(): Unit =
      Iterator.continually(nextFile(this)).takeWhile(_.isDefined).foreach(_.get.read())
  }

  /** Guarded by this. */
  private def hold(result: Result): Unit = result.foreach { image =>
    if (!freed) held += image.length
    keep(image)
  }

  private def checkTask(): Unit = context.foreach(TaskKill.check)

  /** An image that has been asked for. */
  sealed trait Image {

    /** Its bytes, once they are there; to be called once. They are to be released. */
    def take(): Result = taken(mustWait = true).get

    /** The same for a task that holds others: None where that would be to wait for memory, which others may do, too. */
    def takeBesideOthers(): Option[Result] = taken(mustWait = false)

    private[ReadAhead] def taken(mustWait: Boolean): Option[Result]
  }

  private final class InvalidImage(result: Result) extends Image {
    private[ReadAhead] override def taken(mustWait: Boolean): Option[Result] = Some(result)
  }

  /** Bytes that are on the heap until the task takes them. */
  private final class ContentImage(source: ImageSource.Content) extends Image {
    private[ReadAhead] override def taken(mustWait: Boolean): Option[Result] = {
      val length = source.bytes.length
      val result = reader.fits(source.name, length) match {
        case Left(bad) => Some(Left(bad))
        case Right(bytes) =>
          val atOnce = memory.tryTake(bytes) || memory.tryTakeInTurn(bytes)
          try {
            if (!atOnce && mustWait) memory.take(bytes, task, taskHolds)(checkTask())
            if (atOnce || mustWait) Some(reader.copy(source)) else None
          } catch { case e: IOException => Some(Left(BadImage.unreadable(source.name, InputFault.sentence(e)))) }
      }
      ReadAhead.this.synchronized {
        if (result.isDefined) held -= length
        result.foreach(_.foreach(keep))
      }
      result
    }
  }

  private final class FileImage(place: Long, source: ImageSource.File) extends Image with ImageReader.Room {

    // Guarded by ReadAhead.this.
    private[ReadAhead] var worker: Worker = _
    private var outcome: Option[Either[Throwable, Result]] = None
    private var waitsForMemory = false
    private var memoryTaken = false

    /** Of memory, by the read that is under way; and how much of that counts as lost. */
    private var bytesTaken, bytesLost = 0L

    /** When the read began, in System.nanoTime, moved by what it has waited for memory. */
    private var begun: Option[Long] = None

    /** Set under the lock. */
    @volatile private var unwanted = false

    /** Reads the file, on a worker's thread. */
    private[ReadAhead] def read(): Unit = {
      val read =
        try {
          ReadAhead.this.synchronized {
            // Reads begin in the order of their places, so the one that is awaited always gets here, and never waits.
            while (held >= maxBytes && place > awaited && !closed) ReadAhead.this.wait()
            checkWanted()
            begun = Some(System.nanoTime())
          }
          Right(reader.read(source, this))
        } catch { case e: Throwable => Left(e) }
      ReadAhead.this.synchronized {
        memory.find(bytesLost)
        if (bytesTaken > 0) reading -= 1
        bytesTaken = 0
        bytesLost = 0
        countHeld()
        if (unwanted) read.foreach(_.foreach(_.release()))
        else {
          begun.foreach(start => fileNanos.add(System.nanoTime() - start))
          read.foreach(_.foreach(image => fileBytes.add(image.length)))
          read.foreach(hold)
          end(read)
        }
      }
    }

    /** Memory for the file, on a worker's thread. */
    override def take(bytes: Long): Unit = {
      if (!memory.tryTake(bytes)) {
        val start = System.nanoTime()
        ReadAhead.this.synchronized {
          waitsForMemory = true
          ReadAhead.this.notifyAll()
          while (withoutMemory.peek ne this) {
            checkWanted()
            ReadAhead.this.wait()
          }
        }
        checkWanted()
        memory.take(bytes, task, needed == place && taskHolds)(checkWanted())
        ReadAhead.this.synchronized {
          waitsForMemory = false
          begun = begun.map(_ + System.nanoTime() - start)
        }
      }
      ReadAhead.this.synchronized {
        if (bytesTaken == 0) reading += 1
        bytesTaken = bytes
        countHeld()
        if (closed || unwanted) loseMemory()
        hasMemory()
      }
    }

    /** The read is given up, and keeps what it has until it ends. Guarded by ReadAhead.this. */
    private[ReadAhead] def loseMemory(): Unit = {
      memory.lose(bytesTaken - bytesLost)
      bytesLost = bytesTaken
    }

    private[ReadAhead] override def taken(mustWait: Boolean): Option[Result] = ReadAhead.this.synchronized {
      val start = System.nanoTime()
      awaited = place
      needed = if (mustWait) place else -1
      ReadAhead.this.notifyAll()
      while (outcome.isEmpty && (mustWait || !waitsForMemory)) {
        startWorker()
        // Workers take the files in their order, so a task without any has this one still to begin, and gets none for
        // it, unless threads may come back.
        if (workers.isEmpty && !closed && noThreadComes) giveUp(noThread) else awaitOutcome(start)
      }
      outcome.map { read =>
        val result = read.fold(throw _, read => read)
        held -= result.fold(_ => 0, _.length)
        ReadAhead.this.notifyAll()
        result
      }
    }

    /** Guarded by ReadAhead.this. */
    private def awaitOutcome(since: Long): Unit = {
      ReadAhead.this.wait(math.min(TaskKill.CHECK_MILLIS, reader.timeoutMillis))
      checkTask()
      if (outcome.isEmpty) timeOut(since)
    }

    /** Gives the read up when it has taken too long. Guarded by ReadAhead.this. */
    private def timeOut(awaitedSince: Long): Unit = {
      // Without memory it is not the file that is slow, but stuck reads may have all that there is.
      val since =
        if (begun.isDefined && !waitsForMemory) begun else Some(awaitedSince).filter(_ => ReadThreads.stuck > 0)
      if (since.exists(System.nanoTime() - _ >= TimeUnit.MILLISECONDS.toNanos(reader.timeoutMillis))) {
        giveUp(slowness)
      }
    }

    /** The row's error, whether the read has begun or not. Guarded by ReadAhead.this. */
    private def giveUp(reason: String): Unit = {
      unwanted = true
      files.remove(this)
      Option(workers.remove(worker)).foreach(_.abandon())
      loseMemory()
      end(Right(Left(BadImage.unreadable(source.path, reason))))
    }

    private def slowness: String = {
      val limit = s"within ${reader.timeoutMillis} ms (${ClassifyConf.ReadTimeout.key})"
      if (begun.isDefined && !waitsForMemory) s"it could not be read $limit"
      else if (workers.isEmpty) noThread
      else s"there was no memory to read it $limit: ${ReadThreads.stuckReads}"
    }

    private def noThread: String = s"there is no thread to read it: ${ReadThreads.stuckReads}"

    /** Guarded by ReadAhead.this. */
    private def end(read: Either[Throwable, Result]): Unit = {
      outcome = Some(read)
      hasMemory()
    }

    /** It has its memory, or needs none. Guarded by ReadAhead.this. */
    private def hasMemory(): Unit = {
      memoryTaken = true
      while (!withoutMemory.isEmpty && withoutMemory.peek.memoryTaken) withoutMemory.poll()
      ReadAhead.this.notifyAll()
    }

    private def checkWanted(): Unit = if (closed || unwanted) throw new InterruptedException("the image is not wanted")
  }
}

private object ReadAhead {

  /** Those of a task that are not closed, by its attempt's id. */
  private val ofTasks = new ConcurrentHashMap[Long, java.util.Set[ReadAhead]]

  private def begin(task: Long, opened: ReadAhead): Unit = ofTasks.compute(
    task,
    (_, open) => {
      val all = if (open == null) ConcurrentHashMap.newKeySet[ReadAhead]() else open
      all.add(opened)
      all
    }
  )

  private def end(task: Long, closed: ReadAhead): Unit = ofTasks.computeIfPresent(
    task,
    (_, open) => {
      open.remove(closed)
      if (open.isEmpty) null else open
    }
  )
}
