package io.sparkclassify.natives

import java.io.IOException
import java.net.{URLDecoder, URLEncoder}
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.charset.StandardCharsets.{ISO_8859_1, UTF_8}
import java.nio.file.{AccessDeniedException, Files, NoSuchFileException, Path}
import java.nio.file.attribute.PosixFilePermissions

import scala.util.Using

import io.sparkclassify.{ClassifyException, Concurrently, OwnJvm, TestData}
import org.scalatest.funsuite.AnyFunSuite

/** Local files as the native library reads them. The JVM of the tests runs with -Xcheck:jni. */
class LocalFileSuite extends AnyFunSuite {

  private lazy val natives = FaultyLibrary.natives

  private def withFile(content: Array[Byte])(body: Path => Any): Unit = TestData.withFolder { folder =>
    body(Files.write(folder.resolve("file"), content))
  }

  private def read(file: Path): Array[Byte] = Using.resource(LocalFile.open(natives, file.toString)) { open =>
    val buffer = NativeBatch.direct(open.size.toInt)
    while (buffer.hasRemaining) assert(open.read(buffer) > 0)
    assert(open.size == 0 || open.read(NativeBatch.direct(1)) == -1)
    val bytes = new Array[Byte](buffer.capacity)
    buffer.flip().get(bytes)
    bytes
  }

  /** What this process has open below `folder`. */
  private def descriptors(folder: Path): Int = new java.io.File("/proc/self/fd").listFiles.count { descriptor =>
    try Files.readSymbolicLink(descriptor.toPath).startsWith(folder)
    catch { case _: IOException => false }
  }

  test("a file's bytes come into the buffer's room, and stay out of the rest") {
    Seq(0, 1, 4096, 20000000).foreach { size =>
      val content = Array.tabulate(size)(at => (at * 31 >> 3).toByte)
      withFile(content)(file => assert(read(file).sameElements(content)))
    }
    withFile("content".getBytes) { file =>
      Using.resource(LocalFile.open(natives, file.toString)) { open =>
        val buffer = NativeBatch.direct(8).put("........".getBytes).position(2).limit(5)
        assert(open.read(buffer) == 3 && buffer.position() == 5)
        val bytes = new Array[Byte](8)
        buffer.clear().get(bytes)
        assert(new String(bytes) == "..con...")
      }
    }
  }

  test("a file that grows or shrinks while it is open") {
    withFile("content".getBytes) { file =>
      Using.resource(LocalFile.open(natives, file.toString)) { open =>
        Files.writeString(file, "more content")
        val buffer = NativeBatch.direct(20)
        assert(open.size == 7 && open.read(buffer) == 12)
        Files.writeString(file, "less")
        assert(open.read(buffer) == -1 && buffer.position() == 12)
      }
    }
  }

  test("what is wrong with a file is an IOException that says it") {
    withFile("content".getBytes) { file =>
      def open(name: Any) = LocalFile.open(natives, s"$name").close()
      assert(intercept[NoSuchFileException](open(s"$file.none")).getMessage.startsWith("No such file"))
      assert(intercept[IOException](open(s"$file/below")).getMessage.startsWith("Not a directory"))
      assert(intercept[IOException](open(file.getParent)).getMessage == "it is a directory, not a regular file")
      Seq("\u0000", s"${file}\u0000").foreach(name =>
        assert(intercept[IllegalArgumentException](open(name)).getMessage.contains("NUL"))
      )
      assert(intercept[IOException](natives.openFile("/a\u0000b".getBytes)).getMessage.contains("NUL"))
      assert(intercept[IllegalArgumentException](open(0xd800.toChar)).getMessage.contains("surrogate"))
    }
  }

  test("a file that may not be read says so, also to root without that privilege") {
    withFile("content".getBytes) { file =>
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"))
      val within =
        if (Files.isReadable(file)) Seq("setpriv", "--bounding-set", "-dac_override,-dac_read_search") else Nil
      val (status, output) = OwnJvm.run("io.sparkclassify.natives.ReadOnce", Nil, Seq(file.toString), within)
      assert(status == 0 && output.contains(s"${classOf[AccessDeniedException].getName}: Permission denied"), output)
    }
  }

