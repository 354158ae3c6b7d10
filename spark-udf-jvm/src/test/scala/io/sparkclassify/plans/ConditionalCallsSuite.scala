package io.sparkclassify.plans

import java.nio.file.Files

import io.sparkclassify.{ColourImages, CountedFileSystem, SharedSession, TestData}
import org.apache.spark.sql.Row
import org.apache.spark.sql.api.java.{UDF1, UDF2}
import org.apache.spark.sql.functions.{call_function, col, lit, when}
import org.apache.spark.sql.types.{ArrayType, StructType}

/** A call in a branch is made for the rows that take the branch. */
class ConditionalCallsSuite extends SharedSession {

  private val count = 12

  /**
   * `images` in two partitions: `path`; `id` from 0 on; `kind`, a photo, a card, a scan or NULL in turns; and `known`,
   * the class of the first eight. `known_class` and `known_topk` are the right answers.
   */
  private def withImages(body: => Unit): Unit = TestData.withFolder { folder =>
    val kinds = Seq("photo", "card", "scan", null)
    val rows = (0 until count).map { id =>
      Files.write(folder.resolve(s"$id.png"), ColourImages.file(id % 3))
      (s"counted:$folder/$id.png", id, kinds(id % 4), if (id < 8) ColourImages.labels(id % 3) else null)
    }
    spark
      .createDataFrame(spark.sparkContext.parallelize(rows, 2))
      .toDF("path", "id", "kind", "known")
      .write
      .parquet(s"$folder/images")
    spark.read.parquet(s"$folder/images").createOrReplaceTempView("images")
    val ofOne: UDF1[String, Row] = path => if (path == null) null else Known(path)
    spark.udf.register("known_class", ofOne, Known.dataType)
    val ofTop: UDF2[String, Integer, Seq[Row]] = (path, _) => Seq(Known(path))
    spark.udf.register("known_topk", ofTop, ArrayType(Known.dataType))
    spark.udf.register("is_photo", (kind: String) => kind == "photo")
    withConf("spark.classify.backend" -> "onnx", "spark.classify.model" -> ColourImages.model.toString)(body)
  }

  /** The query with the right answers for its calls. */
  private def answered(query: String): String =
    query.replace(", 'pytorch'", "").replaceAll("\\b(try_)?classify\\(", "known_class(").replace(
      "classify_topk(",
      "known_topk("
    )

  /** That a query gives the right rows, and classifies, and reads, so many images in so many operators. */
  private def assertNeeds(query: String, images: Int, operators: Int = 1): Unit = {
    var ran: Ran = null
    val opened = CountedFileSystem.opens { ran = Plans.run(sql(query)) }
    val expected = sql(answered(query)).collect().toSeq
    assert(ran.rows.sortBy(_.toString) == expected.sortBy(_.toString), query)
    assert(ran.left.isEmpty && ran.operators.size == operators, sql(query).queryExecution)
    assert(ran.images == images && opened == images, sql(query).queryExecution)
  }

  private val call = "classify(path).class"

  private def queries(name: String)(cases: (String, Int)*): Unit = test(name) {
    withImages(cases.foreach { case (expression, images) =>
      assertNeeds(s"SELECT id, $expression FROM images", images)
    })
  }

  queries("CASE and IF")(
    s"CASE WHEN kind = 'photo' THEN $call END" -> 3,
    s"CASE WHEN kind = 'photo' THEN 'x' ELSE $call END" -> 9,
    s"CASE kind WHEN 'photo' THEN $call WHEN 'card' THEN 'x' ELSE $call END" -> 9,
    s"CASE WHEN id < 4 THEN 'x' WHEN id < 6 THEN $call WHEN id < 8 THEN 'y' WHEN id < 9 THEN $call END" -> 3,
    s"CASE WHEN kind = 'card' THEN 'x' WHEN $call = 'red' THEN 'y' END" -> 9,
    s"IF(kind = 'photo', $call, 'x')" -> 3,
    s"IF(kind = 'photo', 'x', $call)" -> 9,
    s"IF(kind IN ('photo', 'card'), IF(id > 5, $call, 'x'), 'y')" -> 2,
    s"IF(kind = 'photo', concat('x', $call), NULL)" -> 3,
    s"IF($call = 'red', 'x', 'y')" -> 12,
    "IF(kind = 'photo', try_classify(path).error, 'x')" -> 3,
    "IF(kind = 'photo', classify_topk(path, 1)[0].class, 'x')" -> 3,
    "IF(kind = 'photo', classify(path).class, classify_topk(path, 1)[0].class)" -> 12
  )

