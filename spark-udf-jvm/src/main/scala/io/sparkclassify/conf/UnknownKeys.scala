package io.sparkclassify.conf

import java.util.concurrent.ConcurrentHashMap

import io.sparkclassify.{Printable, SparkLog}
import org.apache.spark.unsafe.types.UTF8String

/** Finds misspelt keys, which Spark takes and nobody reads. */
private[sparkclassify] object UnknownKeys {

  private val log = SparkLog.named("io.sparkclassify.ClassifyConf")
  private val known = ClassifyConf.keys.map(_.name).toSet
  private val warned = ConcurrentHashMap.newKeySet[String]

  /** Warns of every key under `spark.classify.` that means nothing, once in the life of the JVM. */
  def warn(keys: Iterable[String]): Unit = keys.foreach { key =>
    if (key.startsWith(ClassifyConf.Prefix) && !known(key) && !ModelNames.isKey(key) && warned.add(key)) {
      log.warn("The configuration key {} means nothing; did you mean {}?", Printable.escape(key), nearest(key): Any)
    }
  }

  /** The known key that takes the fewest edits to get from `key`. */
  def nearest(key: String): String = {
    val misspelt = UTF8String.fromString(key)
    known.minBy(name => (UTF8String.fromString(name).levenshteinDistance(misspelt), name))
  }
}
