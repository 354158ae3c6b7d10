package io.sparkclassify.job

import scala.util.Try

import io.sparkclassify.conf.Engine
import org.apache.hadoop.fs.Path

/** The command line of [[io.sparkclassify.ClassifyJob]]. */
private[sparkclassify] final case class JobArguments(
    input: InputArguments,
    model: String,
    backend: String,
    output: OutputArguments,
    keepsBad: Boolean,
    failsOnBad: Boolean,
    partitions: Option[Int],
    report: Option[String],
    baseline: Option[String]
)

/**
 * What to classify.
 *
 * @param source
 *   `--images`, or `--table`
 * @param format
 *   None to go by the looks of the source
 * @param columns
 *   that have been asked for by name; those of the defaults need not be there
 */
private[sparkclassify] final case class InputArguments(
    source: InputArguments.Source,
    format: Option[String],
    columns: InputArguments.Columns,
    directory: Option[String],
    labelFromFolder: Boolean,
    limit: Option[Int]
)

private[sparkclassify] object InputArguments {

  /** The name of a list of paths that comes there. */
  val StandardInput = "-"

  sealed trait Source { def name: String }
  final case class Files(name: String) extends Source
  final case class Table(name: String) extends Source

  final case class Columns(path: String, image: Option[String], label: Option[String], labelId: Option[String])
}

/** Where the predictions go. */
private[sparkclassify] sealed trait OutputArguments { def name: String }

private[sparkclassify] object OutputArguments {
  final case class Folder(name: String, format: String) extends OutputArguments
  final case class Table(name: String) extends OutputArguments
}

