package io.sparkclassify.engine

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.LongAdder

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.{ClassifyErrors, ClassifyException}
import io.sparkclassify.conf.{ClassifySpec, ModelSpec}
import io.sparkclassify.natives.NativeLoader
import org.apache.spark.TaskContext
import org.apache.spark.unsafe.types.UTF8String

/**
 * The models of this JVM. Each is loaded once and shared by all tasks.
 *
 * Tasks that want a model while it loads wait for it. A load that failed leaves nothing behind: its error goes to the
 * task, and the next one tries again.
 */
object ClassifyEngine {

  private final case class Key(model: ModelSpec, threads: Int)

  private val json = new ObjectMapper
  private val models = new ConcurrentHashMap[Key, LoadedModel]
  private val loaded = new LongAdder

  /** How many models this JVM has loaded so far. */
  def modelsLoaded: Long = loaded.sum

  /**
   * The model for the task that runs on this thread, which owns `spark.task.cpus` cores. Where no task runs, the driver
   * evaluates single rows, on one core.
   *
   * @return
   *   a lease, to be closed when the model is no longer needed
   */
  def acquire(spec: ClassifySpec): ModelLease = {
    val threads = Option(TaskContext.get()).fold(1)(_.cpus())
    new ModelLease(models.computeIfAbsent(Key(spec.model, threads), key => load(key, spec)))
  }

  private def load(key: Key, spec: ClassifySpec): LoadedModel = {
    val natives = NativeLoader.load(key.model.engine.name, spec.natives.options)
    ModelFiles.withLocal(key.model.uri, spec.hadoop.configuration) { directory =>
      val request = json.createObjectNode()
      request.put("directory", directory.toString)
      request.put("device", "cpu")
      request.put("threads", key.threads)
      val handle =
        try natives.openModel(request.toString)
        catch {
          case e: ClassifyException if e.getCondition == "CLASSIFY_BAD_MODEL" =>
            throw ClassifyErrors.badModel(key.model.uri, e.getReason, e)
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
