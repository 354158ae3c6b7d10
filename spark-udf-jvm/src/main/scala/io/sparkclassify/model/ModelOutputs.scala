package io.sparkclassify.model

/** What is asked of a model: classes, the embedding, or both, of one run. */
final case class ModelOutputs(classes: Boolean, embedding: Boolean) {

  def ++(other: ModelOutputs): ModelOutputs = ModelOutputs(classes || other.classes, embedding || other.embedding)

  /** As the native methods take it. */
  def code: Int = (if (classes) 1 else 0) | (if (embedding) 2 else 0)
}

object ModelOutputs {
  val Classes: ModelOutputs = ModelOutputs(classes = true, embedding = false)
  val Embedding: ModelOutputs = ModelOutputs(classes = false, embedding = true)

  /** The hashes of images, see [[ImageHasher]], which lie where embeddings would. */
  val Hashes: ModelOutputs = Embedding
}
