package io.sparkclassify;

import io.sparkclassify.job.Job;

/**
 * Classifies the images of a list and reports how well it went; the main class for spark-submit.
 */
public final class ClassifyJob {
  private ClassifyJob() {}

  public static void main(String[] arguments) {
    RunningSpark.check();
    int exitCode = Job.execute(arguments);
    // YARN takes the exit of a driver in the cluster, even with 0, for a failure.
    if (exitCode != 0) {
      System.exit(exitCode);
    }
  }
}
