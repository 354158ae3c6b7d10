package io.sparkclassify.conf

import io.sparkclassify.ClassifyErrors
import io.sparkclassify.natives.NativeOptions
import org.apache.hadoop.fs.FileSystem
import org.apache.spark.sql.internal.SQLConf

/**
 * All that an executor has to know to classify. It is fixed when the query is analysed, and travels in the plan.
 *
 * @param maxLoadedModels
 *   `spark.classify.models.maxLoaded`
 */
final case class ClassifySpec(
    model: ModelSpec,
    maxLoadedModels: Int,
    images: ImageSpec,
    natives: NativeSpec,
    hadoop: HadoopSettings
)

/**
 * Which model runs on which engine, in which precision, on images decoded in which way. Equal ones share one loaded model in a JVM.
 *
 * @param uri
 *   the model directory, absolute and with its scheme; or `sparkfiles:NAME`, what `--archives` or `--files` has put under
 *   NAME on each executor
 */
final case class ModelSpec(
    engine: Engine,
    uri: String,
    precision: Precision,
    decode: DecodeSpec,
    device: DeviceSpec
) {

  /** How it is listed: what is not as usual stands behind it. */
  override def toString: String = {
    val unusual = Option.when(precision != Precision.Fp32)(precision.name) ++ Option.when(!device.isCpu)(device.name)
    if (unusual.isEmpty) uri else s"$uri (${unusual.mkString(", ")})"
  }
}

object ModelSpec {

  /** The scheme of files that Spark brings to each executor. */
  val SparkFiles = "sparkfiles:"
}

/**
 * How images are decoded.
 *
 * @param maxPixels
 *   `spark.classify.image.maxPixels`
 * @param exifTranspose
 *   `spark.classify.image.exifTranspose`
 * @param fast
 *   whether `spark.classify.decode` is `fast`
 */
final case class DecodeSpec(maxPixels: Long, exifTranspose: Boolean, fast: Boolean)

object DecodeSpec {
  def ofSession(conf: SQLConf): DecodeSpec = DecodeSpec(
    conf.getConf(ClassifyConf.ImageMaxPixels),
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
 * @param timeoutMillis
 *   `spark.classify.read.timeout`
 */
final case class ImageSpec(directory: String, maxBytes: Long, timeoutMillis: Long)

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
    onnxRuntimeHome: Option[String]
) {
  def options: NativeOptions =
    new NativeOptions(directory.orNull, torchHome.orNull, onnxRuntimeLibrary.orNull, onnxRuntimeHome.orNull)
}

object NativeSpec {
  def ofSession(conf: SQLConf): NativeSpec = NativeSpec(
    conf.getConf(ClassifyConf.NativeDirectory),
    conf.getConf(ClassifyConf.TorchHome),
    conf.getConf(ClassifyConf.OnnxRuntimeLibrary),
    conf.getConf(ClassifyConf.OnnxRuntimeHome)
  )
}

object ClassifySpec {

  /**
   * The specification for the active session. `backend` and `model` take the place of its configuration.
   *
   * Nothing is read from the model directory: it may be there for the executors only.
   */
  def resolve(backend: Option[String] = None, model: Option[String] = None): ClassifySpec = {
    val conf = SessionConf.current()
    UnknownKeys.warn(conf.getAllConfs.keys)
    val engineName = backend.getOrElse(conf.getConf(ClassifyConf.Backend))
    val engine = Engine.find(engineName).getOrElse(throw ClassifyErrors.unknownBackend(engineName))
    val precisionName = conf.getConf(ClassifyConf.PrecisionName)
    val precision = Precision.all.find(_.name == precisionName).get
    if (!precision.engines.contains(engine)) throw ClassifyErrors.precisionRefused(precision, engine)
    val hadoop = HadoopSettings.ofSession()
    val workingDirectory = FileSystem.get(hadoop.configuration).getWorkingDirectory
    ClassifySpec(
      ModelSpec(
        engine,
        ModelNames.directory(model, conf, workingDirectory),
        precision,
        DecodeSpec.ofSession(conf),
        DeviceSpec.ofSession(conf)
      ),
      conf.getConf(ClassifyConf.MaxLoadedModels),
      ImageSpec(
        workingDirectory.toString,
        conf.getConf(ClassifyConf.ImageMaxBytes),
        conf.getConf(ClassifyConf.ReadTimeout)
      ),
      NativeSpec.ofSession(conf),
      hadoop
    )
  }
}
