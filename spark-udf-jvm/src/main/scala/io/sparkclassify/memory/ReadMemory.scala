package io.sparkclassify.memory

import io.sparkclassify.SparkLog
import io.sparkclassify.conf.{ApplicationConf, ClassifyConf}
import io.sparkclassify.threads.{ReadThreads, TaskKill}
import java.io.IOException
import java.lang.management.ManagementFactory
import java.util.ArrayDeque
import java.util.concurrent.atomic.AtomicLong

import com.sun.management.{HotSpotDiagnosticMXBean, OperatingSystemMXBean}
import org.apache.spark.{SparkConf, SparkEnv}

/**
 * The direct memory that all tasks of a JVM read images into: one budget, of which each image's part is taken before
 * the memory itself is.
 *
 * Nobody waits for ever. A quarter is taken in any order, without a lock. Beyond that who asks waits, first come, first
 * served; and a task asks for its images one after the other, in the order in which it will classify them. So what has
 * been taken in turn belongs to a task that can classify up to there, without another byte, and gives it back then.
 * What has been taken in any order is a quarter at most, and beside it there is room for the [[largest]] image. A task
 * with several operators that read would wait for itself, where one has the memory and another one the next image: that
 * image it gets at once, beyond the total. One task at a time is there, which can always go on.
 *
 * @param total
 *   in bytes
 */
private[sparkclassify] final class ReadMemory(val total: Long) {
  import ReadMemory._

  private val anyOrder = total / 4

  /** The most that one image may take. */
  val largest: Long = total - anyOrder

  private val used = new AtomicLong

  /** What reads have that are given up; it comes back when their file systems answer, if ever. */
  private val lost = new AtomicLong

  /** When some was lost, in System.nanoTime. */
  @volatile private var lastLost = System.nanoTime() - ReadThreads.GraceNanos

  // Guarded by this.
  private val queue = new ArrayDeque[Request]

  /** The task that may go beyond the total as long as more than that is taken. Guarded by this. */
  private var beyond: Option[Long] = None

  /** How many wait. Who takes sets this before it looks at `used`, and who gives looks at it afterwards. */
  @volatile private var waiting = 0

  /** How much is taken now. Results count, and may take it beyond the total. */
  def taken: Long = used.get

  /** Takes memory if there is plenty. */
  def tryTake(bytes: Long): Boolean = add(bytes, anyOrder)

  /** Takes memory if there is any and nobody waits for it. For the next image of a task, like [[take]]. */
  def tryTakeInTurn(bytes: Long): Boolean = waiting == 0 && add(bytes, total)

  /**
   * Takes memory as soon as there is some. For the next image of a task: it has none for any later one, or had it at
   * once.
   *
   * @param bytes
   *   at most [[largest]]
   * @param task
   *   that asks, by its attempt's id
   * @param mustHave
   *   whether the task has others, which it gives back only after this; called again and again, and must not wait for a
   *   lock
   * @param check
   *   is called again and again; when it throws, nothing is taken. It must not wait for a lock.
   * @throws IOException
   *   when so much is [[lose lost]], and has been for a while, that there may never be some
   */
  def take(bytes: Long, task: Option[Long] = None, mustHave: => Boolean = false)(check: => Unit): Unit = {
    require(bytes <= largest, s"$bytes bytes never fit")
    val request = new Request(bytes)
    synchronized {
      queue.add(request)
      waiting = queue.size
      try {
        grant()
        while (!request.granted) {
          if (mustHave && mayGoBeyond(task)) {
            used.addAndGet(bytes)
            request.granted = true
            queue.remove(request)
            grant()
          } else {
            if (request.isHopeless(bytes > total - lost.get, lastLost)) {
              throw new IOException(s"there is no memory to read it: ${ReadThreads.stuckReads}")
            }
            wait(TaskKill.CHECK_MILLIS)
            check
          }
        }
      } catch {
        case e: Throwable =>
          if (request.granted) used.addAndGet(-bytes)
          queue.remove(request)
          grant()
          throw e
      }
    }
  }

  /** Guarded by this. */
  private def mayGoBeyond(task: Option[Long]): Boolean = {
    val may = used.get <= total || beyond.isEmpty || beyond == task
    if (may) beyond = task
    may
  }

  /** The task takes nothing any more. */
  def end(task: Long): Unit = synchronized {
    if (beyond.contains(task)) beyond = None
    notifyAll()
  }

  /** Takes memory for results, without which the images' memory would not come back. */
  def takeForResults(bytes: Long): Unit = used.addAndGet(bytes)

  /** Nobody may count on that memory any more: the read that has it is given up. */
  def lose(bytes: Long): Unit = if (bytes > 0) {
    lastLost = System.nanoTime()
    lost.addAndGet(bytes)
  }

  /** Such a read has ended after all. It gives its memory back like any other. */
  def find(bytes: Long): Unit = lost.addAndGet(-bytes)

  /** Gives memory back. */
  def give(bytes: Long): Unit = {
    used.addAndGet(-bytes)
    if (waiting > 0) synchronized(grant())
  }

  private def grant(): Unit = {
    while (!queue.isEmpty && add(queue.peek.bytes, total)) queue.poll().granted = true
    waiting = queue.size
    notifyAll()
  }

  @scala.annotation.tailrec
  private def add(bytes: Long, most: Long): Boolean = {
    val before = used.get
    if (before + bytes > most) false
    else if (used.compareAndSet(before, before + bytes)) true
    else add(bytes, most)
  }
}

