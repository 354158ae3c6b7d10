package io.sparkclassify.ml

import io.sparkclassify.image.ImageInput
import org.apache.spark.ml.Transformer
import org.apache.spark.ml.functions.array_to_vector
import org.apache.spark.ml.linalg.SQLDataTypes
import org.apache.spark.ml.param.{Param, Params}
import org.apache.spark.ml.param.shared.{HasHandleInvalid, HasInputCol}
import org.apache.spark.ml.util.{DefaultParamsWritable, Identifiable}
import org.apache.spark.sql.{Column, DataFrame, Dataset}
import org.apache.spark.sql.catalyst.analysis.UnresolvedAttribute
import org.apache.spark.sql.functions.{coalesce, col, lit, raise_error, when}
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.types._

/** The params of every transformer that runs a model over images. */
private[ml] trait ImageParams extends Params with HasInputCol with HasHandleInvalid {

  /**
   * Which model runs: a NAME for which `spark.classify.models.NAME` is set, or, where `spark.classify.model.allowPaths`
   * is true, a directory or URI. Where it is not set, `spark.classify.model` counts.
   *
   * @group param
   */
  final val model: Param[String] = new Param[String](
    this,
    "model",
    "the model: a NAME for which spark.classify.models.NAME is set, or a directory or URI where " +
      "spark.classify.model.allowPaths is true. Not set, spark.classify.model counts"
  )

  /** @group getParam */
  final def getModel: String = $(model)

  /**
   * The engine: `auto`, `pytorch` or `onnx`. Where it is not set, `spark.classify.backend` counts.
   *
   * @group param
   */
  final val backend: Param[String] = new Param[String](
    this,
    "backend",
    "the engine that runs the model: 'auto', 'pytorch' or 'onnx'. Not set, spark.classify.backend counts"
  )

  /** @group getParam */
  final def getBackend: String = $(backend)

  /**
   * The column that says, where `handleInvalid` is `keep`, why a row has no result; NULL for those that have one. With
   * an empty name there is none.
   *
   * @group param
   */
  final val errorCol: Param[String] = new Param[String](
    this,
    "errorCol",
    "the column that says, where handleInvalid is 'keep', why a row has no result; an empty name leaves it out"
  )

  /** @group getParam */
  final def getErrorCol: String = $(errorCol)

  /**
   * What becomes of a row without a usable image, which is NULL or cannot be read or decoded: `error` (the default)
   * fails, with the path and the reason; `skip` drops the row; `keep` keeps it, without a result.
   *
   * @group param
   */
  override val handleInvalid: Param[String] = new Param[String](
    this,
    "handleInvalid",
    "what becomes of a row whose image is NULL or cannot be read or decoded: 'error' fails with its path and the " +
      "reason, 'skip' drops the row, 'keep' keeps it without a result and says why in errorCol",
    (value: String) =>
      HandleInvalid.all.contains(value) ||
        refuse(s"the param handleInvalid is '$value': set it to one of ${HandleInvalid.all.mkString("'", "', '", "'")}")
  )

  setDefault(errorCol -> "error", handleInvalid -> HandleInvalid.Error)

  /** What `toString` says of them. */
  protected def described: String =
    Seq(inputCol, model, backend).flatMap(param => get(param).map(value => s", ${param.name}=$value")).mkString +
      s", handleInvalid=${$(handleInvalid)}"

  /** Spark ML's way to say that params do not fit, or not the data. */
  protected def refuse(reason: String): Nothing = throw new IllegalArgumentException(s"$uid: $reason")
}

private[ml] object HandleInvalid {
  val Error = "error"
  val Skip = "skip"
  val Keep = "keep"
  val all: Seq[String] = Seq(Error, Skip, Keep)
}

/**
 * A column that a transformer adds.
 *
 * @param value
 *   made of the column with the result of the row
 */
private[ml] final case class OutputColumn(param: Param[String], dataType: DataType, nullable: Boolean)(
    val value: Column => Column
)

