"""Image classification as a Spark SQL function, from Python.

    import spark_classify
    spark = spark_classify.start(model="/models/id-card")
    spark.sql("SELECT classify('/images/1.png')").show()

`spark_classify.functions` has the functions of columns; the command `spark-classify` makes and checks model
directories. Importing this needs nothing but Python.
"""

from spark_classify.errors import ClassifyError
from spark_classify.jars import SparkVersion, installed_spark, jar_path, jar_paths
from spark_classify.progress import progress
from spark_classify.session import configure, info, register, start

__all__ = [
    "ClassifyError",
    "SparkVersion",
    "configure",
    "info",
    "installed_spark",
    "jar_path",
    "jar_paths",
    "progress",
    "register",
    "start",
]
