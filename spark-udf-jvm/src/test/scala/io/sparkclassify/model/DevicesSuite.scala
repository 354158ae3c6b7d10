package io.sparkclassify.model

import io.sparkclassify.{SharedSession, TestData}
import io.sparkclassify.conf.{ClassifyConf, ClassifySpec, DeviceSpec}
import io.sparkclassify.plans.Plans

class DevicesSuite extends SharedSession {

  private val device = ClassifyConf.Device.key
  private val images =
    TestData.golden("onnx").keys.toSeq.sorted.take(8).map(name => Tuple1(s"${TestData.images}/$name"))

  private def classified(call: String) = spark.createDataFrame(images).toDF("path").repartition(2).selectExpr(call)

  test("names are checked where they are set") {
    Seq("gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "", "cuda:12345").foreach { name =>
      val error = intercept[IllegalArgumentException](withConf(device -> name)(()))
      assert(error.getMessage.contains(device) && error.getMessage.contains("cuda:N"), error)
    }
    Seq("cpu", "CUDA", "cuda:0", "cuda:17", "auto").foreach { name =>
      withConf(device -> name)(assert(ClassifySpec.resolve().model.device.name == name.toLowerCase))
    }
  }

  test("what concerns GPUs makes no other model on the CPU") {
    def spec(settings: (String, String)*): DeviceSpec = withConf(settings: _*)(ClassifySpec.resolve().model.device)
    val size = ClassifyConf.GpuBatchSize.key -> "7"
    assert(spec(size) == spec())
    assert(spec(size, device -> "cuda:1") != spec(device -> "cuda:1"))
    assert(spec(size, device -> "cuda:1").gpu.get.batchSize == 7)
  }

  test("auto is the CPU where Spark assigns no GPU, and says so") {
    withConf(device -> "auto") {
      val ran = Plans.run(classified("classify(path, 'onnx') AS c"))
      assert(ran.images == images.length && ran.metric("gpuImages") == 0)
      val listed = sql("SELECT explode(loaded_models) AS m FROM classify_info() WHERE backend = 'onnx'")
      assert(listed.where(s"m = 'file:${TestData.model}'").count() == 1)
      // It is the same model as with `cpu`, so it is not loaded again.
      val before = ClassifyEngine.modelsLoaded
      withConf(device -> "cpu")(classified("classify(path, 'onnx')").collect())
      assert(ClassifyEngine.modelsLoaded == before)
    }
  }

  for {
    engine <- TestData.engines
    function <- Seq("classify", "try_classify")
  } test(s"$engine: $function fails where the GPU is not there, and never falls back to the CPU") {
    // No machine has so many, and this one may have none and no driver.
    withConf(device -> "cuda:999") {
      val call = s"$function(path, '$engine').class"
      val error = failureOf(classified(call).collect())
      assertError(error, "CLASSIFY_DEVICE_UNAVAILABLE", s"file:${TestData.model}", "device cuda:999: ", s"($device)")
      assert(error.getMessage.contains("driver") || error.getMessage.contains("no GPU of this number"), error)
      assert(error.getSqlState == "58000")
      // A single row on the driver, too.
      val row = failure(s"SELECT $function('${TestData.image(".png")}', '$engine')")
      assertError(row, "CLASSIFY_DEVICE_UNAVAILABLE", "cuda:999")
    }
    assert(classified(s"$function(path, '$engine').class").collect().length == images.length)
  }

  test("EXPLAIN shows a device that is not the CPU") {
    def plan: String = sql("SELECT classify('a.png', 'onnx')").queryExecution.toString
    assert(!plan.contains("cpu"), plan)
    withConf(device -> "cuda:1")(assert(plan.contains(s"file:${TestData.model} (cuda:1))"), plan))
  }
}
