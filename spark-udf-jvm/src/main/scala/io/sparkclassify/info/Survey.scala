package io.sparkclassify.info

import scala.annotation.tailrec

import io.sparkclassify.conf.NativeSpec
import org.apache.spark.{SparkContext, SparkEnv}
import org.apache.spark.storage.BlockManagerId

/** Asks the driver and each executor. */
private[sparkclassify] object Survey {

  /** A task whose executor is busy runs elsewhere after a while, so its executor is asked again. */
  private val Rounds = 3

  /** The driver, then the executors that are there now, by their ids. Only for the driver. */
  def run(context: SparkContext, natives: NativeSpec): Seq[ProcessInfo] =
    ProcessInfo.ofThisJvm(natives) +: ask(context, natives, Map.empty, Rounds).sortBy(info =>
      (info.executor.length, info.executor)
    )

  @tailrec
  private def ask(
      context: SparkContext,
      natives: NativeSpec,
      found: Map[String, ProcessInfo],
      rounds: Int
  ): Seq[ProcessInfo] = {
    val missing = executors().filterNot(id => found.contains(id.executorId))
    if (missing.isEmpty || rounds == 0) {
      found.values.toSeq ++ missing.map(id => ProcessInfo(id.executorId, id.host, None))
    } else {
      // One partition for each executor, with the location by which Spark knows a certain one.
      val places = missing.map(id => id.executorId -> Seq(s"executor_${id.host}_${id.executorId}"))
      val answers = context.makeRDD(places).map(_ => ProcessInfo.ofThisJvm(natives)).collect()
      ask(context, natives, found ++ answers.map(info => info.executor -> info), rounds - 1)
    }
  }

  private def executors(): Seq[BlockManagerId] =
    SparkEnv.get.blockManager.master.getMemoryStatus.keys.filterNot(_.isDriver).toSeq
}
