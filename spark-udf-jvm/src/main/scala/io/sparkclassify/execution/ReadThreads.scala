package io.sparkclassify.execution

import java.security.PrivilegedAction
import java.util.concurrent.{Future, SynchronousQueue, ThreadFactory, ThreadPoolExecutor, TimeUnit}
import java.util.concurrent.atomic.AtomicInteger

import org.apache.hadoop.ipc.CallerContext
import org.apache.hadoop.security.UserGroupInformation

/**
 * The threads of this JVM that read files. All tasks share them, since a task of few images would spend a tenth of its time
 * in starting threads of its own.
 */
private[execution] object ReadThreads {
  private val IdleSeconds = 10L
  private val count = new AtomicInteger

  private val factory: ThreadFactory = work => {
    val thread = new Thread(work, s"spark-classify-read-${count.incrementAndGet()}")
    thread.setDaemon(true)
    thread
  }

  private val pool =
    new ThreadPoolExecutor(0, Int.MaxValue, IdleSeconds, TimeUnit.SECONDS, new SynchronousQueue[Runnable], factory)

  /** How many are at work. */
  def active: Int = pool.getActiveCount

  /**
   * In whose name files are read, which a thread would otherwise have from whoever started it: the user, the class loader
   * that finds file systems, and what HDFS writes into its audit log.
   */
  final class Identity private[ReadThreads] {
    private val user = UserGroupInformation.getCurrentUser
    private val loader = Thread.currentThread.getContextClassLoader
    private val caller = CallerContext.getCurrent

    /** Begins some work on one of the threads, at once. Cancelling it interrupts the thread. */
    def start(work: Runnable): Future[_] = {
      val identified: Runnable = () => {
        Thread.currentThread.setContextClassLoader(loader)
        CallerContext.setCurrent(caller)
        val action: PrivilegedAction[Unit] = () => work.run()
        user.doAs(action)
      }
      pool.submit(identified)
    }
  }

  /** That of this thread. */
  def identity(): Identity = new Identity
}
