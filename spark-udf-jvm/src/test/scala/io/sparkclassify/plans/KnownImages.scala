package io.sparkclassify.plans

import java.nio.file.Files

import io.sparkclassify.{ColourImages, CountedFileSystem, SharedSession, TestData}
import org.apache.spark.sql.Row

/** A suite with images whose classes are known. */
abstract class KnownImages extends SharedSession {

  protected val count = 12
  protected val classified = "(SELECT id, name, path, classify(path) AS c FROM images)"

  protected def nameOf(id: Int): String = ColourImages.labels(id % 3)

  /** `images` in three partitions: `path`, `id` from 0 on, and `name`, which is the class. */
  protected def withImages(body: => Unit): Unit = TestData.withFolder { folder =>
    val rows = (0 until count).map { id =>
      Files.write(folder.resolve(s"$id.png"), ColourImages.file(id % 3))
      (s"counted:$folder/$id.png", id, nameOf(id))
    }
    spark
      .createDataFrame(spark.sparkContext.parallelize(rows, 3))
      .toDF("path", "id", "name")
      .createOrReplaceTempView("images")
    withConf("spark.classify.backend" -> "onnx", "spark.classify.model" -> ColourImages.model.toString)(body)
  }

  /**
   * A test that runs a query over them.
   *
   * @param images
   *   how many are classified, and read
   */
  protected def query(name: String, text: String, images: Int = count)(isRight: Seq[Row] => Boolean): Unit =
    test(name) {
      withImages {
        var ran: Ran = null
        val opened = CountedFileSystem.opens { ran = Plans.run(sql(text)) }
        assert(isRight(ran.rows), ran.rows)
        assert(ran.left.isEmpty && ran.images == images, sql(text).queryExecution)
        assert(opened == images, "what the operators of the last run do not count")
      }
    }

  protected def named(rows: Seq[Row]): Boolean = rows.forall(row => row.getString(1) == nameOf(row.getInt(0)))
}
