package io.sparkclassify.plans

import scala.util.Random

import io.sparkclassify.ColourImages

/** A boolean expression that may come to a call, and what it is for a row by the rules of SQL. */
final class RandomCondition private (val sql: String, val evaluate: RandomCondition.Row => RandomCondition.Value)

object RandomCondition {

  /** A row of the tests: its image has the class `id` modulo the number of classes. */
  final case class Row(id: Int, a: Option[Boolean], b: Option[Boolean])

  /** A truth value, None for NULL, and whether a call was made for it. */
  final case class Value(truth: Option[Boolean], calls: Boolean) {

    /** The value of what is evaluated after this one. */
    def goOn(next: Value): Value = next.copy(calls = calls || next.calls)
  }

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
    def call(sql: String) =
      new RandomCondition(
        s"$sql = '$label'",
        row => Value(Some(ColourImages.labels(row.id % 3) == label), calls = true)
      )
    random.nextInt(6) match {
      case 0 => new RandomCondition("a", row => Value(row.a, calls = false))
      case 1 => new RandomCondition("b", row => Value(row.b, calls = false))
      case 2 => new RandomCondition(s"id < $id", row => Value(Some(row.id < id), calls = false))
      case 3 => call("classify_topk(path, 1)[0].class")
      case 4 => call("try_classify(path).class")
      case _ => call("classify(path).class")
    }
  }

  private def not(part: RandomCondition) = new RandomCondition(
    s"(NOT ${part.sql})",
    row => {
      val value = part.evaluate(row)
      value.copy(truth = value.truth.map(!_))
    }
  )

  private def and(first: RandomCondition, second: RandomCondition) = new RandomCondition(
    s"(${first.sql} AND ${second.sql})",
    row => {
      val value = first.evaluate(row)
      if (value.truth.contains(false)) value
      else {
        val other = second.evaluate(row)
        val truth = if (other.truth.contains(false)) other.truth else value.truth.flatMap(_ => other.truth)
        value.goOn(other.copy(truth = truth))
      }
    }
  )

  private def or(first: RandomCondition, second: RandomCondition) = new RandomCondition(
    s"(${first.sql} OR ${second.sql})",
    row => {
      val value = first.evaluate(row)
      if (value.truth.contains(true)) value
      else {
        val other = second.evaluate(row)
        val truth = if (other.truth.contains(true)) other.truth else value.truth.flatMap(_ => other.truth)
        value.goOn(other.copy(truth = truth))
      }
    }
  )

  private def conditional(
      sql: (String, String, String) => String,
      condition: RandomCondition,
      yes: RandomCondition,
      no: RandomCondition
  ) = new RandomCondition(
    sql(condition.sql, yes.sql, no.sql),
    row => {
      val value = condition.evaluate(row)
      value.goOn(if (value.truth.contains(true)) yes.evaluate(row) else no.evaluate(row))
    }
  )

  private def coalesce(first: RandomCondition, second: RandomCondition) = new RandomCondition(
    s"coalesce(${first.sql}, ${second.sql})",
    row => {
      val value = first.evaluate(row)
      if (value.truth.isDefined) value else value.goOn(second.evaluate(row))
    }
  )
}