  queries("COALESCE and what becomes of it or IF")(
    s"coalesce(known, $call)" -> 4,
    s"coalesce(known, IF(id < 10, 'x', NULL), $call)" -> 2,
    s"nvl(known, $call)" -> 4,
    s"ifnull(known, $call)" -> 4,
    s"nvl2(known, 'x', $call)" -> 4,
    s"nvl2(known, $call, 'x')" -> 8,
    s"nullif($call, 'red')" -> 12,
    "nanvl(IF(kind = 'photo', double('NaN'), 1), classify(path).class_id)" -> 3
  )

  queries("AND and OR, whose second side is needed where the first is NULL")(
    s"kind = 'photo' AND $call = 'red'" -> 6,
    s"kind = 'photo' OR $call = 'red'" -> 9,
    s"NOT (kind = 'photo' AND $call = 'red')" -> 6,
    s"$call = 'red' AND kind = 'photo'" -> 12,
    s"id > 5 AND (kind = 'photo' OR $call = 'red')" -> 5,
    s"IF(kind = 'photo' AND $call = 'red', 'x', 'y')" -> 3
  )

  queries("equal calls, of which any may need a row")(
    s"IF(kind = 'photo', $call, 'x'), $call" -> 12,
    s"IF(kind = 'photo', $call, 'x'), IF(kind = 'card', classify(path).class_id, 1)" -> 6,
    s"IF(kind = 'photo', $call, 'x'), IF(kind = 'photo', classify(path).class_id, 1)" -> 3,
    s"IF(kind = 'photo', $call, 'x'), IF(kind = 'card', classify_topk(path, 1)[0].class, 'y')" -> 6,
    s"IF(kind = 'photo', $call, 'x'), coalesce(known, $call)" -> 6
  )

  queries("conditions of many kinds")(
    s"IF(exists(array(kind, 'x'), k -> k = 'photo'), $call, 'x')" -> 3,
    s"IF(id < (SELECT max(id) - 6 FROM images), $call, 'x')" -> 5,
    s"IF(kind LIKE 'ph%' AND length(kind) = 5, $call, 'x')" -> 3,
    s"""IF(from_json('{"a": ' || id || '}', 'a INT').a < 2, $call, 'x')""" -> 2,
    // Not these.
    s"IF(rand(1) >= 0, $call, 'x')" -> 12,
    s"IF(is_photo(kind), $call, 'x')" -> 12,
    s"IF(id IN (SELECT id + 6 FROM images), $call, 'x')" -> 12,
    s"IF(id > 3, IF(is_photo(kind), $call, 'x'), 'y')" -> 8,
    s"transform(array(1, 2), n -> IF(n > 1, $call, 'x'))" -> 12,
    s"transform(array(1, 2), n -> IF(id > 3, $call, 'x'))" -> 8
  )

