package io.sparkclassify.natives

import java.nio.file.attribute.PosixFilePermissions
import java.nio.file.{FileSystems, Files, Path, Paths}

import scala.jdk.CollectionConverters._

import io.sparkclassify.{ClassifyException, OwnJvm, TestData}
import org.scalatest.funsuite.AnyFunSuite

class LibraryFolderSuite extends AnyFunSuite {
  private val library = "libspark_classify_onnx.so"

  private val own = s"spark-classify-${System.getProperty("user.name")}"

  /** What is in the user's own folder there, but for this JVM's lock. */
  private def names(folder: Path): Seq[String] =
    folder.resolve(own).toFile.list().toSeq.filterNot(_.endsWith(".lock")).sorted

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

  test("a library that has been unpacked is not read from the jar again, which has to have it") {
    TestData.withFolder { folder =>
      val path = LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library)
      val jar = Paths.get(classOf[LibraryFolder].getProtectionDomain.getCodeSource.getLocation.toURI)
      val other = Files.copy(jar, folder.resolve("other.jar"))
      def change(action: Path => Unit): Unit = {
        val files = FileSystems.newFileSystem(other, null: ClassLoader)
        try action(files.getPath(Platform.resourceFolder, library))
        finally files.close()
      }
      val classPath = System.getProperty("java.class.path").replace(jar.toString, other.toString)
      def open(folder: Path) =
        OwnJvm.run("io.sparkclassify.natives.Opening", Seq("-cp", classPath), Seq(folder.toString))
      change(Files.write(_, Array[Byte](1, 2, 3)))
      val (status, output) = open(folder)
      assert(status == 0 && output.linesIterator.contains(path.toString), output)
      val (_, read) = open(folder.resolve("empty"))
      assert(read.contains(folder.resolve("empty").toString) && !read.contains(path.getFileName.toString), read)
      change(Files.delete)
      Seq(folder, folder.resolve("another")).foreach { folder =>
        val (refused, error) = open(folder)
        assert(refused != 0 && error.contains(s"the jar has no ${Platform.resourceFolder}/$library"), error)
      }
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
        val folder = temporary.resolve(own)
        assert(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)) == "rwx------")

        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"))
        unavailable(folder.toString, NativeOptions.DIRECTORY_KEY, "does not belong to this user alone")(
          LibraryFolder.open(null)
        )

        Scratch.delete(folder)
        Files.createSymbolicLink(folder, Files.createDirectory(temporary.resolve("elsewhere")))
        unavailable(folder.toString, "does not belong to this user alone")(LibraryFolder.open(null))
      }
    }
  }

  test("nothing is written into a folder that is refused, nor deleted in it") {
    TestData.withFolder { temporary =>
      val folder = Files.createDirectory(temporary.resolve(own))
      val left = Seq(DeadJvm.lock(folder), Files.createFile(folder.resolve(s"${DeadJvm.Prefix}library-1.tmp")))
      def refuse(): Unit = {
        unavailable(folder.toString, "does not belong to this user alone")(LibraryFolder.open(temporary.toString))
        assert(folder.toFile.list.toSet == left.map(_.getFileName.toString).toSet)
      }
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"))
      refuse()
      assume(DeadJvm.isRoot, "only root gives folders away")
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"))
      DeadJvm.giveAway(folder)
      refuse()
    }
  }

  test("in a shared folder, the user has one of their own") {
    TestData.withFolder { shared =>
      Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"))
      unavailable(shared.toString, NativeOptions.DIRECTORY_KEY, "chmod +t")(LibraryFolder.open(shared.toString))
      val deep = Files.createDirectory(shared.resolve("deep"))
      unavailable(shared.toString, "chmod +t")(LibraryFolder.open(deep.toString))

      Files.setAttribute(shared, "unix:mode", Integer.valueOf(0x3ff)) // 1777
      val path = LibraryFolder.open(shared.toString).unpack(Platform.resourceFolder, library)
      assert(path.getParent == shared.toRealPath().resolve(own))
      assert(PosixFilePermissions.toString(Files.getPosixFilePermissions(path.getParent)) == "rwx------")

      Files.setPosixFilePermissions(path.getParent, PosixFilePermissions.fromString("rwxrwx---"))
      unavailable(path.getParent.toString, "does not belong to this user alone")(LibraryFolder.open(shared.toString))
    }
  }

  test("an emptyDir of Kubernetes belongs to one pod, and may be open to all") {
    TestData.withFolder { node =>
      def volume(plugin: String) = Files.createDirectories(node.resolve(s"pods/1/volumes/kubernetes.io~$plugin/tmp"))
      val mountPoint = Files.createDirectory(node.resolve("mounted"))
      def open(volume: Path): (Int, String) = {
        Files.setPosixFilePermissions(volume, PosixFilePermissions.fromString("rwxrwxrwx"))
        val mount = s"""mount --bind $volume $mountPoint && exec "$$@""""
        val within = Seq("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
        OwnJvm.run("io.sparkclassify.natives.Opening", Seq.empty, Seq(mountPoint.toString), within)
      }
      assume(
        new ProcessBuilder("unshare", "--map-root-user", "--mount", "true").start().waitFor() == 0,
        "no namespaces here"
      )
      val (status, path) = open(volume("empty-dir"))
      assert(status == 0 && path.linesIterator.toSeq.last.startsWith(s"$mountPoint/spark-classify-"), path)
      val (refused, error) = open(volume("host-path"))
      assert(refused != 0 && error.contains(s"all users may write to $mountPoint") && error.contains("chmod +t"), error)
    }
  }

  test("a folder that is deleted while it is used is made again") {
    TestData.withFolder { folder =>
      val first = LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library)
      Scratch.delete(folder.resolve(own))
      assert(LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, library) == first)
      assert(Files.isRegularFile(first))
    }
  }

  test("what killed JVMs leave goes with the next one, and what living ones have stays") {
    TestData.withFolder { folder =>
      def start(): Process = {
        val command = Seq(s"${System.getProperty("java.home")}/bin/java", "-cp", System.getProperty("java.class.path"))
        val process = new ProcessBuilder(command ++ Seq("io.sparkclassify.natives.Unpacking", folder.toString): _*)
          .redirectErrorStream(true)
          .start()
        assert(process.getInputStream.read() == '.')
        process
      }
      def left = folder.toFile.list().toSeq.filterNot(_.endsWith(".lock"))
      val (killed, living) = (start(), start())
      try {
        assert(left.length == 4)
        killed.destroyForcibly().waitFor()
        Scratch.in(folder)
        assert(left.length == 2 && left.forall(_.contains(s"-${living.pid}-")), left)
        val locks = folder.toFile.list().filter(_.endsWith(".lock"))
        assert(locks.length == 2 && !locks.exists(_.contains(s"-${killed.pid}-")))
      } finally {
        killed.destroyForcibly().waitFor()
        living.destroyForcibly().waitFor()
      }
    }
  }

  test("a path that is none, or a URI, is told by the key") {
    unavailable(NativeOptions.DIRECTORY_KEY, "is a URI")(LibraryFolder.open("file:/tmp/natives"))
    unavailable(NativeOptions.DIRECTORY_KEY, "is no path")(LibraryFolder.open("/tmp/a\u0000b"))
    assert(FileNames.unnameable("modèle", "ANSI_X3.4-1968").get.contains("LC_ALL=C.UTF-8"))
    assert(!FileNames.unnameable("modèle", "UTF-8").isPresent && !FileNames.unnameable("model", "US-ASCII").isPresent)
    assert(!FileNames.unnameable("modèle", null).isPresent)
  }

  test("a folder that cannot be made names itself and the key") {
    TestData.withFolder { folder =>
      val file = Files.createFile(folder.resolve("file"))
      unavailable(s"$file/natives", NativeOptions.DIRECTORY_KEY)(LibraryFolder.open(s"$file/natives"))
    }
  }

  test("a library that the jar lacks is named") {
    TestData.withFolder { folder =>
      unavailable(s"${Platform.resourceFolder}/libnone.so", "the jar has no", "make package", "natives jar") {
        LibraryFolder.open(folder.toString).unpack(Platform.resourceFolder, "libnone.so")
      }
      assert(names(folder).isEmpty)
    }
  }

  test("the mount of a file is found, with what it forbids and whose it is") {
    val table = Seq(
      "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
      "30 21 0:26 / /tmp rw,nosuid,nodev,noexec shared:5 - tmpfs tmpfs rw",
      "31 30 0:27 / /tmp/with\\040space rw,relatime - tmpfs tmpfs rw",
      "32 30 0:28 / /tmp/covered rw,noexec - tmpfs tmpfs rw",
      "33 32 0:29 / /tmp/covered rw - tmpfs tmpfs rw",
      "34 21 8:1 /var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/a /pod rw - ext4 /dev/sda1 rw"
    ).asJava
    def forbids(path: String): Boolean = Mounts.forbidExecution(Paths.get(path), table)
    assert(forbids("/tmp/spark-classify/lib.so"))
    assert(!forbids("/tmpfile"))
    assert(!forbids("/opt/lib.so"))
    assert(!forbids("/tmp/with space/lib.so"))
    assert(!forbids("/tmp/covered/lib.so"))
    assert(Seq("/pod/lib.so", "/podium", "/tmp").map(path => Mounts.isOfPod(Paths.get(path), table)) == Seq(
      true,
      false,
      false
    ))
    assert(!Mounts.forbidExecution(TestData.model))
    assert(!Mounts.isOfPod(TestData.model))
  }
}

/** A program that unpacks a library, and tells where. */
object Opening {
  def main(arguments: Array[String]): Unit =
    println(LibraryFolder.open(arguments.head).unpack(Platform.resourceFolder, "libspark_classify_onnx.so"))
}

/** A program that is killed with temporary files of its own. */
object Unpacking {
  def main(arguments: Array[String]): Unit = {
    val scratch = Scratch.in(Paths.get(arguments.head))
    scratch.file("library")
    Files.writeString(scratch.directory("model").resolve("config.json"), "{}")
    System.out.print('.')
    System.out.flush()
    Thread.sleep(600000)
  }
}
