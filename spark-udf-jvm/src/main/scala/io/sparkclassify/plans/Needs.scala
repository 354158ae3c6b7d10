package io.sparkclassify.plans

import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.Literal.{FalseLiteral, TrueLiteral}
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression
import org.apache.spark.sql.catalyst.plans.logical._

/**
 * Which rows of a plan need an inference: a condition that holds where the evaluation of its expressions comes to a
 * call, and where it does not hold, the call's value makes no difference to theirs.
 *
 * Only `IF`, `CASE`, `COALESCE`, `AND`, `OR`, `NANVL` and the `FILTER` of an aggregate function decide what is
 * evaluated; any other expression needs all its children. Conditions that may not be used count as unknown, so that the
 * inference is made whatever they say. The need evaluates the others in the order in which the plan does.
 *
 * NULL counts as false: a need is never negated.
 *
 * @param isCall
 *   whether an inference is the one in question
 * @param usable
 *   whether a condition of the plan may be part of the need
 */
private[plans] final class Needs(isCall: ImageInference => Boolean, usable: Expression => Boolean) {
  import Needs._

  def of(plan: LogicalPlan): Expression = plan match {
    case Filter(condition, _) => of(condition, predicate = true)
    case join: Join           => any(join.condition.toSeq, predicate = true)
    // Functions are evaluated over all rows, in whatever branch of a result their value is used.
    case aggregate: Aggregate =>
      val functions =
        aggregate.aggregateExpressions.flatMap(_.collect { case function: AggregateExpression => function })
      any(aggregate.groupingExpressions ++ functions, predicate = false)
    // Other rows' values are used too.
    case window: Window => if (window.expressions.exists(contains)) Always else Never
    case _              => any(plan.expressions, predicate = false)
  }

  private def any(expressions: Seq[Expression], predicate: Boolean): Expression =
    expressions.map(of(_, predicate)).foldLeft(Never)(either)

  private def contains(expression: Expression): Boolean = expression.exists {
    case call: ImageInference => isCall(call)
    case _                    => false
  }

  /**
   * @param predicate
   *   whether NULL and false make no difference for the value of the expression
   */
  private def of(expression: Expression, predicate: Boolean): Expression = expression match {
    case _ if !contains(expression)           => Never
    case call: ImageInference if isCall(call) => Always
    case If(condition, yes, no)               => branch(condition, of(yes, predicate), of(no, predicate))
    case CaseWhen(branches, otherwise) =>
      branches.foldRight(any(otherwise.toSeq, predicate)) { case ((condition, value), rest) =>
        branch(condition, of(value, predicate), rest)
      }
    case Coalesce(values) =>
      values.foldRight(Never) { (value, rest) =>
        either(of(value, predicate = false), when(IsNull(value), rest, Never))
      }
    case NaNvl(value, other) =>
      either(of(value, predicate = false), when(IsNaN(value), of(other, predicate = false), Never))
    case And(first, second) =>
      val goesOn = if (predicate) first else isNotFalse(first)
      either(of(first, predicate), when(goesOn, of(second, predicate), Never))
    case Or(first, second) => either(of(first, predicate), when(first, Never, of(second, predicate)))
    case AggregateExpression(function, _, _, Some(condition), _) =>
      branch(condition, of(function, predicate = false), Never)
    case _ => any(expression.children, predicate = false)
  }

  private def branch(condition: Expression, yes: Expression, no: Expression): Expression =
    either(of(condition, predicate = true), when(condition, yes, no))

  private def when(condition: Expression, yes: Expression, no: Expression): Expression = (yes, no) match {
    case _ if yes.semanticEquals(no) => yes
    case _ if !usable(condition)     => either(yes, no)
    case (Always, Never)             => condition
    case (Never, Always)             => isNotTrue(condition)
    case (_, Never)                  => And(condition, yes)
    case (Always, _)                 => Or(condition, no)
    // One expression for many branches, because deep trees take much stack.
    case (_, CaseWhen(branches, rest)) => CaseWhen((condition -> yes) +: branches, rest)
    case _                             => CaseWhen(Seq(condition -> yes), no)
  }
}

private[plans] object Needs {

  /** All rows need the inference. */
  val Always: Expression = TrueLiteral
  val Never: Expression = FalseLiteral

  /** The rows that have one need or the other. */
  def either(need: Expression, other: Expression): Expression = (need, other) match {
    case (Always, _) | (_, Always)                               => Always
    case (Never, _)                                              => other
    case (_, Never)                                              => need
    case _ if alternatives(need).exists(_.semanticEquals(other)) => need
    case _                                                       => Or(need, other)
  }

  private def alternatives(need: Expression): Seq[Expression] = need match {
    case Or(first, second) => alternatives(first) ++ alternatives(second) :+ need
    case _                 => Seq(need)
  }

  private def isNotTrue(condition: Expression): Expression =
    Not(if (condition.nullable) EqualNullSafe(condition, TrueLiteral) else condition)

  private def isNotFalse(condition: Expression): Expression =
    if (condition.nullable) Not(EqualNullSafe(condition, FalseLiteral)) else condition

  /**
   * Whether a condition can be evaluated for each row below the operator that it is from, and once more there: it is
   * the same every time, of the row alone, and costs next to nothing beside an image.
   */
  def isCheap(condition: Expression): Boolean = {
    val bound = condition.collect { case lambda: LambdaFunction => lambda.arguments.map(_.exprId) }.flatten
    condition.deterministic && !condition.exists {
      case _: UserDefinedExpression | _: AggregateExpression | _: WindowExpression | _: OuterReference => true
      case variable: NamedLambdaVariable => !bound.contains(variable.exprId)
      case subquery: ScalarSubquery      => subquery.isCorrelated
      case _: PlanExpression[_]          => true
      case _                             => false
    }
  }
}
