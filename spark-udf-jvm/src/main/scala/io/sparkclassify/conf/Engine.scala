package io.sparkclassify.conf

import java.util.Locale

/**
 * An inference engine, and so a native library of the jar.
 *
 * @param name
 *   how SQL and `spark.classify.backend` call it
 */
sealed abstract class Engine(val name: String) extends Serializable

object Engine {
  case object Onnx extends Engine("onnx")
  case object PyTorch extends Engine("pytorch")

  val all: Seq[Engine] = Seq(PyTorch, Onnx)

  /** The engine with this name, in any case of letters. */
  def find(name: String): Option[Engine] = all.find(_.name == name.trim.toLowerCase(Locale.ROOT))
}
