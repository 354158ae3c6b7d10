package io.sparkclassify.engine

import java.io.FileNotFoundException
import java.nio.file.{Files, Path => LocalPath, Paths}

import io.sparkclassify.{ClassifyErrors, ClassifyException, InputFault}
import io.sparkclassify.conf.ModelSpec
import org.apache.commons.io.FileUtils
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileStatus, FileSystem, Path}
import org.apache.spark.SparkFiles
import org.slf4j.LoggerFactory

/** Brings a model directory to where the native libraries can read it. */
private[sparkclassify] object ModelFiles {

  private val log = LoggerFactory.getLogger("io.sparkclassify.ModelFiles")

  /** What a file system tells about a file; another value means that the file has changed. */
  private final case class Version(length: Long, modified: Long)

  /** The URI of a model directory on this executor: a `sparkfiles:` one becomes that of the local directory. */
  def locate(uri: String): String =
    if (!uri.startsWith(ModelSpec.SparkFiles)) uri
    else {
      val directory = Paths.get(SparkFiles.get(uri.stripPrefix(ModelSpec.SparkFiles))).toAbsolutePath.normalize
      if (!Files.isDirectory(directory)) {
        val reason = s"there is no directory $directory; give the model to the application with --archives or --files"
        throw ClassifyErrors.badModel(uri, reason, null)
      }
      s"file:$directory"
    }

  /**
   * Runs `load` with a local copy of the directory, which is gone afterwards; a local directory is used as it is.
   *
   * The copy is complete and of one state of the directory when `load` sees it. It is private to this call, so loads in
   * this and other JVMs of the host do not meet.
   *
   * @param uri
   *   as [[locate]] gives it
   * @throws ClassifyException
   *   CLASSIFY_BAD_MODEL when it cannot be read, or changes meanwhile
   */
  def withLocal[T](uri: String, configuration: Configuration)(load: LocalPath => T): T = {
    val directory = new Path(uri)
    if (directory.toUri.getScheme == "file") load(Paths.get(directory.toUri.getPath))
    else {
      val copy = Files.createTempDirectory("spark-classify-model-")
      try {
        try fetch(directory, copy, configuration)
        catch {
          case e: ClassifyException   => throw e
          case e @ InputFault(reason) => throw ClassifyErrors.badModel(uri, s"it cannot be copied: $reason", e)
        }
        load(copy)
      } finally FileUtils.deleteQuietly(copy.toFile)
    }
  }

  // File systems that keep checksums verify them while we read; theirs are not of the form that a local file has.
  private def fetch(directory: Path, copy: LocalPath, configuration: Configuration): Unit = {
    val fileSystem = directory.getFileSystem(configuration)
    val before = list(fileSystem, directory)
    val copied = before.map { case (name, version) =>
      val target = copy.resolve(name)
      Files.createDirectories(target.getParent)
      val stream = fileSystem.open(new Path(directory, name))
      val length =
        try Files.copy(stream, target)
        finally stream.close()
      name -> version.copy(length = length)
    }
    val after = list(fileSystem, directory)
    val changed = (copied.toSet ++ after).diff(copied.toSet.intersect(after.toSet)).map(_._1)
    if (changed.nonEmpty) {
      val names = changed.toSeq.sorted.mkString(", ")
      throw ClassifyErrors.badModel(directory.toString, s"while it was copied, a file changed: $names", null)
    }
    log.info("Copied the model {} with {} bytes", directory, copied.values.map(_.length).sum)
  }

  /** The files in and below the directory, by their paths relative to it. */
  private def list(fileSystem: FileSystem, directory: Path): Map[String, Version] = {
    val status =
      try fileSystem.getFileStatus(directory)
      catch {
        case e: FileNotFoundException => throw ClassifyErrors.badModel(directory.toString, "it does not exist", e)
      }
    if (!status.isDirectory) throw ClassifyErrors.badModel(directory.toString, "it is no directory", null)
    val root = status.getPath.toUri.getPath.stripSuffix("/") + "/"
    def files(folder: Path): Seq[FileStatus] =
      fileSystem.listStatus(folder).toSeq.flatMap(entry => if (entry.isDirectory) files(entry.getPath) else Seq(entry))
    files(directory).map { file =>
      file.getPath.toUri.getPath.stripPrefix(root) -> Version(file.getLen, file.getModificationTime)
    }.toMap
  }
}
