package io.sparkclassify;

import io.sparkclassify.job.Job;

/**
 * Classifies the images of a list and reports how well it went; the main class for spark-submit.
 */
public final class ClassifyJob {
  private ClassifyJob() {}

  public static void main(String[] arguments) {
    RunningSpark.check();
    Job.main(arguments);
  }
}
