package io.sparkclassify.ml

import java.lang.reflect.Modifier
import java.util.ServiceLoader

import scala.jdk.CollectionConverters._

import io.sparkclassify.{ColourImages, SharedSession, TestData}
import io.sparkclassify.plans.Plans
import org.apache.spark.ml.{Pipeline, PipelineModel, PipelineStage, Transformer}
import org.apache.spark.ml.classification.{LogisticRegression, LogisticRegressionModel}
import org.apache.spark.ml.evaluation.MulticlassClassificationEvaluator
import org.apache.spark.ml.feature.{IndexToString, StringIndexer, VectorAssembler, VectorSizeHint}
import org.apache.spark.ml.functions.array_to_vector
import org.apache.spark.ml.linalg.Vector
import org.apache.spark.ml.tuning.{CrossValidator, ParamGridBuilder}
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.functions.{col, expr}

/** The transformers with Spark ML's own stages. */
class PipelineSuite extends SharedSession {

  /** Few: Spark ML runs over its data again and again. */
  private def images: DataFrame = LabelledImages.frame(spark).limit(30)

  private val embedding = ColourImages.model.resolveSibling("colour-embedding").toString

  private def embedder: ImageEmbedder =
    new ImageEmbedder().setInputCol("path").setOutputCol("features").setModel(embedding).setBackend("onnx")

  /** The column that the embedder would make, by SQL. */
  private def embeddings(images: DataFrame): DataFrame = images
    .withColumn("embedding", expr(s"embed_image(path, 'onnx', '$embedding')"))
    .select(col("*"), array_to_vector(col("embedding")).as("features"))
    .drop("embedding")

  test("a logistic regression is fitted on embeddings, saved and loaded in a pipeline") {
    val indexer =
      new StringIndexer().setInputCol("actual_class").setOutputCol("index").setStringOrderType("alphabetAsc")
    val regression = new LogisticRegression().setLabelCol("index").setMaxIter(5)
    val names =
      new IndexToString().setInputCol("prediction").setOutputCol("name_of_class").setLabels(TestData.labels.toArray)
    val fitted = new Pipeline().setStages(Array[PipelineStage](indexer, embedder, regression, names)).fit(images)

    // The same regression on vectors that SQL has made.
    val byHand = regression.fit(indexer.fit(images).transform(embeddings(images)))
    val model = fitted.stages(2).asInstanceOf[LogisticRegressionModel]
    model.coefficientMatrix.toArray.zip(byHand.coefficientMatrix.toArray).foreach { case (a, b) =>
      assert(math.abs(a - b) < 1e-6)
    }

    val ran = Plans.run(fitted.transform(images))
    assert(ran.operators.length == 1 && ran.images == 30 && ran.left.isEmpty)
    TestData.withFolder { folder =>
      fitted.write.save(folder.resolve("pipeline").toString)
      val loaded = PipelineModel.load(folder.resolve("pipeline").toString)
      assert(loaded.stages(1).asInstanceOf[ImageEmbedder].explainParams() == fitted.stages(1).explainParams())
      assert(loaded.transform(images).select("name", "prediction", "name_of_class").collect().toSeq ==
        fitted.transform(images).select("name", "prediction", "name_of_class").collect().toSeq)
    }
  }

  test("columns of both go into other stages of Spark's, with the size of a vector as a hint") {
    val classifier = new ImageClassifier().setInputCol("path").setBackend("onnx")
    val names = new IndexToString().setInputCol("prediction").setOutputCol("again").setLabels(TestData.labels.toArray)
    val hint = new VectorSizeHint().setInputCol("features").setSize(3)
    val assembler = new VectorAssembler().setInputCols(Array("features", "prediction")).setOutputCol("all")
    val stages = Array[PipelineStage](classifier, names, embedder, hint, assembler)
    val rows = new Pipeline().setStages(stages).fit(images).transform(images).collect()
    rows.foreach { row =>
      val (features, all) = (row.getAs[Vector]("features").toArray, row.getAs[Vector]("all").toArray)
      assert(all.toSeq == features.toSeq :+ row.getAs[Double]("prediction"))
      assert(row.getAs[String]("again") == row.getAs[String]("predictedLabel"))
    }
  }

  test("a cross-validation takes the params of the transformers like any others") {
    val vectors = embeddings(images).cache()
    val regression = new LogisticRegression().setMaxIter(5)
    val other = embedder.setOutputCol("others")
    val grid = new ParamGridBuilder().addGrid(other.backend, Array("onnx", "pytorch")).build()
    val validator = new CrossValidator()
      .setEstimator(new Pipeline().setStages(Array[PipelineStage](other, regression)))
      .setEstimatorParamMaps(grid)
      .setEvaluator(new MulticlassClassificationEvaluator().setMetricName("accuracy"))
      .setNumFolds(2)
      .setSeed(7)
    val metrics = validator.fit(vectors).avgMetrics
    assert(metrics.length == 2 && metrics.forall(metric => metric >= 0 && metric <= 1))
    assert(metrics(0) == metrics(1), "the regression is on the vectors that are there already")
    vectors.unpersist()
  }

  test("a pipeline says at once what will not fit") {
    val wrong = new Pipeline().setStages(Array[PipelineStage](embedder, new ImageClassifier().setInputCol("features")))
    val error = intercept[IllegalArgumentException](wrong.fit(images))
    assert(error.getMessage.contains("inputCol is 'features'") && error.getMessage.contains("BINARY"), error)
    val twice = new Pipeline().setStages(Array[PipelineStage](embedder, embedder))
    assert(intercept[IllegalArgumentException](twice.fit(images)).getMessage.contains("outputCol is 'features'"))
  }

  test("Spark finds them as its own transformers, as Spark Connect does") {
    val found = ServiceLoader.load(classOf[Transformer]).stream.iterator.asScala.map(_.`type`).toSeq
    val ours = found.filter(_.getName.startsWith("io.sparkclassify."))
    assert(ours.toSet == Set(classOf[ImageClassifier], classOf[ImageEmbedder]))
    // The constructor and the method by which it makes and loads them.
    ours.foreach { one =>
      assert(one.getConstructor(classOf[String]).newInstance("id").asInstanceOf[Transformer].uid == "id")
      assert(Modifier.isStatic(one.getMethod("load", classOf[String]).getModifiers))
    }
  }
}
