package io.sparkclassify.job

import io.sparkclassify.conf.Engine

/** The command line of [[ClassifyJob]]. */
final case class JobArguments(
    images: String,
    imageDirectory: String,
    model: String,
    backend: String,
    output: String
)

object JobArguments {

  val Usage: String =
    s"""Usage: spark-submit --class io.sparkclassify.ClassifyJob spark-classify_<scala>-<version>.jar OPTIONS
       |
       |Classifies the images of a list, writes the predictions and compares them with the actual classes.
       |
       |  --images CSV       the list, with a header: image_path and, for the comparison, actual_class, actual_class_id
       |  --image-dir DIR    the folder that relative image paths belong to
       |  --model DIR        the model directory, or the name of a model of the configuration (spark.classify.models.NAME)
       |  --backend NAME     ${Engine.all.map(_.name).mkString(" or ")} (default ${Engine.PyTorch.name})
       |  --output DIR       where the predictions go, as CSV; replaced if it is there (default output_predictions)
       |  --help             this text
       |
       |Paths and URIs are Spark's: without a scheme they belong to the default file system.""".stripMargin

  private val required = Seq("--images", "--image-dir", "--model")
  private val defaults = Map("--backend" -> Engine.PyTorch.name, "--output" -> "output_predictions")

  /** The arguments, or what is wrong with them. Options are written `--name value` or `--name=value`. */
  def parse(arguments: Seq[String]): Either[String, JobArguments] =
    for {
      explicitly <- options(arguments.toList, Map.empty)
      values = defaults ++ explicitly
      _ <- required.filterNot(values.contains) match {
        case Seq()   => Right(())
        case missing => Left(s"missing ${missing.mkString(", ")}")
      }
      engine <- Engine.find(values("--backend")).toRight(s"--backend ${values("--backend")} is unknown")
    } yield JobArguments(
      values("--images"),
      values("--image-dir"),
      values("--model"),
      engine.name,
      values("--output")
    )

  private val Assignment = "(--[a-z-]+)=(.*)".r

  @scala.annotation.tailrec
  private def options(arguments: List[String], values: Map[String, String]): Either[String, Map[String, String]] =
    arguments match {
      case Nil                                                                => Right(values)
      case Assignment(name, value) :: rest                                    => options(name :: value :: rest, values)
      case name :: _ if !required.contains(name) && !defaults.contains(name)  => Left(s"unknown argument $name")
      case name :: _ if values.contains(name)                                 => Left(s"$name is given twice")
      case name :: value :: rest if value.nonEmpty && !value.startsWith("--") => options(rest, values + (name -> value))
      case name :: _                                                          => Left(s"$name needs a value")
    }
}
