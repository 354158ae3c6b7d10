package io.sparkclassify.job

import java.nio.file.{Files, Path}

import io.sparkclassify.{ColourImages, TestData}
import org.apache.spark.sql.{AnalysisException, Row}

/** What the job classifies, by the forms in which it can be given. */
class JobInputsSuite extends JobRunner {

  /** Folders `red`, `green` and `deep/blue` with an image of their colour each, and a file that is none. */
  private def withColours(body: Path => Unit): Unit = TestData.withFolder { folder =>
    Seq("red/0.png", "green/1.PNG", "deep/blue/2.png").zipWithIndex.foreach { case (name, id) =>
      val file = folder.resolve(s"images/$name")
      Files.createDirectories(file.getParent)
      Files.write(file, ColourImages.file(id))
    }
    Files.write(folder.resolve("images/read.me"), "no image".getBytes)
    body(folder)
  }

  /** Runs the job for a model that tells colours; the rows that it writes. */
  private def classify(folder: Path, arguments: Seq[String], input: String = ""): (Seq[Row], String) = {
    val output = folder.resolve("predictions")
    val usual = Seq("--model", ColourImages.model.toString, "--backend", "onnx", "--output", output.toString)
    val (printed, bad) = runJob(usual ++ arguments, input)
    assert(bad == 0, printed)
    val rows = spark.read.options(CsvFiles.ReadOptions).csv(output.toString).orderBy("image_path").collect()
    (rows.toSeq, printed)
  }

  private def predicted(rows: Seq[Row]): Seq[(String, String)] = rows.map { row =>
    val path = row.getAs[String]("image_path")
    path.substring(path.lastIndexOf('/') + 1) -> row.getAs[String]("predicted_class")
  }

  private val all = Set("0.png" -> "red", "1.PNG" -> "green", "2.png" -> "blue")

  test("a folder is searched with its subfolders, for names of images in either case of letters") {
    withColours { folder =>
      val (rows, printed) = classify(folder, Seq("--images", folder.resolve("images").toString))
      assert(predicted(rows).toSet == all)
      assert(printed.contains("neither column actual_class nor actual_class_id"))
    }
  }

  test("the folder of an image can be its label") {
    withColours { folder =>
      val (rows, printed) =
        classify(folder, Seq("--images", folder.resolve("images").toString, "--label-from-folder"))
      assert(rows.forall(row => row.getAs[String]("actual_class") == row.getAs[String]("predicted_class")), rows)
      assert(printed.contains("accuracy: 100.00% (3 of 3 images)"), printed)
    }
  }

  test("a glob says which files are meant, whatever they are called") {
    withColours { folder =>
      Files.copy(folder.resolve("images/red/0.png"), folder.resolve("images/red/3.dat"))
      assert(predicted(classify(folder, Seq("--images", s"$folder/images/*/*.dat"))._1) == Seq("3.dat" -> "red"))
      assert(predicted(
        classify(folder, Seq("--images", s"$folder/images/{red,green}"))._1
      ).toSet == all - ("2.png" -> "blue"))
      val single = Seq("--images", s"$folder/images/red/3.dat", "--format", "images")
      assert(predicted(classify(folder, single)._1) == Seq("3.dat" -> "red"))
    }
  }

  test("a name that looks like a glob is meant as it is") {
    withColours { folder =>
      Files.move(folder.resolve("images"), folder.resolve("images [1]*{a}"))
      assert(predicted(classify(folder, Seq("--images", s"$folder/images [1]*{a}"))._1).toSet == all)
    }
  }

  test("paths come on standard input, or in a file") {
    withColours { folder =>
      val paths = s"$folder/images/red/0.png\r\n\n$folder/images/deep/blue/2.png\n"
      val expected = Seq("2.png" -> "blue", "0.png" -> "red")
      assert(predicted(classify(folder, Seq("--images", "-"), paths)._1) == expected)
      val file = Files.write(folder.resolve("list.txt"), paths.getBytes)
      assert(predicted(classify(folder, Seq("--images", file.toString))._1) == expected)
      val relative = Seq("--images", "-", "--image-dir", s"$folder/images")
      assert(predicted(classify(folder, relative, "green/1.PNG\n")._1) == Seq("1.PNG" -> "green"))
    }
  }

  test("relative paths of a list belong to its folder, and its columns can be named") {
    withColours { folder =>
      val list = "File Name,truth\nred/0.png,red\ngreen/1.PNG,blue\n"
      val file = Files.write(folder.resolve("images/list.csv"), list.getBytes)
      val (rows, printed) =
        classify(folder, Seq("--images", file.toString, "--path-column", "file name", "--label-column", "truth"))
      assert(rows.map(_.getAs[String]("image_path")) == Seq("green/1.PNG", "red/0.png"))
      assert(rows.map(_.getAs[String]("actual_class")) == Seq("blue", "red"))
      assert(printed.contains("accuracy: 50.00% (1 of 2 images)"), printed)
    }
  }

