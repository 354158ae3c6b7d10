package io.sparkclassify.job

import java.io.{FileNotFoundException, IOException}
import java.nio.charset.StandardCharsets.UTF_8
import java.security.MessageDigest

import scala.util.control.NonFatal

import com.fasterxml.jackson.core.{JsonProcessingException, StreamReadConstraints}
import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import io.sparkclassify.SparkLog
import io.sparkclassify.conf.{ClassifyConf, ClassifySpec, Engine, ModelDirectory, NativeSpec}
import io.sparkclassify.image.InputFault
import io.sparkclassify.natives.{BuildVersions, NativeLoader}
import org.apache.hadoop.fs.Path
import org.apache.spark.SPARK_VERSION
import org.apache.spark.sql.SparkSession

/**
 * The report of a run, a page and its twin in JSON, on any file system.
 *
 * @param page
 *   ends in `.html`
 * @param other
 *   the JSON of another run, to set beside this one
 */
private[job] final class JobReport(spark: SparkSession, page: String, other: Option[String]) {

  private val json = new ObjectMapper
  // Of thousands of classes, the twin is larger than what Jackson takes for a text.
  json.getFactory.setStreamReadConstraints(StreamReadConstraints.builder().maxStringLength(Int.MaxValue).build())
  private val hadoop = spark.sparkContext.hadoopConfiguration

  /** Read before the work, which one that cannot be read would else cost. */
  private val baseline: Option[String] = other.map { name =>
    def refused(reason: String, cause: Throwable) = new JobException(s"--baseline $name: $reason", cause)
    val text =
      try readAll(new Path(name))
      catch {
        case e: FileNotFoundException => throw refused("there is no such file", e)
        case e: IOException           => throw refused(s"it cannot be read: ${InputFault.sentence(e)}", e)
      }
    val isReport =
      try Option(json.readTree(text)).exists(tree => Seq("head", "figures", "samples").forall(tree.has))
      catch { case _: JsonProcessingException => false }
    if (!isReport) throw refused("this is no report.json", null)
    text
  }

  /** Writes both files. */
  def write(run: ObjectNode, thumbnails: Map[String, String]): Unit = {
    val request = json.createObjectNode()
    request.set[ObjectNode]("run", run)
    val pictures = request.putObject("thumbnails")
    thumbnails.foreach { case (path, jpeg) => pictures.put(path, jpeg) }
    request.put("baseline", baseline.orNull)
    // The driver need not have libtorch; this library is in every jar.
    val natives = NativeLoader.load(Engine.Onnx.name, NativeSpec.ofApplication().options)
    val report = json.readTree(natives.report(request.toString))
    try {
      writeAll(JobReport.twin(page), report.get("json").asText)
      writeAll(page, report.get("html").asText)
    } catch {
      case e: IOException =>
        throw new JobException(s"--report $page cannot be written: ${InputFault.sentence(e)}", e)
    }
  }

  /**
   * Who classified what, and how fast.
   *
   * @param steps
   *   seconds by step, summed over the tasks
   */
  def head(
      arguments: JobArguments,
      spec: ClassifySpec,
      model: JobModel,
      started: String,
      seconds: Double,
      steps: Seq[(String, Double)]
  ): ObjectNode = {
    val head = json.createObjectNode()
    head.put("model", arguments.model)
    head.put("model_sha256", model.file.flatMap(hash(spec, _)).orNull)
    head.put("backend", spec.model.engine.name).put("device", model.device).put("precision", spec.model.precision.name)
    val versions = head.putArray("versions")
    Seq(
      "spark-classify" -> BuildVersions.read().version,
      spec.model.engine.name -> model.engineVersion,
      "Spark" -> SPARK_VERSION
    ).foreach { case (name, version) => versions.addArray().add(name).add(version) }
    val configuration = head.putArray("configuration")
    spark.conf.getAll.toSeq.sorted
      .filter { case (key, _) => key.startsWith(ClassifyConf.Prefix) && !JobReport.ownKeys(key) }
      .foreach { case (key, value) => configuration.addArray().add(key).add(value) }
    head.put("started", started).put("seconds", seconds)
    val times = head.putArray("steps")
    steps.foreach { case (name, seconds) => times.addObject().put("name", name).put("seconds", seconds) }
    head
  }

  /** SHA-256 of the model's file; None where the driver does not see it. */
  private def hash(spec: ClassifySpec, file: String): Option[String] =
    try {
      val path = new Path(new Path(ModelDirectory.locate(spec.model.uri)), file)
      val digest = MessageDigest.getInstance("SHA-256")
      spec.images.files.schemes.withFileSystem(path, spec.modelHadoop.configuration) { fileSystem =>
        val stream = fileSystem.open(path)
        try {
          val chunk = new Array[Byte](1 << 20)
          Iterator.continually(stream.read(chunk)).takeWhile(_ >= 0).foreach(digest.update(chunk, 0, _))
        } finally stream.close()
      }
      Some(digest.digest().map(byte => f"$byte%02x").mkString)
    } catch {
      case NonFatal(e) =>
        SparkLog.named("io.sparkclassify.ClassifyJob").info("The report has no hash of the model", e)
        None
    }

  private def readAll(path: Path): String = {
    val stream = path.getFileSystem(hadoop).open(path)
    try new String(stream.readAllBytes(), UTF_8)
    finally stream.close()
  }

  private def writeAll(name: String, text: String): Unit = {
    val path = new Path(name)
    val stream = path.getFileSystem(hadoop).create(path, true)
    try stream.write(text.getBytes(UTF_8))
    finally stream.close()
  }
}

private[job] object JobReport {

  /** These stand in the head by themselves. */
  private val ownKeys = Set(ClassifyConf.Model.key, ClassifyConf.Backend.key, ClassifyConf.PrecisionName.key)

  /** The JSON beside the page. */
  def twin(page: String): String = page.dropRight(".html".length) + ".json"
}
