package io.sparkclassify.ml

import io.sparkclassify.functions
import org.apache.spark.ml.param.{Param, ParamMap}
import org.apache.spark.ml.param.shared.{HasPredictionCol, HasProbabilityCol}
import org.apache.spark.ml.util.{DefaultParamsReadable, Identifiable}
import org.apache.spark.sql.Column
import org.apache.spark.sql.functions.{coalesce, lit}
import org.apache.spark.sql.types.{DoubleType, StringType}

/**
 * Classifies images with a neural network, as the SQL function `classify` does:
 * {{{
 *   val classifier = new ImageClassifier().setInputCol("path").setModel("id-card")
 *   new MulticlassClassificationEvaluator().setLabelCol("actual_class_id").evaluate(classifier.transform(images))
 * }}}
 *
 * The input column has paths or URIs (STRING), the content of image files (BINARY), or the struct of Spark's `image`
 * source. Columns are added after those of the data; one whose param is set to an empty name is left out:
 *
 *   - `predictionCol` (`prediction`, DOUBLE): the class id of the most probable class; NaN for a kept row without one
 *   - `probabilityCol` (`probability`, a dense Vector): the probabilities in class-id order, each from 0 to 1
 *   - `predictedLabelCol` (`predictedLabel`, STRING): the name of the class
 *   - `errorCol` (`error`, STRING): only where `handleInvalid` is `keep`, why a row has none of these
 *
 * Params that do not fit the data are an `IllegalArgumentException`; a model or backend that is not known is an
 * `AnalysisException` of `transform`, and a bad image, where `handleInvalid` is `error`, one of the query.
 */
final class ImageClassifier(override val uid: String)
    extends ImageTransformer
    with HasPredictionCol
    with HasProbabilityCol {

  def this() = this(Identifiable.randomUID("imageClassifier"))

  /**
   * The column with the name of the most probable class; with an empty name there is none.
   *
   * @group param
   */
  val predictedLabelCol: Param[String] = new Param[String](
    this,
    "predictedLabelCol",
    "the column with the name of the most probable class; an empty name leaves it out"
  )

  setDefault(predictedLabelCol -> "predictedLabel")

  /** @group getParam */
  def getPredictedLabelCol: String = $(predictedLabelCol)

  /** @group setParam */
  def setInputCol(value: String): this.type = set(inputCol, value)

  /** @group setParam */
  def setPredictionCol(value: String): this.type = set(predictionCol, value)

  /** @group setParam */
  def setProbabilityCol(value: String): this.type = set(probabilityCol, value)

  /** @group setParam */
  def setPredictedLabelCol(value: String): this.type = set(predictedLabelCol, value)

  /** @group setParam */
  def setErrorCol(value: String): this.type = set(errorCol, value)

  /** @group setParam */
  def setHandleInvalid(value: String): this.type = set(handleInvalid, value)

  /** @group setParam */
  def setModel(value: String): this.type = set(model, value)

  /** @group setParam */
  def setBackend(value: String): this.type = set(backend, value)

  override protected def results: Seq[OutputColumn] = Seq(
    OutputColumn(predictionCol, DoubleType, nullable = false) { result =>
      coalesce(result.getField("class_id").cast(DoubleType), lit(Double.NaN))
    },
    OutputColumn.vector(probabilityCol, "probabilities"),
    OutputColumn(predictedLabelCol, StringType, nullable = true)(_.getField("class"))
  )

  override protected def resultOrFail(image: Column): Column =
    required(functions.classify(image, get(backend).orNull, get(model).orNull))

  override protected def resultOrError(image: Column): Column =
    functions.try_classify(image, get(backend).orNull, get(model).orNull)

  override def copy(extra: ParamMap): ImageClassifier = defaultCopy(extra)

  override def toString: String = s"ImageClassifier: uid=$uid" + described
}

object ImageClassifier extends DefaultParamsReadable[ImageClassifier] {
  override def load(path: String): ImageClassifier = super.load(path)
}