  test("ids are whole numbers however they are written, and what is none, or empty, says nothing") {
    withColours { folder =>
      val list = "image_path,actual_class_id,actual_class\nred/0.png,0.0,\ngreen/1.PNG,n/a,\ndeep/blue/2.png,2.5,red\n"
      Files.write(folder.resolve("images/list.csv"), list.getBytes)
      val (rows, printed) = classify(folder, Seq("--images", s"$folder/images/list.csv"))
      assert(rows.map(_.getAs[String]("actual_class_id")) == Seq(null, null, "0"))
      assert(printed.contains("accuracy: 50.00% (1 of 2 images)"), printed)
      val table = s"SELECT '$folder/images/red/0.png' AS image_path, '' AS actual_class, 4294967296 AS actual_class_id"
      spark.sql(table).createOrReplaceTempView("job_labels")
      val output = Seq("--table", "job_labels", "--model", ColourImages.model.toString, "--backend", "onnx")
      runJob(output ++ Seq("--output", s"$folder/typed", "--output-format", "parquet"))
      assert(
        spark.read.parquet(s"$folder/typed").where("actual_class IS NULL AND actual_class_id IS NULL").count() == 1
      )
    }
  }

  test("beside images a text is none of the lists, and a table asks what is meant") {
    withColours { folder =>
      Files.write(folder.resolve("images/README.txt"), "Photographs.".getBytes)
      val images = Seq("--images", s"$folder/images")
      assert(predicted(classify(folder, images)._1).toSet == all)
      Files.write(folder.resolve("images/labels.csv"), "image_path\nred/0.png\n".getBytes)
      val error = intercept[JobException](classify(folder, images)).getMessage
      assert(error.contains("/images has labels.csv in it, and ") && error.contains("--format"), error)
      assert(predicted(classify(folder, images ++ Seq("--format", "images"))._1).toSet == all)
      assert(predicted(classify(folder, Seq("--images", s"$folder/images/labels.csv"))._1) == Seq("0.png" -> "red"))
    }
  }

  test("Parquet and tables are lists, too") {
    withColours { folder =>
      val list = spark.range(3).selectExpr(
        "concat('images/', array('red/0.png', 'green/1.PNG', 'deep/blue/2.png')[id]) AS image_path",
        "id AS actual_class_id"
      )
      list.write.parquet(s"$folder/list")
      val (rows, printed) = classify(folder, Seq("--images", s"$folder/list", "--image-dir", folder.toString))
      assert(predicted(rows).toSet == all)
      assert(printed.contains("(3 of 3 images)"), printed)
      list.createOrReplaceTempView("job_inputs")
      assert(predicted(classify(folder, Seq("--table", "job_inputs", "--image-dir", folder.toString))._1).toSet == all)
    }
  }

  test("a column can have the images themselves, also within a struct") {
    withColours { folder =>
      val files =
        spark.read.format("binaryFile").option("recursiveFileLookup", "true").option("pathGlobFilter", "*.[pP]*")
      files.load(s"$folder/images").selectExpr("struct(content AS bytes, path) AS image").write.parquet(s"$folder/list")
      val columns = Seq("--image-column", "image.bytes", "--path-column", "image.path")
      assert(predicted(classify(folder, Seq("--images", s"$folder/list") ++ columns)._1).toSet == all)
      // Paths, which belong to a folder.
      spark.sql("SELECT 'first' AS image_path, 'red/0.png' AS file").createOrReplaceTempView("job_files")
      val paths = Seq("--table", "job_files", "--image-column", "file", "--image-dir", s"$folder/images")
      assert(predicted(classify(folder, paths)._1) == Seq("first" -> "red"))
    }
  }

  test("there are as many images as asked for, in as many parts") {
    withColours { folder =>
      val images = Seq("--images", folder.resolve("images").toString)
      assert(classify(folder, images ++ Seq("--limit", "2"))._1.length == 2)
      classify(folder, images ++ Seq("--partitions", "2"))
      assert(
        Files.list(folder.resolve("predictions")).filter(_.getFileName.toString.matches("part-.*csv")).count() == 2
      )
    }
  }

  test("what cannot be a list is refused, and says what would be one") {
    withColours { folder =>
      def refused(arguments: String*): String = intercept[JobException](classify(folder, arguments)).getMessage
      assert(refused("--images", s"$folder/none").endsWith("/none: there is no such file or folder"))
      assert(refused("--images", "-").contains("no paths came on standard input"))
      Files.createDirectory(folder.resolve("empty"))
      assert(refused("--images", s"$folder/empty").contains("no images there, which end in jpg, jpeg,"))
      val list = Files.write(folder.resolve("list.csv"), "picture,label\n0.png,red\n".getBytes).toString
      assert(
        refused("--images", list).contains("has no column image_path (--path-column); its columns: [picture, label]")
      )
      val named = Seq("--images", list, "--path-column", "picture")
      assert(refused(named ++ Seq("--label-column", "truth"): _*).contains("has no column truth (--label-column)"))
      assert(refused(named ++ Seq("--label-id-column", "id"): _*).contains("has no column id (--label-id-column)"))
      spark.sql("SELECT 1 AS image_path").createOrReplaceTempView("job_numbers")
      assert(refused("--table", "job_numbers").contains("is INT, and paths are STRING"))
      assert(refused("--table", "job_numbers", "--image-column", "image_path").contains("is INT"))
      intercept[AnalysisException](classify(folder, Seq("--images", s"$folder/*.none")))
    }
  }
}
