package io.sparkclassify

import java.util.concurrent.Executors

import scala.concurrent.{Await, ExecutionContext, Future}
import scala.concurrent.duration._

object Concurrently {

  /** Runs `body` on so many threads at once, each with its number from 0 on, and throws what one of them throws. */
  def apply(threads: Int)(body: Int => Any): Unit = {
    val pool = Executors.newFixedThreadPool(threads)
    implicit val context: ExecutionContext = ExecutionContext.fromExecutor(pool)
    try Await.result(Future.sequence((0 until threads).map(number => Future(body(number)))), 5.minutes)
    finally pool.shutdownNow()
  }
}
