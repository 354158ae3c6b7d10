package io.sparkclassify;

import org.apache.spark.TaskContext;
import org.apache.spark.TaskContext$;

/** A thread that works for a task, as those of Spark do that feed a script. */
public final class OtherThread {
  private OtherThread() {}

  /** Makes this thread one of the task's. To Scala outside of Spark the method is hidden. */
  public static void worksFor(TaskContext task) {
    TaskContext$.MODULE$.setTaskContext(task);
  }
}
