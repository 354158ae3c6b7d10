package io.sparkclassify.sql

import java.io.File
import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._

import com.fasterxml.jackson.databind.ObjectMapper
import io.sparkclassify.{ColourImages, Condition, CountedFileSystem, SharedSession, TestData}
import io.sparkclassify.conf.ClassifyConf
import io.sparkclassify.plans.{Plans, Ran}
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.functions.{call_function, col}
import org.apache.spark.sql.types._

/** `image_hash` and `try_image_hash`, against what the Python package imagehash says (`scripts/hash_cases.py`). */
class ImageHashSuite extends SharedSession {

  /** pHash and dHash, as hexadecimal numbers, by the path of the image. */
  private val golden: Map[String, (String, String)] = {
    val images = new ObjectMapper().readTree(new File("tests/golden/hashes.json")).get("images")
    images.fieldNames.asScala.map { path =>
      (path, (images.get(path).get("phash").asText, images.get(path).get("dhash").asText))
    }.toMap - "tests/golden/images/grey_ramp.gif" // Pillow does not look at its palette.
  }

  private def expected(path: String): (Long, Long) = {
    val (phash, dhash) = golden(path)
    (java.lang.Long.parseUnsignedLong(phash, 16), java.lang.Long.parseUnsignedLong(dhash, 16))
  }

  private def hashes(row: Row): (Long, Long) = (row.getLong(0), row.getLong(1))

  /** The images as the view `images`, of their paths. */
  private def ofGolden(): DataFrame = {
    val paths = golden.keys.toSeq.sorted.map(Row(_))
    val frame = spark.createDataFrame(
      spark.sparkContext.parallelize(paths, 2),
      new StructType().add("path", StringType)
    )
    frame.createOrReplaceTempView("images")
    frame
  }

  /** Two images of other colours and a file that is none, as the view `mixed` of `id` and `path`. */
  private def withMixed(body: Path => Unit): Unit = TestData.withFolder { folder =>
    val rows = (0 to 1).map(id => s"($id, '${Files.write(folder.resolve(s"$id.png"), ColourImages.file(id))}')")
    val bad = s"(2, '${Files.write(folder.resolve("bad.png"), "no image".getBytes)}')"
    sql(
      s"CREATE OR REPLACE TEMPORARY VIEW mixed AS SELECT * FROM VALUES ${(rows :+ bad).mkString(", ")} AS t(id, path)"
    )
    body(folder)
  }

  private def run(query: String): Ran = Plans.run(sql(query))

  test("hashes have the bits of imagehash, of paths, contents and the structs of the image source") {
    ofGolden()
    val ran = run("SELECT path, image_hash(path) AS h, try_image_hash(path) AS t FROM images")
    assert(ran.rows.length == golden.size && ran.left.isEmpty && ran.images == golden.size)
    ran.rows.foreach { row =>
      assert(hashes(row.getStruct(1)) == expected(row.getString(0)), row)
      assert(hashes(row.getStruct(2)) == expected(row.getString(0)) && row.getStruct(2).isNullAt(2), row)
    }
    val name = "dataset/all_images/id_0002.png"
    val content = spark.read.format("binaryFile").load(name).select(call_function("image_hash", col("content")))
    assert(hashes(content.head().getStruct(0)) == expected(name))
    val pixels = spark.read.format("image").load(name).select(call_function("image_hash", col("image")))
    assert(hashes(pixels.head().getStruct(0)) == expected(name))
    val nothing = "SELECT image_hash(CAST(NULL AS STRING)), try_image_hash(CAST(NULL AS BINARY))"
    assert(sql(nothing).head() == Row(null, null))
    val byRow = s"SELECT transform(array('$name'), p -> image_hash(p))[0]"
    assert(hashes(sql(byRow).head().getStruct(0)) == expected(name))
  }

