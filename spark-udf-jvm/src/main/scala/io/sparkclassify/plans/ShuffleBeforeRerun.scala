package io.sparkclassify.plans

import org.apache.spark.sql.catalyst.optimizer.JoinSelectionHelper
import org.apache.spark.sql.catalyst.planning.ExtractEquiJoinKeys
import org.apache.spark.sql.catalyst.plans.InnerLike
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.plans.physical.RangePartitioning
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Puts a shuffle between inferences and what Spark runs more than once. What has been shuffled it only reads again, and
 * inference costs far more than a shuffle.
 *
 * Below a global sort or a distribution by range it runs everything twice, once to sample it for the ranges of the
 * partitions. Of a join that compares all rows with all, it runs each side once for each partition of the other one,
 * unless it can broadcast one.
 */
private[sparkclassify] object ShuffleBeforeRerun extends Rule[LogicalPlan] with JoinSelectionHelper {

  override def apply(plan: LogicalPlan): LogicalPlan = plan match {
    case _ if plan.isStreaming => plan
    // A limit makes a sort one that takes no sample.
    case LocalLimit(_, sort: Sort)             => within(plan, sort)
    case LocalLimit(_, Project(_, sort: Sort)) => within(plan, sort)
    case sort: Sort if sort.global             => sort.copy(child = shuffled(sort.child))
    case ranges: RepartitionByExpression if ranges.partitioning.isInstanceOf[RangePartitioning] =>
      ranges.copy(child = shuffled(ranges.child))
    case join: Join if isCartesian(join) => join.copy(left = shuffled(join.left), right = shuffled(join.right))
    case _                               => plan.mapChildren(apply)
  }

  private def within(limit: LogicalPlan, sort: Sort): LogicalPlan = {
    val child = apply(sort.child)
    limit.transformDown { case same: Sort if same eq sort => sort.copy(child = child) }
  }

  private def isCartesian(join: Join): Boolean = join.joinType.isInstanceOf[InnerLike] &&
    ExtractEquiJoinKeys.unapply(join).isEmpty &&
    !canBroadcastBySize(join.left, conf) && !canBroadcastBySize(join.right, conf)

  private def shuffled(plan: LogicalPlan): LogicalPlan = {
    val inner = apply(plan)
    if (infers(plan)) Repartition(conf.numShufflePartitions, shuffle = true, inner) else inner
  }

  /** Whether there is an inference and no shuffle above it. */
  private def infers(plan: LogicalPlan): Boolean = plan match {
    case _: ClassifyImages                                  => true
    case _: Aggregate | _: Window | _: RepartitionOperation => false
    case other                                              => other.children.exists(infers)
  }
}
