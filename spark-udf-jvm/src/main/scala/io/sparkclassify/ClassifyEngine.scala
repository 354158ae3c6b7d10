package io.sparkclassify

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.LongAdder

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.natives.{NativeBackend, NativeLoader}
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
   */
  def modelOfTask(spec: ClassifySpec): LoadedModel = model(spec, Option(TaskContext.get()).fold(1)(_.cpus()))

  /**
   * @param threads
   *   the cores that one call may use
   */
  def model(spec: ClassifySpec, threads: Int): LoadedModel =
    models.computeIfAbsent(Key(spec.model, threads), key => load(key, spec))

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

/**
 * A model that this JVM has loaded.
 *
 * @param labels
 *   the names of the classes, in class-id order
 * @param loadMillis
 *   how long the engine took to load it
 */
final class LoadedModel(natives: NativeBackend, handle: Long, val labels: Array[UTF8String], val loadMillis: Long) {

  /**
   * Classifies a batch in one native call.
   *
   * @param buffers
   *   what the call works in; the results are valid until it is used again
   */
  def classify(images: IndexedSeq[Array[Byte]], buffers: BatchBuffers): ResultRows = {
    val input = buffers.pack(images)
    val output = buffers.results(images.length, labels.length)
    natives.classify(handle, input, images.length, output)
    new ResultRows(output, labels)
  }
}
