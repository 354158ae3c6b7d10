package io.sparkclassify.plans

import io.sparkclassify.{SharedSession, TestData}
import org.apache.spark.sql.functions.{call_function, col, lit}

/** Which inferences run where, and how often. */
class ExtractInferencesSuite extends SharedSession {

  private val names = TestData.golden("onnx").keys.toSeq.sorted.take(12)
  private val classIds = TestData.golden("onnx").map { case (name, values) => name -> values.indexOf(values.max) }
  private val pngs = names.count(_.endsWith(".png"))

  /** The first images of the dataset: `path`, `id` from 0 on. */
  private def withImages(body: => Unit): Unit = {
    val rows = names.zipWithIndex.map { case (name, id) => (s"${TestData.images}/$name", id) }
    spark.createDataFrame(rows).toDF("path", "id").repartition(3).createOrReplaceTempView("images")
    withConf("spark.classify.backend" -> "onnx")(body)
  }

  private def run(query: String): Ran = Plans.run(sql(query))

  /** Runs a query all of whose inferences must go into operators. */
  private def extracted(query: String): Ran = {
    val ran = run(query)
    assert(ran.left.isEmpty)
    ran
  }

  private def classOf(name: String): String = TestData.labels(classIds(name))

  test("there are images of both formats and several classes") {
    assert(pngs > 0 && pngs < names.size)
    assert(names.map(classIds).distinct.size > 1)
  }

  test("two fields through a filter are one inference, after the conjunct that needs none") {
    withImages {
      val query = """SELECT c.class, c.confidence FROM (SELECT path, classify(path) c FROM images)
                    |WHERE c.confidence > 0.5 AND path LIKE '%.png'""".stripMargin
      val ran = extracted(query)
      assert(ran.images == pngs)
      assert(ran.operators.size == 1)
      val explained = sql("EXPLAIN " + query).head().getString(0)
      assert("\\bClassify\\b".r.findAllIn(explained).size == 1, explained)
    }
  }

  test("a call in several columns is one inference, whichever function shows it") {
    withImages {
      val ran = extracted(
        "SELECT id, classify(path).class, try_classify(path).error, classify_topk(path, 2), classify(path) FROM images"
      )
      assert(ran.images == names.size && ran.operators.size == 1)
      assert(ran.metric("batches") <= 3)
      ran.rows.foreach { row =>
        val name = names(row.getInt(0))
        assert(row.getString(1) == classOf(name) && row.isNullAt(2))
        assert(row.getSeq[org.apache.spark.sql.Row](3).map(_.getString(0)).head == classOf(name))
        assert(row.getStruct(4).getString(0) == classOf(name))
      }
    }
  }

  test("two models over one image are two inferences in one operator, which reads it once") {
    withImages {
      val opened = io.sparkclassify.CountedFileSystem.opens {
        val ran = extracted(
          "SELECT classify('counted:' || path, 'onnx').class_id, classify('counted:' || path, 'pytorch').class_id " +
            "FROM images"
        )
        assert(ran.operators.size == 1 && ran.operators.head.inferences.size == 2)
        ran.rows.foreach(row => assert(row.getInt(0) == row.getInt(1)))
      }
      assert(opened == names.size)
    }
  }

  test("grouping by the class and counting is one inference a row") {
    withImages {
      val ran = extracted(
        "SELECT classify(path).class AS c, count(*), max(classify(path).confidence) FROM images GROUP BY 1"
      )
      assert(ran.images == names.size && ran.operators.size == 1)
      assert(ran.rows.map(row => row.getString(0) -> row.getLong(1)).toMap ==
        names.groupBy(classOf).map { case (label, some) => label -> some.size.toLong })
    }
  }

  test("a call over the results of an aggregate classifies the groups") {
    withImages {
      val ran = extracted(
        "SELECT g, classify(max(path)).class FROM (SELECT path, id % 2 AS g FROM images) GROUP BY g"
      )
      assert(ran.images == 2)
      val byKey = extracted("SELECT path, classify(path).class, count(*) FROM images, range(5) GROUP BY path")
      assert(byKey.images == names.size)
      assert(byKey.rows.forall(_.getLong(2) == 5))
    }
  }

  test("results that nobody uses are not computed") {
    withImages {
      assert(run("SELECT id FROM (SELECT id, classify(path) AS c FROM images)").operators.isEmpty)
      assert(run("SELECT count(*) FROM (SELECT id, classify(path) AS c FROM images)").operators.isEmpty)
    }
  }

