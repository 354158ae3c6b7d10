package io.sparkclassify.plans

import io.sparkclassify.{ColourImages, CountedFileSystem, TestData}
import org.apache.spark.sql.Row
import org.apache.spark.sql.functions.{call_function, col, lit, max}

/**
 * SQL of many shapes over images whose classes are known: right rows, every inference in an operator, each done once.
 */
class QueriesSuite extends KnownImages {

  query(
    "ROLLUP",
    s"SELECT c.class, id % 2, count(*) FROM $classified GROUP BY ROLLUP(c.class, id % 2)"
  )(rows =>
    rows.size == 10 && rows.forall(row =>
      row.getLong(2) == (if (row.isNullAt(0)) 12 else if (row.isNullAt(1)) 4 else 2)
    )
  )

  query(
    "CUBE over the call itself",
    "SELECT classify(path).class, count(*) FROM images GROUP BY CUBE(classify(path).class)"
  )(rows =>
    rows.map(row => Option(row.getString(0)) -> row.getLong(1)).toMap ==
      ColourImages.labels.map(label => Option(label) -> 4L).toMap + (None -> 12L)
  )

  query(
    "PIVOT",
    s"SELECT * FROM (SELECT id % 2 AS p, c.class AS k, id FROM $classified) PIVOT (count(id) FOR k IN ('red', 'green', 'blue'))"
  )(rows => rows.size == 2 && rows.forall(row => (1 to 3).forall(row.getLong(_) == 2)))

  query(
    "UNPIVOT",
    s"SELECT id, v FROM (SELECT id, c.class AS a, name AS b FROM $classified) UNPIVOT (v FOR k IN (a, b))"
  )(rows => rows.size == 24 && named(rows))

  query(
    "several DISTINCT aggregates",
    s"SELECT count(DISTINCT c.class), count(DISTINCT path), sum(DISTINCT c.class_id), count(*) FROM $classified"
  )(rows => rows == Seq(Row(3, 12, 3, 12)))

  query(
    "FILTER of an aggregate",
    "SELECT count(*) FILTER (WHERE classify(path).class = 'red'), max(classify(path).class_id) FROM images"
  )(rows => rows == Seq(Row(4, 2)))

  query(
    "a limit of each class, by a window",
    s"""SELECT id, k FROM (SELECT id, c.class AS k, row_number() OVER (PARTITION BY c.class ORDER BY id DESC) AS n
       |FROM $classified) WHERE n <= 2""".stripMargin
  )(rows => rows.map(_.getInt(0)).toSet == (6 until 12).toSet && named(rows))

  query("ORDER BY, LIMIT and OFFSET", s"SELECT id, c.* FROM $classified ORDER BY id LIMIT 3 OFFSET 2", images = 3)(
    rows =>
      rows.map(_.getInt(0)) == Seq(2, 3, 4) && named(rows)
  )

  query(
    "branches",
    "SELECT id, CASE WHEN id < 5 THEN classify(path).class ELSE classify_topk(path, 1)[0].class END FROM images"
  )(rows => rows.size == count && named(rows))

  query("EXCEPT", s"SELECT c.class FROM $classified EXCEPT SELECT 'red'")(rows =>
    rows.map(_.getString(0)).toSet == Set("green", "blue")
  )

  query(
    "UNION ALL of both backends",
    "SELECT id, classify(path, 'onnx').class FROM images UNION ALL SELECT id, classify(path, 'pytorch').class FROM images",
    images = 2 * count
  )(rows => rows.size == 2 * count && named(rows))

  query(
    "FULL OUTER JOIN below a filter on the class",
    s"""SELECT a.id, a.c.class, b.id FROM $classified a
      |FULL JOIN (SELECT id + 6 AS id FROM images) b ON a.id = b.id WHERE a.c.class IS NULL OR a.c.class <> 'red'""".stripMargin
  )(rows => rows.size == 14 && rows.count(_.isNullAt(0)) == 6 && named(rows.filterNot(_.isNullAt(0))))

