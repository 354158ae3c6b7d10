"""What `make pyspark` begins with: `spark_classify`, and the view `images`."""

from pathlib import Path

import spark_classify
from pyspark.sql import SparkSession
from spark_classify import functions as sc  # noqa: F401

for statement in Path("examples/images.sql").read_text().split(";"):
    if statement.strip():
        SparkSession.active().sql(statement)
spark_classify.register(SparkSession.active())
images = SparkSession.active().table("images")
print("""The dataset is the view and the frame `images`. For example:
    images.select("actual_class", sc.classify("path").alias("c")).select("actual_class", "c.class").show()""")
