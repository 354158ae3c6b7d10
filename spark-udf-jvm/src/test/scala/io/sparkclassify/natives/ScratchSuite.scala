package io.sparkclassify.natives

import java.nio.file.{Files, Path}

import scala.util.Try

import io.sparkclassify.TestData
import org.scalatest.funsuite.AnyFunSuite

/** What is deleted, and what is not; that living JVMs keep theirs is in [[LibraryFolderSuite]]. */
class ScratchSuite extends AnyFunSuite {

  /** A folder with a file, of which a link elsewhere must not lead to its end. */
  private def precious(within: Path): Path = {
    val folder = Files.createDirectory(within.resolve("precious"))
    Files.writeString(folder.resolve("file"), "precious")
    folder
  }

  test("a sweep deletes what a dead JVM has left, and links instead of what they lead to") {
    TestData.withFolder { temporary =>
      val kept = precious(temporary)
      val folder = Files.createDirectory(temporary.resolve("shared"))
      val lock = DeadJvm.lock(folder)
      val model = Files.createDirectories(folder.resolve(s"${DeadJvm.Prefix}model-1/onnx")).getParent
      Files.writeString(model.resolve("onnx/model.onnx"), "a model")
      val within = Files.createSymbolicLink(model.resolve("onnx/link"), kept)
      val onTop = Files.createSymbolicLink(folder.resolve(s"${DeadJvm.Prefix}library-1.tmp"), kept)
      Scratch.in(folder)
      Seq(lock, model, within, onTop).foreach(gone => assert(!Files.exists(gone), gone))
      assert(Files.exists(kept.resolve("file")))
    }
  }

  test("a sweep leaves what belongs to another user, by whatever name") {
    assume(DeadJvm.isRoot, "only root gives files away")
    TestData.withFolder { folder =>
      val lock = DeadJvm.lock(folder)
      val mine = Files.createFile(folder.resolve(s"${DeadJvm.Prefix}library-1.tmp"))
      val theirs = Files.createDirectory(folder.resolve(s"${DeadJvm.Prefix}x"))
      Files.createFile(theirs.resolve("file"))
      DeadJvm.giveAway(theirs)
      Scratch.in(folder)
      assert(!Files.exists(lock) && !Files.exists(mine))
      assert(Files.exists(theirs.resolve("file")))
    }
  }

  test("a folder that becomes a link while it is deleted leads to nobody's files") {
    TestData.withFolder { temporary =>
      val kept = Files.createDirectory(temporary.resolve("kept"))
      val tree = Files.createDirectory(temporary.resolve("tree"))
      val swapped = Files.createDirectory(tree.resolve("folder"))
      val files = (1 to 2000).map(number => s"file-$number")
      files.foreach { name =>
        Files.createFile(kept.resolve(name))
        Files.createFile(swapped.resolve(name))
      }
      val swapping = new Thread(() => {
        while (swapped.toFile.list.length == files.length) {}
        Files.move(swapped, temporary.resolve("away"))
        Files.createSymbolicLink(swapped, kept)
      })
      swapping.start()
      // Whether it notices is all the same.
      Try(Scratch.delete(tree))
      swapping.join()
      val left = kept.toFile.list.length
      assert(left == files.length)
    }
  }
}

/** A JVM that has ended, as far as can be told from what lies in a folder. */
object DeadJvm {

  /** What the names of its files begin with. */
  val Prefix = "spark-classify-1-abc-00000000-"

  def lock(folder: Path): Path = Files.createFile(folder.resolve(s"${Prefix.stripSuffix("-")}.lock"))

  def isRoot: Boolean = Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0

  /** Makes it another user's. */
  def giveAway(file: Path): Unit = Files.setAttribute(file, "unix:uid", Integer.valueOf(65534))
}