  test("LIMIT classifies what it lets through") {
    withImages {
      val ran = extracted("SELECT id, classify(path).class FROM images LIMIT 2")
      assert(ran.rows.size == 2)
      // CollectLimit may try one partition first and the others then.
      assert(ran.images <= 2 * 3)
      val sorted = extracted("SELECT id, classify(path).class AS c FROM images ORDER BY id DESC LIMIT 2")
      assert(sorted.images == 2)
      assert(sorted.rows.map(_.getInt(0)) == Seq(names.size - 1, names.size - 2))
      assert(sorted.rows.map(_.getString(1)) == names.takeRight(2).reverse.map(classOf))
      val needed = extracted("SELECT id, classify(path) AS c FROM images ORDER BY c.confidence DESC LIMIT 2")
      assert(needed.images == names.size && needed.rows.size == 2)
      val filtered =
        extracted(
          "SELECT id FROM (SELECT id, classify(path) AS c FROM images) WHERE c.class_id >= 0 ORDER BY id LIMIT 3"
        )
      assert(filtered.rows.map(_.getInt(0)) == Seq(0, 1, 2))
    }
  }

  test("sorting and windows use the result that is there") {
    withImages {
      val sorted = extracted("SELECT id, classify(path).class AS c FROM images ORDER BY classify(path).confidence")
      assert(sorted.images == names.size && sorted.rows.size == names.size)
      val byPath = extracted("SELECT id, classify(path).class AS c FROM images ORDER BY path")
      assert(byPath.images == names.size && byPath.rows.map(_.getInt(0)) == names.indices)
      val ranked = extracted(
        """SELECT id, c.class, row_number() OVER (PARTITION BY c.class ORDER BY c.confidence DESC) AS place
          |FROM (SELECT id, classify(path) AS c FROM images) WHERE c.class_id IS NOT NULL""".stripMargin
      )
      assert(ranked.images == names.size && ranked.rows.size == names.size)
    }
  }

  test("a column that is computed, filtered and shown is one inference") {
    withImages {
      val ran = extracted(
        s"""SELECT p, c.class FROM (SELECT p, classify(p) AS c FROM
           |  (SELECT concat('${TestData.images}/', substring_index(path, '/', -1)) AS p FROM images))
           |WHERE c.class_id = 1 AND length(p) > 3""".stripMargin
      )
      assert(ran.images == names.size && ran.rows.size == names.count(classIds(_) == 1))
    }
  }

  test("join conditions over one side are extracted, those over both are evaluated by row") {
    withImages {
      val ran = extracted(
        """SELECT l.id, r.name FROM images l
          |JOIN VALUES (0, 'zero'), (1, 'one'), (2, 'two') AS r(id, name) ON classify(l.path).class_id = r.id""".stripMargin
      )
      assert(ran.images == names.size && ran.rows.size == names.size)
      val both = run(
        s"""SELECT l.id FROM images l JOIN VALUES ('.jpg'), ('.png') AS r(suffix)
           |ON classify('${TestData.images}/' || substr(l.path, ${TestData.images.toString.length + 2}) || left(r.suffix, 0))
           |.class_id >= 0""".stripMargin
      )
      assert(both.rows.size == 2 * names.size)
      assert(both.left.nonEmpty)
    }
  }

  test("outer joins keep their NULLs") {
    withImages {
      val ran = extracted(
        """SELECT r.id, c.class FROM range(20) r LEFT JOIN (SELECT id, classify(path) AS c FROM images) l ON l.id = r.id
          |ORDER BY r.id""".stripMargin
      )
      assert(ran.rows.map(row => Option(row.getString(1))) ==
        (0 until 20).map(id => names.lift(id).map(classOf)))
      val above = extracted("SELECT r.id, classify(l.path).class FROM range(20) r LEFT JOIN images l ON l.id = r.id")
      assert(above.rows.count(_.isNullAt(1)) == 20 - names.size)
    }
  }

  test("generators, lambda functions and random inputs give the right rows") {
    withImages {
      val exploded = extracted("SELECT id, top.class FROM images LATERAL VIEW explode(classify_topk(path, 2)) t AS top")
      assert(exploded.rows.size == 2 * names.size && exploded.images == names.size)
      val folded = run(
        "SELECT transform(collect_list(path), p -> classify(p).class) FROM images WHERE id < 3"
      )
      assert(folded.left.nonEmpty)
      assert(folded.rows.head.getSeq[String](0).sorted == names.take(3).map(classOf).sorted)
      val random = run("SELECT id, classify(path || left(uuid(), 0)).class FROM images")
      assert(random.rows.map(row => names(row.getInt(0)) -> row.getString(1)).forall { case (name, c) =>
        c == classOf(name)
      })
    }
  }

