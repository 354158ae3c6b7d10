package io.sparkclassify.conf

import java.io.IOException
import java.net.URI
import java.util.Locale
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.atomic.AtomicReference

import scala.jdk.CollectionConverters._
import scala.util.Try

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}
import org.apache.hadoop.fs.viewfs.{Constants, ViewFileSystem}
import org.apache.hadoop.util.ReflectionUtils

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
    def check(uri: URI): Class[_ <: FileSystem] = {
      refusal(uri, default).foreach(reason => throw new IOException(reason))
      val kind = FileSystem.getFileSystemClass(Option(uri.getScheme).getOrElse(default), configuration)
      Schemes.of(kind).foreach(own => refusal(own, default).foreach(reason => throw new IOException(reason)))
      kind
    }
    // Before it is made: Hadoop would keep it, and give it to others.
    if (classOf[ViewFileSystem].isAssignableFrom(check(path.toUri))) Schemes.mounted(configuration).foreach(check)
    val fileSystem = path.getFileSystem(configuration)
    fileSystem match {
      case view: ViewFileSystem => view.getMountPoints.foreach(_.getTargetFileSystemURIs.foreach(check))
      case _                    =>
    }
    fileSystem
  }

  /** Uses the file system of a path, as [[fileSystem]] gives it, and closes it where Hadoop does not keep it. */
  def withFileSystem[T](path: Path, configuration: Configuration)(use: FileSystem => T): T = {
    val found = fileSystem(path, configuration)
    try use(found)
    finally if (configuration.getBoolean(HadoopSettings.uncached(path, configuration), false)) found.close()
  }
}

object Schemes {

  /** In the place of all schemes. */
  val All = "*"

  def ofApplication(): Schemes = Schemes(ApplicationConf.get(ClassifyConf.ReadSchemes).toSet)

  private val ofKinds = new ConcurrentHashMap[Class[_ <: FileSystem], Seq[URI]]

  /** The schemes that a class of file systems says it is for, as URIs; not every one does. */
  private def of(kind: Class[_ <: FileSystem]): Seq[URI] = ofKinds.computeIfAbsent(
    kind,
    _ => {
      // What cannot be made has Hadoop's own error when it is asked for.
      Try(ReflectionUtils.newInstance(kind, null)).toOption.toSeq.flatMap { example =>
        val schemes = Seq(Try(example.getScheme), Try(example.getUri.getScheme)).flatMap(_.toOption).filter(_ != null)
        schemes.distinct.map(new URI(_, null, "/", null))
      }
    }
  )

  /** What this process has asked for last: mostly, it reads the next image with the same configuration. */
  private val lastMounted = new AtomicReference[(Configuration, Seq[URI])]

  /** What the mount tables of a configuration lead to: links, also those for what no other link has, and by pattern. */
  private def mounted(configuration: Configuration): Seq[URI] = {
    val known = lastMounted.get
    if (known != null && (known._1 eq configuration)) known._2
    else {
      val targets = links(configuration)
      lastMounted.set((configuration, targets))
      targets
    }
  }

  private def links(configuration: Configuration): Seq[URI] =
    configuration.getPropsWithPrefix(Constants.CONFIG_VIEWFS_PREFIX + ".").asScala.toSeq
      .filter { case (key, _) => key.contains(s".${Constants.CONFIG_VIEWFS_LINK}") }
      .flatMap(_._2.split(','))
      .flatMap(target => Try(new Path(target.trim).toUri).toOption)

  private def refused(scheme: String): String =
    s"the scheme '$scheme' is not among those that may be read (${ClassifyConf.ReadSchemes.key}): copy the files to a file " +
      s"system that is, or start the application with '$scheme' added to that key"
}
