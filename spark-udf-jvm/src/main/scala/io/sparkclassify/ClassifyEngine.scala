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

  private val json = new ObjectMapper
  private val models = new ConcurrentHashMap[ModelSpec, LoadedModel]
  private val loaded = new LongAdder

  /** How many models this JVM has loaded so far. */
  def modelsLoaded: Long = loaded.sum

  /** The model of `spec`, one for all tasks. */
  def modelOfTask(spec: ClassifySpec): LoadedModel = models.computeIfAbsent(spec.model, load(_, spec))

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
   * Classifies a batch in one native call, on the cores of the task that runs on this thread.
   *
   * @param buffers
   *   what the call works in; the results are valid until it is used again
   */
  def classify(images: IndexedSeq[Array[Byte]], buffers: BatchBuffers): ResultRows = {
    val input = buffers.pack(images)
    val output = buffers.results(images.length, labels.length)
    // A task owns `spark.task.cpus` cores. Where no task runs, the driver evaluates single rows.
    val threads = Option(TaskContext.get()).fold(1)(_.cpus())
    natives.classify(handle, input, images.length, threads, output)
    new ResultRows(output, labels)
  }
}
