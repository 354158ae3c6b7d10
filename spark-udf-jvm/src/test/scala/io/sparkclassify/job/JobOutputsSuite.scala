package io.sparkclassify.job

import java.nio.file.{Files, Path}

import scala.jdk.CollectionConverters._

import io.sparkclassify.{ColourImages, TestData}

/** Where the predictions go, and what is there when a run fails. */
class JobOutputsSuite extends JobRunner {

  /** A list of a red and a blue image and of what else is asked for. */
  private def withList(others: String*)(body: (Path, Seq[String]) => Unit): Unit = TestData.withFolder { folder =>
    Seq(0, 2).foreach(id => Files.write(folder.resolve(s"$id.png"), ColourImages.file(id)))
    Files.write(folder.resolve("broken.png"), ColourImages.file(1).take(40))
    val list =
      Files.write(folder.resolve("list.csv"), ("image_path" +: "0.png" +: "2.png" +: others).mkString("\n").getBytes)
    body(folder, Seq("--images", list.toString, "--model", ColourImages.model.toString, "--backend", "onnx"))
  }

  private val columns = Seq("image_path", "predicted_class", "predicted_class_id", "confidence") ++
    ColourImages.labels.map("prob_" + _)

  private def names(folder: Path): Set[String] = {
    val files = Files.list(folder)
    try files.iterator.asScala.map(_.getFileName.toString).toSet
    finally files.close()
  }

  test("Parquet has the types of the columns") {
    withList() { (folder, usual) =>
      runJob(usual ++ Seq("--output", s"$folder/out", "--output-format", "parquet"))
      val written = spark.read.parquet(s"$folder/out")
      assert(written.columns.toSeq == columns)
      assert(written.schema("prob_red").dataType.sql == "FLOAT")
      assert(written.orderBy("image_path").select("predicted_class").collect().map(_.getString(0)).toSeq == Seq(
        "red",
        "blue"
      ))
    }
  }

  test("a bad image fails the run, and what was there stays whole") {
    withList() { (folder, usual) =>
      runJob(usual ++ Seq("--output", s"$folder/out"))
      val before = names(folder.resolve("out"))
      val list = Files.write(folder.resolve("more.csv"), "image_path\n0.png\nbroken.png\n".getBytes)
      val failing = usual.updated(1, list.toString) ++ Seq("--output", s"$folder/out", "--partitions", "2")
      val error = intercept[Throwable](runJob(failing))
      assert(Job.explanation(error).exists(_.startsWith("[CLASSIFY_BAD_IMAGE] ")), error)
      assert(names(folder.resolve("out")) == before)
      assert(names(folder).filter(_.startsWith(".")).isEmpty, names(folder))
      runJob(failing :+ "--try")
      assert(names(folder.resolve("out")) != before)
      assert(names(folder).filter(_.startsWith(".")).isEmpty, names(folder))
    }
  }

  Seq("csv", "parquet").foreach { format =>
    test(s"--try keeps the rows of bad images with the reason, in $format") {
      withList("broken.png", "none.png", "\"\"") { (folder, usual) =>
        val (printed, bad) =
          runJob(usual ++ Seq("--output", s"$folder/out", "--output-format", format, "--fail-on-bad"))
        assert(bad == 3)
        assert(printed.contains("3 of 5 images have no prediction"), printed)
        val reader = spark.read.options(if (format == "csv") CsvFiles.ReadOptions else Map.empty[String, String])
        val written = reader.format(format).load(s"$folder/out")
        assert(written.columns.toSeq == columns :+ "error")
        val errors = written.collect().map(row => row.getString(0) -> row.getAs[String]("error")).toMap
        assert(errors("0.png") == null)
        assert(errors("broken.png").startsWith("[CLASSIFY_BAD_IMAGE] "))
        assert(errors("none.png").startsWith("[CLASSIFY_UNREADABLE_IMAGE] "))
        assert(errors(null) == "there is no path in this row")
        assert(written.where("predicted_class IS NULL AND prob_red IS NULL").count() == 3)
      }
    }
  }

