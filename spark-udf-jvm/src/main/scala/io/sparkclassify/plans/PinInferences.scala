package io.sparkclassify.plans

import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Keeps the optimizer from making up inferences over columns that have the value of another one.
 *
 * What a filter says of one column holds of all that are equal to it. So from `a.path = b.path AND
 * classify(a.path).class = 'x'` Spark infers the same condition on `b.path`, and puts it below the join: right, but a
 * second inference for the rows of the other table. It infers nothing over random values. A call that is pinned to its
 * columns becomes one by the replacement of a column, and so stays the only one.
 *
 * Spark replaces columns in calls for other reasons, too, as where a filter goes below a projection that renames them.
 * This rule runs after those that do so, in the rounds that Spark makes before it infers filters and after, and pins
 * calls anew. By the last round no column is renamed any more.
 */
object PinInferences extends Rule[LogicalPlan] {

  override def apply(plan: LogicalPlan): LogicalPlan = plan.transformAllExpressions {
    case call: ImageInference => call.pinned
  }

  /** The plan with its calls as they were. */
  def undo(plan: LogicalPlan): LogicalPlan = plan.transformAllExpressions { case call: ImageInference =>
    call.unpinned
  }
}
