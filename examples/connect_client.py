"""Classifies by a Spark Connect server: no JVM here, and no model either.

    python examples/connect_client.py sc://localhost:15002

The server has the jar and the models: start-connect-server.sh --packages … --conf
spark.classify.models.cards=/models/cards
"""

import sys

import spark_classify
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from spark_classify import functions as sc

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
# Fails where the server has no spark-classify, and asks it to leave pages of Java out of its errors.
spark_classify.register(spark)
spark_classify.info(spark).select("executor", "backend", "available", "engine_version").show()

# The server reads the files, so the path is one of the server.
images = spark.read.format("binaryFile").load("dataset/all_images").limit(5)
with spark_classify.progress(spark):
    images.select("path", sc.classify("content", model="cards").alias("c")).select("path", "c.class").show(
        truncate=False
    )

try:
    images.select(sc.classify("content", model="passports")).collect()
except PySparkException as error:
    print(error.getCondition(), error, sep=": ")

spark.stop()
