package io.sparkclassify.conf

import java.io.File
import java.util.concurrent.{CompletableFuture, TimeUnit}

import scala.util.control.NonFatal

import io.sparkclassify.{Printable, SparkLog}
import io.sparkclassify.natives.{NativeLoader, NativeOptions}
import io.sparkclassify.threads.{ReadThreads, Retries}
import org.apache.hadoop.fs.Path

/**
 * Which engine runs a model where nobody names one: `auto`, the default of `spark.classify.backend`.
 *
 * It is chosen on the driver when a query is analysed, and travels in the plan: executors that lack it fail, and do not
 * take another one. PyTorch it is where the model directory has model.pt and the driver a libtorch that fits, ONNX
 * Runtime, which the jar brings, where the directory has an ONNX model or cannot be seen from the driver. A precision
 * that only one engine has decides at once.
 *
 * @param files
 *   how the directory's file system is asked to list it
 */
private[conf] final class EngineChoice(hadoop: HadoopSettings, files: FileSpec, natives: NativeOptions) {
  import EngineChoice._

  def apply(precision: Precision, uri: String): Engine = precision.engines match {
    case Seq(only) => only
    case _ =>
      val names = list(uri)
      val hasOnnx = names.exists(file => file.endsWith(".onnx") || file == OnnxFolder)
      val (engine, reason) =
        if (!names.contains(TorchScript))
          (Engine.Onnx, if (names.isEmpty) "the driver cannot list it" else s"it has no $TorchScript")
        else if (NativeLoader.findsTorch(natives)) (Engine.PyTorch, s"it has $TorchScript, and the driver libtorch")
        else if (hasOnnx) (Engine.Onnx, "the driver finds no libtorch")
        // Executors may have what the driver has not; if not, their error says what to install.
        else (Engine.PyTorch, s"it has $TorchScript alone")
      log.info(s"The backend of ${Printable.escape(uri)} is ${engine.name}: $reason")
      engine
  }

  /** The names of files and folders in a directory; none where it cannot be listed. */
  private def list(uri: String): Set[String] = {
    val names = new CompletableFuture[Set[String]]
    val work = ReadThreads.identity().start { () =>
      try {
        names.complete(if (uri.startsWith(ModelSpec.SparkFiles)) listLocal(uri) else listRemote(new Path(uri)))
      } catch { case e: Throwable => names.completeExceptionally(e) }
    }
    try names.get(if (work.isEmpty) 0 else files.timeoutMillis, TimeUnit.MILLISECONDS)
    catch { case NonFatal(_) => Set.empty }
    finally if (!names.isDone) work.foreach(_.abandon())
  }

  private def listRemote(directory: Path): Set[String] =
    files.schemes.withFileSystem(directory, hadoop.configuration) { fileSystem =>
      new Retries(files.retries)(fileSystem.listStatus(directory)).map(_.getPath.getName).toSet
    }

  private def listLocal(uri: String): Set[String] =
    Option(new File(new Path(ModelDirectory.locate(uri)).toUri.getPath).list).toSet.flatten
}

private[conf] object EngineChoice {

  /** What stands for a choice in the place of an engine's name. */
  val Auto = "auto"

  private val log = SparkLog.named("io.sparkclassify.EngineChoice")
  private val TorchScript = "model.pt"

  /** The folder in which some exporters put ONNX models. */
  private val OnnxFolder = "onnx"
}
