package io.sparkclassify.conf

import java.util.Locale
import java.util.concurrent.TimeUnit

import io.sparkclassify.natives.NativeOptions
import org.apache.spark.network.util.ByteUnit
import org.apache.spark.sql.internal.SQLConf

/**
 * The configuration keys, `spark.classify.*`: one typed table, registered with Spark.
 *
 * Registered keys are checked by Spark itself where they are set (`SET`, `--conf`, `spark.conf.set`), so a wrong value
 * is refused at once and by name. Keys are static where a process obeys them only once, as those about native
 * libraries, and where they say what users may do; each of these is a [[StaticEntry]].
 */
object ClassifyConf {

  /** What all keys begin with. */
  val Prefix = "spark.classify."

  /** An image lies in one direct buffer, a quarter larger than it at most, and buffers have less than 2 GiB. */
  private[sparkclassify] val LargestImageBytes = 1L << 30

  /** Of more than this, several tasks leave no executor of a common size the memory for anything else. */
  private val LargestBatchBytes = 512L << 20

  /** A session's limit below this would serve no image, and tell the size of any file that executors can read. */
  private val SmallestLimit = 64L << 10

  /** What data lakes use, and so do their clouds. */
  private val DataLakes = Seq(
    "file",
    "sparkfiles",
    "hdfs",
    "viewfs",
    "har",
    "o3fs",
    "ofs",
    "maprfs",
    "alluxio",
    "dbfs"
  ) ++
    Seq("s3", "s3a", "s3n", "gs", "abfs", "abfss", "wasb", "wasbs", "adl", "oss", "cosn", "obs", "tos", "oci", "lakefs")

  /** Less leaves no room for a photograph beside the images that tasks read ahead. */
  private val LeastReadMemory = 1L << 20

  private val ExactDecode = "exact"

  /** The value of [[Decode]] that allows decoding at a fraction of an image's size. */
  private[sparkclassify] val FastDecode = "fast"

  val Model = SQLConf
    .buildConf("spark.classify.model")
    .doc(
      "The model of calls without the argument `model`: a model directory, which holds config.json, " +
        "preprocessor_config.json and model.onnx or model.pt; or the name of a model that `spark.classify.models.<name>` " +
        "configures. A directory is a path or URI of any file system that Spark reads, and each executor copies it when " +
        "it is not local; or `sparkfiles:NAME`, which is what `--archives` or `--files` has put under NAME on every " +
        "executor."
    )
    .version("0.1.0")
    .stringConf
    .checkValue(_.trim.nonEmpty, "It must be a model directory, or the name of a configured model.")
    .createOptional

  val AllowPaths = new StaticEntry(
    SQLConf
      .buildStaticConf("spark.classify.model.allowPaths")
      .doc(
        "Whether the argument `model` of the SQL functions may also be a path or URI. Without it, a query can name only " +
          "models that the configuration knows. It does not bind those who may set keys in the session, which " +
          "`spark.classify.models.locked` does."
      )
      .version("0.1.0")
      .booleanConf
      .createWithDefault(false)
  )

  val ModelsLocked = new StaticEntry(
    SQLConf
      .buildStaticConf("spark.classify.models.locked")
      .doc(
        "Whether only those models can be used that the application was started with, as `spark.classify.model` or " +
          "`spark.classify.models.<name>`: whatever a session sets, a view says or a call names, another directory is an error. " +
          "The files are then found with the application's Hadoop settings, and not with the session's. For servers that users " +
          "share: a model is a program that runs with the rights of the executors."
      )
      .version("0.1.0")
      .booleanConf
      .createWithDefault(false)
  )

  val ReadSchemes = new StaticEntry(
    SQLConf
      .buildStaticConf("spark.classify.read.schemes")
      .doc(
        "The schemes that paths of images and models may have, with commas between them; `*` allows all. Not among the default " +
          "are `http`, `https`, `ftp`, `sftp`, `webhdfs` and `swebhdfs`: with them, whoever writes a path chooses a server that " +
          "executors send requests to, and the server where they go from there. What is mounted in a `viewfs` counts too."
      )
      .version("0.1.0")
      .stringConf
      .transform(_.toLowerCase(Locale.ROOT).stripSuffix(":"))
      .toSequence
      .createWithDefault(DataLakes)
  )

