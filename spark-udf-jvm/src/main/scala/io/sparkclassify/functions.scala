package io.sparkclassify

import org.apache.spark.sql.{Column, DataFrame, SparkSession}
import org.apache.spark.sql.functions.{call_function, lit}

/**
 * The SQL functions as functions of columns, for Scala and, as static methods, for Java:
 * {{{
 *   import io.sparkclassify.functions._
 *   images.select(col("path"), classify(col("path")).as("c")).select("path", "c.class", "c.confidence")
 * }}}
 *
 * They only name the SQL functions, which the session, or the server of Spark Connect, has to have. So they need no
 * more than Spark's API, and no native library: a Connect client uses them as a classic session does.
 *
 * `image` is a path or URI (STRING), the content of an image file (BINARY), or the struct of Spark's `image` source;
 * NULL gives NULL. `backend` is `auto`, `pytorch` or `onnx`, and `model` a NAME for which `spark.classify.models.NAME`
 * is set (or a directory or URI, where `spark.classify.model.allowPaths` is true). Where they are not given, or null,
 * `spark.classify.backend` and `spark.classify.model` count. In Scala they can be given by name:
 * `classify(col("path"), model = "resnet50")`.
 *
 * A wrong argument, model or configuration is an `AnalysisException`: in a classic session where the column is used,
 * with Spark Connect where the query runs. A bad image fails the query, with its path and the reason; the functions
 * that begin with `try_` keep its row, and say the reason in the field `error`.
 */
// Spark's own object of functions is in lower case, too.
object functions {

  /**
   * The class of an image: `STRUCT<class: STRING, class_id: INT, confidence: FLOAT, probabilities: ARRAY<FLOAT>>`.
   *
   * `probabilities`, each from 0 to 1, are in class-id order, as many as the model has classes; `confidence` is that of
   * `class`.
   */
  def classify(image: Column): Column = classify(image, null, null)

  /** The class of an image, by this backend. */
  def classify(image: Column, backend: String): Column = classify(image, backend, null)

  /** The class of an image, by this backend and model. */
  def classify(image: Column, backend: String = null, model: String = null): Column =
    call("classify", backend, model, image)

  /**
   * The class of an image, or why it has none: the struct of `classify` with a field `error: STRING` more. That of a
   * good image is NULL; of a bad one, all but the error is NULL.
   */
  def try_classify(image: Column): Column = try_classify(image, null, null)

  /** The class of an image, or why it has none, by this backend. */
  def try_classify(image: Column, backend: String): Column = try_classify(image, backend, null)

  /** The class of an image, or why it has none, by this backend and model. */
  def try_classify(image: Column, backend: String = null, model: String = null): Column =
    call("try_classify", backend, model, image)

  /**
   * The `k` most probable classes: `ARRAY<STRUCT<class: STRING, class_id: INT, confidence: FLOAT>>`, the most probable
   * first.
   *
   * @param k
   *   1 or more; a model with fewer classes gives them all
   */
  def classify_topk(image: Column, k: Int): Column = classify_topk(image, k, null, null)

  /** The `k` most probable classes, by this backend. */
  def classify_topk(image: Column, k: Int, backend: String): Column = classify_topk(image, k, backend, null)

  /** The `k` most probable classes, by this backend and model. */
  def classify_topk(image: Column, k: Int, backend: String = null, model: String = null): Column =
    call("classify_topk", backend, model, image, lit(k))

  /**
   * The embedding of an image: `ARRAY<FLOAT>`, as long as the model's output, of length 1 (L2) unless the model's
   * config.json has `"normalize": false`.
   */
  def embed_image(image: Column): Column = embed_image(image, null, null)

  /** The embedding of an image, by this backend. */
  def embed_image(image: Column, backend: String): Column = embed_image(image, backend, null)

  /** The embedding of an image, by this backend and model. */
  def embed_image(image: Column, backend: String = null, model: String = null): Column =
    call("embed_image", backend, model, image)

  /** The embedding of an image, or why it has none: `STRUCT<embedding: ARRAY<FLOAT>, error: STRING>`, one is NULL. */
  def try_embed_image(image: Column): Column = try_embed_image(image, null, null)

  /** The embedding of an image, or why it has none, by this backend. */
  def try_embed_image(image: Column, backend: String): Column = try_embed_image(image, backend, null)

  /** The embedding of an image, or why it has none, by this backend and model. */
  def try_embed_image(image: Column, backend: String = null, model: String = null): Column =
    call("try_embed_image", backend, model, image)

  /** The perceptual hashes of an image, 64 bits each: `STRUCT<phash: BIGINT, dhash: BIGINT>`. They need no model. */
  def image_hash(image: Column): Column = call_function("image_hash", image)

  /** The hashes of an image, or why it has none: the struct of `image_hash` with a field `error: STRING` more. */
  def try_image_hash(image: Column): Column = call_function("try_image_hash", image)

  /**
   * What the driver and each executor have of versions, backends, devices and loaded models, a row for each of them and
   * each backend: the table function `classify_info()`.
   */
  def classify_info(spark: SparkSession): DataFrame = spark.sql("SELECT * FROM classify_info()")

  /** A call whose options are given by their places: NULL stands for a backend that is not given before a model. */
  private def call(name: String, backend: String, model: String, arguments: Column*): Column = {
    val options = if (model != null) Seq(backend, model) else Option(backend).toSeq
    call_function(name, arguments ++ options.map(lit(_)): _*)
  }
}
