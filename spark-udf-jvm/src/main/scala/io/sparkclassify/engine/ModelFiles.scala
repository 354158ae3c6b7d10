package io.sparkclassify.engine

import java.io.FileNotFoundException
import java.nio.file.{Files, Path => LocalPath, Paths}

import io.sparkclassify.{ClassifyErrors, ClassifyException, InputFault, Printable}
import io.sparkclassify.conf.{ModelSpec, Schemes}
import io.sparkclassify.natives.{FileNames, Scratch}
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
  def withLocal[T](uri: String, configuration: Configuration, schemes: Schemes)(load: LocalPath => T): T = {
    val directory = guarded(uri, "it cannot be read")(new Path(uri))
    if (directory.toUri.getScheme == "file") load(guarded(uri, "it cannot be read")(local(uri, directory, schemes)))
    else {
      val copy = guarded(uri, s"there is no room for its copy in ${System.getProperty("java.io.tmpdir")}") {
        Scratch.in(Paths.get(System.getProperty("java.io.tmpdir")).toAbsolutePath).directory("model")
      }
      try {
        guarded(uri, "it cannot be copied")(fetch(directory, schemes.fileSystem(directory, configuration), copy))
        load(copy)
      } finally FileUtils.deleteQuietly(copy.toFile)
    }
  }

  /** Makes a bad model of whatever goes wrong with its files; file systems throw more than they say. */
  private def guarded[T](uri: String, problem: String)(action: => T): T =
    try action
    catch {
      case e: ClassifyException   => throw e
      case e @ InputFault(reason) => throw ClassifyErrors.badModel(uri, s"$problem: $reason", e)
    }

  private def local(uri: String, directory: Path, schemes: Schemes): LocalPath = {
    schemes.refusal(directory.toUri, "file").foreach(reason => throw ClassifyErrors.badModel(uri, reason, null))
    val path = directory.toUri.getPath
    FileNames.unnameable(path).ifPresent(reason => throw ClassifyErrors.badModel(uri, reason, null))
    Paths.get(path)
  }

  // File systems that keep checksums verify them while we read; theirs are not of the form that a local file has.
  private def fetch(directory: Path, fileSystem: FileSystem, copy: LocalPath): Unit = {
    val before = list(fileSystem, directory)
    val copied = before.map { case (name, version) =>
      val target = inside(directory, copy, name)
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
    log.info("Copied the model {} with {} bytes", Printable.escape(directory.toString), copied.values.map(_.length).sum)
  }

  /**
   * The place of a file in the copy. Archives and object stores list names that no local file system would: absolute ones,
   * and such that lead out of the directory.
   */
  private def inside(directory: Path, copy: LocalPath, name: String): LocalPath = {
    FileNames.unnameable(name).ifPresent(reason =>
      throw ClassifyErrors.badModel(directory.toString, s"$name: $reason", null)
    )
    val parts = name.split("/", -1)
    if (
      parts.exists(part =>
        part.isEmpty || part == "." || part == ".." || part.exists(char => char == '\\' || char < ' ')
      )
    )
      throw ClassifyErrors.badModel(directory.toString, s"it lists '$name', which is no name of a file in it", null)
    copy.resolve(name)
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
      val path = file.getPath.toUri.getPath
      // What is not below the directory stays absolute, and is refused.
      path.stripPrefix(root) -> Version(file.getLen, file.getModificationTime)
    }.toMap
  }
}
