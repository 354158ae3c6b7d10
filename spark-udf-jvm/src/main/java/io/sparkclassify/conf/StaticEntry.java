package io.sparkclassify.conf;

import org.apache.spark.SparkConf;
import org.apache.spark.internal.config.ConfigEntry;

/**
 * A key that counts as the application was started with it, and never as a session has it.
 *
 * <p>A static key says which code executors load and what users may do. Spark refuses to {@code
 * SET} one, but a session's configuration has other sources: the properties of a view or of a SQL
 * function, which any user may write, and the options of a session's builder. So the entry stays in
 * here, where no session's configuration can be asked for it: {@link ApplicationConf#get} is the
 * one way to the value.
 *
 * <p>It is Java because Spark's {@code ConfigEntry} is public to Java alone.
 */
public final class StaticEntry<T> {
  final ConfigEntry<T> entry;

  /**
   * @param entry what {@code SQLConf.buildStaticConf} has built
   */
  public StaticEntry(ConfigEntry<T> entry) {
    this.entry = entry;
  }

  /** The name of the key. */
  public String key() {
    return entry.key();
  }

  /** The value, or the default, in the configuration of an application. */
  T in(SparkConf application) {
    return application.get(entry);
  }
}
