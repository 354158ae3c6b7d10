package io.sparkclassify.conf

import io.sparkclassify.natives.{NativeEngine, NativeLoader, NativeOptions}
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.spark.sql.internal.SQLConf

/**
 * All that an executor has to know to classify. It is fixed when the query is analysed, and travels in the plan.
 *
 * @param maxLoadedModels
 *   `spark.classify.models.maxLoaded`
 * @param hadoop
 *   the settings that images are read with
 * @param modelHadoop
 *   those that the model is read with
 */
final case class ClassifySpec(
    model: ModelSpec,
    maxLoadedModels: Int,
    images: ImageSpec,
    natives: NativeSpec,
    hadoop: HadoopSettings,
    modelHadoop: HadoopSettings
) {

  /** The engine's native library, which is loaded when this JVM does not have it. */
  def nativeEngine(): NativeEngine =
    ClassifyErrors.onExecutor(NativeLoader.load(model.engine.name, natives.options))
}

/**
 * Which model runs on which engine, in which precision, on images decoded in which way. Equal ones share one loaded
 * model in a JVM.
 *
 * @param uri
 *   the model directory, absolute and with its scheme; or `sparkfiles:NAME`, what `--archives` or `--files` has put
 *   under NAME on each executor; or [[ModelSpec.Hashes]]
 */
final case class ModelSpec(
    engine: Engine,
    uri: String,
    precision: Precision,
    decode: DecodeSpec,
    device: DeviceSpec
) {

  /** Whether it is no model: images are hashed, for which nothing is loaded. */
  def isHashes: Boolean = uri == ModelSpec.Hashes

  /** How it is listed: what is not as usual stands after it. */
  override def toString: String = {
    val unusual =
      Seq(precision.name).filter(_ => precision != Precision.Fp32) ++ Seq(device.name).filterNot(_ => device.isCpu)
    if (unusual.isEmpty) uri else s"$uri (${unusual.mkString(", ")})"
  }
}

object ModelSpec {

  /** The scheme of files that Spark brings to each executor. */
  val SparkFiles = "sparkfiles:"

  /** What stands in the place of a model where images are hashed. No directory is called so: it has no path. */
  val Hashes = "hashes:"

  /** The same for images that are decoded in this way; the library of ONNX Runtime is in every jar. */
  def hashes(decode: DecodeSpec): ModelSpec =
    ModelSpec(Engine.Onnx, Hashes, Precision.Fp32, decode.copy(fast = false), DeviceSpec(DeviceSpec.Cpu, None))
}

/**
 * How images are decoded.
 *
 * @param maxPixels
 *   `spark.classify.image.maxPixels`
 * @param maxMemory
 *   `spark.classify.image.maxMemory`
 * @param exifTranspose
 *   `spark.classify.image.exifTranspose`
 * @param fast
 *   whether `spark.classify.decode` is `fast`
 */
final case class DecodeSpec(maxPixels: Long, maxMemory: Long, exifTranspose: Boolean, fast: Boolean)

object DecodeSpec {
  def ofSession(conf: SQLConf): DecodeSpec = DecodeSpec(
    ApplicationConf.limit(ClassifyConf.ImageMaxPixels.key, conf)(_.getConf(ClassifyConf.ImageMaxPixels)),
    ApplicationConf.limit(ClassifyConf.ImageMaxMemory.key, conf)(_.getConf(ClassifyConf.ImageMaxMemory)),
    conf.getConf(ClassifyConf.ImageExifTranspose),
    conf.getConf(ClassifyConf.Decode) == ClassifyConf.FastDecode
  )
}

/**
 * How images are read.
 *
 * @param directory
 *   the URI that relative paths belong to: the driver's working directory in the default file system
 * @param maxBytes
 *   `spark.classify.image.maxBytes`
 */
final case class ImageSpec(directory: String, maxBytes: Long, files: FileSpec)

/**
 * How file systems are asked for files, those of images and those of models.
 *
 * @param timeoutMillis
 *   `spark.classify.read.timeout`
 * @param retries
 *   `spark.classify.read.retries`
 * @param schemes
 *   `spark.classify.read.schemes`
 */
final case class FileSpec(timeoutMillis: Long, retries: Int, schemes: Schemes)

object FileSpec {
  def ofSession(conf: SQLConf): FileSpec = FileSpec(
    conf.getConf(ClassifyConf.ReadTimeout),
    conf.getConf(ClassifyConf.ReadRetries),
    Schemes.ofApplication()
  )
}

/**
 * How the operator forms batches.
 *
 * @param size
 *   `spark.classify.batchSize`
 * @param readThreads
 *   `spark.classify.read.threads`
 * @param maxBytes
 *   `spark.classify.read.maxBytes`
 */
final case class BatchSpec(size: Int, readThreads: Int, maxBytes: Long)

