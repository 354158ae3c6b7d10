package io.sparkclassify.job

import java.io.IOException

import scala.util.control.NonFatal

import io.sparkclassify.SparkLog
import org.apache.hadoop.fs.{FileStatus, Path}
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser

/**
 * Where predictions are written: what was there before is replaced when all of them are, so that nobody ever reads a
 * part of a run, and a run that failed leaves what was there.
 */
private[job] trait Output {

  /** As the user named it. */
  def name: String

  /** To be called before the work: what cannot be replaced is refused. */
  def check(): Unit

  def write(predictions: DataFrame): Unit

  /** The predictions that have been written. */
  def read(written: DataFrame): DataFrame
}

private[job] object Output {

  def of(spark: SparkSession, arguments: OutputArguments): Output = arguments match {
    case OutputArguments.Folder(name, format)                       => new FolderOutput(spark, name, format)
    case OutputArguments.Table(name) if isSessionTable(spark, name) => new SessionTableOutput(spark, name)
    case OutputArguments.Table(name)                                => new CatalogTableOutput(spark, name)
  }

  /** Whether the table belongs to Spark's own catalog, which cannot replace one in a transaction. */
  private def isSessionTable(spark: SparkSession, name: String): Boolean = {
    val parts = CatalystSqlParser.parseMultipartIdentifier(name)
    def isCatalog(part: String) = spark.conf.getOption(s"spark.sql.catalog.$part").exists(_ != "builtin")
    val named = if (parts.length > 1 && isCatalog(parts.head)) parts.head else spark.catalog.currentCatalog()
    !isCatalog(named)
  }
}

/**
 * A folder of files. They are written into a hidden folder beside it, which then takes its place.
 *
 * A file system without renaming, as object stores are, copies them there: readers then wait for `_SUCCESS`.
 */
private[job] final class FolderOutput(spark: SparkSession, override val name: String, format: String) extends Output {

  private val fileSystem = new Path(name).getFileSystem(spark.sparkContext.hadoopConfiguration)
  private val folder = fileSystem.makeQualified(new Path(name))

  /** Of this run, so that two of them never write into one. */
  private def beside(what: String): Path =
    new Path(folder.getParent, s".${folder.getName}.$what-${spark.sparkContext.applicationId}")

  override def check(): Unit = {
    if (folder.getParent == null) throw new JobException(s"--output $name is the root of a file system")
    if (fileSystem.exists(folder)) {
      if (!fileSystem.getFileStatus(folder).isDirectory) throw new JobException(s"--output $name is a file")
      val files = fileSystem.listStatusIterator(folder)
      val foreign = Iterator.continually(files).takeWhile(_.hasNext).map(_.next()).find(!FolderOutput.isOurs(_))
      foreign.map(_.getPath.getName).foreach { file =>
        throw new JobException(
          s"--output $name has $file in it, which no job has written, and would be replaced as a whole: name another folder"
        )
      }
    }
  }

  override def write(predictions: DataFrame): Unit = {
    val staged = beside("writing")
    try {
      val writer = predictions.write.mode("overwrite")
      if (format == "csv") writer.options(CsvFiles.WriteOptions).csv(staged.toString)
      else writer.parquet(staged.toString)
      replace(staged)
    } finally fileSystem.delete(staged, true)
  }

  private def replace(staged: Path): Unit = {
    val before = beside("replaced")
    val hadOne = fileSystem.exists(folder)
    if (hadOne) rename(folder, before)
    try rename(staged, folder)
    catch {
      case e: Throwable =>
        if (hadOne) fileSystem.rename(before, folder)
        throw e
    }
    fileSystem.delete(before, true)
  }

  private def rename(from: Path, to: Path): Unit =
    if (!fileSystem.rename(from, to)) throw new IOException(s"$from cannot be renamed to $to")

  override def read(written: DataFrame): DataFrame =
    if (format == "csv") {
      // A class has a column; Spark's reader gives up at 20480.
      val options = CsvFiles.ReadOptions + ("maxColumns" -> (written.columns.length + 1).toString)
      spark.read.schema(written.schema).options(options).csv(folder.toString)
    } else spark.read.schema(written.schema).parquet(folder.toString)
}

