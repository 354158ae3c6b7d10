package io.sparkclassify.engine

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.LongAdder

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.{ClassifyErrors, ClassifyException}
import io.sparkclassify.conf.{ClassifySpec, ModelSpec}
import io.sparkclassify.natives.NativeLoader
import org.apache.spark.unsafe.types.UTF8String

/**
 * The models of this JVM. Each is loaded once and shared by all tasks.
 *
 * Tasks that want a model while it loads wait for it. A load that failed leaves nothing behind: its error goes to the
 * task, and the next one tries again.
 */
object ClassifyEngine {

  private val json = new ObjectMapper
  private val models = new ConcurrentHashMap[ModelSpec, LoadedModel]
  private val loaded = new LongAdder

  /** How many models this JVM has loaded so far. */
  def modelsLoaded: Long = loaded.sum

  /**
   * The model of `spec`, one for all tasks.
   *
   * @return
   *   a lease, to be closed when the model is no longer needed
   */
  def acquire(spec: ClassifySpec): ModelLease = new ModelLease(models.computeIfAbsent(spec.model, load(_, spec)))

  private def load(key: ModelSpec, spec: ClassifySpec): LoadedModel = {
    val natives = NativeLoader.load(key.engine.name, spec.natives.options)
    ModelFiles.withLocal(key.uri, spec.hadoop.configuration) { directory =>
      val request = json.createObjectNode()
      request.put("directory", directory.toString)
      request.put("device", "cpu")
      val handle =
        try natives.openModel(request.toString)
        catch {
          case e: ClassifyException if e.getCondition == "CLASSIFY_BAD_MODEL" =>
            throw ClassifyErrors.badModel(key.uri, e.getReason, e)
        }
      val description = json.readTree(natives.describeModel(handle))
      val labels = Array.tabulate(description.get("labels").size) { id =>
        UTF8String.fromString(description.get("labels").get(id).asText)
      }
      val model = new LoadedModel(natives, handle, labels, description.get("load_millis").asLong)
      loaded.increment()
      model
    }
  }
}

/** The right to use a model. While there is one, the model is not evicted. */
final class ModelLease private[engine] (val model: LoadedModel) extends AutoCloseable {
  override def close(): Unit = ()
}
