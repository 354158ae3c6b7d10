package io.sparkclassify.model

import java.net.URI
import java.nio.file.{Path => LocalPath, Paths}

import io.sparkclassify.ClassifyException
import io.sparkclassify.conf.{ClassifyErrors, FileSpec, ModelDirectory, ModelSpec}
import io.sparkclassify.image.InputFault
import io.sparkclassify.natives.{FileNames, Scratch, SharedFolders}
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path

/**
 * Brings model directories to where the native libraries can read them.
 *
 * @param files
 *   how file systems are asked
 * @param needed
 *   which files are to be copied
 */
private[sparkclassify] final class ModelFiles(
    configuration: Configuration,
    files: FileSpec,
    needed: NeededFiles
) {

  /**
   * Runs `load` with a local copy of the directory, which is gone afterwards; a local directory is used as it is.
   *
   * The copy has all files that are needed, of one state of the directory when `load` sees it. It is private to this
   * call, so loads in this and other JVMs of the host do not meet.
   *
   * @throws ClassifyException
   *   CLASSIFY_BAD_MODEL when it cannot be read, or changes meanwhile
   */
  def withLocal[T](uri: String)(load: LocalPath => T): T = if (uri.startsWith(ModelSpec.SparkFiles)) {
    refuseUnlessAllowed(uri, URI.create(ModelSpec.SparkFiles + "/"))
    load(nameable(uri, new Path(ModelDirectory.locate(uri))))
  } else {
    val directory = guarded(uri, "it cannot be read")(new Path(uri))
    if (directory.toUri.getScheme == "file") load(guarded(uri, "it cannot be read")(local(uri, directory)))
    else {
      val temporary = Paths.get(System.getProperty("java.io.tmpdir")).toAbsolutePath
      val folder = guarded(uri, s"its copy cannot be made in $temporary (java.io.tmpdir)") {
        SharedFolders.requireSafe(temporary)
        Scratch.in(temporary).directory("model")
      }
      val copy = new ModelCopy(directory, configuration, files, needed, folder)
      try {
        guarded(uri, s"it cannot be copied into $temporary (java.io.tmpdir)")(copy.make())
        load(folder)
      } finally copy.delete()
    }
  }

  /** Makes a bad model of whatever goes wrong with its files; file systems throw more than they say. */
  private def guarded[T](uri: String, problem: String)(action: => T): T =
    try action
    catch {
      case e: ClassifyException   => throw e
      case e @ InputFault(reason) => throw ClassifyErrors.badModel(uri, s"$problem: $reason", e)
    }

  private def refuseUnlessAllowed(uri: String, named: URI): Unit =
    files.schemes.refusal(named, "file").foreach(reason => throw ClassifyErrors.badModel(uri, reason, null))

  private def local(uri: String, directory: Path): LocalPath = {
    refuseUnlessAllowed(uri, directory.toUri)
    nameable(uri, directory)
  }

  private def nameable(uri: String, directory: Path): LocalPath = {
    val path = directory.toUri.getPath
    FileNames.unnameable(path).ifPresent(reason => throw ClassifyErrors.badModel(uri, reason, null))
    Paths.get(path)
  }
}
