package io.sparkclassify.sql

import io.sparkclassify.conf.{ClassifyErrors, ClassifySpec}
import io.sparkclassify.inference.{ImageInference, NotInOptimizer, ResultShape}
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.types.{ByteType, IntegerType, ShortType, StringType}

/** Analyses calls of the SQL functions. Arguments are resolved, and the session is the active one. */
object Functions {
  val Classify = "classify"
  val TryClassify = "try_classify"
  val ClassifyTopK = "classify_topk"
  val EmbedImage = "embed_image"
  val TryEmbedImage = "try_embed_image"
  val ImageHash = "image_hash"
  val TryImageHash = "try_image_hash"

  private val options = Seq("backend", "model")

  /** `classify(input [, backend [, model]])` */
  def classify(arguments: Seq[Expression]): Expression = {
    val call = Arguments.parse(Classify, "input" +: options, required = 1, arguments)
    ResultOrFail(inference(call, ResultShape.Prediction))(call.text)
  }

  /** `try_classify(input [, backend [, model]])` */
  def tryClassify(arguments: Seq[Expression]): Expression = {
    val call = Arguments.parse(TryClassify, "input" +: options, required = 1, arguments)
    ResultOrError(inference(call, ResultShape.Prediction))(call.text)
  }

  /** `classify_topk(input, k [, backend [, model]])` */
  def classifyTopK(arguments: Seq[Expression]): Expression = {
    val call = Arguments.parse(ClassifyTopK, Seq("input", "k") ++ options, required = 2, arguments)
    val k = call.constant("k", IntegerType, ShortType, ByteType).map(_.asInstanceOf[Number].intValue).getOrElse(0)
    if (k < 1) throw ClassifyErrors.configuration(s"the argument k of $ClassifyTopK is $k; it must be 1 or more")
    ResultOrFail(inference(call, ResultShape.TopK(k)))(call.text)
  }

  /** `embed_image(input [, backend [, model]])` */
  def embedImage(arguments: Seq[Expression]): Expression = {
    val call = Arguments.parse(EmbedImage, "input" +: options, required = 1, arguments)
    ResultOrFail(inference(call, ResultShape.Embedding))(call.text)
  }

  /** `try_embed_image(input [, backend [, model]])` */
  def tryEmbedImage(arguments: Seq[Expression]): Expression = {
    val call = Arguments.parse(TryEmbedImage, "input" +: options, required = 1, arguments)
    ResultOrError(inference(call, ResultShape.Embedding))(call.text)
  }

  /** `image_hash(input)` */
  def imageHash(arguments: Seq[Expression]): Expression = {
    val call = Arguments.parse(ImageHash, Seq("input"), required = 1, arguments)
    ResultOrFail(hashes(call))(call.text)
  }

  /** `try_image_hash(input)` */
  def tryImageHash(arguments: Seq[Expression]): Expression = {
    val call = Arguments.parse(TryImageHash, Seq("input"), required = 1, arguments)
    ResultOrError(hashes(call))(call.text)
  }

  private def hashes(call: Arguments): ImageInference =
    ImageInference(call("input"), NotInOptimizer(), ClassifySpec.ofHashes(), ResultShape.Hashes)

  private def inference(call: Arguments, shape: ResultShape): ImageInference = {
    val spec = ClassifySpec.resolve(text(call, "backend"), text(call, "model"))
    ImageInference(call("input"), NotInOptimizer(), spec, shape)
  }

  private def text(call: Arguments, name: String): Option[String] = call.option(name, StringType).map(_.toString)
}
