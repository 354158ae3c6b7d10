package io.sparkclassify.ml

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, SharedSession, TestData}
import io.sparkclassify.plans.{Plans, Ran}
import org.apache.spark.ml.linalg.{SQLDataTypes, Vector}
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.types._

/** `ImageEmbedder`, on a model whose embedding is how bright each colour is. */
class ImageEmbedderSuite extends SharedSession {

  private val model = ColourImages.model.resolveSibling("colour-embedding").toString

  private def embedder: ImageEmbedder = new ImageEmbedder().setInputCol("path").setOutputCol("features").setModel(model)

  /** A red, a green and a blue image, one that is none, and none. */
  private def withImages(body: DataFrame => Unit): Unit = TestData.withFolder { folder =>
    def write(name: String, bytes: Array[Byte]): Path = Files.write(folder.resolve(name), bytes)
    val good = (0 to 2).map(id => Row(id, write(s"$id.png", ColourImages.file(id)).toString))
    val bad = Seq(Row(3, write("bad.png", "no image".getBytes).toString), Row(4, null))
    val schema = new StructType().add("id", IntegerType).add("path", StringType)
    body(spark.createDataFrame(spark.sparkContext.parallelize(good ++ bad, 2), schema))
  }

  private def run(transformer: ImageTransformer, frame: DataFrame): Ran = Plans.run(transformer.transform(frame))

  private def assertUnit(vector: Vector, id: Int): Unit =
    assert(vector.toArray.zipWithIndex.forall { case (value, channel) =>
      math.abs(value - (if (channel == id) 1 else 0)) < 1e-5
    } && vector.size == 3)

  test("vectors are those of embed_image, by both engines, and images are run once") {
    withImages { images =>
      TestData.engines.foreach { engine =>
        Seq("error" -> images.where("id < 3"), "skip" -> images, "keep" -> images).foreach { case (handle, frame) =>
          val ran = run(embedder.setBackend(engine).setHandleInvalid(handle), frame)
          assert(ran.operators.length == 1 && ran.left.isEmpty, handle)
          val rows = ran.rows.map(row => row.getInt(0) -> row).toMap
          assert(rows.keySet == (if (handle == "keep") 0 to 4 else 0 to 2).toSet)
          (0 to 2).foreach(id => assertUnit(rows(id).getAs[Vector]("features"), id))
          if (handle == "keep") Seq(3 -> "bad.png", 4 -> "the image is NULL").foreach { case (id, reason) =>
            assert(rows(id).isNullAt(2) && rows(id).getAs[String]("error").contains(reason))
          }
        }
      }
    }
  }

  test("error fails with the path and the reason") {
    withImages { images =>
      val bad = failureOf(embedder.transform(images.where("id IN (1, 3)")).collect())
      assertError(bad, "CLASSIFY_BAD_IMAGE", "bad.png", "in Spark ML: handleInvalid")
      val nothing = intercept[Exception](embedder.transform(images.where("id = 4")).collect())
      val text = Iterator.iterate[Throwable](nothing)(_.getCause).takeWhile(_ != null).map(_.getMessage).mkString("\n")
      Seq("'path'", "NULL", "handleInvalid is 'error'", "'skip'").foreach(part => assert(text.contains(part)))
    }
  }

  test("what is added is what transformSchema says") {
    withImages { images =>
      Seq("error", "skip", "keep").foreach { handle =>
        val transformer = embedder.setHandleInvalid(handle)
        assert(transformer.transform(images).schema == transformer.transformSchema(images.schema), handle)
      }
      assert(embedder.transformSchema(images.schema)("features").dataType == SQLDataTypes.VectorType)
      val unnamed = new ImageEmbedder("one").setInputCol("path").setModel(model)
      assert(unnamed.transform(images).columns.last == "one__output")
      val error = intercept[IllegalArgumentException](unnamed.setOutputCol("").transform(images))
      assert(error.getMessage == "one: there is no column to add: give a name to the param outputCol")
    }
  }

  test("classes and vectors of one model are one run") {
    withImages { images =>
      val both = new ImageClassifier().setInputCol("path").setModel(model).setHandleInvalid("skip")
        .transform(embedder.setHandleInvalid("keep").setErrorCol("").transform(images))
      val ran = Plans.run(both)
      assert(ran.rows.length == 3 && ran.operators.length == 1 && ran.left.isEmpty)
    }
  }

  test("a model without embeddings is refused") {
    withImages { images =>
      val error = failureOf(embedder.setModel(ColourImages.model.toString).transform(images).collect())
      assertError(error, "CLASSIFY_BAD_MODEL", "the model gives no embedding")
    }
  }

  test("it is saved, loaded and copied with all of its params") {
    TestData.withFolder { folder =>
      val saved = embedder.setBackend("onnx").setErrorCol("why").setHandleInvalid("keep")
      saved.save(folder.resolve("embedder").toString)
      val loaded = ImageEmbedder.load(folder.resolve("embedder").toString)
      assert(loaded.uid == saved.uid && loaded.explainParams() == saved.explainParams())
      assert(loaded.copy(loaded.extractParamMap()).explainParams() == saved.explainParams())
      assert(loaded.toString ==
        s"ImageEmbedder: uid=${saved.uid}, inputCol=path, model=$model, backend=onnx, handleInvalid=keep")
    }
  }
}
