package io.sparkclassify.plans

import org.apache.spark.sql.catalyst.expressions.{AliasHelper, Expression, IntegerLiteral, SortOrder}
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Lets limits take effect before images are classified. Inference neither drops nor adds rows, so `LIMIT 10` classifies
 * ten images of a partition and not whole batches, and `ORDER BY path LIMIT 10` ten in all.
 */
private[plans] object PushLimits extends Rule[LogicalPlan] with AliasHelper {

  /** Sorting first leaves one task to classify what the limit lets through, so that must be little. */
  private val LargestTopK = 1000

  override def apply(plan: LogicalPlan): LogicalPlan = plan.transformDown {
    case top @ GlobalLimit(limit @ IntegerLiteral(k), LocalLimit(_, sort: Sort)) if sort.global && k <= LargestTopK =>
      sortFirst(limit, sort, sort.order, sort.child).getOrElse(top)
    case limit: LocalLimit => limit.copy(child = push(limit.limitExpr, limit.child))
  }

  /**
   * `plan` with its rows sorted and limited before the inferences in it, where the order does not need these.
   *
   * @param order
   *   that of `sort` in terms of what `plan` puts out
   */
  private def sortFirst(limit: Expression, sort: Sort, order: Seq[SortOrder], plan: LogicalPlan): Option[LogicalPlan] =
    plan match {
      case project: Project if project.projectList.forall(_.deterministic) =>
        val below = order.map(replaceAlias(_, getAliasMap(project)).asInstanceOf[SortOrder])
        sortFirst(limit, sort, below, project.child).map(child => project.copy(child = child))
      case classify: ClassifyImages if order.forall(_.references.subsetOf(classify.child.outputSet)) =>
        val sorted = sortFirst(limit, sort, order, classify.child)
          .getOrElse(GlobalLimit(limit, LocalLimit(limit, sort.copy(order = order, child = classify.child))))
        Some(classify.copy(child = sorted))
      case _ => None
    }

  private def push(limit: Expression, plan: LogicalPlan): LogicalPlan = plan match {
    case project: Project if project.projectList.forall(_.deterministic) =>
      project.copy(child = push(limit, project.child))
    case classify: ClassifyImages => classify.copy(child = limited(limit, push(limit, classify.child)))
    case other                    => other
  }

  private def limited(limit: Expression, plan: LogicalPlan): LogicalPlan = plan match {
    case LocalLimit(known, _) if known.semanticEquals(limit)  => plan
    case GlobalLimit(known, _) if known.semanticEquals(limit) => plan
    case classify: ClassifyImages                             => classify
    case _ if plan.maxRowsPerPartition.exists(_ <= 1)         => plan
    case _                                                    => LocalLimit(limit, plan)
  }
}
