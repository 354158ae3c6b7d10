package io.sparkclassify.execution

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, SharedSession, TestData}
import org.apache.spark.sql.Row

/** What depends on where a task is in its input is, above a call, what it would be without one. */
class InputPositionsSuite extends SharedSession {

  private val file = "input_file_name(), input_file_block_start(), input_file_block_length()"
  private val named = "substring_index(input_file_name(), '/', -1)"

  private val queries = Seq(
    s"SELECT id, k.class, $file FROM (SELECT id, CALL AS k FROM lists)",
    s"SELECT id, k.class FROM (SELECT id, CALL AS k FROM lists) WHERE k.confidence > 0 AND $named LIKE '%1.csv'",
    s"SELECT id, k.class FROM (SELECT id, CALL AS k FROM lists) WHERE $named LIKE '%1.csv' AND k.confidence > 0",
    s"SELECT id, $file, CALL.class FROM lists ORDER BY $named, id",
    s"""SELECT f, c, count(*), max(l) FROM
       |(SELECT $named AS f, CALL.class AS c, input_file_block_length() AS l FROM lists) GROUP BY f, c""".stripMargin,
    s"SELECT $named, CALL.class, count(*) FROM lists GROUP BY 1, 2",
    s"SELECT max(f), count(DISTINCT f) FROM (SELECT $named AS f, CALL AS k FROM lists) WHERE k.class_id >= 0",
    s"""SELECT id, row_number() OVER (PARTITION BY f ORDER BY id), k.class FROM
       |(SELECT id, CALL AS k, $named AS f FROM lists)""".stripMargin,
    s"SELECT id, e FROM (SELECT id, CALL AS k FROM lists) LATERAL VIEW explode(array(k.class, $named)) t AS e",
    s"SELECT l.id, k.class, $file FROM (SELECT id, CALL AS k FROM lists) l JOIN VALUES (0), (7), (20) AS v(id) ON l.id = v.id",
    s"SELECT id, k.class, x.class, $file FROM (SELECT id, CALL AS k, OTHER AS x FROM lists)",
    s"""SELECT id, c, $named FROM
       |(SELECT id, CALL.class AS c FROM lists UNION ALL SELECT id, OTHER.class AS c FROM lists)""".stripMargin,
    s"SELECT id, k.class, f, $named FROM (SELECT id, CALL AS k, $named AS f FROM lists)",
    "SELECT id, CALL.class, monotonically_increasing_id(), spark_partition_id(), rand(3) FROM lists",
    s"SELECT id, CALL.class, $file FROM parquet_lists",
    s"SELECT id, CALL.class, $file FROM lists_view"
  )

  /** `lists` over 12 files of CSV of 1 to 3 rows, `parquet_lists`, and the images that they name. */
  private def withLists(body: Path => Unit): Unit = TestData.withFolder { folder =>
    val images = Files.createDirectory(folder.resolve("images"))
    val lists = Files.createDirectory(folder.resolve("lists"))
    ColourImages.labels.indices.foreach(id => Files.write(images.resolve(s"$id.png"), ColourImages.file(id)))
    var id = 0
    (0 until 12).foreach { list =>
      val rows = (0 to list % 3).map { _ =>
        id += 1
        s"$id,$images/${id % 3}.png\n"
      }
      Files.write(lists.resolve(s"$list.csv"), rows.mkString.getBytes)
    }
    val schema = "id INT, path STRING"
    spark.read.schema(schema).csv(lists.toString).createOrReplaceTempView("lists")
    sql("SELECT * FROM lists").repartition(5).write.parquet(s"$folder/parquet")
    spark.read.parquet(s"$folder/parquet").createOrReplaceTempView("parquet_lists")
    sql("SELECT * FROM lists WHERE id > 2").createOrReplaceTempView("lists_view")
    withConf("spark.classify.backend" -> "onnx", "spark.classify.model" -> ColourImages.model.toString)(body(folder))
  }

  private val literal =
    "named_struct('class', element_at(array('red', 'green', 'blue'), id % 3 + 1), 'class_id', id % 3, 'confidence', 1.0)"

  private def rows(query: String, call: String, other: String): Seq[Row] =
    sql(query.replace("CALL", call).replace("OTHER", other)).collect().toSeq.sortBy(_.toString)

  private def assertLikeSpark(): Unit = queries.foreach { query =>
    val expected = rows(query, literal, literal)
    assert(expected.nonEmpty, query)
    assert(rows(query, "classify(path)", "try_classify('' || path)") == expected, query)
  }

  for (size <- Seq("1", "32"); adaptive <- Seq("true", "false"))
    test(s"files of rows, with batches of $size and adaptive execution $adaptive") {
      withLists { _ =>
        withConf("spark.classify.batchSize" -> size, "spark.sql.adaptive.enabled" -> adaptive)(assertLikeSpark())
      }
    }

  test("each file in a partition of its own, files that are split, sort-merge joins") {
    withLists { _ =>
      withConf("spark.sql.files.openCostInBytes" -> "128m")(assertLikeSpark())
      withConf("spark.sql.files.maxPartitionBytes" -> "60")(assertLikeSpark())
      withConf("spark.sql.autoBroadcastJoinThreshold" -> "-1")(assertLikeSpark())
      withConf("spark.sql.codegen.wholeStage" -> "false", "spark.sql.codegen.factoryMode" -> "NO_CODEGEN") {
        assertLikeSpark()
      }
      withConf("spark.sql.sources.useV1SourceList" -> "")(assertLikeSpark())
    }
  }

  test("a filter on the file's name spares the inferences of other files' rows") {
    withLists { _ =>
      val ran = io.sparkclassify.plans.Plans.run(
        sql(s"SELECT id, classify(path) AS k FROM lists WHERE classify(path).confidence > 0 AND $named = '2.csv'")
      )
      assert(ran.rows.size == 3 && ran.images == 3)
    }
  }

  test("the content of image files, in batches and in a stream") {
    withLists { folder =>
      val images = spark.read.format("binaryFile").load(s"$folder/images")
      val right = (0 to 2).map(id => Row(s"$id.png", ColourImages.labels(id))).toSet
      val columns = Seq("substring_index(input_file_name(), '/', -1) AS name", "classify(content).class AS class")
      assert(images.selectExpr(columns: _*).collect().toSet == right)
      val query = spark.readStream
        .schema(images.schema)
        .format("binaryFile")
        .load(s"$folder/images")
        .selectExpr(columns: _*)
        .writeStream
        .format("memory")
        .queryName("positions")
        .option("checkpointLocation", s"$folder/checkpoint")
        .trigger(org.apache.spark.sql.streaming.Trigger.AvailableNow())
        .start()
      query.awaitTermination()
      assert(sql("SELECT * FROM positions").collect().toSet == right)
    }
  }
}
