package io.sparkclassify.conf

import org.apache.hadoop.fs.Path
import org.apache.spark.sql.internal.SQLConf

/**
 * Finds the model directories that a configuration names, as URIs, see [[ModelSpec]].
 *
 * @param conf
 *   a session's, or the application's
 * @param workingDirectory
 *   that relative paths belong to
 */
private[sparkclassify] final class ModelNames(conf: SQLConf, workingDirectory: Path) {
  import ModelNames._

  private val models = conf.getAllConfs.collect { case (key, value) if isKey(key) => key.drop(prefix.length) -> value }

  private def names: Seq[String] = models.keys.toSeq.sorted

  /**
   * The directory that a call means.
   *
   * @param argument
   *   of the SQL function: a configured name, or, where `allowPaths`, a path or URI
   */
  def directory(argument: Option[String], allowPaths: Boolean): String = argument.map(_.trim) match {
    case Some(text) =>
      named(text).getOrElse {
        if (!text.exists("/:".contains(_))) throw ClassifyErrors.unknownModel(text, names)
        if (!allowPaths) throw ClassifyErrors.modelPathRefused(text)
        absolute("the argument `model`", text)
      }
    case None => default().getOrElse(throw ClassifyErrors.missingModel(names))
  }

  /** All directories that the configuration names. */
  def directories: Set[String] = models.keySet.flatMap(named) ++ default()

  private def default(): Option[String] = conf.getConf(ClassifyConf.Model).map { text =>
    named(text.trim).getOrElse(absolute(ClassifyConf.Model.key, text))
  }

  private def named(name: String): Option[String] = models.get(name).map(absolute(prefix + name, _))

  private def absolute(source: String, directory: String): String = {
    val text = directory.trim
    def refuse(reason: String) = throw ClassifyErrors.configuration(s"$source = '$directory' $reason")
    if (text.startsWith(ModelSpec.SparkFiles)) text
    else if (text.startsWith("//"))
      refuse(
        s"begins with two slashes, so that its first folder would be taken for a server: write /${text.dropWhile(_ == '/')}"
      )
    else {
      val path =
        try new Path(workingDirectory, text)
        catch {
          case e: IllegalArgumentException =>
            refuse(s"is no path or URI (${e.getMessage}): write it like /models/id-card or hdfs:///models/id-card")
        }
      val uri = path.toUri
      if (uri.getScheme == "file" && uri.getAuthority != null)
        refuse(
          s"names the server '${uri.getAuthority}', and local files have none: write file:///${uri.getAuthority}${uri.getPath}"
        )
      path.toString
    }
  }
}

private[sparkclassify] object ModelNames {

  private val prefix = ClassifyConf.NamedModel.name.stripSuffix("<name>")

  private val pattern = "[A-Za-z0-9._-]+"

  /** Whether `key` has the form `spark.classify.models.NAME`. Some names are keys of the table. */
  def isKey(key: String): Boolean =
    key.startsWith(prefix) && key.drop(prefix.length).matches(pattern) && !SQLConf.isStaticConfigKey(key)
}
