package io.sparkclassify.inference

import scala.util.control.NonFatal

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{BinaryExpression, Expression}
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.types.DataType

/**
 * The input of an inference that only some rows need: the image where the condition holds, and else NULL, for which
 * nothing is read or run.
 *
 * A condition that throws does not hold. It is that of an expression in an operator above, which throws the same where
 * it is evaluated; but it need not be, because the operators between them may drop the row.
 */
case class NeededImage(image: Expression, condition: Expression) extends BinaryExpression with CodegenFallback {

  override def left: Expression = image
  override def right: Expression = condition

  override def prettyName: String = "needed_image"
  override def dataType: DataType = image.dataType
  override def nullable: Boolean = true
  override def foldable: Boolean = false

  /** How plans show it, like the `FILTER (WHERE ..)` of an aggregate. */
  override def toString: String = s"$image WHERE $condition"
  override def sql: String = s"${image.sql} WHERE ${condition.sql}"

  override def eval(row: InternalRow): Any = if (holds(row)) image.eval(row) else null

  private def holds(row: InternalRow): Boolean =
    try condition.eval(row) == true
    catch { case NonFatal(_) => false }

  override protected def withNewChildrenInternal(newLeft: Expression, newRight: Expression): NeededImage =
    copy(image = newLeft, condition = newRight)
}
