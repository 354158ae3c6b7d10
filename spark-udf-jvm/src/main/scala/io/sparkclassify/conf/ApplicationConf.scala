package io.sparkclassify.conf

import org.apache.spark.SparkEnv
import org.apache.spark.sql.internal.SQLConf

/**
 * The configuration that the application was started with, which no session, view or SQL function can change; only for
 * the driver.
 */
object ApplicationConf {

  /** The value of a static key. */
  def get[T](entry: StaticEntry[T]): T = entry.in(SparkEnv.get.conf)

  /** The runtime keys of ours as sessions have them before they change any. */
  def runtime: SQLConf = {
    val conf = new SQLConf
    SparkEnv.get.conf.getAllWithPrefix(ClassifyConf.Prefix).foreach { case (name, value) =>
      if (!SQLConf.isStaticConfigKey(ClassifyConf.Prefix + name)) conf.setConfString(ClassifyConf.Prefix + name, value)
    }
    conf
  }

  /**
   * A limit as a session has it.
   *
   * An application that was started with the key has set the most that its sessions may have: on a shared server, one
   * user's limits decide whether the executors of all have memory. Where the session says nothing, as a view that was
   * made before the application had the key, it is the application's.
   *
   * @param read
   *   the value of `key` in a configuration
   * @throws AnalysisException
   *   when the session's limit is above that of the application
   */
  def limit(key: String, session: SQLConf)(read: SQLConf => Long): Long = {
    val application = runtime
    if (!application.contains(key)) read(session)
    else {
      val most = read(application)
      val value = if (session.contains(key)) read(session) else most
      if (value > most) throw ClassifyErrors.limitRefused(key, value, most)
      value
    }
  }
}
