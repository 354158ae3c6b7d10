package io.sparkclassify.plans

import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Puts a shuffle between inferences and a global sort. Spark runs what is below such a sort twice, once to sample it for
 * the ranges of the partitions. What has been shuffled it only reads again, and inference costs far more than a shuffle.
 */
private[plans] object ShuffleBeforeSort extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan match {
    // A limit makes a sort one that takes no sample.
    case LocalLimit(_, sort: Sort)             => within(plan, sort)
    case LocalLimit(_, Project(_, sort: Sort)) => within(plan, sort)
    case sort: Sort if sort.global && !sort.isStreaming && infers(sort.child) =>
      sort.copy(child = Repartition(conf.numShufflePartitions, shuffle = true, apply(sort.child)))
    case _ => plan.mapChildren(apply)
  }

  private def within(limit: LogicalPlan, sort: Sort): LogicalPlan = {
    val child = apply(sort.child)
    limit.transformDown { case same: Sort if same eq sort => sort.copy(child = child) }
  }

  /** Whether there is an inference and no shuffle above it. */
  private def infers(plan: LogicalPlan): Boolean = plan match {
    case _: ClassifyImages                                  => true
    case _: Aggregate | _: Window | _: RepartitionOperation => false
    case other                                              => other.children.exists(infers)
  }
}
