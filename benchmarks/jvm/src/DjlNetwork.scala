package benchmarks

import java.nio.FloatBuffer
import java.nio.file.Paths

import ai.djl.Model
import ai.djl.ndarray.{NDList, NDManager}
import ai.djl.ndarray.types.Shape
import ai.djl.translate.{Batchifier, Translator, TranslatorContext}

/** DJL with PyTorch: one model for all tasks, a predictor for each. */
final class DjlNetwork(model: String, input: Input) extends Network {
  System.setProperty("ai.djl.pytorch.num_threads", "1")
  System.setProperty("ai.djl.pytorch.num_interop_threads", "1")
  private val loaded = Model.newInstance("model", "PyTorch")
  loaded.load(Paths.get(model), "model.pt")

  private val translator = new Translator[Seq[Array[Byte]], Seq[Array[Float]]] {
    override def getBatchifier: Batchifier = null

    override def processInput(context: TranslatorContext, files: Seq[Array[Byte]]): NDList = {
      val values = FloatBuffer.allocate(files.length * Input.Length)
      files.foreach(input.write(_, values))
      val manager: NDManager = context.getNDManager
      new NDList(manager.create(values.rewind(), new Shape(files.length, 3, Input.Side, Input.Side)))
    }

    override def processOutput(context: TranslatorContext, list: NDList): Seq[Array[Float]] = {
      val probabilities = list.singletonOrThrow().softmax(1)
      val classes = probabilities.getShape.get(1).toInt
      probabilities.toFloatArray.grouped(classes).toSeq
    }
  }
  private val predictors = ThreadLocal.withInitial(() => loaded.newPredictor(translator))

  override def classify(files: Seq[Array[Byte]]): Seq[Array[Float]] = predictors.get.predict(files)
}
