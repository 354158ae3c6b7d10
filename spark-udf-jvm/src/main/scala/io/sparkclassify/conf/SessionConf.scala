package io.sparkclassify.conf

import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.internal.SQLConf

/** The configuration that a call is analysed with. */
object SessionConf {

  /**
   * That of the active session; only for the driver.
   *
   * Inside a view or a SQL function, [[SQLConf.get]] has nothing but the registered runtime keys that were set when it
   * was made, or what someone has written into its properties. Those count there. What Spark has not kept, the names of
   * models, is the session's. Static keys are read with [[ApplicationConf]] alone.
   */
  def current(): SQLConf = {
    val known = SQLConf.get
    val missing = SparkSession.active.conf.getAll.filter { case (key, _) =>
      !known.isModifiable(key) && !known.contains(key)
    }
    if (missing.isEmpty) known
    else {
      val conf = known.clone()
      missing.foreach { case (key, value) => conf.setConfString(key, value) }
      conf
    }
  }
}
