package io.sparkclassify

import java.nio.file.{Files, Path, StandardCopyOption}

import scala.jdk.CollectionConverters._

import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.streaming.{StreamingQueryException, Trigger}
import org.apache.spark.sql.types._

/** A stream of image files into a folder of results, with restarts. */
class StreamingSuite extends SharedSession {

  private val schema = StructType(
    Seq(
      StructField("path", StringType),
      StructField("modificationTime", TimestampType),
      StructField("length", LongType),
      StructField("content", BinaryType)
    )
  )

  /** A file appears at once, as uploads to an object store do. */
  private def upload(folder: Path, name: String, bytes: Array[Byte]): Unit = {
    val hidden = Files.write(folder.resolve(s".$name"), bytes)
    Files.move(hidden, folder.resolve(name), StandardCopyOption.ATOMIC_MOVE)
  }

  private def run(images: Path, results: Path, function: String): Unit = {
    val stream =
      spark.readStream.schema(schema).format("binaryFile").option("maxFilesPerTrigger", "3").load(images.toString)
    val query = stream
      .selectExpr("path", s"$function(content, 'onnx', '${ColourImages.model}') AS c")
      .writeStream
      .format("parquet")
      .option("path", s"$results/data")
      .option("checkpointLocation", s"$results/checkpoint")
      .trigger(Trigger.AvailableNow())
      .start()
    query.awaitTermination()
  }

  private def read(results: Path): DataFrame = spark.read.parquet(s"$results/data")

  private def classes(results: Path): Map[String, String] = {
    val rows = read(results).selectExpr("path", "c.class").collect()
    assert(rows.map(_.getString(0)).distinct.length == rows.length, "each image once")
    rows.map(row => row.getString(0).split('/').last -> row.getString(1)).toMap
  }

  private def withFolders(body: (Path, Path) => Unit): Unit = TestData.withFolder { folder =>
    body(Files.createDirectory(folder.resolve("images")), folder.resolve("results"))
  }

  test("every image of a stream is in the results once, before and after a restart") {
    withFolders { (images, results) =>
      (0 until 7).foreach(id => upload(images, s"$id.png", ColourImages.file(id % 3)))
      run(images, results, "classify")
      assert(classes(results) == (0 until 7).map(id => s"$id.png" -> ColourImages.labels(id % 3)).toMap)
      (7 until 11).foreach(id => upload(images, s"$id.png", ColourImages.file(id % 3)))
      run(images, results, "classify")
      run(images, results, "classify")
      assert(classes(results) == (0 until 11).map(id => s"$id.png" -> ColourImages.labels(id % 3)).toMap)
    }
  }

  test("a bad image stops a stream of classify, which goes on where it was when the image is mended") {
    withFolders { (images, results) =>
      (0 until 5).foreach(id => upload(images, s"$id.png", ColourImages.file(id % 3)))
      run(images, results, "classify")
      upload(images, "5.png", "no image".getBytes)
      val failure = intercept[StreamingQueryException](run(images, results, "classify"))
      assert(
        Iterator.iterate[Throwable](failure)(_.getCause).takeWhile(_ != null).exists(_.isInstanceOf[ClassifyException])
      )
      upload(images, "5.png", ColourImages.file(2))
      run(images, results, "classify")
      assert(classes(results) == (0 until 6).map(id => s"$id.png" -> ColourImages.labels(id % 3)).toMap)
    }
  }

  test("a stream of try_classify keeps bad images as rows") {
    withFolders { (images, results) =>
      upload(images, "good.png", ColourImages.file(1))
      upload(images, "bad.png", "no image".getBytes)
      run(images, results, "try_classify")
      assert(classes(results) == Map("good.png" -> "green", "bad.png" -> null))
      assert(read(results).where("c.error LIKE '[CLASSIFY_BAD_IMAGE]%'").count() == 1)
    }
  }

  test("each batch of a stream classifies its images once, however often it is used") {
    withFolders { (images, results) =>
      (0 until 7).foreach(id => upload(images, s"$id.png", ColourImages.file(id % 3)))
      val found = new java.util.concurrent.ConcurrentLinkedQueue[(String, String)]
      val query = spark.readStream
        .schema(schema)
        .format("binaryFile")
        .option("maxFilesPerTrigger", "3")
        .load(images.toString)
        .selectExpr(
          "path",
          s"classify('counted:' || substring(path, 6), 'onnx', '${ColourImages.model}').class AS class"
        )
        .writeStream
        .option("checkpointLocation", s"$results/checkpoint")
        .trigger(Trigger.AvailableNow())
        .foreachBatch { (batch: DataFrame, _: Long) =>
          batch.persist()
          batch.collect().foreach(row => found.add(row.getString(0).split('/').last -> row.getString(1)))
          assert(batch.where("class IS NOT NULL").count() == batch.count())
          batch.unpersist()
          ()
        }
      assert(CountedFileSystem.opens(query.start().awaitTermination()) == 7)
      assert(found.size == 7)
      assert(found.asScala.toMap == (0 until 7).map(id => s"$id.png" -> ColourImages.labels(id % 3)).toMap)
    }
  }

  test("a stream with a limit stops at it") {
    withFolders { (images, results) =>
      (0 until 7).foreach(id => upload(images, s"$id.png", ColourImages.file(id % 3)))
      val query = spark.readStream
        .schema(schema)
        .format("binaryFile")
        .option("maxFilesPerTrigger", "3")
        .load(images.toString)
        .selectExpr(s"classify(content, 'onnx', '${ColourImages.model}').class AS class")
        .limit(4)
        .writeStream
        .format("memory")
        .queryName("limited")
        .option("checkpointLocation", s"$results/checkpoint")
        .trigger(Trigger.AvailableNow())
        .start()
      query.awaitTermination()
      assert(sql("SELECT class FROM limited WHERE class IS NOT NULL").count() == 4)
    }
  }

  test("results are grouped in a stream") {
    withFolders { (images, results) =>
      (0 until 7).foreach(id => upload(images, s"$id.png", ColourImages.file(id % 3)))
      val query = spark.readStream
        .schema(schema)
        .format("binaryFile")
        .load(images.toString)
        .selectExpr(s"classify(path, 'onnx', '${ColourImages.model}').class AS class")
        .groupBy("class")
        .count()
        .writeStream
        .outputMode("complete")
        .format("memory")
        .queryName("classes")
        .option("checkpointLocation", s"$results/checkpoint")
        .trigger(Trigger.AvailableNow())
        .start()
      try {
        query.awaitTermination()
        val counts =
          sql("SELECT class, count FROM classes").collect().map(row => row.getString(0) -> row.getLong(1)).toMap
        assert(counts == Map("red" -> 3L, "green" -> 2L, "blue" -> 2L))
      } finally spark.catalog.dropTempView("classes")
    }
  }
}
