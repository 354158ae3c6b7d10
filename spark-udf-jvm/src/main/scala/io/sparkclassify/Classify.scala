package io.sparkclassify

import org.apache.spark.sql.catalyst.analysis.TypeCheckResult
import org.apache.spark.sql.catalyst.analysis.TypeCheckResult.{DataTypeMismatch, TypeCheckSuccess}
import org.apache.spark.sql.catalyst.expressions.{Expression, RuntimeReplaceable, UnaryExpression}
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.types._

/**
 * `classify(input [, backend [, model]])`: the class of an image, given as a path or as its bytes.
 *
 * The options are constants and are gone after analysis: the specification holds what they and the configuration say.
 *
 * @param options
 *   the SQL of the given options, which only show in the name of the column
 */
case class Classify(child: Expression, spec: ClassifySpec)(val options: Seq[String])
    extends UnaryExpression
    with CodegenFallback {

  override def prettyName: String = Classify.Name
  override def sql: String = Classify.sql(child.sql +: options)

  /** How plans show it: with the options that count, wherever they came from. */
  override def toString: String = s"$prettyName($child, ${spec.model.engine.name}, ${spec.model.uri})"

  override def dataType: DataType = ResultRows.schema

  /** A constant image is still not for the optimizer to classify. */
  override def foldable: Boolean = false

  override def checkInputDataTypes(): TypeCheckResult = child.dataType match {
    case _: StringType | BinaryType | NullType => TypeCheckSuccess
    case other =>
      DataTypeMismatch(
        "UNEXPECTED_INPUT_TYPE",
        Map(
          "paramIndex" -> "first",
          "requiredType" -> "(\"STRING\" or \"BINARY\")",
          "inputSql" -> s""""${child.sql}"""",
          "inputType" -> s""""${other.sql}""""
        )
      )
  }

  @transient private lazy val reader = new ImageReader(spec.images, spec.hadoop.configuration)

  @transient private lazy val model = ClassifyEngine.modelOfTask(spec)

  override protected def nullSafeEval(input: Any): Any = {
    val (name, content) = input match {
      case bytes: Array[Byte] =>
        val name = s"BINARY value of ${bytes.length} bytes"
        reader.checkSize(name, bytes.length)
        (name, bytes)
      case path => (path.toString, reader.read(path.toString))
    }
    val results = model.classify(IndexedSeq(content), BatchBuffers.ofThread)
    results.error(0).foreach(reason => throw ClassifyErrors.badImage(name, reason))
    results.row(0)
  }

  override protected def withNewChildInternal(newChild: Expression): Classify = copy(child = newChild)(options)
  override protected def otherCopyArgs: Seq[AnyRef] = Seq(options)
}

object Classify {
  val Name = "classify"

  private def sql(arguments: Seq[String]): String = arguments.mkString(s"$Name(", ", ", ")")

  /** Analyses a call: `arguments` are resolved, and the session is the active one. */
  def build(arguments: Seq[Expression]): Expression = {
    if (arguments.isEmpty || arguments.length > 3) throw ClassifyErrors.wrongArgumentCount(arguments.length)
    val call = sql(arguments.map(_.sql))
    val backend = arguments.lift(1).map(constant(call, "backend", "second", _))
    val model = arguments.lift(2).map(constant(call, "model", "third", _))
    Classify(arguments.head, ClassifySpec.resolve(backend, model))(arguments.tail.map(_.sql))
  }

  private def constant(call: String, option: String, position: String, argument: Expression): String = {
    def refuse(reason: String) = throw ClassifyErrors.badOption(reason, call, option, argument, position)
    if (!argument.dataType.isInstanceOf[StringType]) refuse("UNEXPECTED_INPUT_TYPE")
    if (!argument.foldable) refuse("NON_FOLDABLE_INPUT")
    // Analysis comes before the rule that puts the replacements in.
    val evaluable = argument.transform { case replaceable: RuntimeReplaceable => replaceable.replacement }
    Option(evaluable.eval()).getOrElse(refuse("UNEXPECTED_NULL")).toString
  }
}
