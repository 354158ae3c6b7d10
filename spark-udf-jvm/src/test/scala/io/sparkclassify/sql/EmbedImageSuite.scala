package io.sparkclassify.sql

import io.sparkclassify.{ColourImages, CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.plans.{Plans, Ran}
import java.nio.file.{Files, Path}

import org.apache.commons.io.FileUtils
import org.apache.spark.sql.Row
import org.apache.spark.sql.functions.{call_function, col, lit}
import org.apache.spark.sql.types._

/** `embed_image` and `try_embed_image`, on a model of classes whose embedding is how bright each colour is. */
class EmbedImageSuite extends SharedSession {

  private val model = ColourImages.model.resolveSibling("colour-embedding")

  /** A red, a green and a blue image, and one that is none, as the view `colours`. */
  private def withColours(body: Path => Unit): Unit = TestData.withFolder { folder =>
    val rows = (0 to 2).map(id => s"($id, '${Files.write(folder.resolve(s"$id.png"), ColourImages.file(id))}')")
    val bad = s"(3, '${Files.write(folder.resolve("bad.png"), "no image".getBytes)}')"
    sql(s"CREATE OR REPLACE TEMPORARY VIEW colours AS SELECT * FROM VALUES ${rows.mkString(", ")} AS t(id, path)")
    sql(
      s"CREATE OR REPLACE TEMPORARY VIEW mixed AS SELECT * FROM VALUES ${(rows :+ bad).mkString(", ")} AS t(id, path)"
    )
    body(folder)
  }

  private def call(function: String, engine: String, model: Path = model): String =
    s"$function(path, '$engine', '$model')"

  private def unit(id: Int): Seq[Float] = Seq.tabulate(3)(channel => if (channel == id) 1f else 0f)

  private def assertClose(actual: Seq[Float], expected: Seq[Float]): Unit = {
    assert(actual.length == expected.length)
    actual.zip(expected).foreach { case (a, b) => assert((a - b).abs < 1e-5f, s"$actual is not $expected") }
  }

  private def run(query: String): Ran = Plans.run(sql(query))

  test("the embedding of an image is an array of floats of length one, by both engines") {
    withColours { _ =>
      TestData.engines.foreach { engine =>
        val ran = run(s"SELECT id, ${call("embed_image", engine)} AS e FROM colours ORDER BY id")
        assert(ran.rows.length == 3 && ran.left.isEmpty)
        ran.rows.foreach(row => assertClose(row.getSeq[Float](1), unit(row.getInt(0))))
        assert(sql(s"SELECT ${call("embed_image", engine)} FROM colours").schema.head.dataType ==
          ArrayType(FloatType, containsNull = false))
      }
    }
  }

  test("paths, contents and NULL are taken, in SQL and in data frames") {
    withColours { folder =>
      val content = spark.read.format("binaryFile").load(folder.resolve("1.png").toString)
      val frame = content.select(call_function("embed_image", col("content"), lit("onnx"), lit(model.toString)))
      assertClose(frame.head().getSeq[Float](0), unit(1))
      val nothing =
        sql(s"SELECT embed_image(CAST(NULL AS STRING), 'onnx', '$model'), try_embed_image(CAST(NULL AS BINARY), " +
          s"model => '$model', backend => 'onnx')")
      assert(nothing.head() == Row(null, null))
      val row =
        sql(s"SELECT transform(array(path), p -> embed_image(p, 'onnx', '$model'))[0] FROM colours WHERE id = 2")
      assertClose(row.head().getSeq[Float](0), unit(2))
    }
  }

  test("classes and embedding of an image are read, decoded and run once") {
    withColours { folder =>
      TestData.engines.foreach { engine =>
        val (classify, embed) = (call("classify", engine), call("embed_image", engine))
        val colours = s"(SELECT id, 'counted:' || path AS path FROM colours)"
        Seq(
          s"SELECT id, $classify.class, $embed FROM $colours",
          s"SELECT id, ${call("try_classify", engine)}.class, ${call("try_embed_image", engine)}.embedding FROM $colours"
        ).foreach { query =>
          var ran: Ran = null
          assert(CountedFileSystem.opens { ran = run(query) } == 3, query)
          ran.rows.foreach { row =>
            assert(row.getString(1) == ColourImages.labels(row.getInt(0)))
            assertClose(row.getSeq[Float](2), unit(row.getInt(0)))
          }
          assert(ran.operators.length == 1 && ran.images == 3, query)
          // Each partition has one batch, and each batch one call.
          assert(ran.metric("batches") == ran.operators.head.execute().getNumPartitions, query)
        }
      }
    }
  }

  test("an embedding above a filter by class comes of the run that the filter needs") {
    withColours { _ =>
      TestData.engines.foreach { engine =>
        val (classify, embed) = (call("classify", engine), call("embed_image", engine))
        Seq(
          s"SELECT id, $embed FROM colours WHERE $classify.class = 'blue'",
          s"SELECT id, e FROM (SELECT id, $embed AS e, $classify.class AS c FROM colours) WHERE c = 'blue' LIMIT 3"
        ).foreach { query =>
          val ran = run(query)
          assert(ran.rows.map(_.getInt(0)) == Seq(2) && ran.left.isEmpty, query)
          assertClose(ran.rows.head.getSeq[Float](1), unit(2))
          assert(ran.operators.length == 1 && ran.images == 3, query)
        }
        // Another model's is made for the rows that are left.
        val other =
          run(s"SELECT $embed FROM colours WHERE ${call("classify", engine, ColourImages.model)}.class = 'blue'")
        assert(other.operators.length == 2 && other.images == 4)
      }
    }
  }

  test("a bad image is its row's error in try_embed_image, and fails embed_image") {
    withColours { folder =>
      TestData.engines.foreach { engine =>
        val rows =
          run(s"SELECT id, e.* FROM (SELECT id, ${call("try_embed_image", engine)} AS e FROM mixed) ORDER BY id").rows
        rows.init.foreach { row =>
          assertClose(row.getSeq[Float](1), unit(row.getInt(0)))
          assert(row.isNullAt(2))
        }
        assert(rows.last.isNullAt(1))
        assert(rows.last.getString(2).startsWith("[CLASSIFY_BAD_IMAGE] cannot use "), rows.last)
        val error = failure(s"SELECT ${call("embed_image", engine)} FROM mixed")
        assertError(error, "CLASSIFY_BAD_IMAGE", s"$folder/bad.png", "use try_embed_image")
      }
      val schema = sql(s"SELECT ${call("try_embed_image", "onnx")} AS e FROM mixed").schema.head.dataType
      assert(schema == new StructType().add("embedding", ArrayType(FloatType, containsNull = false)).add(
        "error",
        StringType
      ))
    }
  }

  test("a call that Spark compiles is one that it can compile") {
    withColours { folder =>
      withConf("spark.sql.codegen.fallback" -> "false", "spark.sql.codegen.factoryMode" -> "CODEGEN_ONLY") {
        val query =
          s"SELECT id, size(${call("embed_image", "onnx")}), ${call("classify", "onnx")}.class_id FROM colours"
        assert(sql(query).collect().forall(row => row.getInt(1) == 3 && row.getInt(0) == row.getInt(2)))
        assertError(
          failure(s"SELECT size(${call("embed_image", "onnx")}) FROM mixed"),
          "CLASSIFY_BAD_IMAGE",
          s"$folder"
        )
      }
    }
  }

  test("a model without embeddings, or without labels, is refused for what it does not give alone") {
    withColours { folder =>
      TestData.engines.foreach { engine =>
        val error = failure(s"SELECT ${call("try_embed_image", engine, ColourImages.model)} FROM colours")
        assertError(error, "CLASSIFY_BAD_MODEL", "the model gives no embedding", "spark-classify export --embeddings")
        val unlabelled = folder.resolve(s"unlabelled-$engine")
        FileUtils.copyDirectory(model.toFile, unlabelled.toFile)
        Files.writeString(unlabelled.resolve("config.json"), """{"normalize": false}""")
        val rows = run(s"SELECT id, ${call("embed_image", engine, unlabelled)} FROM colours").rows
        rows.foreach(row => assertClose(row.getSeq[Float](1), unit(row.getInt(0))))
        val missing = failure(s"SELECT ${call("try_classify", engine, unlabelled)} FROM colours")
        assertError(missing, "CLASSIFY_BAD_MODEL", "config.json", "field `id2label`: is missing")
      }
    }
  }

  test("a permanent view may embed, and plans show what is done") {
    withColours { folder =>
      sql(s"CREATE TABLE embedded_paths AS SELECT '$folder/0.png' AS path")
      sql(s"CREATE VIEW embedded AS SELECT ${call("embed_image", "onnx")} AS e FROM embedded_paths")
      try {
        assertClose(spark.table("embedded").head().getSeq[Float](0), unit(0))
        val plan = spark.table("embedded").queryExecution.executedPlan.toString
        assert(plan.contains("Classify [embed_image(path"), plan)
      } finally {
        sql("DROP VIEW embedded")
        sql("DROP TABLE embedded_paths")
      }
    }
  }
}
