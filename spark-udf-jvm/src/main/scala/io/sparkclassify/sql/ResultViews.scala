package io.sparkclassify.sql

import io.sparkclassify.conf.ClassifyErrors
import io.sparkclassify.inference.ImageInference
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.codegen.{CodeGenerator, CodegenContext, CodegenFallback, ExprCode}
import org.apache.spark.sql.types._
import org.apache.spark.unsafe.types.UTF8String

/** What a SQL function makes of the result of an [[ImageInference]]. */
sealed abstract class ResultView extends UnaryExpression {

  /** The call as it was written, for the name of its column. */
  def call: CallText

  protected def valueType: DataType = child.dataType.asInstanceOf[StructType].head.dataType

  override def sql: String = child match {
    case inference: ImageInference => call.sql(inference.child.sql)
    case result                    => s"$prettyName(${result.sql})"
  }

  override protected def otherCopyArgs: Seq[AnyRef] = Seq(call)
}

/** The name of a function and the SQL of its arguments after the image. */
final case class CallText(function: String, options: Seq[String]) {
  def sql(image: String): String = (image +: options).mkString(s"$function(", ", ", ")")
}

/** The value; a bad image fails the query. All functions whose names do not begin with `try_` are this view. */
case class ResultOrFail(child: Expression)(val call: CallText) extends ResultView {

  override def prettyName: String = "result_or_fail"
  override def dataType: DataType = valueType

  /** The function that keeps the rows of bad images, and what does where it is Spark ML's stage that has called. */
  private lazy val keeps: String = call.function match {
    case Functions.EmbedImage => s"${Functions.TryEmbedImage} (in Spark ML: handleInvalid)"
    case Functions.ImageHash  => Functions.TryImageHash
    case _                    => s"${Functions.TryClassify} (in Spark ML: handleInvalid)"
  }

  override protected def nullSafeEval(result: Any): Any = {
    val row = result.asInstanceOf[InternalRow]
    ResultOrFail.check(row, keeps)
    row.get(0, dataType)
  }

  override protected def doGenCode(ctx: CodegenContext, ev: ExprCode): ExprCode =
    nullSafeCodeGen(
      ctx,
      ev,
      result => s"""
        |${classOf[ResultOrFail].getName}.check($result, "$keeps");
        |${ev.value} = ${CodeGenerator.getValue(result, dataType, "0")};
        |""".stripMargin
    )

  override protected def withNewChildInternal(newChild: Expression): ResultOrFail = copy(newChild)(call)
}

object ResultOrFail {

  /** Throws the error of a bad image. `keeps` is the function that would keep its row. */
  def check(result: InternalRow, keeps: String): Unit =
    if (!result.isNullAt(2)) throw ClassifyErrors.failedImage(result.getString(1), result.getString(2), keeps)
}

/**
 * The value, or what a value that is no struct is called, with one more field, `error`, which is all that is set for a
 * bad image. The functions whose names begin with `try_` are this view.
 */
case class ResultOrError(child: Expression)(val call: CallText) extends ResultView with CodegenFallback {

  override def prettyName: String = "result_or_error"

  override lazy val dataType: StructType = {
    val fields = valueType match {
      case struct: StructType => struct.toSeq
      case _                  => Seq(child.dataType.asInstanceOf[StructType].head)
    }
    StructType(fields.map(_.copy(nullable = true)) :+ StructField("error", StringType))
  }

  override protected def nullSafeEval(result: Any): Any = {
    val row = result.asInstanceOf[InternalRow]
    val error = dataType.length - 1
    val shown = new GenericInternalRow(dataType.length)
    if (row.isNullAt(2)) {
      val value = if (valueType.isInstanceOf[StructType]) row.getStruct(0, error) else row
      (0 until error).foreach(field => shown.update(field, value.get(field, dataType(field).dataType)))
    } else shown.update(error, UTF8String.fromString(s"[${row.getString(1)}] ${row.getString(2)}"))
    shown
  }

  override protected def withNewChildInternal(newChild: Expression): ResultOrError = copy(newChild)(call)
}
