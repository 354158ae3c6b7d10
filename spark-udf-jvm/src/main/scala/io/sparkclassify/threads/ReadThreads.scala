package io.sparkclassify.threads

import java.security.PrivilegedAction
import java.util.concurrent.{SynchronousQueue, ThreadFactory, ThreadPoolExecutor, TimeUnit}
import java.util.concurrent.atomic.AtomicInteger

import scala.util.control.NonFatal

import io.sparkclassify.SparkLog
import org.apache.hadoop.ipc.CallerContext
import org.apache.hadoop.security.UserGroupInformation

/**
 * The threads of this JVM that read files, images and models. All tasks share them, since a task of few images would
 * spend a tenth of its time in starting threads of its own.
 */
private[sparkclassify] object ReadThreads {
  private val log = SparkLog.named("io.sparkclassify.ReadThreads")
  private val IdleSeconds = 10L
  private val BetweenTriesMillis = 100L
  private val count = new AtomicInteger

  private val factory: ThreadFactory = work => {
    val thread = new Thread(work, s"spark-classify-read-${count.incrementAndGet()}")
    thread.setDaemon(true)
    thread
  }

  private val pool =
    new ThreadPoolExecutor(0, Int.MaxValue, IdleSeconds, TimeUnit.SECONDS, new SynchronousQueue[Runnable], factory)

  private val givenUp = new AtomicInteger

  /** A read that is given up and goes on longer does not answer. */
  private[sparkclassify] val GraceNanos = TimeUnit.SECONDS.toNanos(5)

  /** In System.nanoTime. */
  @volatile private var lastGivenUp = System.nanoTime() - GraceNanos

  /** How many are at work. */
  def active: Int = pool.getActiveCount

  /** So many threads may wait for file systems that do not answer, while nobody waits for them any more. */
  val MaxGivenUp = 256

  /** How many threads are still at work that has been given up. */
  def stuck: Int = givenUp.get

  /**
   * Whether what is [[stuck]] has been so for a while. What a task that ends gives up is done in moments as a rule, and
   * who wants its thread waits for it.
   */
  def isSettled: Boolean = System.nanoTime() - lastGivenUp >= GraceNanos

  /** What an error says of them. */
  def stuckReads: String = s"$stuck reads of this executor wait for file systems that do not answer"

  /** Work on one of the threads. */
  final class Work private[ReadThreads] (body: Runnable) extends Runnable {
    // Guarded by this.
    private var thread: Thread = _
    private var abandoned = false
    private var ended = false

    /**
     * Interrupts it, and waits for nothing. A thread cannot be ended: one that ignores interrupts does nothing else
     * until its work ends.
     */
    def abandon(): Unit = synchronized {
      if (!abandoned && !ended) {
        abandoned = true
        lastGivenUp = System.nanoTime()
        givenUp.incrementAndGet()
        if (thread != null) thread.interrupt()
      }
    }

    override def run(): Unit = {
      val begun = synchronized {
        thread = Thread.currentThread
        !abandoned
      }
      try if (begun) body.run()
      catch {
        // Spark ends the JVM for what comes out of a thread.
        case _: InterruptedException =>
        case NonFatal(e)             => log.error("A thread that reads images failed", e)
      } finally synchronized {
          ended = true
          if (abandoned) givenUp.decrementAndGet()
          // The next work on this thread has not been interrupted.
          Thread.interrupted()
        }
    }
  }

  /**
   * In whose name files are read, which a thread would otherwise have from whoever started it: the user, the class
   * loader that finds file systems, and what HDFS writes into its audit log.
   */
  final class Identity private[ReadThreads] (maxGivenUp: Int) {
    private val user = UserGroupInformation.getCurrentUser
    private val loader = Thread.currentThread.getContextClassLoader
    private val caller = CallerContext.getCurrent

    /** Begins some work on one of the threads, at once; None where too many threads are [[stuck]]. */
    def start(work: Runnable): Option[Work] =
      if (stuck >= maxGivenUp) None
      else {
        val identified = new Work(() => {
          Thread.currentThread.setContextClassLoader(loader)
          CallerContext.setCurrent(caller)
          val action: PrivilegedAction[Unit] = () => work.run()
          user.doAs(action)
        })
        pool.execute(identified)
        Some(identified)
      }

    /** The same, but it waits a while where threads may come back, see [[isSettled]]. */
    def startWaiting(work: Runnable): Option[Work] = {
      val since = System.nanoTime()
      var started = start(work)
      while (started.isEmpty && !isSettled && System.nanoTime() - since < GraceNanos) {
        TaskKill.check()
        Thread.sleep(BetweenTriesMillis)
        started = start(work)
      }
      started
    }
  }

  /**
   * That of this thread.
   *
   * @param maxGivenUp
   *   it starts no work while so many threads are [[stuck]]
   */
  def identity(maxGivenUp: Int = MaxGivenUp): Identity = new Identity(maxGivenUp)
}
