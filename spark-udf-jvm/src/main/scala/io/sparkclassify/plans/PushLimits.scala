package io.sparkclassify.plans

import org.apache.spark.sql.catalyst.expressions.{AliasHelper, Expression, IntegerLiteral, SortOrder}
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Lets limits take effect before images are classified. Inference neither drops nor adds rows, so `LIMIT 10` classifies
 * ten images of a partition and not whole batches, and `ORDER BY path LIMIT 10` ten in all.
 */
private[sparkclassify] object PushLimits extends Rule[LogicalPlan] with AliasHelper {

  /** Sorting first leaves one task to classify what the limit lets through, so that must be little. */
  private val LargestTopK = 1000

  override def apply(plan: LogicalPlan): LogicalPlan = plan.transformDown {
    case top @ GlobalLimit(limit @ IntegerLiteral(k), LocalLimit(_, sort: Sort)) if isTopK(k, sort) =>
      sortFirst(sort, sorted => GlobalLimit(limit, LocalLimit(limit, sorted))).getOrElse(top)
    case top @ GlobalLimit(limit, Offset(skip, LocalLimit(until @ IntegerLiteral(k), sort: Sort))) if isTopK(k, sort) =>
      sortFirst(sort, sorted => GlobalLimit(limit, Offset(skip, LocalLimit(until, sorted)))).getOrElse(top)
    case limit: LocalLimit => limit.copy(child = push(limit.limitExpr, limit.child))
  }

  private def isTopK(k: Int, sort: Sort): Boolean = sort.global && k <= LargestTopK

  /**
   * What is below `sort` with its rows sorted and limited before the inferences in it, where the order does not need
   * these.
   *
   * @param limited
   *   puts the limit over a sort
   */
  private def sortFirst(sort: Sort, limited: Sort => LogicalPlan): Option[LogicalPlan] = sort.child match {
    case project: Project if project.projectList.forall(_.deterministic) =>
      val order = sort.order.map(replaceAlias(_, getAliasMap(project)).asInstanceOf[SortOrder])
      sortFirst(sort.copy(order = order, child = project.child), limited).map(child => project.copy(child = child))
    case classify: ClassifyImages if sort.order.forall(_.references.subsetOf(classify.child.outputSet)) =>
      val below = sort.copy(child = classify.child)
      Some(classify.copy(child = sortFirst(below, limited).getOrElse(limited(below))))
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
