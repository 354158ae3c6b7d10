package io.sparkclassify

import java.nio.file.{Files, Paths}

import io.sparkclassify.conf.{ClassifyConf, ClassifySpec, Engine, Precision}
import io.sparkclassify.model.ClassifyEngine

class PrecisionSuite extends SharedSession {

  private val images = TestData.golden("onnx").keys.toSeq.sorted.take(40)

  private def results(model: String): Map[String, (String, Seq[Float])] = {
    val rows = images.map(name => s"('$name')").mkString(", ")
    sql(
      s"SELECT name, classify(concat('${TestData.images}/', name), 'onnx', '$model') AS c FROM VALUES $rows AS t(name)"
    )
      .select("name", "c.class", "c.probabilities")
      .collect()
      .map(row => row.getString(0) -> (row.getString(1) -> row.getSeq[Float](2).toSeq))
      .toMap
  }

  test("int8 gives almost the same labels, and fp32 beside it is what it was") {
    TestData.withFolder { folder =>
      val model = TestData.copyModel(folder).toString
      val before = ClassifyEngine.modelsLoaded
      val exact = results(model)
      val fast = withConf(ClassifyConf.PrecisionName.key -> "INT8")(results(model))
      assert(ClassifyEngine.modelsLoaded == before + 2)
      assert(images.count(image => exact(image)._1 != fast(image)._1) <= 1)
      val differences = images.map { image =>
        exact(image)._2.zip(fast(image)._2).map { case (a, b) => math.abs(a - b) }.max
      }
      assert(differences.max > 0 && differences.max < 0.2, differences)

      assert(results(model) == exact)
      assert(ClassifyEngine.modelsLoaded == before + 2)
      val listed = sql("SELECT explode(loaded_models) FROM classify_info() WHERE backend = 'onnx'")
      val found = listed.collect().map(_.getString(0)).filter(_.startsWith(s"file:$model")).toSeq
      assert(found == Seq(s"file:$model", s"file:$model (int8)"))
    }
  }

  test("EXPLAIN shows another precision than fp32") {
    def plan: String = sql(s"SELECT classify('a.png', 'onnx')").queryExecution.toString
    assert(plan.contains(s"classify(a.png, onnx, file:${TestData.model})"), plan)
    withConf(ClassifyConf.PrecisionName.key -> "int8") {
      assert(plan.contains(s"classify(a.png, onnx, file:${TestData.model} (int8))"), plan)
    }
  }

  test("a precision that the backend does not compute in is refused when the query is analysed") {
    for (precision <- Precision.all; engine <- Engine.all) withConf(ClassifyConf.PrecisionName.key -> precision.name) {
      def spec: ClassifySpec = ClassifySpec.resolve(Some(engine.name))
      if (precision.engines.contains(engine)) assert(spec.model.precision == precision)
      else {
        val other = precision.engines.head.name
        val error = failure(s"SELECT classify('a.png', '${engine.name}')")
        assertError(
          error,
          "CLASSIFY_BAD_CONFIGURATION",
          s"${ClassifyConf.PrecisionName.key} is '${precision.name}', in which the backend '${engine.name}'",
          s"set it to 'fp32', or choose the backend '$other'"
        )
      }
    }
  }

  test("a model directory without model.int8.onnx is an error that says what makes it") {
    TestData.withFolder { folder =>
      val model = TestData.copyModel(folder)
      Files.delete(model.resolve("model.int8.onnx"))
      withConf(ClassifyConf.PrecisionName.key -> "int8") {
        val error = failure(s"SELECT classify('${TestData.image(".png")}', 'onnx', '$model')")
        assertError(error, "CLASSIFY_BAD_MODEL", "model.int8.onnx", "is missing", "scripts/quantize_model.py")
      }
    }
  }

  test("bf16 runs where the CPU has instructions for it, and is refused elsewhere") {
    val flags = Files.readString(Paths.get("/proc/cpuinfo"))
    val query = s"SELECT classify('${TestData.image(".png")}', 'pytorch').class"
    val expected = sql(query).head()
    withConf(ClassifyConf.PrecisionName.key -> "bf16") {
      if (flags.contains("avx512_bf16")) assert(sql(query).head() == expected)
      else {
        val parts = Seq("option `precision` = `bf16`", "this CPU", "`fp32`", s"(${ClassifyConf.PrecisionName.key})")
        assertError(failure(query), "CLASSIFY_BAD_CONFIGURATION", parts: _*)
      }
    }
  }
}
