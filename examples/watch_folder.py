"""Classifies the images of a folder, and then those that are put into it, as they come.

    python examples/watch_folder.py FOLDER PREDICTIONS [--once]

With `--once` it ends when it has come to what is there; what has been classified is remembered beside the predictions,
so that a later run goes on with the rest.
"""

import sys

import spark_classify
from spark_classify import functions as sc

folder, predictions = sys.argv[1:3]
spark = spark_classify.start(model="model")

images = (
    spark.readStream.format("binaryFile")
    .schema("path STRING, modificationTime TIMESTAMP, length LONG, content BINARY")
    # How many files one step takes; the predictions of a step are there when it is over.
    .option("maxFilesPerTrigger", 1000)
    .load(folder)
)
# A stream should not end at the first broken file: try_classify says what is wrong with it.
classified = images.select("path", sc.try_classify("content").alias("c")).select(
    "path", "c.class", "c.confidence", "c.error"
)

writer = classified.writeStream.format("json").option("path", predictions)
writer = writer.option("checkpointLocation", f"{predictions}/_checkpoint")
writer = writer.trigger(availableNow=True) if "--once" in sys.argv else writer.trigger(processingTime="5 seconds")
writer.start().awaitTermination()
