package io.sparkclassify.expressions

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.execution.RowInference
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult.{DataTypeMismatch, TypeCheckSuccess}
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.types._

/**
 * One run of a model over an image, given as a path, as the bytes of a file, or as Spark's image struct.
 *
 * The SQL functions are views of this expression, so that calls which differ only in what they show are one inference.
 * A bad image is no failure here but a result with `condition` and `error`: the views decide what becomes of it.
 *
 * The optimizer moves inferences into an operator of their own, which runs them in batches. Where Spark evaluates an
 * expression by itself (a join condition over both sides, a lambda function) it runs row by row.
 *
 * @param marker
 *   keeps the optimizer from running the inference, see [[NotInOptimizer]]
 * @param shape
 *   what `value` of the result is
 */
case class ImageInference(child: Expression, marker: Expression, spec: ClassifySpec, shape: ResultShape)
    extends BinaryExpression
    with CodegenFallback {

  override def left: Expression = child
  override def right: Expression = marker

  override def prettyName: String = "classify"
  override def sql: String = s"$prettyName(${child.sql})"

  /** How plans show it: with the options that count, wherever they came from. */
  override def toString: String = s"$prettyName($child, ${spec.model.engine.name}, ${spec.model})"

  override def dataType: DataType = shape.resultType
  override def nullable: Boolean = child.nullable
  override def foldable: Boolean = false

  override def checkInputDataTypes(): TypeCheckResult =
    if (ImageInput.find(child.dataType).isDefined) TypeCheckSuccess
    else {
      DataTypeMismatch(
        "UNEXPECTED_INPUT_TYPE",
        Map(
          "paramIndex" -> "first",
          "requiredType" -> "(\"STRING\" or \"BINARY\" or the \"STRUCT\" of Spark's image data source)",
          "inputSql" -> s""""${child.sql}"""",
          "inputType" -> s""""${child.dataType.sql}""""
        )
      )
    }

  @transient private lazy val inference = new RowInference(spec, ImageInput.of(child.dataType), shape)

  override def eval(row: InternalRow): Any = {
    val image = child.eval(row)
    if (image == null) null else inference.run(image)
  }

  override protected def withNewChildrenInternal(newLeft: Expression, newRight: Expression): ImageInference =
    copy(child = newLeft, marker = newRight)
}

/**
 * A child that Spark believes cannot be evaluated.
 *
 * The optimizer evaluates projections over local relations on the driver, where `EXPLAIN` would classify. It leaves out
 * those that cannot be evaluated, and knows them by this trait. Nobody asks this expression for a value.
 */
case object NotInOptimizer extends LeafExpression with Unevaluable {
  override def dataType: DataType = NullType
  override def nullable: Boolean = true
  override def toString: String = "marker"
}