  query(
    "a call above a FULL OUTER JOIN, on what the join fills with NULL",
    "SELECT a.id, classify(a.path).class FROM images a FULL JOIN (SELECT id + 6 AS id FROM images) b ON a.id = b.id"
  )(rows => rows.size == 18 && rows.count(_.isNullAt(1)) == 6 && named(rows.filterNot(_.isNullAt(1))))

  query(
    "a join condition over the classes of both sides, of which one is the other again",
    "SELECT a.id, b.id FROM images a JOIN images b ON classify(a.path).class = classify(b.path).class AND a.id < b.id"
  )(rows => rows.size == 18 && rows.forall(row => row.getInt(0) % 3 == row.getInt(1) % 3))

  query(
    "LEFT ANTI JOIN on the class",
    s"SELECT id, name FROM $classified c LEFT ANTI JOIN VALUES ('red') l(v) ON c.c.class = l.v"
  )(rows => rows.size == 8 && named(rows))

  private val colours = "VALUES ('red'), ('green'), ('pink') AS l(v)"

  query(
    "EXISTS that compares with the class",
    s"SELECT v FROM $colours WHERE EXISTS (SELECT 1 FROM images WHERE classify(path).class = v)"
  )(rows => rows.map(_.getString(0)).toSet == Set("red", "green"))

  query(
    "NOT EXISTS, with a condition of the subquery's own on the same call",
    s"""SELECT v FROM $colours WHERE NOT EXISTS
       |(SELECT 1 FROM images WHERE classify(path).class = v AND classify(path).confidence > 0.5)""".stripMargin
  )(rows => rows == Seq(Row("pink")))

  query(
    "IN that compares with the class besides",
    s"""SELECT v FROM VALUES ('red', 1), ('green', 3), ('blue', 3) AS l(v, k)
       |WHERE (v, k) IN (SELECT name, id + 1 FROM images WHERE classify(path).class = v)""".stripMargin
  )(rows => rows.map(_.getString(0)).toSet == Set("red", "blue"))

  query("NOT IN a list of classes", s"SELECT v FROM $colours WHERE v NOT IN (SELECT classify(path).class FROM images)")(
    rows =>
      rows == Seq(Row("pink"))
  )

  query(
    "EXISTS over the outer call, in a disjunction with the same call",
    """SELECT id, classify(path).class FROM images WHERE classify(path).class = 'blue' OR
      |EXISTS (SELECT 1 FROM VALUES ('red') AS l(v) WHERE v = classify(path).class)""".stripMargin
  )(rows => rows.size == 8 && named(rows))

  query(
    "a correlated count",
    "SELECT v, (SELECT count(*) FROM images WHERE classify(path).class = v) FROM VALUES ('red'), ('pink') t(v)"
  )(rows => rows.toSet == Set(Row("red", 4), Row("pink", 0)))

  query(
    "a correlated scalar subquery whose value is a call over an aggregate",
    "SELECT v, (SELECT classify(max(path)).class FROM images WHERE id % 2 = v) FROM VALUES (0), (1), (2) t(v)",
    images = 2
  )(rows => rows.toSet == Set(Row(0, nameOf(8)), Row(1, nameOf(9)), Row(2, null)))

  query(
    "the same by a column",
    "SELECT id, (SELECT classify(max(path)).class FROM images j WHERE j.name = i.name) FROM images i",
    images = 3
  )(rows => rows.size == count && named(rows))

  query(
    "the same with HAVING on the call, and a call below the aggregate",
    """SELECT v, (SELECT count(*) FROM images WHERE id % 2 = v AND classify(path).class = 'blue'
      |HAVING classify(max(path)).class = 'blue') FROM VALUES (0), (1) t(v)""".stripMargin,
    images = 14
  )(rows => rows.toSet == Set(Row(0, 2), Row(1, 2)))

