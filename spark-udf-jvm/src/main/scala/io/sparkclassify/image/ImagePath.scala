package io.sparkclassify.image

import java.net.URI
import java.nio.ByteBuffer
import java.nio.charset.{CharacterCodingException, StandardCharsets}

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}

/**
 * Where the paths that queries give lead to.
 *
 * Hadoop reads a scheme into every colon. Here, `scheme://…` is a URI, and so is `scheme:…` where Hadoop knows a file
 * system of that scheme; everything else is a name in the default file system, and a local one means what it means to
 * `open()`.
 *
 * @param directory
 *   the URI that relative names belong to
 */
private[sparkclassify] final class ImagePath(directory: Path, configuration: Configuration) {
  import ImagePath._

  private val base = directory.toUri

  /**
   * The places where the file may be, the likeliest first.
   *
   * @throws IllegalArgumentException
   *   when the text can be no path
   */
  def places(text: String): Seq[Place] = text match {
    case "" => throw new IllegalArgumentException("the path is an empty string")
    case Scheme(scheme) if text.startsWith("://", scheme.length) || known(scheme) =>
      val rest = text.substring(scheme.length + 1)
      if (scheme != LocalRoot.getScheme) located(text)
      // Hadoop says what is wrong with a host.
      else if (rest.startsWith("//") && !rest.startsWith("///") && rest.length > 2) Seq(Located(new Path(text)))
      else if (rest.startsWith("/")) variants(rest).map(Local)
      else variants(s"$localDirectory/$rest").map(Local) :+ name(text)
    case _ => Seq(name(text))
  }

  private def name(text: String): Place = {
    val absolute = if (text.startsWith("/")) text else s"${base.getPath.stripSuffix("/")}/$text"
    if (base.getScheme == LocalRoot.getScheme) Local(absolute)
    // Not parsed again.
    else Located(new Path(base.getScheme, base.getAuthority, absolute))
  }

  private def located(text: String): Seq[Place] = {
    val file = new Path(text)
    val uri = file.toUri
    variants(uri.getPath).map { path =>
      if (path == uri.getPath) Located(file) else Located(new Path(uri.getScheme, uri.getAuthority, path))
    }
  }

  private def known(scheme: String): Boolean =
    configuration.get(s"fs.$scheme.impl") != null || {
      // A file system whose class cannot be loaded is known, too, and an error.
      try FileSystem.getFileSystemClass(scheme, configuration) != null
      catch { case _: org.apache.hadoop.fs.UnsupportedFileSystemException => false }
    }

  private def localDirectory: String =
    if (base.getScheme == LocalRoot.getScheme) base.getPath
    else FileSystem.getLocal(configuration).getWorkingDirectory.toUri.getPath
}

private[sparkclassify] object ImagePath {

  /** Where a file may be. */
  sealed trait Place

  /** In the local file system, under an absolute name. */
  final case class Local(name: String) extends Place

  /** In another one. */
  final case class Located(path: Path) extends Place

  val LocalRoot: URI = URI.create("file:///")

  private object Scheme {
    private val pattern = "([A-Za-z][A-Za-z0-9+.-]*):".r
    def unapply(text: String): Option[String] = pattern.findPrefixMatchOf(text).map(_.group(1))
  }

  /** Spark encodes what `_metadata.file_path` and `input_file_name()` give, and Hadoop decodes nothing. */
  private def variants(path: String): Seq[String] = path +: decoded(path).toSeq

  private val encoding = "%[0-9A-Fa-f]{2}".r

  /** The path with its `%20` and the like decoded, as UTF-8; None where there are none. */
  private[sparkclassify] def decoded(path: String): Option[String] =
    if (encoding.findFirstIn(path).isEmpty) None
    else {
      val bytes = path.getBytes(StandardCharsets.UTF_8)
      val plain = ByteBuffer.allocate(bytes.length)
      var at = 0
      while (at < bytes.length) {
        val digits = if (bytes(at) == '%' && at + 2 < bytes.length) hex(bytes(at + 1), bytes(at + 2)) else -1
        plain.put(if (digits < 0) bytes(at) else digits.toByte)
        at += (if (digits < 0) 1 else 3)
      }
      try Some(StandardCharsets.UTF_8.newDecoder.decode(plain.flip()).toString)
      catch { case _: CharacterCodingException => None }
    }

  private def hex(high: Byte, low: Byte): Int = {
    val (first, second) = (Character.digit(high.toInt, 16), Character.digit(low.toInt, 16))
    if (first < 0 || second < 0) -1 else 16 * first + second
  }

  /** What to say of a file that is not there. */
  def missing(text: String): String = {
    val windows = text.matches("(?s)[A-Za-z]:[\\\\/].*") || text.startsWith("\\\\")
    "the file does not exist" +
      (if (windows)
         "; this looks like a path of Windows, which this executor cannot reach: give the path that the file has here"
       else "") +
      (if (encoding.findFirstIn(text).isDefined)
         "; the name looks URL-encoded (%20 for a blank): decode it with url_decode"
       else "")
  }
}
