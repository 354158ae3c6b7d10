package io.sparkclassify.plans

import scala.util.Random

import io.sparkclassify.ColourImages

/**
 * A boolean expression that may come to a call, and what it is for a row by the rules of SQL.
 *
 * @param hasCall
 *   whether it may. What depends on the value of such a condition counts as called, whatever that is: which rows need
 *   an inference cannot depend on its own result.
 */
final class RandomCondition private (
    val sql: String,
    val hasCall: Boolean,
    val evaluate: RandomCondition.Row => RandomCondition.Value
)

object RandomCondition {

  /** A row of the tests: its image has the class `id` modulo the number of classes. */
  final case class Row(id: Int, a: Option[Boolean], b: Option[Boolean])

  /** A truth value, None for NULL, and whether a call was made for it. */
  final case class Value(truth: Option[Boolean], calls: Boolean)

  def flag(row: org.apache.spark.sql.Row, column: Int): Option[Boolean] =
    if (row.isNullAt(column)) None else Some(row.getBoolean(column))

  def draw(random: Random, depth: Int): RandomCondition =
    if (depth == 0 || random.nextInt(6) == 0) leaf(random)
    else {
      def part() = draw(random, depth - 1)
      random.nextInt(6) match {
        case 0 => not(part())
        case 1 => and(part(), part())
        case 2 => or(part(), part())
        case 3 => conditional((c, yes, no) => s"IF($c, $yes, $no)", part(), part(), part())
        case 4 => conditional((c, yes, no) => s"CASE WHEN $c THEN $yes ELSE $no END", part(), part(), part())
        case _ => coalesce(part(), part())
      }
    }

  private def leaf(random: Random): RandomCondition = {
    val id = random.nextInt(12)
    val label = ColourImages.labels(random.nextInt(3))
    def column(sql: String)(truth: Row => Option[Boolean]) =
      new RandomCondition(sql, hasCall = false, row => Value(truth(row), calls = false))
    def call(sql: String) = new RandomCondition(
      s"$sql = '$label'",
      hasCall = true,
      row => Value(Some(ColourImages.labels(row.id % 3) == label), calls = true)
    )
    random.nextInt(6) match {
      case 0 => column("a")(_.a)
      case 1 => column("b")(_.b)
      case 2 => column(s"id < $id")(row => Some(row.id < id))
      case 3 => call("classify_topk(path, 1)[0].class")
      case 4 => call("try_classify(path).class")
      case _ => call("classify(path).class")
    }
  }

  private def not(part: RandomCondition) = new RandomCondition(
    s"(NOT ${part.sql})",
    part.hasCall,
    row => {
      val value = part.evaluate(row)
      value.copy(truth = value.truth.map(!_))
    }
  )

  private def and(first: RandomCondition, second: RandomCondition) =
    inTurn(s"(${first.sql} AND ${second.sql})", first, second)(!_.contains(false)) {
      case (Some(true), other) => other
      case (one, other)        => if (other.contains(false)) other else one
    }

  private def or(first: RandomCondition, second: RandomCondition) =
    inTurn(s"(${first.sql} OR ${second.sql})", first, second)(!_.contains(true)) {
      case (Some(false), other) => other
      case (one, other)         => if (other.contains(true)) other else one
    }

  private def coalesce(first: RandomCondition, second: RandomCondition) =
    inTurn(s"coalesce(${first.sql}, ${second.sql})", first, second)(_.isEmpty)((_, other) => other)

  /**
   * @param goesOn
   *   whether the second one is evaluated after this value of the first
   * @param both
   *   the value of the two then
   */
  private def inTurn(sql: String, first: RandomCondition, second: RandomCondition)(goesOn: Option[Boolean] => Boolean)(
      both: (Option[Boolean], Option[Boolean]) => Option[Boolean]
  ) = new RandomCondition(
    sql,
    first.hasCall || second.hasCall,
    row => {
      val (value, other) = (first.evaluate(row), second.evaluate(row))
      val further = goesOn(value.truth)
      Value(
        if (further) both(value.truth, other.truth) else value.truth,
        value.calls || other.calls && (further || first.hasCall)
      )
    }
  )

  private def conditional(
      sql: (String, String, String) => String,
      condition: RandomCondition,
      yes: RandomCondition,
      no: RandomCondition
  ) = new RandomCondition(
    sql(condition.sql, yes.sql, no.sql),
    Seq(condition, yes, no).exists(_.hasCall),
    row => {
      val value = condition.evaluate(row)
      val (taken, other) = if (value.truth.contains(true)) (yes, no) else (no, yes)
      val result = taken.evaluate(row)
      Value(result.truth, value.calls || result.calls || condition.hasCall && other.evaluate(row).calls)
    }
  )
}
