package io.sparkclassify.threads;

import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;

/**
 * Ends tasks that have been killed or cancelled: Spark does not stop a thread by itself.
 *
 * <p>In Java, so that what loads the native libraries can ask as well.
 */
public final class TaskKill {
  /** How often a task that waits looks whether it has been killed. */
  public static final long CHECK_MILLIS = 100;

  private TaskKill() {}

  /** Ends a task that has been killed, and another thread's work for a task that is over. */
  public static void check(TaskContext context) {
    if (context.isInterrupted() || context.isCompleted()) {
      throw new TaskKilledException("stopped between batches");
    }
  }

  /** The same for the task of this thread, if it has one. */
  public static void check() {
    TaskContext context = TaskContext.get();
    if (context != null) {
      check(context);
    }
  }
}