  test("the results have types that say what may be NULL") {
    ofGolden()
    val schema = sql("SELECT image_hash(path) AS h, try_image_hash(path) AS t FROM images").schema
    assert(schema("h").dataType ==
      new StructType().add("phash", LongType, nullable = false).add("dhash", LongType, nullable = false))
    assert(schema("t").dataType == new StructType().add("phash", LongType).add("dhash", LongType).add(
      "error",
      StringType
    ))
    assertError(
      failureOf(sql("SELECT image_hash(path, 'onnx') FROM images")),
      "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
      "image_hash"
    )
    assertError(failureOf(sql("SELECT image_hash(1)")), "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "image_hash")
  }

  test("a bad image is its row's error in try_image_hash, and fails image_hash") {
    withMixed { folder =>
      val rows = run("SELECT id, h.* FROM (SELECT id, try_image_hash(path) AS h FROM mixed) ORDER BY id").rows
      rows.init.foreach(row => assert(!row.isNullAt(1) && !row.isNullAt(2) && row.isNullAt(3), row))
      assert(rows.last.isNullAt(1) && rows.last.isNullAt(2))
      assert(rows.last.getString(3).startsWith("[CLASSIFY_BAD_IMAGE] cannot use "), rows.last)
      val query = "SELECT image_hash(path) FROM mixed"
      assertError(failure(query), "CLASSIFY_BAD_IMAGE", s"$folder/bad.png", "use try_image_hash")
      withConf("spark.sql.codegen.fallback" -> "false", "spark.sql.codegen.factoryMode" -> "CODEGEN_ONLY") {
        assert(sql("SELECT image_hash(path).phash FROM mixed WHERE id < 2").collect().length == 2)
        assertError(failure("SELECT image_hash(path).dhash FROM mixed"), "CLASSIFY_BAD_IMAGE", "use try_image_hash")
      }
      val limit = failure("SELECT image_hash('no/such.png')")
      assertError(limit, "CLASSIFY_UNREADABLE_IMAGE", "no/such.png", "use try_image_hash")
    }
  }

  test("limits and orientation count as for models, and a decoder's shortcut does not") {
    val name = "dataset/all_images/id_0001.jpg"
    withConf(ClassifyConf.ImageMaxPixels.key -> "65536") {
      val error = sql(s"SELECT try_image_hash('$name').error").head().getString(0)
      assert(error.contains("over the limit") && error.contains(ClassifyConf.ImageMaxPixels.key), error)
    }
    withConf(ClassifyConf.Decode.key -> ClassifyConf.FastDecode) {
      assert(hashes(sql(s"SELECT image_hash('$name')").head().getStruct(0)) == expected(name))
    }
    val cases = new ObjectMapper().readTree(new File("tests/golden/orientation.json")).get("cases")
    val turned = s"image_hash(unbase64('${cases.get("jpeg/exif/short_6_little").get("file").asText}'))"
    val plain = sql(s"SELECT $turned").head()
    withConf(ClassifyConf.ImageExifTranspose.key -> "true")(assert(sql(s"SELECT $turned").head() != plain))
  }

  test("no model need be configured, and none is loaded") {
    ofGolden()
    val model = spark.conf.get(ClassifyConf.Model.key)
    spark.conf.unset(ClassifyConf.Model.key)
    try {
      val configured = failureOf(sql("SELECT classify(path) FROM images"))
      assertError(configured, "CLASSIFY_BAD_CONFIGURATION", ClassifyConf.Model.key)
      assert(run("SELECT image_hash(path) FROM images").images == golden.size)
    } finally spark.conf.set(ClassifyConf.Model.key, model)
    val error = failure("SELECT classify('x', 'onnx', 'hashes:')")
    assert(Condition.of(error).startsWith("CLASSIFY_"), error)
  }

  test("plans show the call, and one operator reads an image once for its class and its hashes") {
    withMixed { folder =>
      val classify = s"classify(path, 'onnx', '${ColourImages.model}')"
      val good = "(SELECT id, 'counted:' || path AS path FROM mixed WHERE id < 2)"
      var ran: Ran = null
      val opened = CountedFileSystem.opens {
        ran = run(s"SELECT id, $classify.class, image_hash(path).phash, image_hash(path).dhash FROM $good")
      }
      assert(opened == 2 && ran.operators.length == 1 && ran.images == 2)
      assert(ran.rows.forall(row => row.getString(1) == ColourImages.labels(row.getInt(0))))
      val plan = sql("SELECT image_hash(path) FROM mixed").queryExecution.executedPlan.toString
      assert(plan.contains("Classify [image_hash(path"), plan)
      assert(plan.contains("image_hash(path#") && !plan.contains("hashes:"), plan)
    }
  }

  test("a call in a branch is made for the rows that take it") {
    withMixed { _ =>
      val ran = run("SELECT id, CASE WHEN id = 1 THEN image_hash(path).phash END FROM mixed")
      assert(ran.images == 1 && ran.rows.count(row => !row.isNullAt(1)) == 1)
      val filtered = run("SELECT id FROM mixed WHERE id < 2 AND image_hash(path).dhash = 0")
      assert(filtered.images == 2 && filtered.rows.length == 2)
    }
  }

  test("the examples of the documentation find the copies") {
    val page = Files.readString(Path.of("docs/embeddings.md")).split("## Duplicates by hash").last
    val blocks = "(?s)```sql\n(.*?)```".r.findAllMatchIn(page).map(_.group(1)).mkString(";")
    val statements = blocks.replaceAll("--.*", "").split(";").map(_.trim).filter(_.nonEmpty)
    TestData.withFolder { folder =>
      val (first, copy, other) = (TestData.image("0001.jpg"), folder.resolve("small.png"), TestData.image("0003.jpg"))
      val picture = javax.imageio.ImageIO.read(first.toFile)
      val small = new java.awt.image.BufferedImage(300, 188, java.awt.image.BufferedImage.TYPE_INT_RGB)
      val graphics = small.createGraphics()
      graphics.drawImage(picture.getScaledInstance(300, 188, java.awt.Image.SCALE_AREA_AVERAGING), 0, 0, null)
      graphics.dispose()
      assert(javax.imageio.ImageIO.write(small, "png", copy.toFile))
      val values = Seq(first, copy, other).map(path => s"('$path')").mkString(", ")
      sql(s"CREATE OR REPLACE TEMPORARY VIEW images AS SELECT * FROM VALUES $values AS t(path)")
      try {
        val selected = statements.map(statement => statement -> sql(statement).collect().toSeq).collect {
          case (statement, rows) if !statement.startsWith("CREATE") => rows
        }
        assert(selected.length == 2)
        selected.foreach { rows =>
          assert(rows.map(row => Set(row.getString(0), row.getString(1))) == Seq(Set(s"$first", s"$copy")))
        }
      } finally sql("DROP TABLE IF EXISTS hashes")
    }
  }

  test("DESCRIBE FUNCTION EXTENDED explains both functions") {
    Seq("image_hash", "try_image_hash").foreach { name =>
      val text = sql(s"DESCRIBE FUNCTION EXTENDED $name").collect().map(_.getString(0)).mkString("\n")
      Seq(s"$name(input)", "image data source", "STRUCT<", "Since: 0.1.0").foreach { part =>
        assert(text.contains(part), text)
      }
      assert(!text.contains("_FUNC_"), text)
    }
  }
}
