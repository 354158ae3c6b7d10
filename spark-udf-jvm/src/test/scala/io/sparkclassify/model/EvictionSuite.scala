package io.sparkclassify.model

import java.nio.ByteBuffer
import java.nio.file.Files

import scala.util.Random

import io.sparkclassify.{ClassifyException, Concurrently, SharedSession, TestData}
import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.image.ImageBytes

/** Leases and evictions of real models. */
class EvictionSuite extends SharedSession {

  private val image = TestData.image(".png")

  /** The specification of a copy of the model, in a session that keeps two models. */
  private def withModels(count: Int)(body: Seq[ClassifySpec] => Unit): Unit = TestData.withFolder { folder =>
    spark // resolves specifications
    body((0 until count).map { number =>
      val model = TestData.copyModel(Files.createDirectory(folder.resolve(s"$number")))
      ClassifySpec.resolve(Some("onnx"), Some(model.toString)).copy(maxLoadedModels = 2)
    })
  }

  private def acquire(spec: ClassifySpec): ModelLease = ClassifyEngine.acquire(spec, ModelOutputs.Classes)

  private def classId(model: LoadedModel): Int = {
    val bytes = Files.readAllBytes(image)
    val content = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip()
    val results = model.run(Seq(new ImageBytes("image", content)), ModelOutputs.Classes)
    try results.classes.classId(0)
    finally results.release()
  }

  test("an evicted model is closed in the native library, and loads again") {
    withModels(3) { specs =>
      val first = acquire(specs.head)
      val expected = classId(first.model)
      specs.tail.foreach(acquire(_).close())
      assert(classId(first.model) == expected, "a leased model is kept")
      assert(ClassifyEngine.loadedNow.toSet == Set(specs.head.model, specs.last.model))
      first.close()
      acquire(specs(1)).close()
      assert(ClassifyEngine.loadedNow.toSet == Set(specs.head.model, specs(1).model))
      acquire(specs(2)).close()
      val error = intercept[ClassifyException](classId(first.model))
      assert(error.getMessage.contains("handle"), error)

      val before = ClassifyEngine.modelsLoaded
      val again = acquire(specs.head)
      try assert(classId(again.model) == expected)
      finally again.close()
      assert(ClassifyEngine.modelsLoaded == before + 1)
    }
  }

  test("many threads with random models: no error, and in the end two are loaded") {
    withModels(4) { specs =>
      val reference = acquire(specs.head)
      val expected = classId(reference.model)
      reference.close()
      Concurrently(6) { thread =>
        val random = new Random(thread)
        (1 to 25).foreach { _ =>
          val lease = acquire(specs(random.nextInt(specs.size)))
          try assert(classId(lease.model) == expected)
          finally lease.close()
        }
      }
      assert(ClassifyEngine.loadedNow.size == 2)
      assert(ClassifyEngine.loadedNow.toSet.subsetOf(specs.map(_.model).toSet))
    }
  }
}
