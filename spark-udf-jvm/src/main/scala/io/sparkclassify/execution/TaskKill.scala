package io.sparkclassify.execution

import org.apache.spark.{TaskContext, TaskKilledException}

private[execution] object TaskKill {

  /**
   * Ends a task that has been killed or cancelled, and another thread's work for a task that is over. Spark does not stop
   * a thread by itself.
   */
  def check(context: TaskContext): Unit =
    if (context.isInterrupted() || context.isCompleted()) throw new TaskKilledException("stopped between batches")
}
