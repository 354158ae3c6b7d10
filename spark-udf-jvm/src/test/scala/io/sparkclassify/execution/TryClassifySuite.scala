package io.sparkclassify.execution

import io.sparkclassify.{ColourImages, SharedSession, TestData}
import io.sparkclassify.conf.{ClassifyConf, ClassifySpec}
import io.sparkclassify.image.ImageInput
import io.sparkclassify.inference.{ResultShape, RowInference}
import java.nio.file.{Files, Path}

import scala.collection.mutable
import scala.util.Random

import org.apache.spark.TaskContext
import org.apache.spark.sql.Row
import org.apache.spark.sql.catalyst.CatalystTypeConverters
import org.apache.spark.sql.functions.{call_function, col, lit, monotonically_increasing_id, spark_partition_id}

/** `try_classify` against one-by-one inference, on random mixtures of good and bad images. */
class TryClassifySuite extends SharedSession {

  private val limit = 64 << 10

  /** Files of every kind, and whether they can be classified. */
  private def writeFiles(folder: Path): Seq[(String, Boolean)] = {
    def file(name: String, bytes: Array[Byte]): String = Files.write(folder.resolve(name), bytes).toString
    val colours = for (classId <- 0 to 2; format <- Seq("png", "jpg", "bmp").take(2); size <- Seq(1, 7, 64))
      yield file(s"$classId-$size.$format", ColourImages.file(classId, format, size)) -> true
    val jpeg = ColourImages.file(1, "jpg", 64)
    val png = ColourImages.file(2, "png", 64)
    val bad = Seq(
      file("empty.png", Array.emptyByteArray),
      file("text.jpg", "no image".getBytes),
      file("truncated.jpg", jpeg.take(jpeg.length - 20)),
      file("truncated.png", png.take(png.length / 2)),
      file("large.png", png ++ new Array[Byte](limit)),
      s"$folder/missing.png",
      s"$folder/with space/and:colon.png",
      folder.toString,
      "",
      "nowhere://host/image.png"
    ).map(_ -> false)
    colours ++ bad
  }

  /** What one inference of one image gives, on the driver and outside of any plan. */
  private def oneByOne(value: Any, engine: String, model: Path): Row = {
    val spec = ClassifySpec.resolve(Some(engine), Some(model.toString))
    val (kind, internal) = value match {
      case bytes: Array[Byte] => (ImageInput.Contents, bytes)
      case path               => (ImageInput.Paths, org.apache.spark.unsafe.types.UTF8String.fromString(path.toString))
    }
    assert(TaskContext.get() == null)
    val result = new RowInference(spec, kind, ResultShape.Prediction).run(internal)
    val convert = CatalystTypeConverters.createToScalaConverter(ResultShape.Prediction.resultType)
    convert(result).asInstanceOf[Row]
  }

  test("the same rows, in the same order, with the same values and the right errors") {
    TestData.withFolder { folder =>
      val files = writeFiles(folder)
      withConf(ClassifyConf.ImageMaxBytes.key -> limit.toString) {
        val models = for (engine <- TestData.engines; model <- Seq(TestData.model, ColourImages.model))
          yield engine -> model
        def content(path: String) =
          if (path != null && Files.isRegularFile(Path.of(path))) Files.readAllBytes(Path.of(path)) else null
        val known = mutable.HashMap.empty[(String, Boolean, String, Path), Row]
        def expected(path: String, byContent: Boolean, engine: String, model: Path): Row =
          known.getOrElseUpdate(
            (path, byContent, engine, model),
            oneByOne(if (byContent) content(path) else path, engine, model)
          )
        for ((engine, model) <- models; (path, good) <- files)
          assert(expected(path, byContent = false, engine, model).isNullAt(2) == good, path)

        (1 to 12).foreach { seed =>
          val random = new Random(seed)
          // Several calls in one query: other models, other inputs, the same again.
          val calls = Seq.fill(1 + random.nextInt(3))((random.nextBoolean(), models(random.nextInt(models.size))))
          val rows =
            Seq.fill(random.nextInt(200))(if (random.nextInt(8) == 0) null else files(random.nextInt(files.size))._1)
          val frame = spark
            .createDataFrame(rows.map(path => (path, content(path))))
            .toDF("path", "content")
            .repartition(1 + random.nextInt(5))
            .withColumn("partition", spark_partition_id())
            .withColumn("place", monotonically_increasing_id())
            .persist()
          val before = frame.select("path", "content", "partition", "place").collect()
          withConf(
            ClassifyConf.BatchSize.key -> (1 + random.nextInt(40)).toString,
            ClassifyConf.ReadThreads.key -> (1 + random.nextInt(4)).toString,
            ClassifyConf.ReadMaxBytes.key -> (if (random.nextBoolean()) "1000" else "64m")
          ) {
            val results = calls.map { case (byContent, (engine, model)) =>
              call_function(
                "try_classify",
                col(if (byContent) "content" else "path"),
                lit(engine),
                lit(model.toString)
              )
            }
            val result = frame.select(Seq("path", "content", "partition", "place").map(col) ++ results: _*).collect()
            assert(result.map(_.getLong(3)).toSeq == before.map(_.getLong(3)).toSeq)
            for ((row, original) <- result.zip(before); ((byContent, (engine, model)), at) <- calls.zipWithIndex) {
              val path = original.getString(0)
              assert(row.getString(0) == path && row.getInt(2) == original.getInt(2))
              if (original.isNullAt(if (byContent) 1 else 0)) assert(row.isNullAt(4 + at))
              else check(row.getStruct(4 + at), expected(path, byContent, engine, model))
            }
          }
          frame.unpersist()
        }
      }
    }
  }

  private def check(actual: Row, expected: Row): Unit =
    if (expected.isNullAt(2)) {
      val value = expected.getStruct(0)
      assert(actual.isNullAt(4))
      assert((0 until 3).map(actual.get) == (0 until 3).map(value.get).patch(2, Seq(actual.get(2)), 1))
      assert(math.abs(actual.getFloat(2) - value.getFloat(2)) < 1e-5)
      probabilities(actual).zip(probabilities(value)).foreach { case (a, b) => assert(math.abs(a - b) < 1e-5) }
    } else {
      assert((0 until 4).forall(actual.isNullAt))
      assert(actual.getString(4) == s"[${expected.getString(1)}] ${expected.getString(2)}")
    }

  test("a model that cannot be used fails try_classify, too") {
    val query =
      s"SELECT try_classify(path, 'onnx', '/no/such/model') FROM VALUES ('${TestData.image(".png")}') AS t(path)"
    assertError(failure(query), "CLASSIFY_BAD_MODEL", "/no/such/model")
    assertError(failureOf(sql("SELECT try_classify('a', 'tensorflow')")), "CLASSIFY_BAD_CONFIGURATION", "tensorflow")
  }

  test("the error of classify names try_classify as the way out") {
    val error = failure("SELECT classify(path, 'onnx') FROM VALUES ('/none.png') AS t(path)")
    assertError(error, "CLASSIFY_UNREADABLE_IMAGE", "/none.png", "try_classify")
  }
}