  test("subqueries, scalar and correlated") {
    withImages {
      val scalar = extracted("SELECT (SELECT max(classify(path).confidence) FROM images WHERE id < 2) AS m")
      assert(scalar.images == 2 && !scalar.rows.head.isNullAt(0))
      val input = extracted("SELECT classify((SELECT max(path) FROM images)).class AS c")
      assert(input.rows.head.getString(0) == classOf(names.max))
      val exists = extracted(
        """SELECT id FROM images i WHERE EXISTS
          |(SELECT 1 FROM images j WHERE j.id = i.id AND classify(j.path).class_id = 1)""".stripMargin
      )
      assert(exists.rows.map(_.getInt(0)).sorted == names.indices.filter(id => classIds(names(id)) == 1))
      val in = extracted("SELECT id FROM images WHERE classify(path).class_id IN (SELECT CAST(1 AS INT))")
      assert(in.rows.map(_.getInt(0)).sorted == names.indices.filter(id => classIds(names(id)) == 1))
    }
  }

  test("UNION, DISTINCT, cached and written results") {
    withImages {
      val union = extracted("SELECT classify(path).class FROM images UNION ALL SELECT classify(path).class FROM images")
      assert(union.rows.size == 2 * names.size && union.operators.size == 2)
      assert(
        extracted("SELECT DISTINCT classify(path).class FROM images").rows.size == names.map(classOf).distinct.size
      )
      sql("CACHE TABLE cached_classes AS SELECT id, classify(path) AS c FROM images")
      try {
        assert(run("SELECT c.class FROM cached_classes WHERE c.class_id = 1").images == 0)
        assert(sql("SELECT * FROM cached_classes").count() == names.size)
      } finally sql("UNCACHE TABLE cached_classes")
      TestData.withFolder { folder =>
        val target = s"$folder/written"
        sql("SELECT id, classify(path) AS c, try_classify(path) AS t FROM images").write.parquet(target)
        val back = spark.read.parquet(target)
        assert(back.count() == names.size && back.where("c.class = t.class AND t.error IS NULL").count() == names.size)
        // A columnar source below the operator.
        sql("SELECT path FROM images").write.parquet(s"$folder/paths")
        spark.read.parquet(s"$folder/paths").createOrReplaceTempView("paths")
        assert(extracted("SELECT classify(path).class FROM paths").images == names.size)
      }
    }
  }

  test("a common part of two branches runs once") {
    withImages {
      sql("SELECT id, classify(path) AS c FROM images").createOrReplaceTempView("classified")
      val ran = extracted(
        """SELECT a.c.class, a.n, b.n FROM
          |(SELECT c.class AS class, struct(c.class) AS c, count(*) AS n FROM classified GROUP BY c.class) a JOIN
          |(SELECT c.class AS class, struct(c.class) AS c, count(*) AS n FROM classified GROUP BY c.class) b
          |ON a.class = b.class""".stripMargin
      )
      assert(ran.rows.size == names.map(classOf).distinct.size)
      assert(ran.images == names.size)
    }
  }

  test("the result of one inference decides the input of another") {
    withImages {
      val ran = extracted(
        "SELECT id, classify(IF(classify(path).class_id >= 0, path, NULL)).class AS c FROM images"
      )
      assert(ran.operators.size == 2)
      assert(ran.rows.forall(row => row.getString(1) == classOf(names(row.getInt(0)))))
    }
  }

  test("EXPLAIN and analysis classify nothing, not even constants") {
    val frame = sql("SELECT classify('/none.png', 'onnx').class")
    assert(frame.queryExecution.executedPlan.toString.contains("Classify"))
    assert(sql("SELECT * FROM VALUES ('/none.png') AS t(p) WHERE classify(p, 'onnx').class = 'x'").schema.size == 1)
  }

  test("adaptive execution on and off, and small batches") {
    withImages {
      for (adaptive <- Seq("true", "false"); size <- Seq("1", "5")) {
        withConf("spark.sql.adaptive.enabled" -> adaptive, "spark.classify.batchSize" -> size) {
          val ran = extracted("SELECT c.class, count(*) FROM (SELECT classify(path) AS c FROM images) GROUP BY 1")
          assert(ran.images == names.size)
          assert(ran.rows.map(_.getLong(1)).sum == names.size)
          if (size == "1") assert(ran.metric("batches") == names.size)
        }
      }
    }
  }

  test("the DataFrame API gives the same plan") {
    withImages {
      val frame = spark.table("images").withColumn("c", call_function("classify", col("path"), lit("onnx")))
      val ran = Plans.run(frame.where("c.class_id = 1").select("id", "c.confidence"))
      assert(ran.left.isEmpty && ran.images == names.size)
    }
  }
}