  test("aggregates, filters, joins, windows and sorts") {
    withImages {
      assertNeeds(s"SELECT count(*) FILTER (WHERE kind = 'photo' AND $call = 'red') FROM images", 3)
      assertNeeds(s"SELECT max($call) FILTER (WHERE kind = 'photo'), count(*) FROM images", 3)
      assertNeeds(s"SELECT count(DISTINCT CASE WHEN kind = 'photo' THEN $call END) FROM images", 3)
      assertNeeds(s"SELECT IF(kind = 'photo', $call, 'x'), count(*) FROM images GROUP BY 1", 3)
      assertNeeds(s"SELECT kind, IF(kind = 'photo', max($call), 'x') FROM images GROUP BY kind", 12)
      assertNeeds(s"SELECT kind, IF(kind = 'photo', classify(max(path)).class, 'x') FROM images GROUP BY kind", 1)
      assertNeeds("SELECT kind FROM images GROUP BY kind HAVING kind = 'card' OR classify(max(path)).class = 'red'", 3)
      assertNeeds(s"SELECT id FROM images WHERE kind = 'photo' OR $call = 'red'", 9)
      assertNeeds(s"SELECT id FROM images WHERE NOT (kind = 'photo' AND $call = 'red')", 6)
      assertNeeds(s"SELECT id, v FROM images LEFT JOIN VALUES ('red') AS c(v) ON kind = 'photo' AND $call = v", 3)
      assertNeeds(s"SELECT id, max(IF(kind = 'photo', $call, 'a')) OVER (ORDER BY id) FROM images", 3)
      assertNeeds(s"SELECT id, IF(kind = 'photo', max($call) OVER (ORDER BY id), 'x') FROM images", 12)
      assertNeeds(s"SELECT id FROM images ORDER BY IF(kind = 'photo', $call, 'a'), id", 3)
      assertNeeds(s"SELECT id, CASE WHEN kind = 'photo' THEN $call END FROM images ORDER BY id LIMIT 5", 2)
      assertNeeds(s"SELECT id, IF(e > 2, $call, 'x') FROM images LATERAL VIEW explode(sequence(1, 3)) t AS e", 12)
      assertNeeds(s"SELECT id, IF(id > 2, $call, 'x') FROM images LATERAL VIEW explode(sequence(1, 3)) t AS e", 9)
      assertNeeds(s"SELECT i.id, IF(i.kind = 'photo', $call, 'x') FROM images i CROSS JOIN range(5)", 3)
      assertNeeds(
        s"SELECT IF(kind = 'photo', $call, 'x') FROM images UNION ALL SELECT $call FROM images WHERE id < 2",
        5,
        2
      )
    }
  }

  test("what an outer join fills up with NULLs is no result of a call above it") {
    withImages {
      val first = sql("SELECT path FROM images WHERE id = 0").head().getString(0)
      Seq(
        s"""SELECT a.id, classify(coalesce(b.path, '$first')).class
           |FROM images a LEFT JOIN (SELECT id + 6 AS id, path FROM images) b
           |ON a.id = b.id AND classify(coalesce(b.path, '$first')).class = a.known""".stripMargin,
        """SELECT l.id, classify(r.path).class FROM images l
          |LEFT JOIN (SELECT * FROM images WHERE id > 3 OR classify(path).class = 'red') r
          |ON l.id = r.id AND (r.kind <> 'photo' OR classify(r.path).class = l.known)""".stripMargin,
        """SELECT l.id, classify(r.path).class FROM images l FULL JOIN images r
          |ON l.id = r.id + 1 AND r.kind = 'photo' AND classify(r.path).class = 'red'""".stripMargin
      ).foreach { query =>
        val rows = Plans.run(sql(query)).rows
        assert(rows.sortBy(_.toString) == sql(answered(query)).collect().toSeq.sortBy(_.toString), query)
      }
    }
  }

  test("a column with a condition that is computed, filtered and shown is one inference") {
    withImages {
      val conditional = "(SELECT id, kind, path, CASE WHEN kind = 'photo' THEN classify(path) END AS c FROM images)"
      assertNeeds(s"SELECT id, c.class FROM $conditional WHERE c.class_id >= 1", 3)
      assertNeeds(s"SELECT id, c.class FROM $conditional WHERE c.class_id >= 1 ORDER BY c.class", 3)
      // What is above a filter may need more rows than the filter.
      assertNeeds(s"SELECT id, $call FROM $conditional WHERE c.class_id >= 1 OR id > 9", 12)
      assertNeeds(s"SELECT id, IF(id > 9, $call, 'x') FROM $conditional WHERE c.class_id >= 1 OR id > 7", 5)
    }
  }

