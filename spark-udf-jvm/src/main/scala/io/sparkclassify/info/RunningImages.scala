package io.sparkclassify.info

import io.sparkclassify.SessionInternals
import io.sparkclassify.inference.ClassifyMetrics
import org.apache.spark.sql.SparkSession

/** How many images the queries of an application have come to, as the UI counts them. */
object RunningImages {

  private val MaxWaitMillis = 1000L

  /**
   * Of all queries that were not over at a time, in milliseconds as of `System.currentTimeMillis`: their images, the
   * bad ones among these, and the milliseconds from when the first of them began until now, or until the last was over.
   * Spark tells of a running task with the heartbeats of its executor (`spark.executor.heartbeatInterval`, 10 s), and
   * when it is over.
   */
  def since(session: SparkSession, start: Long): Array[Long] = {
    SessionInternals.waitForEvents(session, MaxWaitMillis)
    val store = SessionInternals.statusStore(session)
    val queries = store.executionsList().filter(_.completionTime.forall(_.getTime >= start)).filter { query =>
      query.metrics.exists(_.name == ClassifyMetrics.Images)
    }
    // By accumulator: a command and the query that it runs are two executions with one operator.
    val counted: Map[Long, (String, String)] = queries.flatMap { query =>
      val values = store.executionMetrics(query.executionId)
      for (metric <- query.metrics; value <- values.get(metric.accumulatorId))
        yield metric.accumulatorId -> ((metric.name, value))
    }.toMap
    def sum(name: String): Long = counted.values.collect { case (`name`, value) => value.replace(",", "").toLong }.sum
    val began = queries.map(_.submissionTime)
    val ended = queries.map(_.completionTime.map(_.getTime).getOrElse(System.currentTimeMillis))
    Array(
      sum(ClassifyMetrics.Images),
      sum(ClassifyMetrics.BadImages),
      if (queries.isEmpty) 0 else ended.max - began.min
    )
  }
}