  val Backend = SQLConf
    .buildConf("spark.classify.backend")
    .doc(
      "The engine that runs the model: `pytorch` (model.pt, needs an installed libtorch) or `onnx` (model.onnx, ONNX " +
        "Runtime is part of the jar). `auto`: `pytorch` where the model directory has model.pt and the driver a libtorch " +
        "that fits, else `onnx`; what one engine alone can do decides at once: a precision of its own, or a directory " +
        "without a file for the other. Chosen when a query is analysed, so that all executors use the same, and shown " +
        "by EXPLAIN."
    )
    .version("0.1.0")
    .stringConf
    .transform(_.toLowerCase(Locale.ROOT))
    .checkValues(Engine.all.map(_.name).toSet + EngineChoice.Auto)
    .createWithDefault(EngineChoice.Auto)

  val PrecisionName = SQLConf
    .buildConf("spark.classify.precision")
    .doc(
      "The numbers that the model computes with. `fp32`: what the model file says. `bf16`: bfloat16, for the backend " +
        "`pytorch` on CPUs with AVX512_BF16 or AMX. `fp16`: float16, and `int8`: 8-bit integers, for the backend `onnx` and " +
        "a model directory with a file for it: docs/model-directory.md names them, scripts/quantize_model.py makes " +
        "model.int8.onnx. All but the first change probabilities, and labels near a boundary: docs/tuning.md tells the " +
        "price. Any other backend or CPU is an error."
    )
    .version("0.1.0")
    .stringConf
    .transform(_.toLowerCase(Locale.ROOT))
    .checkValues(Precision.all.map(_.name).toSet)
    .createWithDefault(Precision.Fp32.name)

  val Device = SQLConf
    .buildConf("spark.classify.device")
    .doc(
      "Where the model runs. `cpu`: on the cores of the tasks. `cuda:N`: on GPU number N of the executor's host. `cuda`: on " +
        "the GPU that Spark has assigned to the task (`spark.task.resource.gpu.amount`), else on GPU 0. `auto`: on the GPU " +
        "that Spark has assigned to the task, else on the CPU. A GPU that cannot be used is an error, never a reason to use " +
        "the CPU. docs/gpu.md tells what an executor needs."
    )
    .version("0.1.0")
    .stringConf
    .transform(_.toLowerCase(Locale.ROOT))
    .checkValue(DeviceSpec.isName, "It must be cpu, cuda, cuda:N (N is the number of a GPU) or auto.")
    .createWithDefault(DeviceSpec.Cpu)

  val GpuBatchSize = SQLConf
    .buildConf("spark.classify.gpu.batchSize")
    .doc(
      "Up to so many images, of all tasks of an executor together, are one run of the model on a GPU. A GPU does not wait " +
        "for a batch to fill. Where its memory does not hold so many, batches become smaller by themselves."
    )
    .version("0.1.0")
    .intConf
    .checkValue(size => size > 0 && size <= 4096, "It must be from 1 to 4096.")
    .createWithDefault(256)

  val GpuMaxBytes = KeyInError
    .of(
      SQLConf
        .buildConf("spark.classify.gpu.maxBytes")
        .doc(
          "The most that ONNX Runtime may take of a GPU's memory for one model; 0 is no limit. libtorch has a setting of its " +
            "own, the environment variable PYTORCH_CUDA_ALLOC_CONF (per_process_memory_fraction)."
        )
        .version("0.1.0")
        .bytesConf(ByteUnit.BYTE)
    )
    .checkValue(_ >= 0, "It must not be negative.")
    .createWithDefault(0L)

  val GpuTf32 = new StaticEntry(
    SQLConf
      .buildStaticConf("spark.classify.gpu.tf32")
      .doc(
        "Whether a GPU may multiply matrices of float32 in TF32, which keeps 10 bits of precision: faster, and probabilities " +
          "change slightly."
      )
      .version("0.1.0")
      .booleanConf
      .createWithDefault(false)
  )