  test("a column of a subquery that is used in several branches, and nowhere else") {
    withImages {
      val all = "(SELECT id, kind, classify(path) AS c FROM images)"
      val branches = "IF(kind = 'photo', c.class, 'x'), IF(kind = 'photo', c.class_id, 1)"
      assertNeeds(s"SELECT id, $branches FROM $all", 3)
      assertNeeds(s"SELECT id, $branches, c.class FROM $all", 12)
      assertNeeds(s"SELECT max(IF(kind = 'photo', c.class, 'a')), max(IF(kind = 'card', c.class, 'b')) FROM $all", 6)
      assertNeeds(s"SELECT count_if(kind = 'photo' AND c.class = 'red'), count_if(c.class = 'red') FROM $all", 12)
      assertNeeds(s"SELECT id, $branches FROM $all WHERE c.class_id >= 0", 12)
      assertNeeds(s"SELECT id, $branches FROM $all ORDER BY id LIMIT 5", 2)
    }
  }

  test("a condition on one inference decides which rows need another") {
    withImages {
      val second = "classify(path, 'pytorch').class"
      assertNeeds(s"SELECT id, CASE WHEN $call = 'red' THEN $second END FROM images", 16, 2)
      assertNeeds(s"SELECT id, IF($call = 'red', $second, $call) FROM images", 16, 2)
      assertNeeds(s"SELECT id FROM images WHERE $call = 'red' AND $second = 'red'", 16, 2)
      assertNeeds(s"SELECT id, $second FROM images WHERE $call = 'red' AND $second = 'red' AND id < 6", 8, 2)
      assertNeeds(s"SELECT id, coalesce(classify(IF(id < 4, path, NULL)).class, $second) FROM images", 12, 2)
      assertNeeds(s"SELECT id, IF(kind = 'photo', IF($call = 'red', $second, 'x'), 'y') FROM images", 4, 2)
      assertNeeds(s"SELECT count(*) FILTER (WHERE $call = 'red' AND $second = 'red') FROM images", 16, 2)
      assertNeeds(
        s"""SELECT id, CASE WHEN c.class_id > 0 THEN c.class ELSE $second END AS class
           |FROM (SELECT id, path, classify(path) AS c FROM images)""".stripMargin,
        16,
        2
      )
      // Each of them decides on the other: that does one of them alone.
      val both = s"IF(id < 6, IF($call = 'red', $second, 'x'), IF($second = 'red', $call, 'y'))"
      assertNeeds(s"SELECT id, $both FROM images", 20, 2)
    }
  }

  test("a bad image fails no query whose branch its row does not take") {
    withImages {
      val kinds = "(SELECT id, kind, IF(kind = 'photo', path, 'counted:/none/' || id || '.png') AS path FROM images)"
      assertNeeds(s"SELECT id, CASE WHEN kind = 'photo' THEN $call END FROM $kinds", 3)
      assertNeeds(s"SELECT id FROM $kinds WHERE kind <=> 'photo' AND $call = 'red'", 3)
      assertError(
        failure(s"SELECT IF(kind = 'card', $call, 'x') FROM $kinds"),
        "CLASSIFY_UNREADABLE_IMAGE",
        "counted:/none/"
      )
      // The one that decides is bad.
      assertError(
        failure(s"SELECT IF($call = 'red', classify(path, 'pytorch').class, 'x') FROM $kinds"),
        "CLASSIFY_UNREADABLE_IMAGE"
      )
    }
  }

  test("a condition throws where Spark evaluates it, and nowhere else") {
    withImages {
      withConf("spark.sql.ansi.enabled" -> "true") {
        assertNeeds(s"SELECT id, CASE WHEN id > 0 THEN IF(12 / id > 3, $call, 'x') END FROM images", 3)
        assertNeeds(s"SELECT id, id > 0 AND 12 / id > 3 AND $call = 'red' FROM images", 3)
        assertNeeds(
          s"SELECT id, IF(12 / id > 3, $call, 'x') FROM images WHERE kind = 'card' AND $call = 'blue' OR id > 0",
          5
        )
        assertError(failure(s"SELECT IF(12 / id > 3, $call, 'x') FROM images"), "DIVIDE_BY_ZERO")
      }
    }
  }

