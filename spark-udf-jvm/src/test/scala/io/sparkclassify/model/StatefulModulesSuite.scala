package io.sparkclassify.model

import java.nio.file.{Path, Paths}

import io.sparkclassify.{SharedSession, TestData}

/** TorchScript modules that change themselves while they run: tasks share a module. */
class StatefulModulesSuite extends SharedSession {

  private val images = TestData.golden("pytorch").keys.toSeq.sorted.take(16).map(name => s"${TestData.images}/$name")

  private def module(name: String): Path = Paths.get(s"tests/cases/torch/$name").toAbsolutePath

  private def results(function: String, name: String, partitions: Int): Map[String, Seq[Float]] = {
    val frame = spark.createDataFrame(images.map(Tuple1(_))).toDF("path").repartition(partitions)
    val rows = frame.selectExpr("path", s"$function(path, 'pytorch', '${module(name)}').probabilities").collect()
    rows.map(row => row.getString(0) -> row.getSeq[Float](1).toSeq).toMap
  }

  Seq("classify", "try_classify").foreach { function =>
    test(s"$function: a module that changes itself is refused, with the attribute") {
      val error = failureOf(results(function, "assign", 8))
      assertError(error, "CLASSIFY_BAD_MODEL", "changes its attribute `state`", "take that out of forward")
    }

    test(s"$function: a module that uses files is refused, with the operator and the key that allows it") {
      val error = failureOf(results(function, "reads", 8))
      assertError(
        error,
        "CLASSIFY_BAD_MODEL",
        "the operator `aten::from_file`",
        "spark.classify.torch.allowAllOperators"
      )
    }

    test(s"$function: one that does not change gives the same in every task") {
      val alone = results(function, "plain", 1)
      assert(alone.size == images.size)
      val together = results(function, "plain", 8)
      alone.foreach { case (path, expected) =>
        expected.zip(together(path)).foreach { case (one, other) => assert(math.abs(one - other) < 1e-6, path) }
      }
    }

    test(s"$function: one that takes a single image gets all images of a batch") {
      val expected = results(function, "plain", 1)
      results(function, "one_image", 2).foreach { case (path, actual) =>
        actual.zip(expected(path)).foreach { case (one, other) => assert(math.abs(one - other) < 1e-6, path) }
      }
    }
  }
}
