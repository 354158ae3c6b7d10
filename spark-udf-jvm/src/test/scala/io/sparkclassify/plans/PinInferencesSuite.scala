package io.sparkclassify.plans

import java.nio.file.Files

import io.sparkclassify.{ColourImages, CountedFileSystem, SharedSession, TestData}

/** Of columns that are equal, only that is classified which a query names. */
class PinInferencesSuite extends SharedSession {

  private val count = 6

  /** `a` and `b` have the same paths; `id` is that of the path, and `k` the name of its class. */
  private def withTables(body: => Unit): Unit = TestData.withFolder { folder =>
    val rows = (0 until count).map { id =>
      Files.write(folder.resolve(s"$id.png"), ColourImages.file(id % 3))
      (s"counted:$folder/$id.png", id, ColourImages.labels(id % 3))
    }
    Seq("a", "b", "c").foreach { name =>
      spark.createDataFrame(rows).toDF("path", "id", "k").write.parquet(s"$folder/$name")
      spark.read.parquet(s"$folder/$name").createOrReplaceTempView(name)
    }
    withConf("spark.classify.backend" -> "onnx", "spark.classify.model" -> ColourImages.model.toString)(body)
  }

  /** Queries, the number of images that they classify, and the number of their rows. */
  private val queries = Seq(
    ("SELECT a.id FROM a JOIN b ON a.path = b.path WHERE classify(a.path).class = 'red'", 6, 2),
    ("SELECT a.id FROM a JOIN b ON a.path = b.path WHERE classify(b.path).class = 'red'", 6, 2),
    ("SELECT a.id FROM a JOIN b ON a.path = b.path AND classify(a.path).class = 'red'", 6, 2),
    ("SELECT a.id FROM a JOIN b USING (path) WHERE classify(path).class = 'red'", 6, 2),
    ("SELECT x.id FROM a x JOIN a y ON x.path = y.path WHERE classify(x.path).class = 'red'", 6, 2),
    ("SELECT a.id FROM a LEFT JOIN b ON a.path = b.path WHERE classify(a.path).class = 'red'", 6, 2),
    ("SELECT a.id FROM a LEFT JOIN b ON a.path = b.path AND classify(a.path).class = 'red'", 6, 6),
    ("SELECT b.id FROM a RIGHT JOIN b ON a.path = b.path WHERE classify(b.path).class = 'red'", 6, 2),
    ("SELECT a.id FROM a FULL JOIN b ON a.path = b.path WHERE classify(a.path).class = 'red'", 6, 2),
    ("SELECT id FROM a LEFT SEMI JOIN b ON a.path = b.path WHERE classify(path).class = 'red'", 6, 2),
    ("SELECT id FROM a LEFT ANTI JOIN b ON a.path = b.path WHERE classify(path).class = 'red'", 6, 0),
    ("SELECT id FROM a WHERE path IN (SELECT path FROM b) AND classify(path).class = 'red'", 6, 2),
    ("SELECT id FROM a WHERE path IN (SELECT path FROM b WHERE classify(path).class = 'red')", 6, 2),
    ("SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.path = a.path) AND classify(path).class = 'red'", 6, 2),
    (
      "SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.path = a.path AND classify(b.path).class = 'red')",
      6,
      4
    ),
    (
      "SELECT a.id FROM a JOIN b ON a.path = b.path JOIN c ON b.path = c.path WHERE classify(a.path).class IN ('red', 'blue')",
      6,
      4
    ),
    (
      """SELECT x.id FROM (SELECT path AS p, id FROM a) x JOIN (SELECT path AS q FROM b) y ON x.p = y.q
        |WHERE classify(x.p).class = 'red' AND classify(x.p).confidence > 0""".stripMargin,
      6,
      2
    ),
    (
      "SELECT x.id FROM (SELECT id, path, classify(path).class AS c FROM a) x JOIN b ON x.path = b.path AND x.c = b.k",
      6,
      6
    ),
    (
      "SELECT id FROM (SELECT id, path AS p, substr(path, 1) AS q FROM a) WHERE p = q AND classify(p).class = 'red'",
      6,
      2
    ),
    ("SELECT a.id FROM a JOIN b ON a.path = b.path WHERE a.id < 3 AND classify(a.path).class = 'red'", 3, 1),
    (
      "SELECT a.id FROM a JOIN b ON a.path = b.path WHERE classify(a.path).class = 'red' AND classify(b.path).class = 'red'",
      12,
      2
    ),
    ("SELECT path FROM a WHERE classify(path).class = 'red' INTERSECT SELECT path FROM b", 6, 2),
    ("SELECT path FROM a WHERE classify(path).class = 'red' EXCEPT SELECT path FROM b", 6, 0),
    (
      """SELECT u.id FROM (SELECT id, path FROM a UNION ALL SELECT id, path FROM b) u JOIN c ON u.path = c.path
        |WHERE classify(u.path).class = 'red'""".stripMargin,
      12,
      4
    )
  )

  for {
    adaptive <- Seq("true", "false")
    broadcast <- Seq("10m", "-1")
  } test(s"joins classify what is named, with adaptive execution $adaptive and broadcasts up to $broadcast") {
    withTables {
      withConf("spark.sql.adaptive.enabled" -> adaptive, "spark.sql.autoBroadcastJoinThreshold" -> broadcast) {
        queries.foreach { case (query, images, size) =>
          var ran: Ran = null
          val opened = CountedFileSystem.opens { ran = Plans.run(sql(query)) }
          assert(ran.rows.size == size, query)
          // Adaptive execution may have put an empty relation in the place of what has run, and its metrics.
          assert(ran.left.isEmpty && opened == images, sql(query).queryExecution)
        }
      }
    }
  }

  test("runtime filters do not classify again") {
    withTables {
      withConf(
        "spark.sql.autoBroadcastJoinThreshold" -> "-1",
        "spark.sql.optimizer.runtime.bloomFilter.applicationSideScanSizeThreshold" -> "0"
      ) {
        val opened = CountedFileSystem.opens {
          val ran = Plans.run(
            sql("SELECT a.id FROM a JOIN b ON a.id = b.id WHERE classify(b.path).class = 'red' AND b.k LIKE 'r%'")
          )
          assert(ran.rows.size == 2 && ran.images == 2)
        }
        assert(opened == 2)
      }
    }
  }

  test("scalar subqueries over the same rows are one") {
    withTables {
      val opened = CountedFileSystem.opens {
        val ran = Plans.run(
          sql("SELECT (SELECT max(classify(path).class_id) FROM a), (SELECT min(classify(path).class_id) FROM a)")
        )
        assert(ran.rows == Seq(org.apache.spark.sql.Row(2, 0)))
      }
      assert(opened == count)
    }
  }
}
