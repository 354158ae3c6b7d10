package io.sparkclassify.image

import scala.util.control.ControlThrowable

import org.apache.spark.TaskKilledException

/**
 * What may be thrown while one input is fetched, and concerns that input alone; with its reason, for the user.
 *
 * File systems are code of others, and throw everything: NullPointerException for a URI without a path,
 * NoClassDefFoundError for a connector that lacks a library, StackOverflowError for a name that they match by
 * recursion. Not the input's are the ends of the task and of the JVM.
 */
private[sparkclassify] object InputFault {
  def unapply(thrown: Throwable): Option[String] = thrown match {
    case _: InterruptedException | _: TaskKilledException | _: ControlThrowable => None
    case _: StackOverflowError  => Some("the file system's code ran out of stack (StackOverflowError)")
    case _: VirtualMachineError => None
    case e @ (_: java.io.IOException | _: IllegalArgumentException | _: UnsupportedOperationException) =>
      Some(sentence(e))
    case e => Some(e.toString)
  }

  /**
   * The message, and the kind of error with it where the message is a name alone: UnknownHostException says but the
   * host, and the errors of java.nio the file.
   */
  def sentence(error: Throwable): String = error match {
    case _: java.nio.file.FileSystemException => error.toString
    case _ => Option(error.getMessage).filter(_.exists(_.isWhitespace)).getOrElse(error.toString)
  }
}
