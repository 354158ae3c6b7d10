"""Classifies the dataset with functions of columns, shows how far it is, and handles a bad image.

python examples/classify.py
"""

import spark_classify
from pyspark.errors import SparkRuntimeException
from pyspark.sql.functions import avg, col, concat, lit
from spark_classify import functions as sc

# What a builder's `config` takes comes after the model: start("model", **{"spark.master": "local[4]"}).
spark = spark_classify.start(model="model")

labels = spark.read.csv("dataset/image_data.csv", header=True)
images = labels.withColumn("path", concat(lit("dataset/all_images/"), "image_path"))
predictions = images.withColumn("c", sc.classify("path")).select("path", "actual_class", "c.class", "c.confidence")

with spark_classify.progress(spark):
    predictions = predictions.cache()
    predictions.count()

predictions.orderBy("confidence").show(5, truncate=False)
predictions.select(avg((col("class") == col("actual_class")).cast("int")).alias("accuracy")).show()

# A bad image fails its query with one of PySpark's own exceptions ...
bad = spark.createDataFrame([("dataset/image_data.csv",), ("dataset/all_images/id_0001.jpg",)], ["path"])
try:
    bad.select(sc.classify("path")).collect()
except SparkRuntimeException as error:
    print(error.getCondition(), error.getSqlState())
    print(error)

# ... or is a row with an error.
bad.select("path", sc.try_classify("path").alias("c")).select("path", "c.class", "c.error").show(truncate=60)

spark.stop()