private[ml] object OutputColumn {

  /** A field of the result that is an array of numbers, as a vector. */
  def vector(param: Param[String], field: String): OutputColumn =
    OutputColumn(param, SQLDataTypes.VectorType, nullable = true) { result =>
      val array = result.getField(field)
      when(array.isNotNull, array_to_vector(array))
    }
}

/** A transformer that calls one SQL function, and so plans to the same operator, once a row. */
private[ml] abstract class ImageTransformer extends Transformer with ImageParams with DefaultParamsWritable {

  /** The columns that are added to good images. */
  protected def results: Seq[OutputColumn]

  /** A struct with the result, which fails for a bad image. For NULL it has to be [[required]]. */
  protected def resultOrFail(image: Column): Column

  /** A struct with the result or its `error`; NULL for NULL. */
  protected def resultOrError(image: Column): Column

  /** The value of a row, which fails the query where it is NULL. */
  protected final def required(value: Column): Column = coalesce(
    value,
    raise_error(lit(
      s"$uid: the column '${$(inputCol)}' has a row without an image (NULL), and the param handleInvalid is " +
        s"'${HandleInvalid.Error}': set it to '${HandleInvalid.Skip}', which drops such rows, or to " +
        s"'${HandleInvalid.Keep}', which says in errorCol what is wrong with them"
    ))
  )

  private def error: OutputColumn = OutputColumn(errorCol, StringType, nullable = true) { result =>
    coalesce(result.getField("error"), when(result.isNull, lit("the image is NULL")))
  }

  /** Those of the added columns that have names, which are not to be left out. */
  private def columns: Seq[OutputColumn] = {
    val all = if ($(handleInvalid) == HandleInvalid.Keep) results :+ error else results
    all.filter(column => $(column.param).nonEmpty)
  }

  override def transform(dataset: Dataset[_]): DataFrame = {
    transformSchema(dataset.schema, logging = true)
    val image = col($(inputCol))
    val name = Identifiable.randomUID("result")
    val result = col(name)
    val all = dataset.withColumn(
      name,
      if ($(handleInvalid) == HandleInvalid.Error) resultOrFail(image) else resultOrError(image)
    )
    val rows =
      if ($(handleInvalid) == HandleInvalid.Skip) all.where(result.isNotNull && result.getField("error").isNull)
      else all
    rows.select(col("*") +: columns.map(column => column.value(result).as($(column.param))): _*).drop(name)
  }

  override def transformSchema(schema: StructType): StructType = {
    checkInput(schema)
    if (!results.exists(column => $(column.param).nonEmpty))
      refuse(s"there is no column to add: give a name to the param ${results.map(_.param.name).mkString(" or ")}")
    columns.foldLeft(schema)(append)
  }

  private def checkInput(schema: StructType): Unit = {
    if (!isDefined(inputCol))
      refuse("the param inputCol is not set: name the column with the images, as in setInputCol(\"path\")")
    val name = $(inputCol)
    find(schema, UnresolvedAttribute.parseAttributeName(name)) match {
      case None =>
        refuse(
          s"the param inputCol is '$name', and the data has no such column: set it to one of ${schema.fieldNames.mkString(", ")}"
        )
      case Some(field) if ImageInput.find(field.dataType).isEmpty =>
        refuse(
          s"the param inputCol is '$name', a column of type ${field.dataType.sql}: set it to one with paths (STRING), the " +
            "content of image files (BINARY), or the struct of Spark's image source"
        )
      case _ =>
    }
  }

  private def find(schema: StructType, name: Seq[String]): Option[StructField] = {
    val found = schema.find(field => SQLConf.get.resolver(field.name, name.head))
    if (name.length == 1) found
    else found.map(_.dataType).collect { case struct: StructType => struct }.flatMap(find(_, name.tail))
  }

  private def append(schema: StructType, column: OutputColumn): StructType = {
    val name = $(column.param)
    if (schema.exists(field => SQLConf.get.resolver(field.name, name)))
      refuse(
        s"the param ${column.param.name} is '$name', and there is a column of that name already: set it to another one"
      )
    schema.add(name, column.dataType, column.nullable)
  }
}