  test("a name that the JVM's locale cannot express is read as UTF-8") {
    TestData.withFolder { folder =>
      Files.writeString(folder.resolve("über 日本.png"), "content")
      val name = URLEncoder.encode(s"$folder/über 日本.png", UTF_8)
      val (status, output) = OwnJvm.run("io.sparkclassify.natives.ReadOnce", Nil, Seq(name), Seq("env", "LC_ALL=C"))
      assert(status == 0 && output.linesIterator.toSeq.last == "content", output)
    }
    assert(FileNames.bytes("ü", "ANSI_X3.4-1968").sameElements("ü".getBytes(UTF_8)))
    // As Java lists it in that locale.
    assert(FileNames.bytes("ü", "ISO-8859-1").sameElements("ü".getBytes(ISO_8859_1)))
    assert(FileNames.bytes("日", "ISO-8859-1").sameElements("日".getBytes(UTF_8)))
    Seq(null, "none").foreach(encoding => assert(FileNames.bytes("ü", encoding).sameElements("ü".getBytes(UTF_8))))
  }

  test("handles are numbers: a stale one is an error, and nothing stays open") {
    withFile("content".getBytes) { file =>
      val name = file.toString.getBytes(UTF_8)
      val (first, second) = (natives.openFile(name), natives.openFile(name))
      assert(first != second && descriptors(file) == 2)
      natives.closeFile(first)
      assert(descriptors(file) == 1)
      val buffer = NativeBatch.direct(7)
      Seq(first, 0L, -1L, Long.MaxValue).foreach { stale =>
        def refused(call: => Any) = {
          val error = intercept[ClassifyException](call)
          assert(error.getCondition == "CLASSIFY_INTERNAL_ERROR" && error.getMessage.contains(s"handle $stale"), error)
        }
        refused(natives.closeFile(stale))
        refused(natives.fileSize(stale))
        refused(natives.readFile(stale, buffer, 0, 7))
      }
      assert(natives.readFile(second, buffer, 0, 7) == 7)
      natives.closeFile(second)

      val closedTwice = LocalFile.open(natives, file.toString)
      closedTwice.close()
      closedTwice.close()
      intercept[ClassifyException](closedTwice.read(buffer))
      assert(descriptors(file) == 0)
    }
  }

  test("buffers that break the contract are refused") {
    withFile("content".getBytes) { file =>
      val handle = natives.openFile(file.toString.getBytes(UTF_8))
      def refused(parts: String*)(call: => Any) = {
        val error = intercept[ClassifyException](call)
        assert(error.getCondition == "CLASSIFY_INTERNAL_ERROR", error)
        parts.foreach(part => assert(error.getMessage.contains(part), error))
      }
      val good = NativeBatch.direct(8)
      refused("`name`", "null")(natives.openFile(null))
      refused("`buffer`", "null")(natives.readFile(handle, null, 0, 1))
      refused("`buffer`", "not a direct buffer")(natives.readFile(handle, ByteBuffer.allocate(8), 0, 1))
      refused("`buffer`", "read-only")(natives.readFile(handle, good.asReadOnlyBuffer(), 0, 1))
      Using.resource(FileChannel.open(file)) { channel =>
        val mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, 7)
        refused("`buffer`", "read-only")(natives.readFile(handle, mapped, 0, 1))
      }
      Seq((-1, 1), (0, 9), (5, 4), (0, -1), (Int.MinValue, Int.MaxValue)).foreach { case (from, to) =>
        refused("`buffer`", "8 bytes", s"from $from to $to")(natives.readFile(handle, good, from, to))
      }
      assert(natives.readFile(handle, good, 8, 8) == 0 && natives.readFile(handle, good, 1, 8) == 7)
      natives.closeFile(handle)
    }
  }

  test("many threads open, read and close one file, and no descriptor is lost") {
    withFile("content".getBytes) { file =>
      Concurrently(8)(_ => (1 to 500).foreach(_ => assert(new String(read(file)) == "content")))
      assert(descriptors(file) == 0)
    }
  }

  test("a thread that has been interrupted stops reading") {
    withFile("content".getBytes) { file =>
      Using.resource(LocalFile.open(natives, file.toString)) { open =>
        Thread.currentThread.interrupt()
        intercept[InterruptedException](open.read(NativeBatch.direct(7)))
        assert(!Thread.interrupted())
      }
    }
  }
}

/** A program that prints a file, or why it cannot, in a JVM of its own. The name is URL-encoded. */
object ReadOnce {
  def main(arguments: Array[String]): Unit =
    try
      Using.resource(LocalFile.open(FaultyLibrary.natives, URLDecoder.decode(arguments.head, UTF_8))) { file =>
        val buffer = NativeBatch.direct(file.size.toInt)
        while (buffer.hasRemaining) file.read(buffer)
        println(UTF_8.decode(buffer.flip()))
      }
    catch { case e: IOException => println(e) }
}
