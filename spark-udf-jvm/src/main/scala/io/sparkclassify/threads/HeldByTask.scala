package io.sparkclassify.threads

/**
 * What a task holds to its end, or to that of the work that uses it. The thread that works need not be the task's own,
 * and may be amid a native call when the task ends: then it gives back what the call uses, after the call.
 */
private[sparkclassify] trait HeldByTask extends AutoCloseable {

  // Guarded by this.
  private var working = false
  private var closed = false

  /** Begins to work; false where it is closed. What is true has an [[end]]. */
  protected final def begin(): Boolean = synchronized {
    working = !closed
    working
  }

  protected final def end(): Unit = synchronized {
    working = false
    if (closed) free()
  }

  /** A task that is killed does not come to the end of its rows, so this is called at its end, too. */
  final override def close(): Unit = synchronized {
    closed = true
    stop()
    if (!working) free()
  }

  /** Ends what goes on beside the work. */
  protected def stop(): Unit

  /** Gives back what a native call uses; nothing the second time. */
  protected def free(): Unit
}