object BatchSpec {
  def ofSession(conf: SQLConf): BatchSpec = BatchSpec(
    conf.getConf(ClassifyConf.BatchSize),
    conf.getConf(ClassifyConf.ReadThreads),
    conf.getConf(ClassifyConf.ReadMaxBytes)
  )
}

/** Where the native libraries are found and put, by the static keys of [[ClassifyConf]]. */
final case class NativeSpec(
    directory: Option[String],
    torchHome: Option[String],
    onnxRuntimeLibrary: Option[String],
    onnxRuntimeHome: Option[String],
    torchAllowAllOperators: Boolean
) {
  def options: NativeOptions =
    new NativeOptions(directory.orNull, torchHome.orNull, onnxRuntimeLibrary.orNull, onnxRuntimeHome.orNull)
}

object NativeSpec {
  def ofApplication(): NativeSpec = NativeSpec(
    ApplicationConf.get(ClassifyConf.NativeDirectory),
    ApplicationConf.get(ClassifyConf.TorchHome),
    ApplicationConf.get(ClassifyConf.OnnxRuntimeLibrary),
    ApplicationConf.get(ClassifyConf.OnnxRuntimeHome),
    ApplicationConf.get(ClassifyConf.TorchAllowAllOperators)
  )
}

object ClassifySpec {

  /**
   * The specification for the active session. `backend` and `model` take the place of its configuration.
   *
   * Nothing is read from the model directory, which may be there for the executors only. For the backend `auto` it is
   * listed, see [[EngineChoice]].
   */
  def resolve(backend: Option[String] = None, model: Option[String] = None): ClassifySpec = {
    val conf = SessionConf.current()
    UnknownKeys.warn(conf.getAllConfs.keys)
    val precisionName = conf.getConf(ClassifyConf.PrecisionName)
    val precision = Precision.all.find(_.name == precisionName).get
    val hadoop = HadoopSettings.ofSession()
    val (directory, modelHadoop) = locateModel(model, conf, hadoop)
    val engineName = backend.getOrElse(conf.getConf(ClassifyConf.Backend))
    val engine =
      if (engineName.trim.equalsIgnoreCase(EngineChoice.Auto)) {
        val natives = NativeSpec.ofApplication().options
        new EngineChoice(modelHadoop, FileSpec.ofSession(conf), natives)(precision, directory)
      } else Engine.find(engineName).getOrElse(throw ClassifyErrors.unknownBackend(engineName))
    if (!precision.engines.contains(engine)) throw ClassifyErrors.precisionRefused(precision, engine)
    val located = ModelSpec(engine, directory, precision, DecodeSpec.ofSession(conf), DeviceSpec.ofSession(conf))
    of(located, conf, hadoop, modelHadoop)
  }

  /** The specification of hashes for the active session, which need no model, whatever is configured. */
  def ofHashes(): ClassifySpec = {
    val conf = SessionConf.current()
    UnknownKeys.warn(conf.getAllConfs.keys)
    val hadoop = HadoopSettings.ofSession()
    of(ModelSpec.hashes(DecodeSpec.ofSession(conf)), conf, hadoop, hadoop)
  }

  private def of(model: ModelSpec, conf: SQLConf, hadoop: HadoopSettings, modelHadoop: HadoopSettings): ClassifySpec =
    ClassifySpec(
      model,
      ApplicationConf.get(ClassifyConf.MaxLoadedModels),
      ImageSpec(
        workingDirectory(hadoop).toString,
        ApplicationConf.limit(ClassifyConf.ImageMaxBytes.key, conf)(_.getConf(ClassifyConf.ImageMaxBytes)),
        FileSpec.ofSession(conf)
      ),
      NativeSpec.ofApplication(),
      hadoop,
      modelHadoop
    )

  /** The model directory that a call means, and the Hadoop settings that its files are found with. */
  private def locateModel(name: Option[String], conf: SQLConf, session: HadoopSettings): (String, HadoopSettings) = {
    val locked = ApplicationConf.get(ClassifyConf.ModelsLocked)
    // With a session's settings, an allowed URI could lead to other files.
    val hadoop = if (locked) HadoopSettings.ofApplication() else session
    val home = workingDirectory(hadoop)
    val uri = new ModelNames(conf, home).directory(name, ApplicationConf.get(ClassifyConf.AllowPaths))
    if (locked && !new ModelNames(ApplicationConf.runtime, home).directories(uri)) throw ClassifyErrors.modelLocked(uri)
    (uri, if (locked && !uri.startsWith(ModelSpec.SparkFiles)) hadoop.unshared(uri) else hadoop)
  }

  private def workingDirectory(hadoop: HadoopSettings): Path = FileSystem.get(hadoop.configuration).getWorkingDirectory
}
