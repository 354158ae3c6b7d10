package io.sparkclassify.image

import java.io.{FileNotFoundException, IOException}
import java.net.UnknownHostException
import java.nio.file.AccessDeniedException

import org.scalatest.funsuite.AnyFunSuite

class InputFaultSuite extends AnyFunSuite {

  test("a message that is a name alone comes with the kind of error") {
    val reasons = Seq(
      new UnknownHostException("storage.local") -> "java.net.UnknownHostException: storage.local",
      new AccessDeniedException("/my images/a.jpg") -> "java.nio.file.AccessDeniedException: /my images/a.jpg",
      new IOException() -> "java.io.IOException",
      new FileNotFoundException("/a.jpg (Permission denied)") -> "/a.jpg (Permission denied)",
      new IOException("Connection reset by peer") -> "Connection reset by peer"
    )
    reasons.foreach { case (error, reason) => assert(InputFault.unapply(error).contains(reason)) }
  }

  test("the end of a task is no fault of its input") {
    assert(InputFault.unapply(new InterruptedException).isEmpty)
  }
}