  query("a lateral subquery", "SELECT id, l.c.class FROM images, LATERAL (SELECT classify(path) AS c) l")(rows =>
    rows.size == count && named(rows)
  )

  query(
    "rows that a generator has multiplied",
    "SELECT id, classify(path).class, e FROM images LATERAL VIEW explode(sequence(0, id)) t AS e"
  )(rows => rows.size == 78 && named(rows))

  query(
    "rows that a cross join has multiplied",
    "SELECT i.id, classify(path).class, r.id FROM images i CROSS JOIN range(5) r"
  )(rows => rows.size == 60 && named(rows))

  query(
    "a distribution by range",
    s"SELECT /*+ REPARTITION_BY_RANGE(2, k) */ * FROM (SELECT id, c.class AS k FROM $classified)"
  )(rows => rows.size == count && named(rows))

  test("of a Cartesian product with many partitions, each row is classified once") {
    withImages {
      withConf(
        "spark.sql.autoBroadcastJoinThreshold" -> "-1",
        "spark.sql.adaptive.autoBroadcastJoinThreshold" -> "-1"
      ) {
        val product = sql(
          "SELECT a.id, a.k, b.id FROM (SELECT id, classify(path).class AS k FROM images) a JOIN images b ON a.k <> b.name || b.id"
        )
        assert(product.queryExecution.executedPlan.toString.contains("CartesianProduct"))
        val opened = CountedFileSystem.opens {
          val rows = product.collect().toSeq
          assert(rows.size == count * count && named(rows))
        }
        assert(opened == count)
      }
    }
  }

  test("a script that takes the rows on a thread of its own") {
    withImages {
      val rows =
        sql(s"SELECT TRANSFORM(id, c.class) USING 'cat' AS (id INT, class STRING) FROM $classified").collect().toSeq
      assert(rows.size == count && named(rows))
    }
  }

  test("a generator above a cross join, below a filter on the class") {
    withImages {
      TestData.withFolder { folder =>
        spark.range(1).selectExpr("array('red', 'pink') AS names").write.parquet(s"$folder/lists")
        spark.read.parquet(s"$folder/lists").createOrReplaceTempView("lists")
        val ran = Plans.run(
          sql(
            """SELECT i.id, e FROM images i CROSS JOIN lists a LATERAL VIEW explode(a.names) t AS e
            |WHERE classify(i.path).class <=> e""".stripMargin
          )
        )
        assert(ran.rows.map(_.getInt(0)).sorted == (0 until count by 3) && ran.images == count && ran.left.isEmpty)
      }
    }
  }

  test("dynamic partition pruning by the class does not classify twice") {
    withImages {
      spark
        .range(100)
        .selectExpr("id", "element_at(array('red', 'green', 'pink', 'grey'), cast(id % 4 AS INT) + 1) AS k")
        .write
        .partitionBy("k")
        .saveAsTable("facts")
      try {
        for (threshold <- Seq("10m", "-1"); reuse <- Seq("true", "false")) {
          withConf(
            "spark.sql.autoBroadcastJoinThreshold" -> threshold,
            "spark.sql.optimizer.dynamicPartitionPruning.reuseBroadcastOnly" -> reuse
          ) {
            val opened = CountedFileSystem.opens {
              val ran = Plans.run(sql(s"SELECT f.id FROM facts f JOIN $classified i ON f.k = i.c.class WHERE i.id < 3"))
              assert(ran.rows.size == 50 && ran.images == 3)
            }
            assert(opened == 3)
          }
        }
      } finally sql("DROP TABLE facts")
    }
  }

  test("without code generation") {
    withImages {
      withConf("spark.sql.codegen.wholeStage" -> "false", "spark.sql.codegen.factoryMode" -> "NO_CODEGEN") {
        val ran =
          Plans.run(sql(s"SELECT id, c.class, try_classify(path).error FROM $classified WHERE c.confidence > 0.2"))
        assert(ran.rows.size == count && named(ran.rows) && ran.images == count && ran.rows.forall(_.isNullAt(2)))
      }
    }
  }

