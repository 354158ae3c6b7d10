package io.sparkclassify.conf

import java.nio.file.{Files, Path}

import io.sparkclassify.{BlockingFileSystem, SharedSession, TestData}
import io.sparkclassify.inference.ImageInference
import io.sparkclassify.natives.NativeOptions
import io.sparkclassify.threads.ReadThreads
import org.scalatest.concurrent.Eventually._
import org.scalatest.time.SpanSugar._

/** The backend `auto`, which is the default. */
class EngineChoiceSuite extends SharedSession {

  // That of LIBTORCH.
  private val withTorch = new NativeOptions(null, null, null, null)
  private val withoutTorch = new NativeOptions(null, "/none", null, null)

  private def choose(
      directory: String,
      natives: NativeOptions = withTorch,
      precision: Precision = Precision.Fp32,
      timeoutMillis: Long = 10000
  ): Engine = {
    // It starts with its first use.
    assert(!spark.sparkContext.isStopped)
    val choose =
      new EngineChoice(
        HadoopSettings.ofSession(),
        FileSpec(timeoutMillis, retries = 0, Schemes(Set("file", "blocking"))),
        natives
      )
    choose(precision, directory)
  }

  private def withFiles(names: String*)(body: Path => Unit): Unit = TestData.withFolder { folder =>
    names.foreach { name =>
      val file = folder.resolve(name)
      Files.createDirectories(file.getParent)
      Files.writeString(file, "a model")
    }
    body(folder)
  }

  test("PyTorch runs what it can, ONNX Runtime the rest") {
    withFiles("model.pt", "model.onnx") { folder =>
      assert(choose(s"file:$folder") == Engine.PyTorch)
      assert(choose(s"file:$folder", withoutTorch) == Engine.Onnx)
    }
    withFiles("model.pt") { folder =>
      assert(choose(s"file:$folder") == Engine.PyTorch)
      assert(choose(s"file:$folder", withoutTorch) == Engine.PyTorch, "executors may have one")
    }
    withFiles("model.onnx")(folder => assert(choose(s"file:$folder") == Engine.Onnx))
    withFiles("model.pt", "onnx/model.onnx")(folder => assert(choose(s"file:$folder", withoutTorch) == Engine.Onnx))
  }

  test("what the driver cannot see runs on ONNX Runtime, which the jar brings") {
    withFiles()(folder => assert(choose(s"file:$folder") == Engine.Onnx))
    Seq("file:/none", "nosuch://host/model", "s3a://bucket/model", "sparkfiles:none").foreach { uri =>
      assert(choose(uri) == Engine.Onnx, uri)
    }
  }

  test("a precision that one engine has decides, whatever the directory has") {
    assert(choose("file:/none", precision = Precision.Bf16) == Engine.PyTorch)
    withFiles("model.pt") { folder =>
      Seq(Precision.Int8, Precision.Fp16).foreach { precision =>
        assert(choose(s"file:$folder", precision = precision) == Engine.Onnx)
      }
    }
  }

  test("a file system that does not answer holds no query up") {
    withFiles("list.txt", "model.pt") { folder =>
      try assert(choose(s"blocking:$folder", timeoutMillis = 200) == Engine.Onnx)
      finally eventually(timeout(20.seconds)) {
          BlockingFileSystem.answer()
          assert(ReadThreads.stuck == 0)
        }
    }
  }

  test("it is the default, can be given as an argument, and EXPLAIN shows what was chosen") {
    def engineOf(query: String): Engine = sql(query).queryExecution.analyzed.expressions
      .flatMap(_.collect { case inference: ImageInference => inference.spec.model.engine })
      .head
    assert(spark.conf.get(ClassifyConf.Backend.key) == "auto")
    assert(engineOf("SELECT classify('a.png')") == Engine.PyTorch)
    withFiles("model.onnx") { folder =>
      withConf(ClassifyConf.Model.key -> folder.toString) {
        assert(engineOf("SELECT classify('a.png')") == Engine.Onnx)
        withConf(ClassifyConf.Backend.key -> "pytorch") {
          assert(engineOf("SELECT classify('a.png')") == Engine.PyTorch)
          assert(engineOf("SELECT classify('a.png', 'AUTO')") == Engine.Onnx)
        }
        val plan = sql("EXPLAIN SELECT classify(path) FROM VALUES ('a.png') AS t(path)").head().getString(0)
        assert(plan.contains(s"onnx, file:$folder"), plan)
      }
    }
  }
}
