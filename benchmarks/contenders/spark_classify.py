"""Our Spark function, from PySpark: one DataFrame of paths, one `classify`, and the rows collected."""

from __future__ import annotations

from pathlib import Path

import pyspark
from contender import Prediction, contend, options, timed
from spark_session import images, session

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    arguments = options(engine=("onnx", "pytorch"))
    (jar,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    spark = session(
        arguments,
        {
            "spark.jars": str(jar),
            "spark.sql.extensions": "io.sparkclassify.ClassifyExtensions",
            "spark.classify.model": str(arguments.model),
            "spark.classify.batchSize": arguments.batch_size,
        },
    )

    def classify(paths: list[str]) -> list[Prediction]:
        rows = images(spark, paths).selectExpr("path", f"classify(path, '{arguments.engine}') AS c")
        return [Prediction(*row) for row in rows.select("path", "c.class_id", "c.probabilities").collect()]

    contend(arguments, timed(classify), {"spark": pyspark.__version__})
    spark.stop()


if __name__ == "__main__":
    main()
