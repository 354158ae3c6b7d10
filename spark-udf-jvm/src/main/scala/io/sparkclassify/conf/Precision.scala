package io.sparkclassify.conf

/**
 * The numbers that a model computes with.
 *
 * @param name
 *   how `spark.classify.precision` calls it
 * @param engines
 *   those that know it
 */
sealed abstract class Precision(val name: String, val engines: Seq[Engine]) extends Serializable

object Precision {
  case object Fp32 extends Precision("fp32", Engine.all)
  case object Bf16 extends Precision("bf16", Seq(Engine.PyTorch))
  case object Fp16 extends Precision("fp16", Seq(Engine.Onnx))
  case object Int8 extends Precision("int8", Seq(Engine.Onnx))

  val all: Seq[Precision] = Seq(Fp32, Bf16, Fp16, Int8)
}
