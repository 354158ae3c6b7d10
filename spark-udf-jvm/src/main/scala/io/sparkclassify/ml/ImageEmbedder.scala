package io.sparkclassify.ml

import io.sparkclassify.functions
import org.apache.spark.ml.param.ParamMap
import org.apache.spark.ml.param.shared.HasOutputCol
import org.apache.spark.ml.util.{DefaultParamsReadable, Identifiable}
import org.apache.spark.sql.Column
import org.apache.spark.sql.functions.struct

/**
 * Makes vectors of images with a neural network, as the SQL function `embed_image` does, for a classifier or a
 * clustering of Spark's behind it:
 * {{{
 *   val embedder = new ImageEmbedder().setInputCol("path").setOutputCol("features").setModel("clip")
 *   new Pipeline().setStages(Array(embedder, new LogisticRegression())).fit(images)
 * }}}
 *
 * The input column has paths or URIs (STRING), the content of image files (BINARY), or the struct of Spark's `image`
 * source. Columns are added after those of the data:
 *
 *   - `outputCol` (a dense Vector): as long as the model's output, of length 1 (L2) unless the model's config.json has
 *     `"normalize": false`; NULL for a kept row without one
 *   - `errorCol` (`error`, STRING): only where `handleInvalid` is `keep`, why a row has no vector
 *
 * Params that do not fit the data are an `IllegalArgumentException`; a model or backend that is not known is an
 * `AnalysisException` of `transform`, and a bad image, where `handleInvalid` is `error`, one of the query.
 */
final class ImageEmbedder(override val uid: String) extends ImageTransformer with HasOutputCol {

  def this() = this(Identifiable.randomUID("imageEmbedder"))

  /** @group setParam */
  def setInputCol(value: String): this.type = set(inputCol, value)

  /** @group setParam */
  def setOutputCol(value: String): this.type = set(outputCol, value)

  /** @group setParam */
  def setErrorCol(value: String): this.type = set(errorCol, value)

  /** @group setParam */
  def setHandleInvalid(value: String): this.type = set(handleInvalid, value)

  /** @group setParam */
  def setModel(value: String): this.type = set(model, value)

  /** @group setParam */
  def setBackend(value: String): this.type = set(backend, value)

  override protected def results: Seq[OutputColumn] = Seq(OutputColumn.vector(outputCol, "embedding"))

  override protected def resultOrFail(image: Column): Column =
    struct(required(functions.embed_image(image, get(backend).orNull, get(model).orNull)).as("embedding"))

  override protected def resultOrError(image: Column): Column =
    functions.try_embed_image(image, get(backend).orNull, get(model).orNull)

  override def copy(extra: ParamMap): ImageEmbedder = defaultCopy(extra)

  override def toString: String = s"ImageEmbedder: uid=$uid" + described
}

object ImageEmbedder extends DefaultParamsReadable[ImageEmbedder] {
  override def load(path: String): ImageEmbedder = super.load(path)
}
