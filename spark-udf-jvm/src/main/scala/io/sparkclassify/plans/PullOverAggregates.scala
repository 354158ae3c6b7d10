package io.sparkclassify.plans

import scala.collection.mutable

import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression
import org.apache.spark.sql.catalyst.plans.logical._
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Moves inferences over the results of an aggregate above it: with `SELECT path, classify(path) .. GROUP BY path`, each
 * group is classified once and not each row, and `classify(max(path))` has its input there only. Inferences in grouping
 * keys and inside aggregate functions stay, because their results are needed below.
 */
private[sparkclassify] object PullOverAggregates extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan.transformUp {
    case aggregate: Aggregate if aggregate.aggregateExpressions.exists(infersOverResults(_, aggregate)) =>
      pull(aggregate)
  }

  private def isResult(expression: Expression, aggregate: Aggregate): Boolean =
    expression.isInstanceOf[AggregateExpression] || aggregate.groupingExpressions.exists(_.semanticEquals(expression))

  private def infersOverResults(expression: Expression, aggregate: Aggregate): Boolean =
    !isResult(expression, aggregate) &&
      (expression.isInstanceOf[ImageInference] || expression.children.exists(infersOverResults(_, aggregate)))

  private def pull(aggregate: Aggregate): LogicalPlan = {
    val below = mutable.ArrayBuffer.empty[NamedExpression]

    /** The column of the aggregate that holds this result. */
    def column(result: Expression): Attribute = {
      val known = below.collectFirst {
        case alias: Alias if alias.child.semanticEquals(result)       => alias.toAttribute
        case attribute: Attribute if attribute.semanticEquals(result) => attribute
      }
      known.getOrElse {
        val named = result match {
          case attribute: Attribute => attribute
          case other                => Alias(other, "aggregated")()
        }
        below += named
        named.toAttribute
      }
    }

    val above = aggregate.aggregateExpressions.map {
      case expression if infersOverResults(expression, aggregate) =>
        val replaced = expression.transformDown { case part if isResult(part, aggregate) => column(part) }
        replaced.asInstanceOf[NamedExpression]
      case expression =>
        below += expression
        expression.toAttribute
    }
    Project(above, aggregate.copy(aggregateExpressions = below.toSeq))
  }
}
