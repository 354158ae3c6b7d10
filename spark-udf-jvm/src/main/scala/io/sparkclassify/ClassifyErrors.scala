package io.sparkclassify

import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.catalyst.trees.Origin

/** The errors that the Spark side raises itself, each with its condition. */
private[sparkclassify] object ClassifyErrors {

  /** The call of `classify` cannot be analysed. */
  def configuration(message: String): AnalysisException =
    new ClassifyAnalysisException("CLASSIFY_BAD_CONFIGURATION", message, Origin())

  def missingModel(): AnalysisException = configuration(
    "no model: set spark.classify.model to a model directory (SET spark.classify.model=/path/to/model), or give it as " +
      "the third argument of classify"
  )

  def unknownBackend(name: String): AnalysisException = configuration(
    s"unknown backend '$name' (second argument of classify; its default is spark.classify.backend): use one of " +
      Engine.all.map(engine => s"'${engine.name}'").mkString(", ")
  )

  def wrongArgumentCount(actual: Int): AnalysisException = new AnalysisException(
    "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
    Map(
      "functionName" -> s"`${Classify.Name}`",
      "expectedNum" -> "[1, 2, 3]",
      "actualNum" -> actual.toString,
      "docroot" -> "https://spark.apache.org/docs/latest"
    )
  )

  /** An option (backend, model) that is no constant string; `reason` is a subclass of DATATYPE_MISMATCH. */
  def badOption(
      reason: String,
      call: String,
      option: String,
      argument: Expression,
      position: String
  ): AnalysisException = new AnalysisException(
    s"DATATYPE_MISMATCH.$reason",
    Map("sqlExpr" -> quoted(call)) ++ (reason match {
      case "NON_FOLDABLE_INPUT" =>
        Map("inputName" -> s"`$option`", "inputType" -> quoted("STRING"), "inputExpr" -> quoted(argument.sql))
      case "UNEXPECTED_NULL" =>
        Map("exprName" -> s"`$option`")
      case _ =>
        Map(
          "paramIndex" -> position,
          "requiredType" -> quoted("STRING"),
          "inputSql" -> quoted(argument.sql),
          "inputType" -> quoted(argument.dataType.sql)
        )
    })
  )

  /** An image whose bytes cannot be had. */
  def unreadableImage(name: String, reason: String, cause: Throwable = null): ClassifyException =
    imageError("CLASSIFY_UNREADABLE_IMAGE", name, reason, cause)

  /** An image whose bytes are no image that can be classified. */
  def badImage(name: String, reason: String): ClassifyException =
    imageError("CLASSIFY_BAD_IMAGE", name, reason, null)

  /** A model directory that cannot be used. */
  def badModel(uri: String, reason: String, cause: Throwable): ClassifyException =
    new ClassifyException(
      "CLASSIFY_BAD_MODEL",
      s"cannot load the model $uri (${ClassifyConf.Model.key}): $reason",
      cause
    )

  private def imageError(condition: String, name: String, reason: String, cause: Throwable) =
    new ClassifyException(condition, s"cannot classify $name: $reason", cause)

  private def quoted(sql: String): String = "\"" + sql + "\""
}