  val MaxLoadedModels = new StaticEntry(
    SQLConf
      .buildStaticConf("spark.classify.models.maxLoaded")
      .doc(
        "How many models an executor keeps loaded; one directory on two backends or devices, in two precisions, or " +
          "with two ways to decode images (`spark.classify.image.*`, `spark.classify.decode`), is two models. Beyond that, those that no " +
          "task uses are closed, the least recently used one first. A model in use is never closed, so tasks that use more " +
          "models at once have them all."
      )
      .version("0.1.0")
      .intConf
      .checkValue(models => models > 0, "It must be 1 or more.")
      .createWithDefault(8)
  )

  val ImageMaxBytes = KeyInError
    .of(
      SQLConf
        .buildConf("spark.classify.image.maxBytes")
        .doc(
          "An image file or BINARY value with more bytes than this is an error; a file is then not read. At least 64k. What the " +
            "application was started with is the most that a session may set."
        )
        .version("0.1.0")
        .bytesConf(ByteUnit.BYTE)
    )
    .checkValue(
      bytes => bytes >= SmallestLimit && bytes <= LargestImageBytes,
      s"It must be from $SmallestLimit bytes to $LargestImageBytes bytes."
    )
    .createWithDefault(256L << 20)

  val ImageMaxPixels = SQLConf
    .buildConf("spark.classify.image.maxPixels")
    .doc(
      "An image with more pixels (width times height) than this is an error, told from its header before memory is taken. " +
        "The default is where Pillow warns of a decompression bomb. At least 65536. What the application was started with is the " +
        "most that a session may set."
    )
    .version("0.1.0")
    .longConf
    .checkValue(_ >= SmallestLimit, s"It must be $SmallestLimit or more.")
    .createWithDefault(178956970L)

  val ImageMaxMemory = KeyInError
    .of(
      SQLConf
        .buildConf("spark.classify.image.maxMemory")
        .doc(
          "An image that takes more bytes of native memory than this to be decoded and resized is an error, told before they " +
            "are taken. It is a few megabytes for JPEG and PNG of any size, 3 to 8 bytes a pixel for progressive JPEGs, and 3 to " +
            "15 for what is decoded as a whole. Each core that classifies may take so much, beside 64 MiB that it keeps: " +
            "`spark.executor.memoryOverhead` has to have room for that. At least 64 KiB. What the application was started with is " +
            "the most that a session may set."
        )
        .version("0.1.0")
        .bytesConf(ByteUnit.BYTE)
    )
    .checkValue(_ >= SmallestLimit, s"It must be $SmallestLimit bytes or more.")
    .createWithDefault(256L << 20)

  val ImageExifTranspose = SQLConf
    .buildConf("spark.classify.image.exifTranspose")
    .doc(
      "Whether images are turned upright as their EXIF orientation says, like `ImageOps.exif_transpose` of Pillow. Models " +
        "are mostly trained without that. TIFFs are turned always, as Pillow does when it opens them."
    )
    .version("0.1.0")
    .booleanConf
    .createWithDefault(false)

  val Decode = SQLConf
    .buildConf("spark.classify.decode")
    .doc(
      s"How JPEGs are decoded. `$ExactDecode`: whole, which gives Pillow's pixels. `$FastDecode`: those at least four times " +
        "as wide and as high as they will be resized to, at a half, a quarter or an eighth of their size, like Pillow's " +
        "`Image.draft` for a thumbnail; that changes probabilities slightly."
    )
    .version("0.1.0")
    .stringConf
    .transform(_.toLowerCase(Locale.ROOT))
    .checkValues(Set(ExactDecode, FastDecode))
    .createWithDefault(ExactDecode)

  val BatchSize = SQLConf
    .buildConf("spark.classify.batchSize")
    .doc("How many rows are classified in one call of the native library.")
    .version("0.1.0")
    .intConf
    .checkValue(size => size > 0 && size <= 4096, "It must be from 1 to 4096.")
    .createWithDefault(32)