private[sparkclassify] object JobArguments {

  private def valued(name: String, value: String, help: String): CliOption = CliOption(name, Some(value), help)
  private def flag(name: String, help: String): CliOption = CliOption(name, None, help)

  private val Images = valued(
    "--images",
    "SOURCE",
    "a list of images in CSV or Parquet; a folder of images, with its subfolders, or a glob of images; or - for a " +
      "list of paths on standard input, one a line"
  )
  private val Table = valued("--table", "NAME", "a table or view with a row for each image, in the place of --images")
  private val Format = CliOption(
    "--format",
    Some("FORMAT"),
    "what SOURCE is: csv, parquet, images (a folder or glob), or list (paths, one a line); by default, how it is " +
      "called and what lies in it tell",
    choices = InputFormat.all
  )
  private val PathColumn =
    CliOption("--path-column", Some("NAME"), "the column with the path of an image", Some(Columns.Path))
  private val ImageColumn = valued(
    "--image-column",
    "NAME",
    "the column with the image itself (BINARY, or the struct of Spark's image source); its path is but its name then"
  )
  private val ImageDir = valued(
    "--image-dir",
    "DIR",
    "the folder that relative paths belong to (default: the folder of the list; of a table, of lists that a glob " +
      "names, and of a list on standard input, the working directory)"
  )
  private val LabelColumn = CliOption(
    "--label-column",
    Some("NAME"),
    "the column with the name of the class that an image is known to show; none where there is no such column",
    Some(Columns.Label)
  )
  private val LabelIdColumn = CliOption(
    "--label-id-column",
    Some("NAME"),
    "the column with the id of that class, which may be there instead or beside it",
    Some(Columns.LabelId)
  )
  private val LabelFromFolder =
    flag("--label-from-folder", "an image is known to show the class that its folder is called after")
  private val Limit = valued("--limit", "N", "classify no more than N images, whichever come first")

  private val Model = valued(
    "--model",
    "DIR",
    "the model directory, or the name of a model of the configuration (spark.classify.models.NAME)"
  )
  private val Backends = Engine.all.map(_.name) :+ "auto"
  private val Backend = CliOption(
    "--backend",
    Some("NAME"),
    s"${Backends.init.mkString(", ")}, or auto: pytorch where the driver finds libtorch and the model has model.pt, " +
      "else onnx",
    Some(Engine.PyTorch.name),
    Backends
  )

  private val Output = CliOption(
    "--output",
    Some("DIR"),
    "the folder for the predictions, which is replaced as a whole when all are there",
    Some("output_predictions")
  )
  private val OutputFormat =
    CliOption("--output-format", Some("FORMAT"), "csv or parquet", Some("csv"), Seq("csv", "parquet"))
  private val OutputTable =
    valued("--output-table", "NAME", "a table for the predictions, in the place of --output; replaced likewise")
  private val KeepBad = flag("--try", "keep the rows of bad images, with the reason in a column error")
  private val FailOnBad = flag("--fail-on-bad", "the same, and end with 3 where there are any")
  private val Report = valued(
    "--report",
    "HTML",
    "write what the run found as a page, NAME.html, and as NAME.json beside it; on any file system"
  )
  private val Baseline =
    valued("--baseline", "JSON", "the NAME.json of another run, to set beside this one's in the report")

  private val Partitions = valued(
    "--partitions",
    "N",
    "work in N parts (default: four for each core, of at least one batch and at most 2000 images; images from a " +
      "column stay in the parts that they are read in)"
  )
  private val Help = flag("--help", "print this and end")
  private val Version = flag("--version", "print the versions and end")

  val commandLine = new CommandLine(
    "spark-submit --class io.sparkclassify.ClassifyJob JAR",
    "Classifies images, writes the predictions, and compares them with what the images are known to show.",
    Seq(
      "images" -> Seq(
        Images,
        Table,
        Format,
        PathColumn,
        ImageColumn,
        ImageDir,
        LabelColumn,
        LabelIdColumn,
        LabelFromFolder,
        Limit
      ),
      "model" -> Seq(Model, Backend),
      "results" -> Seq(Output, OutputFormat, OutputTable, KeepBad, FailOnBad, Report, Baseline),
      "run" -> Seq(Partitions, Help, Version)
    ),
    """Paths and URIs are Spark's: without a scheme they belong to the default file system. Everything
      |else is configuration, which spark-submit takes before the JAR: --conf spark.classify.device=cuda
      |
      |exit codes: 0 all is done; 1 it failed; 2 wrong arguments; 3 done, with bad images (--fail-on-bad)""".stripMargin
  )

  def asksHelp(arguments: Seq[String]): Boolean = arguments.exists(Set(Help.name, "-h"))
  def asksVersion(arguments: Seq[String]): Boolean = arguments.contains(Version.name)

  /** The arguments, or what is wrong with them. */
  def parse(arguments: Seq[String]): Either[String, JobArguments] =
    for {
      chosen <- commandLine.parse(arguments)
      get = new Given(chosen)
      source <- get.oneOf(Images, Table).map { option =>
        if (option == Images) InputArguments.Files(get(Images)) else InputArguments.Table(get(Table))
      }
      _ <- get.together(Table, Format)
      _ <- get.together(LabelFromFolder, LabelColumn)
      _ <- get.together(LabelFromFolder, LabelIdColumn)
      _ <- get.find(Format) match {
        case Some(format) if get.find(Images).contains(InputArguments.StandardInput) && format != InputFormat.Paths =>
          Left(s"${Images.name} ${InputArguments.StandardInput} is a list of paths, one a line, and no $format")
        case _ => Right(())
      }
      model <- get.find(Model).toRight(s"missing ${Model.written}")
      _ <- get.together(Output, OutputTable)
      _ <- get.together(OutputFormat, OutputTable)
      limit <- get.number(Limit)
      partitions <- get.number(Partitions)
      report <- get.find(Report) match {
        case Some(name) if !name.toLowerCase(java.util.Locale.ROOT).endsWith(".html") =>
          Left(s"${Report.name} $name does not end in .html, after which the file beside it is called")
        case other => Right(other)
      }
      _ <- report.filter(name => !get.has(OutputTable) && isBelow(name, get(Output))) match {
        case Some(name) =>
          Left(
            s"${Report.name} $name lies in ${Output.name} ${get(Output)}, which is replaced as a whole: name another folder"
          )
        case None => Right(())
      }
      _ <- if (get.has(Baseline) && report.isEmpty) Left(s"${Baseline.name} goes with ${Report.name}") else Right(())
    } yield JobArguments(
      InputArguments(
        source,
        get.find(Format),
        InputArguments.Columns(
          get.find(PathColumn).getOrElse(Columns.Path),
          get.find(ImageColumn),
          get.find(LabelColumn),
          get.find(LabelIdColumn)
        ),
        get.find(ImageDir),
        get.has(LabelFromFolder),
        limit
      ),
      model,
      get(Backend),
      get.find(OutputTable).fold[OutputArguments](OutputArguments.Folder(get(Output), get(OutputFormat)))(
        OutputArguments.Table
      ),
      get.has(KeepBad) || get.has(FailOnBad),
      get.has(FailOnBad),
      partitions,
      report,
      get.find(Baseline)
    )

  private def isBelow(file: String, folder: String): Boolean =
    Iterator.iterate(new Path(file).getParent)(_.getParent).takeWhile(_ != null).contains(new Path(folder))

  /** The options that are given. */
  private final class Given(values: Map[String, String]) {
    def has(option: CliOption): Boolean = values.contains(option.name)
    def find(option: CliOption): Option[String] = values.get(option.name)
    def apply(option: CliOption): String = find(option).orElse(option.default).get

    def oneOf(first: CliOption, second: CliOption): Either[String, CliOption] =
      (has(first), has(second)) match {
        case (true, true)   => Left(s"${first.name} and ${second.name} exclude each other")
        case (false, false) => Left(s"missing ${first.written}, or ${second.written}")
        case (hasFirst, _)  => Right(if (hasFirst) first else second)
      }

    def together(first: CliOption, second: CliOption): Either[String, Unit] =
      if (has(first) && has(second)) Left(s"${first.name} and ${second.name} exclude each other") else Right(())

    def number(option: CliOption): Either[String, Option[Int]] = find(option) match {
      case None => Right(None)
      case Some(text) =>
        Try(text.toInt).toOption.filter(_ > 0) match {
          case None   => Left(s"${option.name} $text is no whole number above 0")
          case number => Right(number)
        }
    }
  }
}
