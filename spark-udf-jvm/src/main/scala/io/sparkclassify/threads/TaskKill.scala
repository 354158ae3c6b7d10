package io.sparkclassify.threads

import org.apache.spark.{TaskContext, TaskKilledException}

private[sparkclassify] object TaskKill {

  /**
   * Ends a task that has been killed or cancelled, and another thread's work for a task that is over. Spark does not
   * stop a thread by itself.
   */
  def check(context: TaskContext): Unit =
    if (context.isInterrupted() || context.isCompleted()) throw new TaskKilledException("stopped between batches")

  /** The same for the task of this thread, if it has one. */
  def check(): Unit = Option(TaskContext.get()).foreach(check(_))
}