  test("a folder with other files in it is not replaced") {
    withList() { (folder, usual) =>
      val error = intercept[JobException](runJob(usual ++ Seq("--output", folder.toString)))
      assert(error.getMessage.contains("which no job has written"))
      assert(Files.exists(folder.resolve("0.png")))
      // The folder of a Delta table; a camera's; folders of somebody's.
      Seq("_delta_log/0.json", "_DSC0001.JPG", "part-photos/1.jpg", "part-time.txt", "_raw/1.jpg").foreach { name =>
        val others = folder.resolve(s"others-${name.replace('/', '-')}")
        Files.createDirectories(others.resolve(name).getParent)
        Files.write(others.resolve(name), "theirs".getBytes)
        Files.write(others.resolve("part-00000-0.snappy.parquet"), "theirs".getBytes)
        val error = intercept[JobException](runJob(usual ++ Seq("--output", others.toString)))
        assert(error.getMessage.contains(s" has ${name.takeWhile(_ != '/')} in it, which no job has written"), error)
        assert(Files.exists(others.resolve(name)))
      }
      val file = intercept[JobException](runJob(usual ++ Seq("--output", s"$folder/0.png")))
      assert(file.getMessage.endsWith("/0.png is a file"))
      assert(intercept[JobException](runJob(usual ++ Seq("--output", "/"))).getMessage.contains("the root"))
    }
  }

  test("a table is replaced as a whole") {
    withList("broken.png") { (folder, usual) =>
      val output = Seq("--output-table", "job_predictions")
      try {
        runJob(usual ++ output :+ "--try")
        assert(spark.table("job_predictions").count() == 3)
        runJob(usual ++ output ++ Seq("--try", "--limit", "1"))
        assert(spark.table("job_predictions").count() == 1)
        intercept[Throwable](runJob(usual ++ output))
        assert(spark.table("job_predictions").count() == 1)
        // The whole of its name.
        runJob(usual ++ Seq("--output-table", "spark_catalog.default.job_predictions", "--try"))
        assert(spark.table("job_predictions").count() == 3)
        assert(spark.catalog.listTables().collect().map(_.name).filter(_.contains("__writing_")).isEmpty)
      } finally spark.sql("DROP TABLE IF EXISTS job_predictions")
    }
  }

  test("a table that cannot be replaced stays, and so do the predictions") {
    withList() { (folder, usual) =>
      val (name, location) = ("job_stays", spark.conf.get("spark.sql.warehouse.dir"))
      val left = java.nio.file.Paths.get(new java.net.URI(location)).resolve(name)
      try {
        spark.range(5).write.option("path", s"$folder/before").saveAsTable(name)
        // Spark gives no table a folder that is there.
        Files.createDirectories(left)
        Files.write(left.resolve("file"), Array[Byte](1))
        val error = intercept[JobException](runJob(usual ++ Seq("--output-table", name)))
        assert(error.getMessage.contains(s"--output-table $name cannot be replaced"), error.getMessage)
        assert(spark.table(name).count() == 5)
        val kept = spark.catalog.listTables().collect().map(_.name).filter(_.contains("__"))
        assert(kept.length == 1 && error.getMessage.contains(kept.head), kept.mkString)
        assert(spark.table(kept.head).columns.contains("predicted_class"))
        spark.sql(s"DROP TABLE ${kept.head}")
      } finally {
        spark.sql(s"DROP TABLE IF EXISTS $name")
        Files.deleteIfExists(left.resolve("file"))
        Files.deleteIfExists(left)
      }
    }
  }

  test("a view is not replaced by a table") {
    withList() { (_, usual) =>
      spark.sql("CREATE OR REPLACE VIEW job_view AS SELECT 1 AS one")
      try
        assert(
          intercept[JobException](runJob(usual ++ Seq("--output-table", "job_view"))).getMessage.contains("is a view")
        )
      finally spark.sql("DROP VIEW job_view")
    }
  }

  test("a table of another catalog is replaced by that") {
    val catalog = "spark.sql.catalog.job_derby"
    withList() { (_, usual) =>
      withConf(
        catalog -> "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog",
        s"$catalog.url" -> "jdbc:derby:memory:job;create=true",
        s"$catalog.driver" -> "org.apache.derby.iapi.jdbc.AutoloadedDriver",
        // Derby cannot order the type that it has for long text.
        s"$catalog.pushDownLimit" -> "false",
        s"$catalog.pushDownAggregate" -> "false"
      ) {
        runJob(usual ++ Seq("--output-table", "job_derby.APP.predictions"))
        runJob(usual ++ Seq("--output-table", "job_derby.APP.predictions", "--limit", "1"))
        assert(spark.table("job_derby.APP.predictions").count() == 1)
      }
    }
  }
}
