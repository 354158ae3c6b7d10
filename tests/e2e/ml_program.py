"""What test_ml.py has a classic session and a Spark Connect client do alike: `ml_program.py FOLDER ANSWERS [URL]`."""

import json
import sys
from pathlib import Path

from pyspark.errors import AnalysisException, IllegalArgumentException
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, concat, expr, isnan, lit
from spark_classify.ml import ImageClassifier, ImageEmbedder

ROOT = Path(__file__).resolve().parents[2]
results = {}


def failure(kind, action):
    """How an action fails, which is with an error of this kind."""
    try:
        action()
    except kind as error:
        return str(error)
    return "nothing failed"


def predict(images):
    """Classes, probabilities and what Spark's evaluator makes of them."""
    predictions = ImageClassifier(inputCol="path").transform(images)
    shown = predictions.select("name", "prediction", "predictedLabel", vector_to_array("probability").alias("p"))
    results["predictions"] = [[row.name, row.prediction, row.predictedLabel, list(row.p)] for row in shown.collect()]
    for metric in ("accuracy", "logLoss"):
        results[metric] = MulticlassClassificationEvaluator(metricName=metric).evaluate(predictions)


def handle_invalid(spark, good):
    """Rows of bad images and of none, and params that do not fit."""
    bad = spark.createDataFrame([(1, good), (2, "/no/such.png"), (3, None)], "id INT, path STRING")
    skipping = ImageClassifier(inputCol="path", handleInvalid="skip")
    results["skip"] = [row.id for row in skipping.transform(bad).select("id").collect()]
    kept = ImageClassifier(inputCol="path", handleInvalid="keep", errorCol="why").transform(bad)
    rows = kept.select("id", isnan("prediction"), "predictedLabel", "why").orderBy("id").collect()
    results["keep"] = [list(row) for row in rows]

    def fail(kind, frame, transformer):
        return failure(kind, lambda: transformer().transform(frame).collect())

    results["failures"] = {
        "image": fail(Exception, bad.where("id = 2"), lambda: ImageClassifier(inputCol="path")),
        "no image": fail(Exception, bad.where("id = 3"), lambda: ImageClassifier().setInputCol("path")),
        "column": fail(IllegalArgumentException, bad, lambda: ImageClassifier(inputCol="pth")),
        "no column": fail(IllegalArgumentException, bad, lambda: ImageEmbedder(outputCol="features")),
        "handling": fail(IllegalArgumentException, bad, lambda: ImageEmbedder(inputCol="path", handleInvalid="drop")),
        "model": fail(AnalysisException, bad, lambda: ImageClassifier(inputCol="path", model="nine")),
        "backend": fail(AnalysisException, bad, lambda: ImageEmbedder(inputCol="path", backend="tensorflow")),
        "position": failure(TypeError, lambda: ImageClassifier("path")),
    }


def run_pipeline(images, folder):
    """A pipeline with a regression on embeddings, which is saved and loaded."""
    embedder = ImageEmbedder(inputCol="path", outputCol="features", model="colours")
    rows = embedder.transform(images).select("name", vector_to_array("features").alias("v")).collect()
    by_sql = images.select("name", expr("embed_image(path, model => 'colours') AS v")).collect()
    vectors = {row.name: row.v for row in by_sql}
    results["difference"] = max(abs(a - b) for row in rows for a, b in zip(row.v, vectors[row.name], strict=True))

    def predicted(model):
        return [row.prediction for row in model.transform(images).orderBy("path").select("prediction").collect()]

    fitted = Pipeline(stages=[embedder, LogisticRegression(maxIter=3)]).fit(images)
    fitted.write().overwrite().save(f"{folder}/pipeline")
    loaded = PipelineModel.load(f"{folder}/pipeline")
    stage = loaded.stages[0]
    results["stage"] = [type(stage) is ImageEmbedder, stage.uid == embedder.uid, stage.getModel()]
    results["predicted"] = predicted(fitted)
    results["predicted by the loaded one"] = predicted(loaded)
    Pipeline(stages=[embedder]).write().overwrite().save(f"{folder}/unfitted")
    results["unfitted"] = [stage.uid == embedder.uid for stage in Pipeline.load(f"{folder}/unfitted").getStages()]


