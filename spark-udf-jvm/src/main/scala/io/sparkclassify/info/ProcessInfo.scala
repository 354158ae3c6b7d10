package io.sparkclassify.info

import scala.jdk.CollectionConverters._
import scala.util.control.NonFatal

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.conf.{Engine, NativeSpec}
import io.sparkclassify.model.ClassifyEngine
import io.sparkclassify.natives.{BuildVersions, NativeLoader}
import org.apache.spark.{SPARK_VERSION, SparkEnv}
import org.apache.spark.sql.Row

/**
 * The driver or an executor.
 *
 * @param executor
 *   its id; `driver` for the driver
 * @param answer
 *   what it says of itself; None when it could not be reached
 */
private[sparkclassify] final case class ProcessInfo(executor: String, host: String, answer: Option[Answer]) {

  /** Its rows of [[ClassifyInfo.schema]]. */
  def rows: Seq[Row] = answer match {
    case None =>
      val reason = "the executor could not be reached: it has ended, or its cores stayed busy"
      Seq(Row(executor, host, null, false, null, null, null, null, null, null, reason, null, null))
    case Some(Answer(jar, spark, backends)) =>
      backends.map { case BackendInfo(name, loadedModels, notes, engine) =>
        val (available, reason) = (engine.isRight, engine.left.toOption.orNull)
        val of = engine.toOption
        Row(
          executor,
          host,
          name,
          available,
          of.map(_.version).orNull,
          jar,
          spark,
          of.map(_.instructionSet).orNull,
          of.map(_.devices).orNull,
          loadedModels,
          reason,
          of.flatMap(_.noGpu).orNull,
          notes
        )
      }
  }
}

private[sparkclassify] final case class Answer(jarVersion: String, sparkVersion: String, backends: Seq[BackendInfo])

/**
 * @param loadedModels
 *   the URIs of their directories, with their precisions where these are not fp32
 * @param notes
 *   what is to be known about the way their files are read, each after the model
 * @param engine
 *   or why it is not available
 */
private[sparkclassify] final case class BackendInfo(
    name: String,
    loadedModels: Seq[String],
    notes: Seq[String],
    engine: Either[String, EngineInfo]
)

/**
 * What a native library says of its engine.
 *
 * @param noGpu
 *   why there is no GPU among the devices
 */
private[sparkclassify] final case class EngineInfo(
    version: String,
    devices: Seq[String],
    noGpu: Option[String],
    instructionSet: String
)

private[sparkclassify] object ProcessInfo {

  /** This process. Loads the native libraries. */
  def ofThisJvm(natives: NativeSpec): ProcessInfo = {
    val loaded = ClassifyEngine.notesNow
    val backends = Engine.all.map { engine =>
      val models =
        loaded.filter(_._1.engine == engine).map { case (spec, notes) => spec.toString -> notes }.sortBy(_._1)
      val notes = models.flatMap { case (model, notes) => notes.map(note => s"$model: $note") }
      BackendInfo(engine.name, models.map(_._1), notes, ask(engine, natives))
    }
    val id = SparkEnv.get.blockManager.blockManagerId
    ProcessInfo(id.executorId, id.host, Some(Answer(BuildVersions.read().version, SPARK_VERSION, backends)))
  }

  /** What goes wrong with one backend must not hide the other. */
  private def ask(engine: Engine, natives: NativeSpec): Either[String, EngineInfo] =
    try {
      val info = new ObjectMapper().readTree(NativeLoader.load(engine.name, natives.options).engineInfo())
      Right(
        EngineInfo(
          info.get("version").asText,
          info.get("devices").elements.asScala.map(_.asText).toSeq,
          Option(info.get("no_gpu")).filterNot(_.isNull).map(_.asText),
          info.get("instruction_set").asText
        )
      )
    } catch {
      case e @ (NonFatal(_) | _: LinkageError) => Left(Option(e.getMessage).getOrElse(e.toString))
    }
}
