package io.sparkclassify.natives

import java.nio.file.attribute.PosixFilePermissions
import java.nio.file.{Files, Path, Paths}

import scala.jdk.CollectionConverters._

import io.sparkclassify.{ClassifyException, TestData}
import org.scalatest.funsuite.AnyFunSuite

class LibraryFolderSuite extends AnyFunSuite {
  private val library = "libspark_classify_onnx.so"

  private def names(folder: Path): Seq[String] = folder.toFile.list().toSeq.sorted

  private def unavailable(parts: String*)(action: => Any): Unit = {
    val failure = intercept[ClassifyException](action)
    assert(failure.getCondition == "CLASSIFY_BACKEND_UNAVAILABLE")
    parts.foreach(part => assert(failure.getMessage.contains(part)))
  }

  private def withTemporaryFolder[T](folder: Path)(body: => T): T = {
    val before = System.setProperty("java.io.tmpdir", folder.toString)
    try body
    finally System.setProperty("java.io.tmpdir", before)
  }

  test("a library is unpacked once, under a name with its hash, and nothing else is left") {
    TestData.withFolder { temporary =>
      val folder = temporary.resolve("made/when/needed")
      val path = LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library)
      assert(path.getFileName.toString.matches("libspark_classify_onnx-[0-9a-f]{16}\\.so"))
      assert(names(folder) == Seq(path.getFileName.toString))
      val written = Files.getLastModifiedTime(path)
      val key = Files.getAttribute(path, "unix:ino")
      assert(LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library) == path)
      assert(Files.getLastModifiedTime(path) == written && Files.getAttribute(path, "unix:ino") == key)
    }
  }

  test("a damaged file is replaced") {
    TestData.withFolder { folder =>
      val path = LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library)
      val content = Files.readAllBytes(path)
      Seq(content.take(1000), content.updated(5000, (~content(5000)).toByte)).foreach { damaged =>
        Files.write(path, damaged)
        assert(LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library) == path)
        assert(Files.readAllBytes(path).sameElements(content))
      }
    }
  }

  test("callers that unpack at once agree on one whole file") {
    TestData.withFolder { folder =>
      val paths = (1 to 8).map { _ =>
        val unpacking = new java.util.concurrent.FutureTask[Path](() =>
          LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library)
        )
        new Thread(unpacking).start()
        unpacking
      }
      assert(paths.map(_.get).distinct.length == 1)
      assert(names(folder).length == 1)
    }
  }

  test("the default folder belongs to the user alone") {
    TestData.withFolder { temporary =>
      withTemporaryFolder(temporary) {
        LibraryFolder.open(null)
        val folder = temporary.resolve(s"spark-classify-${System.getProperty("user.name")}")
        assert(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)) == "rwx------")

        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"))
        unavailable(folder.toString, NativeOptions.DIRECTORY_KEY, "does not belong to this user alone")(
          LibraryFolder.open(null)
        )

        Files.delete(folder)
        Files.createSymbolicLink(folder, Files.createDirectory(temporary.resolve("elsewhere")))
        unavailable(folder.toString, "does not belong to this user alone")(LibraryFolder.open(null))
      }
    }
  }

  test("a folder that cannot be made names itself and the key") {
    TestData.withFolder { folder =>
      val file = Files.createFile(folder.resolve("file"))
      unavailable(s"$file/natives", NativeOptions.DIRECTORY_KEY)(LibraryFolder.open(s"$file/natives"))
    }
  }

  test("a library that the jar lacks is named") {
    TestData.withFolder { folder =>
      unavailable("native/linux-x86_64/libnone.so", "the jar has no") {
        LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, "libnone.so")
      }
      assert(names(folder).isEmpty)
    }
  }

  test("an unknown platform is told the known ones") {
    assert(Platform.resourceFolder("Linux", "amd64") == "native/linux-x86_64")
    unavailable("Linux on aarch64", "supported: linux-x86_64")(Platform.resourceFolder("Linux", "aarch64"))
    unavailable("Mac OS X on x86_64")(Platform.resourceFolder("Mac OS X", "x86_64"))
  }

  test("a noexec mount is recognised") {
    val table = Seq(
      "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
      "30 21 0:26 / /tmp rw,nosuid,nodev,noexec shared:5 - tmpfs tmpfs rw",
      "31 30 0:27 / /tmp/with\\040space rw,relatime - tmpfs tmpfs rw",
      "32 30 0:28 / /tmp/covered rw,noexec - tmpfs tmpfs rw",
      "33 32 0:29 / /tmp/covered rw - tmpfs tmpfs rw"
    ).asJava
    def forbids(path: String): Boolean = Mounts.forbidExecution(Paths.get(path), table)
    assert(forbids("/tmp/spark-classify/lib.so"))
    assert(!forbids("/tmpfile"))
    assert(!forbids("/opt/lib.so"))
    assert(!forbids("/tmp/with space/lib.so"))
    assert(!forbids("/tmp/covered/lib.so"))
    assert(!Mounts.forbidExecution(TestData.model))
  }
}