  val ReadThreads = SQLConf
    .buildConf("spark.classify.read.threads")
    .doc(
      "How many files a task reads at once, ahead of their classification. Object stores with high latency want more, " +
        "until all waiting for files is gone: about the latency times the images that a task classifies in a second."
    )
    .version("0.1.0")
    .intConf
    .checkValue(threads => threads > 0 && threads <= 1024, "It must be from 1 to 1024.")
    .createWithDefault(8)

  val ReadMaxBytes = KeyInError
    .of(
      SQLConf
        .buildConf("spark.classify.read.maxBytes")
        .doc(
          "How many bytes of images a task holds at most, both ahead of a batch and in one, in direct memory. An image for each " +
            "reading thread may come on top. Large images make smaller batches. All tasks of an executor together stay within " +
            "`spark.classify.read.memory`."
        )
        .version("0.1.0")
        .bytesConf(ByteUnit.BYTE)
    )
    .checkValue(
      bytes => bytes > 0 && bytes <= LargestBatchBytes,
      s"It must be from 1 byte to $LargestBatchBytes bytes."
    )
    .createWithDefault(32L << 20)

  val ReadTimeout = KeyInError
    .of(
      SQLConf
        .buildConf("spark.classify.read.timeout")
        .doc(
          "A file whose reading takes longer than this is that row's error. Its thread is given up: it ends when its file system " +
            "answers. A task that is killed waits for no file. The time begins when a thread opens the file; waiting for memory " +
            "does not count. A model is copied in many steps, and one that takes longer is an error."
        )
        .version("0.1.0")
        .timeConf(TimeUnit.MILLISECONDS)
    )
    .checkValue(millis => millis > 0, "It must be 1 ms or more.")
    .createWithDefaultString("10min")

  val ReadRetries = SQLConf
    .buildConf("spark.classify.read.retries")
    .doc(
      "How often a file is read again when its file system fails, after pauses that double from 0.1 s on; the time counts " +
        "for `spark.classify.read.timeout`. What does not exist, may not be read or is damaged is not asked for again. Object stores' own " +
        "retries come before (`fs.s3a.retry.limit`). The files of models are read again in the same way."
    )
    .version("0.1.0")
    .intConf
    .checkValue(retries => retries >= 0 && retries <= 10, "It must be from 0 to 10.")
    .createWithDefault(3)

  val ReadMemory = new StaticEntry(
    KeyInError
      .of(
        SQLConf
          .buildStaticConf("spark.classify.read.memory")
          .doc(
            "How many bytes of direct memory the images of all tasks of an executor take together, read ahead and in batches. " +
              "Tasks wait for each other beyond that. Without it, half of the direct memory that the JVM grants " +
              "(-XX:MaxDirectMemorySize, else as much as the heap), and no more than a third of what the container has beside the " +
              "heap. A file that takes more than three quarters of it is its row's error."
          )
          .version("0.1.0")
          .bytesConf(ByteUnit.BYTE)
      )
      .checkValue(bytes => bytes >= LeastReadMemory, s"It must be $LeastReadMemory bytes or more.")
      .createOptional
  )

  val NativeDirectory = new StaticEntry(
    SQLConf
      .buildStaticConf(NativeOptions.DIRECTORY_KEY)
      .doc(
        "The folder into which executors and driver unpack the native libraries of the jar. It must allow execution. " +
          "Without it, java.io.tmpdir is taken. A folder of the user's own is made in it, and nobody else may be able to replace that: " +
          "docs/tuning.md tells what containers need."
      )
      .version("0.1.0")
      .stringConf
      .createOptional
  )

  val TorchHome = new StaticEntry(
    SQLConf
      .buildStaticConf(NativeOptions.TORCH_HOME_KEY)
      .doc(
        "The libtorch or Python torch folder of every executor, the one with lib/libtorch_cpu.so. Without it, the " +
          "environment variable LIBTORCH counts, then the torch of the Python that PySpark uses, where packages in PYTHONPATH do not count."
      )
      .version("0.1.0")
      .stringConf
      .createOptional
  )

