package io.sparkclassify.conf

import io.sparkclassify.ClassifyErrors
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.internal.SQLConf

/** Finds the model directory that a query or its session names. */
private[conf] object ModelNames {

  private val prefix = ClassifyConf.NamedModel.name.stripSuffix("<name>")

  private val pattern = "[A-Za-z0-9._-]+"

  /** Whether `key` has the form `spark.classify.models.NAME`. One name is a key of the table. */
  def isKey(key: String): Boolean =
    key.startsWith(prefix) && key.drop(prefix.length).matches(pattern) && key != ClassifyConf.MaxLoadedModels.key

  /**
   * The model directory as a URI, see [[ModelSpec]].
   *
   * @param argument
   *   of the SQL function: a configured name, or, where the configuration allows it, a path or URI
   * @param workingDirectory
   *   that relative paths belong to
   */
  def directory(argument: Option[String], conf: SQLConf, workingDirectory: Path): String = {
    val models = conf.getAllConfs.collect { case (key, value) if isKey(key) => key.drop(prefix.length) -> value }
    def named(name: String) = models.get(name).map(absolute(prefix + name, _, workingDirectory))
    argument.map(_.trim) match {
      case Some(text) =>
        named(text).getOrElse {
          if (!text.exists("/:".contains(_))) throw ClassifyErrors.unknownModel(text, models.keys.toSeq.sorted)
          if (!conf.getConf(ClassifyConf.AllowPaths)) throw ClassifyErrors.modelPathRefused(text)
          absolute("the argument `model`", text, workingDirectory)
        }
      case None =>
        val text = conf.getConf(ClassifyConf.Model).getOrElse(throw ClassifyErrors.missingModel()).trim
        named(text).getOrElse(absolute(ClassifyConf.Model.key, text, workingDirectory))
    }
  }

  private def absolute(source: String, directory: String, workingDirectory: Path): String = {
    val text = directory.trim
    if (text.startsWith(ModelSpec.SparkFiles)) text
    else {
      try new Path(workingDirectory, text).toString
      catch {
        case e: IllegalArgumentException =>
          throw ClassifyErrors.configuration(s"$source = '$directory' is no path or URI: ${e.getMessage}")
      }
    }
  }
}
