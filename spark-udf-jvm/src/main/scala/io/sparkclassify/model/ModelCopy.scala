package io.sparkclassify.model

import io.sparkclassify.{Printable, SparkLog}
import io.sparkclassify.conf.{ClassifyConf, ClassifyErrors, FileSpec}
import io.sparkclassify.natives.FileNames
import io.sparkclassify.threads.{ReadThreads, Retries, TaskKill}
import java.io.FileNotFoundException
import java.nio.file.{Files, Path => LocalPath}
import java.util.concurrent.{CompletableFuture, ExecutionException, TimeUnit, TimeoutException}
import java.util.concurrent.atomic.AtomicLong

import scala.annotation.tailrec

import org.apache.commons.io.FileUtils
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileStatus, FileSystem, Path}

/**
 * The making of a local copy of a model directory, on one of the [[ReadThreads]]: a file system that never answers
 * holds no task, see [[make]].
 *
 * @param needed
 *   which files are copied
 * @param copy
 *   a new folder. When nobody wants the copy any more, it goes as soon as the file system answers.
 */
private[sparkclassify] final class ModelCopy(
    directory: Path,
    configuration: Configuration,
    files: FileSpec,
    needed: NeededFiles,
    copy: LocalPath
) extends Runnable {
  import ModelCopy._

  private val retries = new Retries(files.retries)
  private val outcome = new CompletableFuture[Unit]

  /** Goes up with every answer of the file system. */
  private val answers = new AtomicLong

  @volatile private var unwanted = false

  /**
   * Makes the copy, and waits for it. The time limit is one for each answer of the file system and not for the copy as
   * a whole: models have very different sizes.
   *
   * @throws ClassifyException
   *   CLASSIFY_BAD_MODEL when it takes longer, changes meanwhile, or is not a directory of files
   * @throws TaskKilledException
   *   when the task of this thread is killed
   */
  def make(): Unit = {
    val work = ReadThreads.identity().startWaiting(this).getOrElse(
      bad(s"there is no thread to read it: ${ReadThreads.stuckReads}")
    )
    try await(files.timeoutMillis)
    finally if (!outcome.isDone) {
        unwanted = true
        work.abandon()
      }
  }

  private def await(timeoutMillis: Long): Unit = {
    var seen = answers.get
    var since = System.nanoTime()
    while (!isOver(math.min(TaskKill.CHECK_MILLIS, timeoutMillis))) {
      TaskKill.check()
      val now = answers.get
      if (now != seen) {
        seen = now
        since = System.nanoTime()
      } else if (System.nanoTime() - since >= TimeUnit.MILLISECONDS.toNanos(timeoutMillis))
        bad(s"its file system did not answer within $timeoutMillis ms (${ClassifyConf.ReadTimeout.key})")
    }
  }

  private def isOver(millis: Long): Boolean =
    try {
      outcome.get(millis, TimeUnit.MILLISECONDS)
      true
    } catch {
      case _: TimeoutException   => false
      case e: ExecutionException => throw e.getCause
    }

  override def run(): Unit =
    try {
      files.schemes.withFileSystem(directory, configuration)(fileSystem => fetch(ask(fileSystem)))
      outcome.complete(())
    } catch { case e: Throwable => outcome.completeExceptionally(e) }
    finally if (unwanted) delete()

  /**
   * Deletes what there is of it. A task does not wait for a thread that may still write, which then deletes it again.
   */
  def delete(): Unit = synchronized(FileUtils.deleteQuietly(copy.toFile))

  private def ask[T](question: => T): T = {
    if (unwanted) throw new InterruptedException("the model is not wanted")
    val answer = question
    answers.incrementAndGet()
    answer
  }

  private def fetch(fileSystem: FileSystem): Unit = {
    val before = list(fileSystem)
    before.keys.foreach(check)
    val lengths = fetchNeeded(fileSystem, before.keys.toSeq.sorted, Map.empty)
    // What was read must be as long as it was before and is afterwards.
    val seen = before.map { case (name, version) =>
      name -> lengths.get(name).fold(version)(length => version.copy(length = length))
    }
    val after = list(fileSystem)
    val changed = (seen.toSet ++ after).diff(seen.toSet.intersect(after.toSet)).map(_._1)
    if (changed.nonEmpty) bad(s"while it was copied, a file changed: ${changed.toSeq.sorted.mkString(", ")}")
    log.info(
      s"Copied ${lengths.size} of ${before.size} files of the model ${Printable.escape(directory.toString)}, with " +
        s"${lengths.values.sum} bytes: ${Printable.escape(lengths.keys.toSeq.sorted.mkString(", "))}"
    )
  }

  /**
   * Copies what is needed, and then what that turns out to need, and so on.
   *
   * @param lengths
   *   the files that have been copied, and how long each is
   * @return
   *   the same for all
   */
  @tailrec
  private def fetchNeeded(
      fileSystem: FileSystem,
      listing: Seq[String],
      lengths: Map[String, Long]
  ): Map[String, Long] = {
    val missing = needed(copy, listing).filterNot(lengths.contains)
    if (missing.isEmpty) lengths
    else {
      val more = missing.map { name =>
        val target = inside(name)
        Files.createDirectories(target.getParent)
        name -> retries(fetch(fileSystem, name, target))
      }
      fetchNeeded(fileSystem, listing, lengths ++ more)
    }
  }

  // File systems that keep checksums verify them while we read; theirs are not of the form that a local file has.
  private def fetch(fileSystem: FileSystem, name: String, target: LocalPath): Long = {
    val source = ask(fileSystem.open(new Path(directory, name)))
    try {
      val sink = Files.newOutputStream(target)
      try {
        val chunk = new Array[Byte](ChunkBytes)
        Iterator.continually(ask(source.read(chunk))).takeWhile(_ >= 0).map { count =>
          sink.write(chunk, 0, count)
          count.toLong
        }.sum
      } finally sink.close()
    } finally source.close()
  }

  /** The place of a file in the copy. */
  private def inside(name: String): LocalPath = {
    FileNames.unnameable(name).ifPresent(reason => bad(s"$name: $reason"))
    check(name)
    copy.resolve(name)
  }

  /**
   * Archives and object stores list names that no local file system would: absolute ones, and such that lead out of the
   * directory.
   */
  private def check(name: String): Unit = {
    val parts = name.split("/", -1)
    if (
      parts.exists(part =>
        part.isEmpty || part == "." || part == ".." || part.exists(char => char == '\\' || char < ' ')
      )
    )
      bad(s"it lists '$name', which is no name of a file in it")
  }

  /** The files in and below the directory, by their paths relative to it. */
  private def list(fileSystem: FileSystem): Map[String, Version] = {
    val status =
      try retries(ask(fileSystem.getFileStatus(directory)))
      catch {
        case e: FileNotFoundException => throw ClassifyErrors.badModel(directory.toString, "it does not exist", e)
      }
    if (!status.isDirectory) bad("it is no directory")
    val root = status.getPath.toUri.getPath.stripSuffix("/") + "/"
    def below(folder: Path): Seq[FileStatus] =
      retries(ask(fileSystem.listStatus(folder))).toSeq.flatMap { entry =>
        if (entry.isDirectory) below(entry.getPath) else Seq(entry)
      }
    below(directory).map { file =>
      val path = file.getPath.toUri.getPath
      // What is not below the directory stays absolute, and is refused.
      path.stripPrefix(root) -> Version(file.getLen, file.getModificationTime)
    }.toMap
  }

  private def bad(reason: String): Nothing = throw ClassifyErrors.badModel(directory.toString, reason, null)
}

private object ModelCopy {
  private val log = SparkLog.named("io.sparkclassify.ModelFiles")

  private val ChunkBytes = 64 << 10

  /** What a file system says about a file; another value means that the file has changed. */
  private final case class Version(length: Long, modified: Long)
}
