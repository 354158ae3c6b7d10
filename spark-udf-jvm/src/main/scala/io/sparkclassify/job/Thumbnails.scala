package io.sparkclassify.job

import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.{ImageReader, ImageSource, ReadAhead}
import org.apache.spark.TaskContext
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.functions.{col, count, first, lit}

/** The small pictures of a report. Executors make them, which can read the images, and send a few kilobytes of each. */
private[job] object Thumbnails {
  private val ReadThreads = 4
  private val ReadBytes = 16L << 20

  /**
   * JPEGs in base64 by the paths of their images; what can no longer be read or decoded has none.
   *
   * @param images
   *   the table of [[ImageList]]
   * @param pathsTell
   *   whether a path is the image's own. Images from a column may share a name: those have none
   */
  def of(images: DataFrame, paths: Seq[String], pathsTell: Boolean, spec: ClassifySpec): Map[String, String] = {
    val cores = images.sparkSession.sparkContext.defaultParallelism
    images
      .where(Columns.named(Columns.Path).isin(paths: _*))
      .groupBy(Columns.Path)
      .agg(first(Columns.Image).as(Columns.Image), count(lit(1)).as("images"))
      .where(col("images") === 1 || lit(pathsTell))
      .select(Columns.Path, Columns.Image)
      .repartition(cores)
      .rdd
      .mapPartitions(rows => make(rows, spec))
      .collect()
      .toMap
  }

  private def make(rows: Iterator[Row], spec: ClassifySpec): Iterator[(String, String)] = if (rows.isEmpty)
    Iterator.empty
  else {
    val natives = spec.nativeEngine()
    val reader = new ImageReader(spec.images, spec.hadoop.configuration, natives)
    val images = new ReadAhead(reader, ReadThreads, ReadBytes, Option(TaskContext.get()))
    try {
      val asked = rows.flatMap(row => source(row).map(source => row.getString(0) -> images.ask(source))).toVector
      asked
        .flatMap { case (path, image) =>
          image.take().toOption.map { read =>
            try path -> natives.thumbnail(read.content)
            finally images.release(read)
          }
        }
        .filter(_._2.nonEmpty)
        .iterator
    } finally {
      images.close()
      images.free()
    }
  }

  /** None for pixels, which are no file. */
  private def source(row: Row): Option[ImageSource] = row.get(1) match {
    case path: String       => Some(ImageSource.File(path))
    case bytes: Array[Byte] => Some(ImageSource.Content(row.getString(0), bytes))
    case _                  => None
  }
}