private[sparkclassify] object ReadMemory {

  /** Less would not hold a photograph. */
  private val Least = 64L << 20

  private val log = SparkLog.named("io.sparkclassify.ReadMemory")

  private final class Request(val bytes: Long) {
    var granted = false
    private var hopelessSince: Option[Long] = None

    /**
     * Whether it is time to give up, as there is not so much `now`: nothing has been lost for a while, or it has waited
     * as long itself.
     */
    def isHopeless(now: Boolean, lastLost: Long): Boolean = {
      val time = System.nanoTime()
      hopelessSince = if (now) hopelessSince.orElse(Some(time)) else None
      hopelessSince.exists(since => math.max(time - since, time - lastLost) >= ReadThreads.GraceNanos)
    }
  }

  /** That of this JVM: what the application's configuration says, or what the JVM and its container allow. */
  def ofProcess(): ReadMemory = {
    val conf = Option(SparkEnv.get).map(_.conf)
    val configured = conf.flatMap(_ => ApplicationConf.get(ClassifyConf.ReadMemory))
    val memory = new ReadMemory(configured.getOrElse(allowed(maxDirect, room(conf))))
    log.info("Images may take {} bytes of direct memory, one of them {}", memory.total, memory.largest)
    memory
  }

  /**
   * Half of the direct memory that the JVM grants: Spark's network and files need some, too. And no more than a third
   * of what a container has beside the heap, where native code decodes images and runs the model.
   */
  private[sparkclassify] def allowed(maxDirect: Long, room: Long): Long =
    math.min(maxDirect / 2, math.max(Least, room / 3))

  /** `-XX:MaxDirectMemorySize`; without it, the JVM grants as much as the heap may have. */
  private def maxDirect: Long = {
    val options = ManagementFactory.getPlatformMXBean(classOf[HotSpotDiagnosticMXBean])
    val set = Option(options).map(_.getVMOption("MaxDirectMemorySize").getValue.toLong).getOrElse(0L)
    if (set > 0) set else Runtime.getRuntime.maxMemory
  }

  /**
   * What is left beside the heap: of the container's memory or the machine's, and of what YARN lets an executor have.
   */
  private def room(conf: Option[SparkConf]): Long = {
    val heap = Runtime.getRuntime.maxMemory
    val machine = ManagementFactory.getOperatingSystemMXBean match {
      case system: OperatingSystemMXBean => system.getTotalPhysicalMemorySize
      case _                             => Long.MaxValue
    }
    // YARN watches its containers from outside; others are seen in their cgroup.
    val overhead = conf.filter(_.get("spark.master", "") == "yarn").map { conf =>
      val factor = conf.getDouble("spark.executor.memoryOverheadFactor", 0.1)
      conf.getSizeAsMb("spark.executor.memoryOverhead", s"${math.max(384L, (factor * (heap >> 20)).toLong)}m") << 20
    }
    math.min(machine - heap, overhead.getOrElse(Long.MaxValue))
  }
}
