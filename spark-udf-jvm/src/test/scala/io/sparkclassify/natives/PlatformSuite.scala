package io.sparkclassify.natives

import java.nio.charset.StandardCharsets.ISO_8859_1
import java.nio.file.{Files, Path}

import io.sparkclassify.{ClassifyException, TestData}
import org.scalatest.funsuite.AnyFunSuite

class PlatformSuite extends AnyFunSuite {
  private val glibc = "7f0a8c000000-7f0a8c026000 r--p 00000000 08:01 131 /usr/lib/x86_64-linux-gnu/libc.so.6\n"
  private val musl = "7f0a8c000000-7f0a8c026000 r--p 00000000 08:01 131 /lib/ld-musl-x86_64.so.1\n"

  private def unavailable(parts: String*)(action: => Any): ClassifyException = {
    val failure = intercept[ClassifyException](action)
    assert(failure.getCondition == "CLASSIFY_BACKEND_UNAVAILABLE")
    parts.foreach(part => assert(failure.getMessage.contains(part)))
    failure
  }

  test("the platforms that there are native libraries for") {
    Seq("amd64" -> "x86_64", "x86_64" -> "x86_64", "aarch64" -> "aarch64", "arm64" -> "aarch64").foreach {
      case (architecture, platform) =>
        assert(Platform.resourceFolder("Linux", architecture, glibc) == s"native/linux-$platform")
    }
    assert(Platform.resourceFolder.startsWith("native/linux-"))
  }

  test("another system is told which are supported") {
    Seq("Mac OS X" -> "aarch64", "Windows 11" -> "amd64", "Linux" -> "ppc64le", "Linux" -> "i386").foreach {
      case (system, architecture) =>
        unavailable(s"$system on $architecture", "Linux on x86_64 and aarch64", "glibc 2.28", "container") {
          Platform.resourceFolder(system, architecture, glibc)
        }
    }
  }

  test("a JVM of Alpine is told that its C library is the reason") {
    unavailable("musl", "Alpine", "glibc 2.28")(Platform.resourceFolder("Linux", "amd64", musl))
    unavailable("musl")(Platform.resourceFolder("Linux", "aarch64", musl.replace("x86_64", "aarch64")))
  }

  test("a processor without x86-64-v2 is refused before an instruction ends the JVM") {
    val nehalem = "processor\t: 0\nflags\t\t: fpu sse sse2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 constant_tsc\n"
    Platform.requireProcessor(nehalem)
    // A container without /proc, and an Arm.
    Platform.requireProcessor("")
    Platform.requireProcessor("processor\t: 0\nFeatures\t: fp asimd\n")
    unavailable("lacks popcnt, sse4_2:", "x86-64-v2") {
      Platform.requireProcessor(nehalem.replace("popcnt ", "").replace("sse4_2 ", ""))
    }
  }

  /** The library, as if it had been made for the release of glibc or libstdc++ that `version` names. */
  private def asking(folder: Path, library: String, version: String): Path = {
    val content = new String(Files.readAllBytes(FaultyLibrary.path.resolveSibling(library)), ISO_8859_1)
    val prefix = version.takeWhile(_ != '_')
    val nul = '\u0000'
    val known = s"$nul(${prefix}_[0-9.]{${version.length - prefix.length - 1}})$nul".r.findFirstMatchIn(content).get
    val changed = content.replace(known.matched, s"$nul$version$nul")
    Files.write(folder.resolve(library), changed.getBytes(ISO_8859_1))
  }

  test("a system that is too old is named, and what it would have to be") {
    TestData.withFolder { folder =>
      val library = asking(folder, "libspark_classify_onnx.so", "GLIBC_9.99")
      val failure = unavailable(library.toString, "glibc is too old, it has no GLIBC_9.99", "RHEL 8") {
        NativeLoader.start(new OnnxNative, library, null)
      }
      assert(failure.getCause.isInstanceOf[UnsatisfiedLinkError])
      // The reason in place of the linker's words, which are still there as the cause.
      assert(!failure.getMessage.contains("required by"))
    }
  }

  test("so is its libstdc++") {
    val failure = new UnsatisfiedLinkError(
      "/lib64/libstdc++.so.6: version `GLIBCXX_3.4.22' not found (required by /opt/torch/lib/libtorch_cpu.so)"
    )
    val sentence = Platform.olderSystem(failure).get
    assert(sentence.contains("libstdc++ is too old, it has no GLIBCXX_3.4.22"))
    assert(!Platform.olderSystem(new UnsatisfiedLinkError("file too short")).isPresent)
  }
}