  val TorchAllowAllOperators = new StaticEntry(
    SQLConf
      .buildStaticConf("spark.classify.torch.allowAllOperators")
      .doc(
        "Whether a TorchScript model may use operators that do more than compute: read and write files, or reach other " +
          "processes. Such a model runs as the executor's user; set this only where all models are trusted."
      )
      .version("0.1.0")
      .booleanConf
      .createWithDefault(false)
  )

  val OnnxRuntimeLibrary = new StaticEntry(
    SQLConf
      .buildStaticConf(NativeOptions.ONNX_RUNTIME_KEY)
      .doc("A libonnxruntime.so on every executor, to be used in the place of the one in the jar.")
      .version("0.1.0")
      .stringConf
      .createOptional
  )

  val OnnxRuntimeHome = new StaticEntry(
    SQLConf
      .buildStaticConf(NativeOptions.ONNX_RUNTIME_HOME_KEY)
      .doc(
        "The folder of an ONNX Runtime on every executor, to be used in the place of the one in the jar: after `pip install " +
          "onnxruntime-gpu`, site-packages/onnxruntime. Without it, the Maven artifact `onnxruntime_gpu` on the class path " +
          "counts, then the one in the jar."
      )
      .version("0.1.0")
      .stringConf
      .createOptional
  )

  /**
   * What is known about a key.
   *
   * @param default
   *   as it would be written; None when the key has no value unless it is set
   * @param isStatic
   *   whether it can be set only before the application starts
   * @param since
   *   the first version that knows it
   */
  final case class Key(name: String, default: Option[String], isStatic: Boolean, doc: String, since: String)

  /** A family of keys, one for each name. Spark registers no such thing: [[ModelNames]] reads them. */
  val NamedModel: Key = Key(
    "spark.classify.models.<name>",
    None,
    isStatic = false,
    "The directory of the model `<name>`, written like that of `spark.classify.model`. SQL calls the model by its name: " +
      "`classify(path, model => 'resnet50')`. Names consist of letters, digits, `.`, `_` and `-`.",
    "0.1.0"
  )

  /** Every key, grouped by subject, in the order of the documentation. */
  val documentation: Seq[(String, Seq[Key])] = {
    val subjects = Seq(
      "The model" -> Seq(Model, Backend, PrecisionName, MaxLoadedModels.entry),
      "Models by name" -> Seq(AllowPaths.entry, ModelsLocked.entry),
      "Images" -> Seq(
        ImageMaxBytes,
        ImageMaxPixels,
        ImageMaxMemory,
        ImageExifTranspose,
        Decode,
        ReadThreads,
        ReadMaxBytes,
        ReadMemory.entry,
        ReadTimeout,
        ReadRetries,
        ReadSchemes.entry
      ),
      "Batches" -> Seq(BatchSize),
      "GPUs" -> Seq(Device, GpuBatchSize, GpuMaxBytes, GpuTf32.entry),
      "Native libraries" -> Seq(
        NativeDirectory.entry,
        TorchHome.entry,
        TorchAllowAllOperators.entry,
        OnnxRuntimeLibrary.entry,
        OnnxRuntimeHome.entry
      )
    )
    val families = Map("Models by name" -> NamedModel)
    subjects.map { case (subject, entries) =>
      subject -> (families.get(subject).toSeq ++ entries.map { entry =>
        val default = entry.defaultValue.map {
          case _ if entry.defaultValueString.endsWith("min") => entry.defaultValueString
          case bytes: Long if bytes % (1 << 20) == 0         => s"${bytes >> 20}m"
          case several: Seq[_]                               => several.mkString(",")
          case other                                         => other.toString
        }
        Key(entry.key, default, SQLConf.isStaticConfigKey(entry.key), entry.doc, entry.version)
      })
    }
  }

  /** All keys. */
  val keys: Seq[Key] = documentation.flatMap(_._2)

  /** Makes Spark know the keys, which touching this object does. */
  def register(): Unit = ()
}
