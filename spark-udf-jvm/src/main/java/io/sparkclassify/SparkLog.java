package io.sparkclassify;

import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.spark.SparkEnv;

/**
 * Loggers that write to Spark's log.
 *
 * <p>Log4j keeps a configuration for each class loader that has no parent with one, and SLF4J takes
 * that of the class that asks. With {@code spark.executor.userClassPathFirst} this jar's class
 * loader has no parent, and so would get one of its own, which nobody has configured: all below an
 * error is lost there. So Spark's class loader is named.
 */
public final class SparkLog {
  private SparkLog() {}

  /** The logger of a name, as Spark's configuration has it. */
  public static Logger named(String name) {
    return LogManager.getContext(SparkEnv.class.getClassLoader(), false).getLogger(name);
  }
}
