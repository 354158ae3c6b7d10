package io.sparkclassify.info

import io.sparkclassify.conf.{ClassifyErrors, NativeSpec}
import org.apache.spark.sql.catalyst.analysis.MultiInstanceRelation
import org.apache.spark.sql.catalyst.expressions.{Attribute, Expression, ExpressionInfo}
import org.apache.spark.sql.catalyst.plans.logical.{LeafNode, LogicalPlan, Statistics}
import org.apache.spark.sql.catalyst.types.DataTypeUtils
import org.apache.spark.sql.types._

/** The table function `classify_info()`. Nothing is asked before the query runs, see [[ClassifyInfoExec]]. */
case class ClassifyInfo(output: Seq[Attribute], natives: NativeSpec) extends LeafNode with MultiInstanceRelation {

  override def newInstance(): ClassifyInfo = copy(output = output.map(_.newInstance()))

  /** A few rows, which may be broadcast. */
  override def computeStats(): Statistics = Statistics(sizeInBytes = 1 << 16)
}

object ClassifyInfo {
  val Name = "classify_info"

  private val strings = ArrayType(StringType, containsNull = false)

  /** A row for each executor and backend, in the order of [[ProcessInfo.rows]]: what is short comes first. */
  val schema: StructType = new StructType()
    .add("executor", StringType, nullable = false)
    .add("host", StringType, nullable = false)
    .add("backend", StringType)
    .add("available", BooleanType, nullable = false)
    .add("engine_version", StringType)
    .add("jar_version", StringType)
    .add("spark_version", StringType)
    .add("instruction_set", StringType)
    .add("devices", strings)
    .add("loaded_models", strings)
    .add("reason", StringType)
    .add("no_gpu", StringType)
    .add("notes", strings)

  /** Analyses a call. */
  def call(arguments: Seq[Expression]): LogicalPlan = {
    if (arguments.nonEmpty) throw ClassifyErrors.wrongArgumentCount(Name, 0 to 0, arguments.length)
    ClassifyInfo(DataTypeUtils.toAttributes(schema), NativeSpec.ofApplication())
  }

  /** What `DESCRIBE FUNCTION EXTENDED` prints. */
  val description: ExpressionInfo = new ExpressionInfo(
    classOf[ClassifyInfo].getName,
    null,
    Name,
    "_FUNC_() - A table of what classify finds on the driver and on each executor, a row for each backend.",
    "",
    """
    Examples:
      > SELECT executor, backend, available, engine_version, devices, loaded_models, reason FROM _FUNC_();
       driver	onnx	true	1.28.0	["cpu"]	["file:/models/id-card"]	NULL
    """,
    """
    Each process loads the libraries of both backends to answer. The column reason says why a backend is not
      available, or that an executor could not be reached, which then has one row. The column no_gpu says why a process
      has no GPU. The column notes says of the loaded models what is to be known about the way their files are read,
      for example that transformers would resize images otherwise.
    """,
    "table_funcs",
    "0.1.0",
    "",
    "scala_udf"
  )
}
