package io.sparkclassify.sql

import io.sparkclassify.conf.ClassifyErrors
import org.apache.spark.sql.catalyst.expressions.{Expression, NamedArgumentExpression, RuntimeReplaceable}
import org.apache.spark.sql.types.{DataType, NullType, StringType}

/**
 * The arguments of a call, by the names of the function's parameters.
 *
 * @param text
 *   the call as it was written
 */
final class Arguments private (parameters: Seq[String], values: Map[String, Expression], val text: CallText) {

  /** An argument that the call must have. */
  def apply(parameter: String): Expression = values(parameter)

  /**
   * The value of an argument that must be a constant; None when the call has it not.
   *
   * @param types
   *   those it may have, the first of which errors name
   * @throws AnalysisException
   *   DATATYPE_MISMATCH when it is no constant, NULL, or of another type
   */
  def constant(parameter: String, types: DataType*): Option[Any] = values.get(parameter).map { argument =>
    if (argument.dataType == NullType) refuse("UNEXPECTED_INPUT_TYPE", parameter, types.head)
    evaluate(parameter, types).getOrElse(refuse("UNEXPECTED_NULL", parameter, types.head))
  }

  /**
   * The value of an argument that must be a constant, where NULL stands for one that is not given: so a call can give a
   * later one by its position.
   *
   * @throws AnalysisException
   *   DATATYPE_MISMATCH when it is no constant, or of another type
   */
  def option(parameter: String, types: DataType*): Option[Any] =
    if (values.contains(parameter)) evaluate(parameter, types) else None

  private def evaluate(parameter: String, types: Seq[DataType]): Option[Any] = {
    val argument = values(parameter)
    val fits = argument.dataType == NullType || types.exists {
      case StringType => argument.dataType.isInstanceOf[StringType]
      case other      => argument.dataType == other
    }
    if (!fits) refuse("UNEXPECTED_INPUT_TYPE", parameter, types.head)
    if (!argument.foldable) refuse("NON_FOLDABLE_INPUT", parameter, types.head)
    // Analysis comes before the rule that puts the replacements in.
    val evaluable = argument.transform { case replaceable: RuntimeReplaceable => replaceable.replacement }
    Option(evaluable.eval())
  }

  private def refuse(reason: String, parameter: String, wanted: DataType): Nothing = {
    val call = text.sql(values(parameters.head).sql)
    val position = parameters.indexOf(parameter) + 1
    throw ClassifyErrors.badOption(reason, call, parameter, values(parameter), position, wanted)
  }
}

object Arguments {

  /**
   * Gives each argument to its parameter: first those by position, then those by name (`model => 'resnet50'`).
   *
   * Spark does the same for its own functions, in a class that has changed from release to release.
   *
   * @param required
   *   how many of the parameters, from the first on, a call must give
   * @throws AnalysisException
   *   when an argument is missing, unknown or given twice
   */
  def parse(function: String, parameters: Seq[String], required: Int, arguments: Seq[Expression]): Arguments = {
    def refuse(reason: String) = throw ClassifyErrors.wrongArguments(function, parameters, reason)
    val (positional, rest) = arguments.span(!_.isInstanceOf[NamedArgumentExpression])
    if (arguments.length > parameters.length || rest.isEmpty && arguments.length < required) {
      throw ClassifyErrors.wrongArgumentCount(function, required to parameters.length, arguments.length)
    }
    val named = rest.map {
      case NamedArgumentExpression(name, value) =>
        // SQL names know no case.
        parameters.find(_.equalsIgnoreCase(name)).getOrElse(refuse(s"it has no parameter $name")) -> value
      case unnamed => refuse(s"${unnamed.sql} comes without a name behind an argument that has one")
    }
    val all = parameters.zip(positional) ++ named
    val assigned = all.map(_._1)
    assigned.diff(assigned.distinct).foreach(parameter => refuse(s"$parameter is given twice"))
    val values = all.toMap
    parameters.take(required).filterNot(values.contains).foreach(missing => refuse(s"$missing is missing"))

    // A column's name has the image in front, wherever it stands in the call.
    val options = positional.drop(1).map(_.sql) ++ named.collect {
      case (parameter, value) if parameter != parameters.head => s"$parameter => ${value.sql}"
    }
    new Arguments(parameters, values, CallText(function, options))
  }
}
