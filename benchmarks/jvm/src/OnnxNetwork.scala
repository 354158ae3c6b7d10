package benchmarks

import java.nio.{ByteBuffer, ByteOrder}

import scala.jdk.CollectionConverters._

import ai.onnxruntime.{OnnxTensor, OrtEnvironment, OrtSession}

/** onnxruntime-java: one session for all tasks, one thread a run. */
final class OnnxNetwork(model: String, input: Input) extends Network {
  private val environment = OrtEnvironment.getEnvironment
  private val session = {
    val options = new OrtSession.SessionOptions
    options.setIntraOpNumThreads(1)
    options.setInterOpNumThreads(1)
    environment.createSession(s"$model/model.onnx", options)
  }
  private val name = session.getInputNames.asScala.head
  private val buffers = ThreadLocal.withInitial(() => ByteBuffer.allocateDirect(0))

  override def classify(files: Seq[Array[Byte]]): Seq[Array[Float]] = {
    val size = files.length * Input.Length * java.lang.Float.BYTES
    if (buffers.get.capacity < size) buffers.set(ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder()))
    val values = buffers.get.asFloatBuffer().limit(files.length * Input.Length)
    files.foreach(input.write(_, values))
    val shape = Array[Long](files.length, 3, Input.Side, Input.Side)
    val tensor = OnnxTensor.createTensor(environment, values.rewind(), shape)
    try {
      val result = session.run(java.util.Map.of(name, tensor))
      try result.get(0).getValue.asInstanceOf[Array[Array[Float]]].map(Contender.softmax).toSeq
      finally result.close()
    } finally tensor.close()
  }
}
