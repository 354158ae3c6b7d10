package io.sparkclassify.threads

import java.io.{FileNotFoundException, IOException, InterruptedIOException}
import java.net.SocketTimeoutException
import java.nio.file.FileSystemException
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.LongAdder

import org.apache.hadoop.fs.{ChecksumException, PathIOException}
import org.apache.hadoop.io.retry.RetryPolicies
import org.apache.hadoop.io.retry.RetryPolicy.RetryAction.RetryDecision
import org.apache.hadoop.security.AccessControlException

/**
 * Asks a file system again when it fails, after a pause that doubles and varies, by Hadoop's own `RetryPolicies`. Its
 * clients do so for themselves, each for the errors that it knows; of a million reads some fail nevertheless. May be
 * used by several threads at once.
 *
 * @param limit
 *   how often it asks again
 */
private[sparkclassify] final class Retries(limit: Int) {
  import Retries._

  private val policy = RetryPolicies.exponentialBackoffRetry(limit, BaseMillis, TimeUnit.MILLISECONDS)
  private val asked = new LongAdder

  /** How often something has been asked for again so far. */
  def count: Long = asked.sum

  /**
   * What `answer` gives, which may be evaluated several times.
   *
   * @throws InterruptedException
   *   when the thread is interrupted during a pause
   */
  def apply[T](answer: => T): T = {
    @annotation.tailrec
    def attempt(failures: Int): T =
      (try Right(answer)
      catch { case e: IOException if mayPass(e) => Left(e) }) match {
        case Right(result)                      => result
        case Left(failure) =>
          val action = policy.shouldRetry(failure, failures, 0, true)
          if (action.action == RetryDecision.FAIL) throw failure
          Thread.sleep(action.delayMillis)
          asked.increment()
          attempt(failures + 1)
      }
    attempt(0)
  }
}

private[sparkclassify] object Retries {

  /** The first pause is twice that on average, and each is twice the one before. */
  private val BaseMillis = 50L

  /** Not what stands in the path or the permissions, in the bytes, or in the end of the task. */
  private def mayPass(failure: IOException): Boolean = failure match {
    case _: SocketTimeoutException => true
    case _: FileNotFoundException | _: AccessControlException | _: FileSystemException | _: PathIOException |
        _: ChecksumException | _: InterruptedIOException => false
    case _ => true
  }
}
