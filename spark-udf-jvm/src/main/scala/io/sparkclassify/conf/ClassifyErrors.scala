package io.sparkclassify.conf

import io.sparkclassify.{ClassifyAnalysisException, ClassifyException, Escaped}
import org.apache.spark.SparkEnv
import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.types.DataType

/** The errors that the Spark side raises itself, each with its condition. */
private[sparkclassify] object ClassifyErrors {

  /** The call of `classify` cannot be analysed. */
  def configuration(message: String): AnalysisException =
    new ClassifyAnalysisException("CLASSIFY_BAD_CONFIGURATION", message)

  /** `configured` are the models that have names. */
  def missingModel(configured: Seq[String]): AnalysisException = configuration(
    s"no model: set ${ClassifyConf.Model.key} to a model directory (SET ${ClassifyConf.Model.key}=/path/to/model in SQL, " +
      s"--conf ${ClassifyConf.Model.key}=/path/to/model at the start), or give the argument `model` a name for which " +
      s"${ClassifyConf.NamedModel.name} is set; ${these(configured)}. A model directory holds config.json, " +
      "preprocessor_config.json, and model.onnx or model.pt, as the folder `model` of spark-classify's sources does"
  )

  def unknownModel(name: String, configured: Seq[String]): AnalysisException = configuration(
    s"unknown model '$name': the argument `model` is a name for which ${ClassifyConf.NamedModel.name} is set; " +
      these(configured)
  )

  private def these(configured: Seq[String]): String =
    if (configured.isEmpty) s"none is (SET ${ClassifyConf.NamedModel.name}=/path/to/model sets one)"
    else s"these are: ${configured.mkString(", ")}"

  def modelPathRefused(path: String): AnalysisException = configuration(
    s"the argument `model` is the path or URI '$path', but ${ClassifyConf.AllowPaths.key} is false: set " +
      s"${ClassifyConf.NamedModel.name} to it and give the name, or start the application with " +
      s"${ClassifyConf.AllowPaths.key}=true"
  )

  def modelLocked(uri: String): AnalysisException = configuration(
    s"the model $uri is none that the application was started with, and ${ClassifyConf.ModelsLocked.key} is true: use one of " +
      s"those, or start the application with ${ClassifyConf.NamedModel.name} set to it"
  )

  /** A session's limit that is above what the application was started with. */
  def limitRefused(key: String, value: Long, most: Long): AnalysisException = configuration(
    s"$key is $value, and the application was started with $most, which is the most that a session may set: set a smaller " +
      s"value, or start the application with a larger one (--conf $key=…)"
  )

  def unknownBackend(name: String): AnalysisException = configuration(
    s"unknown backend '$name' (its default is spark.classify.backend): use one of " +
      (Engine.all.map(_.name) :+ EngineChoice.Auto).map(name => s"'$name'").mkString(", ")
  )

  def precisionRefused(precision: Precision, engine: Engine): AnalysisException = configuration(
    s"${ClassifyConf.PrecisionName.key} is '${precision.name}', in which the backend '${engine.name}' does not compute: " +
      s"set it to '${Precision.Fp32.name}', or choose the backend " +
      precision.engines.map(engine => s"'${engine.name}'").mkString(" or ")
  )

  def wrongArgumentCount(function: String, expected: Range, actual: Int): AnalysisException = new AnalysisException(
    "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
    Map(
      "functionName" -> s"`$function`",
      "expectedNum" -> expected.mkString("[", ", ", "]"),
      "actualNum" -> actual.toString,
      "docroot" -> "https://spark.apache.org/docs/latest"
    )
  )

  /** The named arguments of a call do not fit the function. */
  def wrongArguments(function: String, parameters: Seq[String], reason: String): AnalysisException =
    new ClassifyAnalysisException(
      "CLASSIFY_WRONG_ARGUMENTS",
      s"cannot call $function(${parameters.mkString(", ")}): $reason"
    )

  /**
   * An argument that must be a constant and is none.
   *
   * @param reason
   *   a subclass of DATATYPE_MISMATCH
   * @param position
   *   of the argument, from 1
   */
  def badOption(
      reason: String,
      call: String,
      parameter: String,
      argument: Expression,
      position: Int,
      required: DataType
  ): AnalysisException = new AnalysisException(
    s"DATATYPE_MISMATCH.$reason",
    Map("sqlExpr" -> quoted(call)) ++ (reason match {
      case "NON_FOLDABLE_INPUT" =>
        Map("inputName" -> s"`$parameter`", "inputType" -> quoted(required.sql), "inputExpr" -> quoted(argument.sql))
      case "UNEXPECTED_NULL" =>
        Map("exprName" -> s"`$parameter`")
      case _ =>
        Map(
          "paramIndex" -> Seq("first", "second", "third", "fourth")(position - 1),
          "requiredType" -> quoted(required.sql),
          "inputSql" -> quoted(argument.sql),
          "inputType" -> quoted(argument.dataType.sql)
        )
    })
  )

  /**
   * Why an image has no result: the text of the errors of all functions, which share its decoding. It is escaped for
   * those with `try_` too, whose rows are written to files of one line a row and shown on terminals.
   *
   * @param problem
   *   what cannot be done with it
   * @param name
   *   the path, or what else the user knows the image by
   */
  def badImage(problem: String, name: String, reason: String): String =
    s"cannot $problem ${Escaped(name)}: ${Escaped(reason)}"

  /** The JVM grants less direct memory than a batch needs. */
  def noDirectMemory(bytes: Long): ClassifyException = new ClassifyException(
    "CLASSIFY_BAD_CONFIGURATION",
    s"the JVM grants no $bytes bytes of direct memory: raise -XX:MaxDirectMemorySize, or lower " +
      s"${ClassifyConf.ReadMemory.key}, to leave more to others"
  )

  /** The failure of a query by a bad image. `keeps` is the function that would keep its row. */
  def failedImage(condition: String, reason: String, keeps: String): ClassifyException =
    new ClassifyException(condition, s"$reason. To keep such rows with their error, use $keeps.")

  /** A model directory that cannot be used. */
  def badModel(uri: String, reason: String, cause: Throwable): ClassifyException =
    new ClassifyException(
      "CLASSIFY_BAD_MODEL",
      s"cannot load the model $uri (from ${ClassifyConf.Model.key} or ${ClassifyConf.NamedModel.name}): $reason",
      cause
    )

  /** A model that does not give what is asked of it. */
  def missingOutput(uri: String, reason: String): ClassifyException =
    new ClassifyException(
      "CLASSIFY_BAD_MODEL",
      s"cannot use the model $uri (from ${ClassifyConf.Model.key} or ${ClassifyConf.NamedModel.name}): $reason"
    )

  /** A model that the engine has loaded and cannot run on a batch. */
  def inferenceFailed(uri: String, reason: String, cause: Throwable): ClassifyException =
    new ClassifyException(
      "CLASSIFY_INFERENCE_FAILED",
      s"cannot run the model $uri: $reason. Which image it cannot be run on shows with SET ${ClassifyConf.BatchSize.key}=1 " +
        "and fewer rows",
      cause
    )

  /** A precision that an executor's CPU or libraries do not have. */
  def precisionUnavailable(uri: String, reason: String, cause: Throwable): ClassifyException =
    new ClassifyException(
      "CLASSIFY_BAD_CONFIGURATION",
      s"cannot load the model $uri: $reason (${ClassifyConf.PrecisionName.key})",
      cause
    )

  /** A GPU that an executor does not have, or cannot use. */
  def deviceUnavailable(uri: String, reason: String, cause: Throwable): ClassifyException =
    new ClassifyException(
      "CLASSIFY_DEVICE_UNAVAILABLE",
      s"cannot load the model $uri: $reason (${ClassifyConf.Device.key}): set that to a GPU that executors have, or to cpu",
      cause
    )

  /** A GPU that is assigned by another name than its number. */
  def strangeGpuAddress(address: String): ClassifyException =
    new ClassifyException(
      "CLASSIFY_DEVICE_UNAVAILABLE",
      s"Spark has assigned the GPU '$address' to the task, which is no number: have the discovery script " +
        "(spark.executor.resource.gpu.discoveryScript) print numbers, as scripts/discover_gpus.sh does"
    )

  /**
   * Names the executor in what goes wrong, since another one may have what it lacks. Spark names it only around errors
   * that have no condition.
   */
  def onExecutor[T](action: => T): T =
    try action
    catch {
      case e: ClassifyException if !executor.forall(e.getReason.endsWith) =>
        throw new ClassifyException(e.getCondition, s"${e.getReason} ${executor.get}", e)
    }

  /** None on the driver. */
  private def executor: Option[String] =
    Option(SparkEnv.get).map(_.blockManager.blockManagerId).filterNot(_.isDriver).map { id =>
      s"(executor ${id.executorId} on ${id.host})"
    }

  private def quoted(sql: String): String = "\"" + sql + "\""
}