private object FolderOutput {

  private val Files = "part-\\d{5}.*|_SUCCESS|_(common_)?metadata|_(started|committed)_\\d+|\\..*\\.crc"

  /** Of a job that was killed while it wrote there. */
  private val Unfinished = "_temporary"

  /**
   * Whether a file is one of those that Spark and Hadoop write. The folder of a Delta table has such too, and a folder
   * `_delta_log`; cameras begin names with `_`.
   */
  private def isOurs(entry: FileStatus): Boolean = {
    val name = entry.getPath.getName
    if (entry.isDirectory) name == Unfinished else name.matches(Files)
  }
}

/** A table of Spark's own catalog. The predictions are written into another one, which then takes its name. */
private[job] final class SessionTableOutput(spark: SparkSession, override val name: String) extends Output {

  private def beside(what: String): String = {
    val parts = CatalystSqlParser.parseMultipartIdentifier(name)
    val run = spark.sparkContext.applicationId.replaceAll("[^A-Za-z0-9]", "_")
    quoted(parts.init :+ s"${parts.last}__${what}_$run")
  }

  override def check(): Unit =
    if (spark.catalog.tableExists(name)) {
      val kind = spark.catalog.getTable(name).tableType
      if (kind == "VIEW" || kind == "TEMPORARY")
        throw new JobException(s"--output-table $name is a view: name a table, or one that is not there yet")
    }

  override def write(predictions: DataFrame): Unit = {
    val staged = beside("writing")
    try predictions.write.mode("overwrite").saveAsTable(staged)
    catch {
      case e: Throwable =>
        spark.sql(s"DROP TABLE IF EXISTS $staged")
        throw e
    }
    replace(staged)
  }

  private def replace(staged: String): Unit = {
    val before = beside("replaced")
    val hadOne = spark.catalog.tableExists(name)
    def failed(cause: Throwable, what: String) = new JobException(
      s"--output-table $name cannot be replaced: ${cause.getMessage}. $what; the predictions of this run are in the table " +
        s"$staged: rename it when the reason is gone",
      cause
    )
    try {
      if (hadOne) {
        // Of an attempt of this application that was killed.
        spark.sql(s"DROP TABLE IF EXISTS $before")
        rename(name, before)
      }
    } catch { case NonFatal(e) => throw failed(e, "What was there is there") }
    try rename(staged, name)
    catch {
      case NonFatal(e) =>
        try if (hadOne) rename(before, name)
        catch {
          case NonFatal(second) =>
            e.addSuppressed(second)
            throw failed(e, s"What was there is in the table $before")
        }
        throw failed(e, "What was there is there")
    }
    try spark.sql(s"DROP TABLE IF EXISTS $before")
    catch {
      case NonFatal(e) => SessionTableOutput.log.warn(s"The table $before, which was replaced, cannot be dropped", e)
    }
  }

  /** The new name must not have the catalog's, which Spark's own is given with too: `spark_catalog.db.name`. */
  private def rename(from: String, to: String): Unit =
    spark.sql(s"ALTER TABLE $from RENAME TO ${quoted(CatalystSqlParser.parseMultipartIdentifier(to).takeRight(2))}")

  private def quoted(parts: Seq[String]): String = parts.map(part => s"`${part.replace("`", "``")}`").mkString(".")

  override def read(written: DataFrame): DataFrame = spark.table(name)
}

private object SessionTableOutput {
  private val log = SparkLog.named("io.sparkclassify.ClassifyJob")
}

/** A table of another catalog, Iceberg's or Delta's for example, which replaces it in a transaction if it has them. */
private[job] final class CatalogTableOutput(spark: SparkSession, override val name: String) extends Output {
  override def check(): Unit = ()
  override def write(predictions: DataFrame): Unit = predictions.writeTo(name).createOrReplace()
  override def read(written: DataFrame): DataFrame = spark.table(name)
}
