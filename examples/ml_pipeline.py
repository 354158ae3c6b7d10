"""Spark ML: how good a model is, and a classifier of one's own on the embeddings of a network that others trained.

python examples/ml_pipeline.py /tmp/cards-pipeline
"""

import sys

import spark_classify
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from spark_classify.ml import ImageClassifier, ImageEmbedder

folder = sys.argv[1]
spark = spark_classify.start(model="model", **{"spark.classify.models.colours": "tests/golden/colour-embedding"})

labels = spark.read.csv("dataset/image_data.csv", header=True)
images = labels.selectExpr("concat('dataset/all_images/', image_path) AS path", "double(actual_class_id) AS label")

# An evaluator runs its query anew: what three of them need is classified once.
predictions = ImageClassifier(inputCol="path").transform(images).cache()
for metric in ("accuracy", "f1", "logLoss"):
    print(metric, round(MulticlassClassificationEvaluator(metricName=metric).evaluate(predictions), 4))

# The network here knows colours alone, so what is built on it finds few forgeries. `spark-classify export --embeddings`
# makes a model directory of CLIP, SigLIP, DINOv2 and others.
embedder = ImageEmbedder(inputCol="path", outputCol="features", model="colours")
fitted = Pipeline(stages=[embedder, LogisticRegression()]).fit(images)
fitted.write().overwrite().save(folder)

again = PipelineModel.load(folder).transform(images)
print("on colours", round(MulticlassClassificationEvaluator(metricName="accuracy").evaluate(again), 4))

spark.stop()
