package io.sparkclassify.threads

import java.net.URLClassLoader
import java.security.PrivilegedAction
import java.util.concurrent.{CountDownLatch, LinkedBlockingQueue, TimeUnit}

import org.apache.hadoop.ipc.CallerContext
import org.apache.hadoop.security.UserGroupInformation
import org.scalatest.concurrent.Eventually
import org.scalatest.funsuite.AnyFunSuite
import org.scalatest.time.{Millis, Seconds, Span}

class ReadThreadsSuite extends AnyFunSuite with Eventually {

  implicit override val patienceConfig: PatienceConfig = PatienceConfig(Span(10, Seconds), Span(5, Millis))

  private case class Seen(thread: Thread, user: String, loader: ClassLoader, caller: Option[String])

  /** What work sees that is done in this name. */
  private def see(identity: ReadThreads.Identity): Seen = {
    val seen = new LinkedBlockingQueue[Seen]
    val here = () =>
      Seen(
        Thread.currentThread,
        UserGroupInformation.getCurrentUser.getShortUserName,
        Thread.currentThread.getContextClassLoader,
        Option(CallerContext.getCurrent).map(_.getContext)
      )
    identity.start(() => seen.put(here()))
    val result = seen.poll(10, TimeUnit.SECONDS)
    eventually(assert(ReadThreads.active == 0))
    result
  }

  /** The identity of a thread that is this user, and has this class loader and this caller context. */
  private def identityOf(user: String, loader: ClassLoader, caller: String): ReadThreads.Identity = {
    val identities = new LinkedBlockingQueue[ReadThreads.Identity]
    val take: PrivilegedAction[Unit] = () => identities.put(ReadThreads.identity())
    val thread = new Thread(() => {
      CallerContext.setCurrent(new CallerContext.Builder(caller).build())
      UserGroupInformation.createRemoteUser(user).doAs(take)
    })
    thread.setContextClassLoader(loader)
    thread.start()
    identities.poll(10, TimeUnit.SECONDS)
  }

  test("a thread that several tasks use reads in the name of each") {
    val loaders = Seq.fill(2)(new URLClassLoader(Array.empty, getClass.getClassLoader))
    val first = see(identityOf("ann", loaders.head, "task 1"))
    val second = see(identityOf("bob", loaders.last, "task 2"))
    val own = see(ReadThreads.identity())
    assert(first.thread == second.thread && second.thread == own.thread)
    assert(first.user == "ann" && first.loader == loaders.head && first.caller.contains("task 1"))
    assert(second.user == "bob" && second.loader == loaders.last && second.caller.contains("task 2"))
    assert(own.user == UserGroupInformation.getCurrentUser.getShortUserName)
    assert(own.loader == Thread.currentThread.getContextClassLoader && own.caller.isEmpty)
  }

  test("cancelled work is interrupted, and its thread is as good as before") {
    val begun, interrupted = new CountDownLatch(1)
    val work = ReadThreads.identity().start { () =>
      begun.countDown()
      try Thread.sleep(60000)
      catch { case _: InterruptedException => interrupted.countDown() }
    }
    assert(begun.await(10, TimeUnit.SECONDS))
    work.foreach(_.abandon())
    assert(interrupted.await(10, TimeUnit.SECONDS))
    eventually(assert(ReadThreads.active == 0))
    val again = new LinkedBlockingQueue[Boolean]
    ReadThreads.identity().start(() => again.put(Thread.currentThread.isInterrupted))
    assert(again.poll(10, TimeUnit.SECONDS) == false)
  }
}
