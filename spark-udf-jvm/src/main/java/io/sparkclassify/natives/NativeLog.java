package io.sparkclassify.natives;

import io.sparkclassify.Printable;
import io.sparkclassify.SparkLog;
import org.apache.logging.log4j.Logger;

/** Where the log messages of the native libraries arrive. Only native code calls this class. */
final class NativeLog {
  private static final String PREFIX = "io.sparkclassify.natives";

  private static final int ERROR = 1;
  private static final int WARN = 2;
  private static final int INFO = 3;
  private static final int DEBUG = 4;
  private static final int TRACE = 5;

  private NativeLog() {}

  /** The most detailed level that is wanted, 0 (none) to 5 (trace). */
  static int level() {
    Logger log = SparkLog.named(PREFIX);
    if (log.isTraceEnabled()) return TRACE;
    if (log.isDebugEnabled()) return DEBUG;
    if (log.isInfoEnabled()) return INFO;
    if (log.isWarnEnabled()) return WARN;
    return log.isErrorEnabled() ? ERROR : 0;
  }

  /**
   * Logs one message.
   *
   * @param level 1 (error) to 5 (trace)
   * @param target the Rust module that the message comes from, {@code spark_classify_jni::library}
   */
  static void log(int level, String target, String text) {
    String message = Printable.escape(text);
    Logger log = SparkLog.named(PREFIX + "." + target.replace("::", "."));
    switch (level) {
      case ERROR:
        log.error(message);
        break;
      case WARN:
        log.warn(message);
        break;
      case INFO:
        log.info(message);
        break;
      case DEBUG:
        log.debug(message);
        break;
      default:
        log.trace(message);
    }
  }
}