  test("with statistics and reordered joins") {
    withImages {
      withConf("spark.sql.cbo.enabled" -> "true", "spark.sql.cbo.joinReorder.enabled" -> "true") {
        val ran = Plans.run(sql(
          s"SELECT a.id, a.c.class FROM $classified a JOIN images b ON a.id = b.id JOIN images d ON d.id = b.id AND a.c.class = d.name"
        ))
        assert(ran.rows.size == count && named(ran.rows) && ran.images == count)
      }
    }
  }

  test("parameters as constants, and a name as one") {
    withImages {
      val byName =
        spark.sql("SELECT id, classify(path, :engine).class FROM images", Map[String, Any]("engine" -> "onnx"))
      assert(named(byName.collect().toSeq))
      val model = ColourImages.model.toString
      assert(named(spark.sql(
        "SELECT id, classify(path, ?, ?).class FROM images",
        Array[Any]("onnx", model)
      ).collect().toSeq))
      assert(named(sql("SELECT id, IDENTIFIER('class' || 'ify')(path).class FROM images").collect().toSeq))
    }
  }

  test("EXPLAIN of every kind, and show") {
    withImages {
      Seq("FORMATTED", "COST", "EXTENDED").foreach { kind =>
        val text = sql(s"EXPLAIN $kind SELECT c.class, count(*) FROM $classified GROUP BY 1").head().getString(0)
        assert(text.contains("Classify"), text)
      }
      val opened = CountedFileSystem.opens {
        Console.withOut(new java.io.ByteArrayOutputStream)(sql(s"SELECT * FROM $classified").show(3, truncate = false))
      }
      // One partition has four rows, and show takes one more than it shows.
      assert(opened == 4)
    }
  }

  test("the operations of the Dataset API") {
    withImages {
      val session = spark
      import session.implicits._
      val frame = spark.table("images").select(col("id"), call_function("classify", col("path")).as("c"))
      val names = frame.select("id", "c.class")
      assert(frame.dropDuplicates("c").count() == 3)
      assert(names.tail(2).length == 2 && names.offset(10).count() == 2)
      assert(named(frame.localCheckpoint().select("id", "c.class").collect().toSeq))
      assert(named(frame.sample(withReplacement = true, 2.0, 3).select("id", "c.class").collect().toSeq))
      assert(names.randomSplit(Array(0.5, 0.5), 3).map(_.count()).sum == count)
      assert(frame.observe("classes", max(col("c.class_id")).as("most")).collect().length == count)
      assert(frame.groupBy("id").pivot("c.class").agg(org.apache.spark.sql.functions.count(lit(1))).count() == count)
      val typed = frame.as[(Int, (String, Int, Float, Seq[Float]))]
      assert(typed.filter(_._1 < 3).map(row => (row._1, row._2._1)).collect().toMap == (0 to 2).map(id =>
        id -> nameOf(id)
      ).toMap)
      assert(typed.groupByKey(_._2._1).count().collect().toMap == ColourImages.labels.map(_ -> 4L).toMap)
    }
  }

  test("written by class, and into a table twice") {
    withImages {
      TestData.withFolder { folder =>
        sql(s"SELECT id, c.class AS k FROM $classified").write.partitionBy("k").parquet(s"$folder/out")
        assert(spark.read.parquet(s"$folder/out").where("k = 'red'").count() == 4)
      }
      sql(s"CREATE TABLE classes AS SELECT id, c FROM $classified")
      try {
        sql(s"INSERT INTO classes SELECT id, c FROM $classified")
        assert(sql("SELECT id, c.class FROM classes").collect().length == 2 * count)
      } finally sql("DROP TABLE classes")
    }
  }
}
