package io.sparkclassify.job

/** The job cannot go on. The message says all that its user needs. */
final class JobException(message: String, cause: Throwable) extends RuntimeException(message, cause) {
  def this(message: String) = this(message, null)
}
