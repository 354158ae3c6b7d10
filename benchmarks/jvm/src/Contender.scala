package benchmarks

import java.io.PrintWriter
import java.nio.file.{Files, Paths}

import scala.jdk.CollectionConverters._

import org.apache.spark.sql.{Dataset, SparkSession}

/** A model, loaded once an executor, that several tasks use at once. */
trait Network {

  /** The probabilities of a batch of image files, on this thread. */
  def classify(files: Seq[Array[Byte]]): Seq[Array[Float]]
}

/** Spark's mapPartitions around a network, or our SQL function: what `contender.py` asks of a contender. */
object Contender {

  private val Own = "spark-classify"

  /** The executor's own: a local master has one JVM. */
  @volatile private var network: Network = _

  private def networkOf(kind: String, model: String): Network = synchronized {
    if (network == null) network = kind match {
      case "onnxruntime-java2d" => new OnnxNetwork(model, Java2D)
      case "onnxruntime-pillow" => new OnnxNetwork(model, Pillow)
      case "djl"                => new DjlNetwork(model, Pillow)
    }
    network
  }

  def main(arguments: Array[String]): Unit = {
    val kind = arguments.head
    val options = arguments.tail.grouped(2).map(pair => pair(0).stripPrefix("--") -> pair(1)).toMap
    val (cores, model, batchSize) = (options("cores").toInt, options("model"), options("batch-size").toInt)
    val spark = SparkSession.builder()
      .master(s"local[$cores]")
      .appName("benchmark")
      .config("spark.ui.enabled", "false")
      .config("spark.driver.bindAddress", "127.0.0.1")
      .config("spark.driver.host", "127.0.0.1")
      .config("spark.sql.extensions", if (kind == Own) "io.sparkclassify.ClassifyExtensions" else "")
      .config("spark.classify.model", model)
      .config("spark.classify.batchSize", batchSize)
      .getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    import spark.implicits._
    val images = Files.readAllLines(Paths.get(options("images"))).asScala.toSeq
    val paths = Seq.fill(options("passes").toInt)(images).flatten

    // As in spark_session.py.
    val partitions = cores * math.max(2, math.ceil(paths.length / 250.0 / cores).toInt)

    def mapped(images: Dataset[String]): Dataset[(String, Array[Float])] = images.mapPartitions { rows =>
      val network = networkOf(kind, model)
      rows.grouped(batchSize).flatMap { batch =>
        batch.zip(network.classify(batch.map(path => Files.readAllBytes(Paths.get(path)))))
      }
    }

    def called(images: Dataset[String]): Dataset[(String, Array[Float])] =
      images.selectExpr("value AS _1", "classify(value, 'onnx').probabilities AS _2").as[(String, Array[Float])]

    def pass(): (Double, Array[(String, Array[Float])]) = {
      val start = System.nanoTime()
      val images = spark.createDataset(spark.sparkContext.parallelize(paths, partitions))
      val predictions = (if (kind == Own) called(images) else mapped(images)).collect()
      ((System.nanoTime() - start) / 1e9, predictions)
    }

    pass()
    println("""BENCH {"event": "warm"}""")
    val (seconds, predictions) = pass()
    println(s"""BENCH {"event": "done", "seconds": $seconds, "versions": {"spark": "${spark.version}"}}""")
    val file = new PrintWriter(options("predictions"), "UTF-8")
    file.println("path,class_id,probabilities")
    predictions.foreach { case (path, probabilities) =>
      file.println(s"$path,${probabilities.indexOf(probabilities.max)},${probabilities.mkString(" ")}")
    }
    file.close()
    spark.stop()
  }

  def softmax(logits: Array[Float]): Array[Float] = {
    val powers = logits.map(logit => math.exp(logit - logits.max))
    powers.map(power => (power / powers.sum).toFloat)
  }
}
