package io.sparkclassify.job

import java.io.{BufferedReader, FileNotFoundException, InputStream, InputStreamReader}
import java.nio.charset.StandardCharsets
import java.util.Locale

import scala.jdk.CollectionConverters._
import scala.util.Try

import io.sparkclassify.image.ImageInput
import org.apache.hadoop.fs.{FileStatus, FileSystem, Path, RemoteIterator}
import org.apache.spark.sql.{Column, DataFrame, SparkSession}
import org.apache.spark.sql.functions.{col, concat, expr, lit, regexp_extract, regexp_replace, when}
import org.apache.spark.sql.types.StringType

/** What a source of images can be. */
private[job] object InputFormat {
  val Csv = "csv"
  val Parquet = "parquet"

  /** A folder of image files, or a glob. */
  val Images = "images"

  /** A path a line. */
  val Paths = "list"

  val all: Seq[String] = Seq(Csv, Parquet, Images, Paths)
}

/**
 * Makes a table of the images that are to be classified, whatever the job has been given.
 *
 * The table has [[Columns.Path]], [[Columns.Image]] and, where they are known, [[Columns.Label]] and
 * [[Columns.LabelId]].
 */
private[job] final class ImageList(spark: SparkSession, arguments: InputArguments, standardInput: => InputStream) {
  import ImageList._

  private val hadoop = spark.sparkContext.hadoopConfiguration
  private val source = arguments.source.name

  def read(): DataFrame = {
    val (list, directory) = arguments.source match {
      case InputArguments.Table(name)                         => (spark.table(name), workingDirectory)
      case InputArguments.Files(InputArguments.StandardInput) => (ofStandardInput(), workingDirectory)
      case InputArguments.Files(files)                        => ofFiles(files)
    }
    val images = list.select(columnsOf(list, arguments.directory.fold(directory)(new Path(_))): _*)
    val known = images.columns.map {
      case Columns.Label   => expr(s"nullif(${Columns.Label}, '')").as(Columns.Label)
      case Columns.LabelId => expr(WholeNumber).as(Columns.LabelId)
      case other           => col(other)
    }
    val read = images.select(known.toSeq: _*)
    arguments.limit.fold(read)(read.limit)
  }

  private def ofStandardInput(): DataFrame = {
    import spark.implicits._
    val reader = new BufferedReader(new InputStreamReader(standardInput, StandardCharsets.UTF_8))
    val paths = reader.lines.iterator.asScala.filter(_.trim.nonEmpty).toVector
    if (paths.isEmpty) {
      throw new JobException(
        "no paths came on standard input; in cluster mode it is not there: put the list into a file for --images"
      )
    }
    // Not a part of the plan, which a long list would make large.
    spark.sparkContext.parallelize(paths).toDF(arguments.columns.path)
  }

  /** The list, and the folder that its relative paths belong to. */
  private def ofFiles(name: String): (DataFrame, Path) = {
    val path = new Path(name)
    val fileSystem = path.getFileSystem(hadoop)
    val status =
      try Some(fileSystem.getFileStatus(path))
      catch { case _: FileNotFoundException => None }
    if (status.isEmpty && !isGlob(name)) throw new JobException(s"--images $name: there is no such file or folder")
    // Spark takes every such name for a glob.
    val read = if (status.isDefined) escaped(name) else name
    val list = arguments.format.getOrElse(format(name, fileSystem, status)) match {
      case InputFormat.Csv     => spark.read.options(CsvFiles.ListOptions).csv(read)
      case InputFormat.Parquet => spark.read.parquet(read)
      case InputFormat.Paths   => ofLines(spark.read.text(read))
      case _                   => ofImages(read, status)
    }
    val directory = status match {
      case None                               => workingDirectory
      case Some(status) if status.isDirectory => path
      case Some(_)                            => Option(path.getParent).getOrElse(path)
    }
    (list, directory)
  }

  private def ofLines(lines: DataFrame): DataFrame =
    lines.select(regexp_replace(col("value"), "\r$", "").as(arguments.columns.path)).where("trim(value) != ''")

  private def ofImages(name: String, status: Option[FileStatus]): DataFrame = {
    // What is named is meant, whatever it is called: a file, or a glob that says how names end.
    val named = status.fold(new Path(name).getName.matches(".*\\.[^*?/]+"))(!_.isDirectory)
    val reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true")
    val files = (if (named) reader else reader.option("pathGlobFilter", AnyImage)).load(name)
    // What Spark has listed: `isEmpty` would be a job over all of it.
    if (files.inputFiles.isEmpty) {
      throw new JobException(
        s"--images $source: no images there, which end in ${Endings.mkString(", ")}; a glob like $source/*.dat takes others"
      )
    }
    files.select(col("path").as(arguments.columns.path))
  }

  private def format(name: String, fileSystem: FileSystem, status: Option[FileStatus]): String =
    byName(name).getOrElse {
      status match {
        case Some(folder) if folder.isDirectory =>
          ofFolder(name, fileSystem.listStatusIterator(folder.getPath))
        case Some(file) if !isImage(file.getPath.getName) => InputFormat.Csv
        case _                                            => InputFormat.Images
      }
    }

  /** Lists lie in a folder by themselves: beside images, a text is a README or names the classes. */
  private def ofFolder(folder: String, files: RemoteIterator[FileStatus]): String = {
    val entries = Iterator.continually(files).take(FilesLookedAt).takeWhile(_.hasNext).map(_.next()).toVector
    val (lists, others) = entries.map(_.getPath.getName).filterNot(isHidden).partition(byName(_).nonEmpty)
    val folders = entries.collect { case entry if entry.isDirectory => entry.getPath.getName }.toSet
    val tables = lists.filterNot(byName(_).contains(InputFormat.Paths))
    others.find(name => isImage(name) || folders(name)) match {
      case Some(image) if tables.nonEmpty =>
        throw new JobException(
          s"--images $folder has ${tables.head} in it, and $image: name the list itself, or say with --format what the " +
            "folder holds"
        )
      case Some(_) => InputFormat.Images
      case None    => (tables ++ lists).headOption.flatMap(byName(_)).getOrElse(InputFormat.Images)
    }
  }

  private def columnsOf(list: DataFrame, directory: Path): Seq[Column] = {
    def there = list.columns.mkString("[", ", ", "]")
    def asked(option: String, name: String): Column = find(list, name).getOrElse(
      throw new JobException(s"$source has no column $name ($option); its columns: $there")
    )
    val path = asked("--path-column", arguments.columns.path)
    val pathType = list.select(path).schema.head.dataType
    if (pathType != StringType) {
      throw new JobException(
        s"the column ${arguments.columns.path} of $source is ${pathType.sql}, and paths are STRING; " +
          "name a column with the images themselves with --image-column"
      )
    }
    val image = arguments.columns.image.fold(located(path, directory)) { name =>
      val column = asked("--image-column", name)
      val imageType = list.select(column).schema.head.dataType
      if (ImageInput.find(imageType).isEmpty) {
        throw new JobException(
          s"the column $name of $source is ${imageType.sql}, and images are BINARY, paths, or the struct of Spark's " +
            "image source"
        )
      }
      if (imageType == StringType) located(column, directory) else column
    }
    def labels(asking: Option[String], option: String, default: String): Option[Column] =
      asking.map(asked(option, _)).orElse(find(list, default))
    val label =
      if (arguments.labelFromFolder) Some(regexp_extract(path, "([^/]+)/[^/]*$", 1))
      else labels(arguments.columns.label, "--label-column", Columns.Label)
    val labelId =
      if (arguments.labelFromFolder) None
      else labels(arguments.columns.labelId, "--label-id-column", Columns.LabelId)
    Seq(path.as(Columns.Path), image.as(Columns.Image)) ++ label.map(_.cast("string").as(Columns.Label)) ++
      labelId.map(_.as(Columns.LabelId))
  }

  /** The full path of an image. */
  private def located(path: Column, directory: Path): Column = {
    val base = directory.getFileSystem(hadoop).makeQualified(directory).toString.stripSuffix("/")
    when(path.rlike("^(/|[A-Za-z][A-Za-z0-9+.-]*:)"), path).otherwise(concat(lit(s"$base/"), path))
  }

  private def workingDirectory: Path = FileSystem.get(hadoop).getWorkingDirectory
}