  test("EXPLAIN shows which rows are classified") {
    withImages {
      def explained(query: String) = sql("EXPLAIN " + query).head().getString(0).replaceAll("#\\d+L?", "")
      val model = s"onnx, ${ColourImages.model.toUri.toString.replaceAll("/+$", "").replace("file:///", "file:/")}"
      def shows(expression: String, condition: String): Unit = {
        val text = explained(s"SELECT $expression FROM images")
        assert(text.contains(s"Classify [classify(path WHERE $condition, $model)]"), text)
      }
      shows(s"CASE WHEN kind = 'photo' THEN $call END", "(kind = photo)")
      shows(s"coalesce(known, $call)", "isnull(known)")
      shows(s"IF(id = 1, 'x', $call)", "NOT ((id = 1) <=> true)")
      shows(s"kind = 'photo' AND $call = 'red'", "NOT ((kind = photo) <=> false)")
      assert(
        explained(s"SELECT $call, IF(id = 1, 'x', $call) FROM images").contains(s"Classify [classify(path, $model)]")
      )
    }
  }

  test("batches are full of images, however few rows have one") {
    withImages {
      spark
        .range(0, 2000, 1, 1)
        .selectExpr("id AS row", s"(SELECT max(path) FROM images) AS path")
        .createOrReplaceTempView("rows")
      val ran = Plans.run(sql(s"SELECT row, IF(row % 50 = 0, $call, NULL) AS c FROM rows"))
      assert(ran.rows.map(_.getLong(0)) == (0 until 2000))
      assert(ran.rows.count(!_.isNullAt(1)) == 40)
      assert(ran.images == 40 && ran.metric("batches") == 2)
    }
  }

  test("a batch does not wait for images where rows are large") {
    withImages {
      spark
        .range(0, 2000, 1, 1)
        .selectExpr("id AS row", s"(SELECT max(path) FROM images) AS path", "repeat(row % 10, 100000) AS padding")
        .repartition(1, col("row"))
        .createOrReplaceTempView("rows")
      val ran = Plans.run(sql(s"SELECT row, length(padding), IF(row % 50 = 0, $call, NULL) AS c FROM rows"))
      assert(ran.rows.size == 2000 && ran.rows.forall(_.getInt(1) == 100000))
      assert(ran.images == 40 && ran.metric("batches") > 10)
    }
  }

  test("the DataFrame API's when and otherwise") {
    withImages {
      val call = call_function("classify", col("path"), lit("onnx")).getField("class")
      val ran = Plans.run(
        spark.table("images").select(col("id"), when(col("kind") === "photo", call).otherwise("x").as("c"))
      )
      assert(ran.images == 3 && ran.left.isEmpty)
    }
  }

  test("random conditions give what they give with the known classes, and few rows are classified in vain") {
    withImages {
      spark
        .sql("SELECT *, IF(id % 5 = 0, NULL, id % 2 = 0) AS a, IF(id % 7 = 0, NULL, id % 3 < 2) AS b FROM images")
        .createOrReplaceTempView("flags")
      val flags = sql("SELECT id, a, b FROM flags").collect().toSeq.map { row =>
        RandomCondition.Row(row.getInt(0), RandomCondition.flag(row, 1), RandomCondition.flag(row, 2))
      }
      (1 to 30).foreach { seed =>
        val random = new scala.util.Random(seed)
        val conditions = Seq.fill(1 + random.nextInt(2))(RandomCondition.draw(random, depth = 4))
        val columns = conditions.map(_.sql).mkString(", ")
        val needed = flags.count(row => conditions.map(_.evaluate(row)).exists(_.calls))
        val queries = Seq(
          s"SELECT id, $columns FROM flags",
          s"SELECT id FROM flags WHERE ${conditions.map(_.sql).mkString(" OR ")}",
          s"SELECT ${conditions.map(condition => s"count(*) FILTER (WHERE ${condition.sql})").mkString(", ")} FROM flags"
        )
        queries.foreach { query =>
          val ran = Plans.run(sql(query))
          assert(ran.rows.toSet == sql(answered(query)).collect().toSet, query)
          assert(ran.left.isEmpty && ran.images <= needed, s"$seed: $query")
        }
      }
    }
  }
}

/** The right answer for an image whose file is called by its id. */
private object Known {
  val dataType: StructType = StructType.fromDDL("class STRING, class_id INT, error STRING")

  def apply(path: String): Row = {
    val classId = path.replaceAll(".*/|\\.png", "").toInt % 3
    Row(ColourImages.labels(classId), classId, null)
  }
}
