package io.sparkclassify.natives

import java.nio.file.{Files, Path}

import io.sparkclassify.{ClassifyException, TestData}
import org.scalatest.funsuite.AnyFunSuite

class OnnxRuntimeSuite extends AnyFunSuite {

  private def find(folder: Path, library: String = null, home: String = null): Path =
    OnnxRuntime.find(
      new NativeOptions(null, null, library, home),
      LibraryFolder.open(folder.resolve("unpacked").toString),
      Platform.resourceFolder
    )

  private def touch(file: Path): Path = {
    Files.createDirectories(file.getParent)
    Files.createFile(file)
  }

  test("the library of an installed ONNX Runtime is found from the folders that people name") {
    TestData.withFolder { folder =>
      val packages = folder.resolve("site-packages")
      val inWheel = touch(packages.resolve("onnxruntime/capi/libonnxruntime.so.1.28.0"))
      touch(packages.resolve("onnxruntime/capi/libonnxruntime_providers_cuda.so"))
      Seq(packages, packages.resolve("onnxruntime"), packages.resolve("onnxruntime/capi")).foreach { home =>
        assert(find(folder, home = home.toString) == inWheel)
      }
      val unpacked = touch(folder.resolve("onnxruntime-linux-x64-gpu/lib/libonnxruntime.so"))
      touch(folder.resolve("onnxruntime-linux-x64-gpu/lib/libonnxruntime.so.1.28.0"))
      assert(find(folder, home = folder.resolve("onnxruntime-linux-x64-gpu").toString) == unpacked)
    }
  }

  test("a folder without ONNX Runtime is an error that names the key") {
    TestData.withFolder { folder =>
      val error = intercept[ClassifyException](find(folder, home = folder.toString))
      assert(error.getCondition == "CLASSIFY_BACKEND_UNAVAILABLE")
      Seq(folder.toString, "spark.classify.onnxruntime.home", "pip install onnxruntime-gpu").foreach { part =>
        assert(error.getMessage.contains(part), error)
      }
    }
  }

  test("a named library comes first, and without anything the jar's own is unpacked") {
    TestData.withFolder { folder =>
      assert(find(folder, library = "/opt/libonnxruntime.so", home = "/opt/other").toString == "/opt/libonnxruntime.so")
      assert(find(folder).getFileName.toString.matches("libonnxruntime-[0-9a-f]{16}\\.so"))
    }
  }

  test("libraries that look for each other are unpacked into one folder, once, and mended") {
    TestData.withFolder { folder =>
      val libraries = java.util.List.of("libonnxruntime.so", "libspark_classify_onnx.so")
      def unpack(): Path = LibraryFolder.open(folder.toString).unpackTogether(Platform.resourceFolder, libraries)
      val together = unpack()
      assert(together.toFile.list().toSet == Set("libonnxruntime.so", "libspark_classify_onnx.so"))
      val library = together.resolve("libonnxruntime.so")
      val content = Files.readAllBytes(library)
      val inode = Files.getAttribute(library, "unix:ino")
      assert(unpack() == together && Files.getAttribute(library, "unix:ino") == inode)
      Files.write(library, content.take(100))
      assert(unpack() == together && Files.readAllBytes(library).sameElements(content))
    }
  }
}
