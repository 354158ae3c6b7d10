package io.sparkclassify.conf

import java.util.concurrent.atomic.AtomicReference

import scala.jdk.CollectionConverters._

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.SparkSession

/**
 * What the driver's Hadoop configuration says beyond the files on the class path.
 *
 * It travels to the executors inside the plan, small enough for every task: `spark.hadoop.*`, what the application set
 * on `SparkContext.hadoopConfiguration`, and what the session `SET`. Its values may be credentials, so it never prints
 * them.
 */
final class HadoopSettings private (private val values: Map[String, String]) extends Serializable {

  /** The whole configuration, for this process; not to be changed. */
  @transient lazy val configuration: Configuration = {
    val known = HadoopSettings.last.get
    if (known != null && known._1 == values) known._2
    else {
      val configuration = new Configuration(HadoopSettings.classPath)
      values.foreach { case (key, value) => configuration.set(key, value, "spark-classify") }
      HadoopSettings.last.set((values, configuration))
      configuration
    }
  }

  /**
   * The same, for file systems that are nobody else's. Hadoop keeps one file system for a scheme and a host, whatever
   * settings it is asked for with later: who asks first, with settings of a session, chooses the server for all.
   *
   * @param uri
   *   what the file system is asked for
   */
  def unshared(uri: String): HadoopSettings =
    new HadoopSettings(values + (HadoopSettings.uncached(new Path(uri), configuration) -> "true"))

  override def equals(other: Any): Boolean = other match {
    case that: HadoopSettings => values == that.values
    case _                    => false
  }

  override def hashCode: Int = values.hashCode

  override def toString: String = s"${values.size} Hadoop settings"
}

object HadoopSettings {

  /** Hadoop's key by which the file system of a path is not kept for others. */
  def uncached(path: Path, configuration: Configuration): String = {
    val scheme = Option(path.toUri.getScheme).getOrElse(FileSystem.getDefaultUri(configuration).getScheme)
    s"fs.$scheme.impl.disable.cache"
  }

  // Reading the files takes a tenth of a second, which each task would spend anew: a copy has what the original has
  // read, and it reads when it is asked.
  private lazy val classPath = {
    val configuration = new Configuration()
    configuration.size
    configuration
  }

  /** What this process has made last: the next task is mostly one of the same query. */
  private val last = new AtomicReference[(Map[String, String], Configuration)]

  /** The settings that the application was started with; only for the driver. */
  def ofApplication(): HadoopSettings = new HadoopSettings(application)

  /**
   * The settings of the session that is active on this thread; only for the driver.
   *
   * They are those of the session itself, and not of a view, which Spark's own readers do not ask either: its author
   * could send the reader's credentials to a server of their own.
   */
  def ofSession(): HadoopSettings = {
    // The rest of the session's keys are Spark's own and mean nothing to Hadoop.
    val session = SparkSession.active.conf.getAll.filter { case (key, _) => !key.startsWith("spark.") }
    new HadoopSettings(application ++ session)
  }

  private def application: Map[String, String] = SparkSession.active.sparkContext.hadoopConfiguration.iterator.asScala
    .collect { case entry if classPath.getRaw(entry.getKey) != entry.getValue => entry.getKey -> entry.getValue }
    .toMap
}