def save_and_copy(images, folder):
    """A transformer alone."""
    saved = ImageClassifier(inputCol="path", model="colours", backend="onnx", handleInvalid="keep", errorCol="why")
    saved.save(f"{folder}/classifier")
    loaded = ImageClassifier.load(f"{folder}/classifier")
    same = [loaded.uid == saved.uid, loaded.explainParams() == saved.explainParams()]
    results["loaded"] = [type(loaded) is ImageClassifier, *same]
    copied = loaded.copy({loaded.predictionCol: "p"})
    results["columns"] = [loaded.transform(images).columns, copied.transform(images).columns]
    loaded.setPredictedLabelCol("").setErrorCol("").setProbabilityCol("").setBackend("onnx").setModel("colours")
    loaded.write().overwrite().save(f"{folder}/classifier")
    results["few"] = ImageClassifier.load(f"{folder}/classifier").transform(images).columns


def cross_to_scala(spark, images, folder):
    """What Python has saved is loaded in Scala, and the other way round."""
    jvm = spark._jvm
    scala = jvm.org.apache.spark.ml.PipelineModel.load(f"{folder}/pipeline")
    rows = scala.transform(images._jdf).select("path", jvm.PythonUtils.toSeq(["prediction"])).collectAsList()
    results["predicted by Scala"] = [prediction for _, prediction in sorted((row.get(0), row.get(1)) for row in rows)]
    embedder = PipelineModel.load(f"{folder}/pipeline").stages[0]
    results["shown"] = [stage.toString() for stage in (scala.stages()[0], embedder._java_obj)]
    made = jvm.io.sparkclassify.ml.ImageClassifier("made").setInputCol("path").setModel("colours").setErrorCol("why")
    made.save(f"{folder}/scala")
    loaded = ImageClassifier.load(f"{folder}/scala")
    results["made"] = [loaded.uid, loaded.getInputCol(), loaded.getModel(), loaded.getErrorCol()]
    results["unset"] = [name for name in ("backend", "handleInvalid") if not loaded.isSet(name)]
    # Python has the texts and the defaults of what is not Spark's own again.
    ours = ("backend", "errorCol", "handleInvalid", "model", "predictedLabelCol")
    for transformer in (loaded, embedder):
        scala_params = {param.name(): param for param in transformer._java_obj.params()}
        assert scala_params.keys() == {param.name for param in transformer.params}
        for param in transformer.params:
            scala_param = scala_params[param.name]
            assert param.name not in ours or param.doc == scala_param.doc(), param
            default = transformer._java_obj.getDefault(scala_param)
            # That of outputCol has the identifier of who made it.
            assert param.name == "outputCol" or default.isDefined() == transformer.hasDefault(param), param
            assert param.name not in ours or default.isEmpty() or default.get() == transformer._defaultParamMap[param]


def main(folder, answers, url=None):
    builder = SparkSession.builder
    spark = (builder.remote(url) if url else builder).getOrCreate()
    listed = spark.read.option("header", True).csv(f"{ROOT}/dataset/image_data.csv")
    path = concat(lit(f"{ROOT}/dataset/all_images/"), "image_path").alias("path")
    images = listed.select(path, col("image_path").alias("name"), col("actual_class_id").cast("double").alias("label"))
    some = images.limit(20).cache()
    predict(images)
    handle_invalid(spark, some.head().path)
    run_pipeline(some, folder)
    save_and_copy(some, folder)
    if not url:
        cross_to_scala(spark, some, folder)
    Path(answers).write_text(json.dumps(results))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
