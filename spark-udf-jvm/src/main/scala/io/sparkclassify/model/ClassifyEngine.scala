package io.sparkclassify.model

import io.sparkclassify.{ClassifyException, Printable, SparkLog}
import io.sparkclassify.conf.{ClassifyErrors, ClassifySpec, DecodeSpec, ModelDirectory, ModelSpec}
import io.sparkclassify.natives.NativeEngine
import io.sparkclassify.threads.TaskKill
import java.nio.file.Path
import java.util.concurrent.atomic.LongAdder

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.unsafe.types.UTF8String

/** The models of this JVM. Each is loaded once and shared by all tasks, see [[ModelCache]]. */
object ClassifyEngine {

  private val log = SparkLog.named("io.sparkclassify.ClassifyEngine")
  private val json = new ObjectMapper
  private val models = new ModelCache[ModelSpec, LoadedModel](_.close(), () => TaskKill.check())
  private val loads = new LongAdder

  /** How many models this JVM has loaded so far. */
  def modelsLoaded: Long = loads.sum

  /** The models that are loaded now. */
  def loadedNow: Seq[ModelSpec] = models.loaded

  /** The same with the notes about each, see [[LoadedModel]]. */
  def notesNow: Seq[(ModelSpec, Seq[String])] = models.entries.map { case (spec, model) => spec -> model.notes }

  /**
   * The model of `spec`, which is loaded when this JVM does not have it.
   *
   * @param outputs
   *   what the caller will ask of it; a model that does not give that is refused
   * @return
   *   a lease, to be closed when the model is no longer needed
   */
  def acquire(spec: ClassifySpec, outputs: ModelOutputs): ModelLease = ClassifyErrors.onExecutor {
    // One model, by whatever name it is called. Nothing below shares models: the native library loads one each time.
    val located =
      spec.model.copy(uri = ModelDirectory.locate(spec.model.uri), device = Devices.resolve(spec.model.device))
    val lease = new ModelLease(models.acquire(located, spec.maxLoadedModels)(load(located, spec)))
    lease.model.missing(outputs).foreach { reason =>
      lease.close()
      throw ClassifyErrors.missingOutput(spec.model.uri, reason)
    }
    lease
  }

  /**
   * What makes these outputs of images: the model of `spec`, which is acquired, or what hashes images.
   *
   * @return
   *   a lease, as of [[acquire]]
   */
  def runner(spec: ClassifySpec, outputs: ModelOutputs): RunnerLease =
    if (spec.model.isHashes) {
      val decode = putDecode(json.createObjectNode(), spec.model.decode)
      new RunnerLease(new ImageHasher(spec.nativeEngine(), decode.toString), () => ())
    } else {
      val lease = acquire(spec, outputs)
      new RunnerLease(lease.model, () => lease.close())
    }

  // ImageReader keeps to spark.classify.image.maxBytes, which so may change while a model stays loaded.
  private def putDecode(request: ObjectNode, decode: DecodeSpec): ObjectNode = request
    .put("max_bytes", Int.MaxValue)
    .put("max_pixels", decode.maxPixels)
    .put("max_memory", decode.maxMemory)
    .put("exif_transpose", decode.exifTranspose)
    .put("fast", decode.fast)

  private def load(located: ModelSpec, spec: ClassifySpec): LoadedModel = {
    val natives = spec.nativeEngine()
    val start = System.nanoTime()
    val images = spec.images
    val files =
      new ModelFiles(spec.modelHadoop.configuration, images.files, needed(_, _)(natives, spec))
    files.withLocal(spec.model.uri) { directory =>
      val request = json.createObjectNode()
      request.put("directory", directory.toString)
      request.put("device", located.device.name)
      located.device.gpu.foreach { gpu =>
        request
          .putObject("gpu")
          .put("batch_size", gpu.batchSize)
          .put("tf32", gpu.tf32)
          .put("max_bytes", gpu.maxBytes)
      }
      request.put("precision", located.precision.name)
      request.put("all_operators", spec.natives.torchAllowAllOperators)
      putDecode(request.putObject("decode"), located.decode)
      val handle = ofModel(spec)(natives.openModel(request.toString))
      val description = json.readTree(natives.describeModel(handle))
      val labels = Array.tabulate(description.get("labels").size) { id =>
        UTF8String.fromString(description.get("labels").get(id).asText)
      }
      loads.increment()
      val (device, wanted) = (located.device.name, spec.model.device.name)
      val millis = (System.nanoTime() - start) / 1000000
      log.info(s"The model ${Printable.escape(located.uri)} runs on $device ($wanted), loaded in $millis ms")
      def text(field: String) = Option(description.get(field)).filterNot(_.isNull).map(_.asText)
      new LoadedModel(
        natives,
        handle,
        spec.model.uri,
        text("file"),
        labels,
        text("no_classes"),
        description.get("embedding").asInt,
        text("no_embedding"),
        description.get("load_millis").asLong,
        located.device,
        description.get("notes").elements.asScala.map(_.asText).toSeq
      )
    }
  }

  /** What the engine needs of the model directory. */
  private def needed(copy: Path, listing: Seq[String])(natives: NativeEngine, spec: ClassifySpec): Seq[String] = {
    val request = json.createObjectNode().put("copy", copy.toString).put("precision", spec.model.precision.name)
    val names = request.putArray("listing")
    listing.foreach(names.add)
    val needed = json.readTree(ofModel(spec)(natives.neededFiles(request.toString)))
    needed.elements.asScala.map(_.asText).toSeq
  }

  /** Names the model in the errors of native calls. */
  private def ofModel[T](spec: ClassifySpec)(call: => T): T =
    try call
    catch {
      case e: ClassifyException if e.getCondition == "CLASSIFY_BAD_MODEL" =>
        throw ClassifyErrors.badModel(spec.model.uri, e.getReason, e)
      case e: ClassifyException if e.getCondition == "CLASSIFY_DEVICE_UNAVAILABLE" =>
        throw ClassifyErrors.deviceUnavailable(spec.model.uri, e.getReason, e)
      // Of the options in the request, the device always has a good name.
      case e: ClassifyException if e.getCondition == "CLASSIFY_BAD_CONFIGURATION" =>
        throw ClassifyErrors.precisionUnavailable(spec.model.uri, e.getReason, e)
    }
}

/** The right to use a model. While there is one, the model is not evicted. Closing it twice does no harm. */
final class ModelLease private[sparkclassify] (lease: Lease[LoadedModel]) extends AutoCloseable {
  def model: LoadedModel = lease.value
  override def close(): Unit = lease.close()
}

/** The right to use what runs over images, to be closed when that is no longer needed. */
final class RunnerLease private[model] (val runner: ImageRunner, giveBack: () => Unit) extends AutoCloseable {
  override def close(): Unit = giveBack()
}
