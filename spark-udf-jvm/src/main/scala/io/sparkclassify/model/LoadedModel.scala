package io.sparkclassify.model

import io.sparkclassify.{ClassifyException, Printable, SparkLog}
import io.sparkclassify.conf.{ClassifyErrors, DeviceSpec}
import io.sparkclassify.image.ImageBytes
import io.sparkclassify.natives.NativeEngine
import java.util.concurrent.atomic.AtomicBoolean

import scala.util.control.NonFatal

import org.apache.spark.unsafe.types.UTF8String

/**
 * A model that this JVM has loaded.
 *
 * @param uri
 *   its directory, for errors
 * @param file
 *   the path of its file in that directory; None where its engine takes none
 * @param labels
 *   the names of the classes, in class-id order; none where it gives no classes
 * @param noClasses
 *   why it gives none
 * @param embeddingWidth
 *   the number of values of an embedding; 0 where it gives none
 * @param noEmbedding
 *   why it gives none
 * @param loadMillis
 *   how long the engine took to load it
 * @param device
 *   what it runs on
 * @param notes
 *   what somebody who uses it should know about the way its files are read, a sentence each
 */
final class LoadedModel(
    natives: NativeEngine,
    handle: Long,
    uri: String,
    val file: Option[String],
    val labels: Array[UTF8String],
    noClasses: Option[String],
    embeddingWidth: Int,
    noEmbedding: Option[String],
    val loadMillis: Long,
    val device: DeviceSpec,
    val notes: Seq[String]
) extends ImageRunner {

  private def log = SparkLog.named("io.sparkclassify.ClassifyEngine")

  override def onGpu: Boolean = !device.isCpu

  /** Why it does not give what is asked for; None where it does. */
  def missing(outputs: ModelOutputs): Option[String] =
    noClasses.filter(_ => outputs.classes).orElse(noEmbedding.filter(_ => outputs.embedding))

  /** Engines put off some of their work until they first run. */
  private val hasRun = new AtomicBoolean

  override def run(images: collection.Seq[ImageBytes], outputs: ModelOutputs): BatchResults = {
    val start = System.nanoTime()
    val results = call(images, outputs)
    if (!hasRun.getAndSet(true)) {
      val millis = (System.nanoTime() - start) / 1000000
      log.info(s"The first batch of the model ${Printable.escape(uri)}: ${images.length} images in $millis ms")
    }
    results
  }

  private def call(images: collection.Seq[ImageBytes], outputs: ModelOutputs): BatchResults =
    BatchCall.run(images, outputs, labels, embeddingWidth) { batch =>
      try natives.classify(handle, outputs.code, batch.contents, batch.sizes, batch.threads, batch.output)
      catch {
        case e: ClassifyException if e.getCondition == "CLASSIFY_INFERENCE_FAILED" =>
          throw ClassifyErrors.inferenceFailed(uri, e.getReason, e)
      }
    }

  /** Frees its memory. To be called once, when nobody uses it any more. */
  private[sparkclassify] def close(): Unit =
    try natives.closeModel(handle)
    catch {
      // The caller wanted room for another model, and has it.
      case NonFatal(e) => log.warn("Cannot close a model", e)
    }
}
