package io.sparkclassify.conf

import java.io.IOException
import java.net.URI
import java.util.Locale

import scala.util.Try

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.hadoop.fs.viewfs.ViewFileSystem

/**
 * The schemes that the paths of images and models may have: `spark.classify.read.schemes`.
 *
 * Paths come from data, and executors reach addresses that those who wrote the data do not: file systems like `http`
 * fetch whatever a path says, and go on to wherever the answer sends them.
 *
 * @param allowed
 *   in lower case; `*` stands for all
 */
final case class Schemes(allowed: Set[String]) {

  /**
   * Why a URI may not be read; None when it may.
   *
   * @param default
   *   the scheme of the default file system, which a URI without a scheme has
   */
  def refusal(uri: URI, default: String): Option[String] = {
    val scheme = Option(uri.getScheme).getOrElse(default).toLowerCase(Locale.ROOT)
    // An archive names the file system that it is in before the host: har://http-host:port/archive.har/file.
    def inArchive = Option(uri.getAuthority).fold(default)(_.takeWhile(_ != '-').toLowerCase(Locale.ROOT))
    val schemes = if (scheme == "har") Seq(scheme, inArchive) else Seq(scheme)
    schemes.find(!allows(_)).map(Schemes.refused)
  }

  private def allows(scheme: String): Boolean = allowed(scheme) || allowed(Schemes.All)

  /**
   * The file system of a path, which is asked for nothing when its scheme is not allowed.
   *
   * @throws IOException
   *   when the scheme of the path, of the class that a session has set for it (`fs.NAME.impl`), or of a file system
   *   that is mounted in a `viewfs` is not allowed
   */
  def fileSystem(path: Path, configuration: Configuration): FileSystem = {
    val default = FileSystem.getDefaultUri(configuration).getScheme
    def check(uri: URI): Unit = refusal(uri, default).foreach(reason => throw new IOException(reason))
    check(path.toUri)
    val fileSystem = path.getFileSystem(configuration)
    // Not every file system names its scheme.
    Try(fileSystem.getScheme).foreach(scheme => check(new URI(scheme, null, "/", null)))
    fileSystem match {
      case view: ViewFileSystem =>
        view.getMountPoints.foreach(_.getTargetFileSystemURIs.foreach(check))
      case _ =>
    }
    fileSystem
  }
}

object Schemes {

  /** In the place of all schemes. */
  val All = "*"

  def ofApplication(): Schemes = Schemes(ApplicationConf.get(ClassifyConf.ReadSchemes).toSet)

  private def refused(scheme: String): String =
    s"the scheme '$scheme' is not among those that may be read (${ClassifyConf.ReadSchemes.key}): copy the files to a file " +
      s"system that is, or start the application with '$scheme' added to that key"
}