private[job] object ImageList {

  /** What files of images are called. */
  private[job] val Endings: Seq[String] =
    Seq("jpg", "jpeg", "jpe", "jfif", "png", "webp", "avif", "gif", "bmp", "dib", "tif", "tiff", "jp2", "j2k") ++
      Seq("jpf", "jpx", "ico", "pbm", "pgm", "ppm", "pnm", "qoi")

  /** Hadoop's globs know letters in one case alone. */
  private val AnyImage =
    Endings.map(_.map(letter => s"[$letter${letter.toUpper}]").mkString).mkString("*.{", ",", "}")

  /** An id as lists have it, "3", 3 or 3.0; NULL for what is none. */
  private val WholeNumber = {
    val number = s"try_cast(${Columns.LabelId} AS DOUBLE)"
    s"CASE WHEN $number = floor($number) THEN try_cast($number AS INT) END"
  }

  /** Of a folder, to see what it holds. */
  private val FilesLookedAt = 1000

  private val Formats = Seq(
    InputFormat.Csv -> "(?s).*\\.csv(\\.(gz|bz2|zst|lz4))?",
    InputFormat.Parquet -> "(?s).*\\.parquet",
    InputFormat.Paths -> "(?s).*\\.(txt|lst)"
  )

  private def byName(name: String): Option[String] = {
    val lower = name.toLowerCase(Locale.ROOT).stripSuffix("/")
    Formats.collectFirst { case (format, pattern) if lower.matches(pattern) => format }
  }

  private def isImage(name: String): Boolean = {
    val lower = name.toLowerCase(Locale.ROOT)
    Endings.exists(ending => lower.endsWith(s".$ending"))
  }

  /** Spark passes over such files. */
  private def isHidden(name: String): Boolean = name.startsWith("_") || name.startsWith(".")

  private def isGlob(name: String): Boolean = name.exists("*?[{".contains(_))

  private def escaped(name: String): String = name.replaceAll("([\\[\\]{}*?\\\\])", "\\\\$1")

  /** A column by its name, or a field within a struct. */
  private def find(list: DataFrame, name: String): Option[Column] =
    list.columns
      .find(_ == name)
      .orElse(list.columns.find(_.equalsIgnoreCase(name)))
      .map(Columns.named)
      .orElse(if (name.contains('.')) Try(list.select(col(name))).toOption.map(_ => col(name)) else None)
}
