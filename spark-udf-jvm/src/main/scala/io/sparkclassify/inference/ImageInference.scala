package io.sparkclassify.inference

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.ImageInput
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult.{DataTypeMismatch, TypeCheckSuccess}
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.catalyst.trees.LeafLike
import org.apache.spark.sql.types._

/**
 * One run of a model over an image, or its hashes, given as a path, as the bytes of a file, or as Spark's image struct.
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

  override def prettyName: String = shape match {
    case ResultShape.Hashes       => "image_hash"
    case ResultShape.Embedding    => "embed_image"
    case _: ResultShape.OfClasses => "classify"
  }
  override def sql: String = s"$prettyName(${child.sql})"

  /** How plans show it: with the options that count, wherever they came from. */
  override def toString: String =
    if (spec.model.isHashes) s"$prettyName($child)"
    else s"$prettyName($child, ${spec.model.engine.name}, ${spec.model})"

  override def dataType: DataType = shape.resultType
  override def nullable: Boolean = child.nullable
  override def foldable: Boolean = false

  /** To the optimizer, an inference over other columns than those that it is pinned to is like a random value. */
  override lazy val deterministic: Boolean = children.forall(_.deterministic) && (marker match {
    case NotInOptimizer(Some(pinned)) => pinned == columns
    case _                            => true
  })

  /**
   * Calls are equal whatever they are pinned to. One that must not be made stays recognizable, because Spark asks the
   * canonical form of what it infers.
   */
  override lazy val canonicalized: Expression =
    copy(child = child.canonicalized, marker = if (deterministic) NotInOptimizer() else marker)

  private def columns: Set[ExprId] = child.references.map(_.exprId).toSet

  /** The same call, which is to be made over the columns only that it is over now. */
  def pinned: ImageInference = copy(marker = NotInOptimizer(Some(columns)))

  /** The same call, over whatever columns. */
  def unpinned: ImageInference = copy(marker = NotInOptimizer())

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
 * A child of an inference that tells the optimizer what not to do. Nobody asks it for a value.
 *
 * The optimizer evaluates projections over local relations on the driver, where `EXPLAIN` would classify. It leaves out
 * those that cannot be evaluated, and knows them by the trait of this expression.
 *
 * @param pinned
 *   the columns that the inference is over, where it must not be made over others, see
 *   [[io.sparkclassify.plans.PinInferences]]
 */
case class NotInOptimizer(pinned: Option[Set[ExprId]] = None) extends NeverEvaluated with LeafLike[Expression] {
  override def dataType: DataType = NullType
  override def nullable: Boolean = true
  override def toString: String = "marker"
}
