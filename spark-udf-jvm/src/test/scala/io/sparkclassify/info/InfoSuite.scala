package io.sparkclassify.info

import java.nio.file.Files

import io.sparkclassify.{SharedSession, TestData}
import io.sparkclassify.conf.ClassifySpec
import io.sparkclassify.model.{ClassifyEngine, ModelOutputs}
import org.apache.spark.SparkEnv
import org.apache.spark.sql.Row

class InfoSuite extends SharedSession {

  test("the driver says what it has, a row for each backend") {
    val rows = sql("SELECT * FROM classify_info()").collect().toSeq
    assert(rows.map(_.getAs[String]("executor")) == Seq("driver", "driver"))
    assert(rows.map(_.getAs[String]("backend")).toSet == Set("onnx", "pytorch"))
    rows.foreach { row =>
      assert(row.getAs[Boolean]("available") && row.isNullAt(row.fieldIndex("reason")), row)
      assert(row.getAs[String]("host") == SparkEnv.get.blockManager.blockManagerId.host)
      assert(row.getAs[String]("jar_version") == "0.1.0")
      assert(row.getAs[String]("spark_version") == spark.version)
      assert(row.getAs[String]("engine_version").matches("\\d+\\.\\d+\\..*"))
      assert(row.getSeq[String](row.fieldIndex("devices")).contains("cpu"))
      assert(row.getAs[String]("instruction_set").nonEmpty)
      val hasGpu = row.getSeq[String](row.fieldIndex("devices")).contains("cuda:0")
      assert(hasGpu == row.isNullAt(row.fieldIndex("no_gpu")), row)
    }
  }

  test("what is short comes first, and what may be a sentence last") {
    val columns = sql("SELECT * FROM classify_info()").columns.toSeq
    assert(columns.take(5) == Seq("executor", "host", "backend", "available", "engine_version"))
    assert(columns.takeRight(4) == Seq("loaded_models", "reason", "no_gpu", "notes"))
  }

  test("it is asked when the query runs, and shows the models that are loaded then") {
    TestData.withFolder { folder =>
      val model = TestData.copyModel(folder)
      val frame = sql("SELECT * FROM classify_info() WHERE backend = 'onnx'").selectExpr("explode(loaded_models) AS m")
      def found: Boolean = frame.where(s"m = 'file:$model'").count() == 1
      assert(!found)
      val lease = ClassifyEngine.acquire(ClassifySpec.resolve(Some("onnx"), Some(model.toString)), ModelOutputs.Classes)
      try assert(found)
      finally lease.close()
    }
  }

  test("notes say how the files of a loaded model are read") {
    TestData.withFolder { folder =>
      val model = TestData.copyModel(folder)
      val file = model.resolve("preprocessor_config.json")
      Files.writeString(file, Files.readString(file).replace("ViTImageProcessor", "ViTImageProcessorFast"))
      val lease = ClassifyEngine.acquire(ClassifySpec.resolve(Some("onnx"), Some(model.toString)), ModelOutputs.Classes)
      try {
        val notes = sql("SELECT * FROM classify_info() WHERE backend = 'onnx'").selectExpr("explode(notes) AS n")
        val found = notes.where(s"startswith(n, 'file:$model: ')").collect().map(_.getString(0))
        assert(
          found.length == 1 && found.head.contains("`ViTImageProcessorFast` resizes tensors"),
          found.mkString("\n")
        )
      } finally lease.close()
    }
  }

  test("it can be joined with itself, counted, and limited") {
    assert(
      sql("SELECT count(*) FROM classify_info() a JOIN classify_info() b USING (executor, backend)").head() == Row(2L)
    )
    assert(sql("SELECT backend FROM classify_info() LIMIT 1").collect().length == 1)
  }

  test("EXPLAIN runs nothing") {
    val plan = sql("EXPLAIN SELECT * FROM classify_info()").head().getString(0)
    assert(plan.contains("ClassifyInfo"), plan)
  }

  test("an executor that could not be reached has a row that says so") {
    val rows = ProcessInfo("7", "host", None).rows
    assert(rows.length == 1)
    val row = rows.head
    assert(row.length == ClassifyInfo.schema.length)
    assert(row.getString(0) == "7" && row.getString(1) == "host")
    assert(!row.getBoolean(ClassifyInfo.schema.fieldIndex("available")))
    assert(row.getString(ClassifyInfo.schema.fieldIndex("reason")).contains("could not be reached"))
  }

  test("DESCRIBE FUNCTION explains it, and arguments are refused") {
    val text = sql("DESCRIBE FUNCTION EXTENDED classify_info").collect().map(_.getString(0)).mkString("\n")
    Seq("classify_info()", "driver", "loaded_models", "Since: 0.1.0").foreach(part => assert(text.contains(part), text))
    assertError(failureOf(sql("SELECT * FROM classify_info(1)")), "WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "classify_info")
  }

}
