"""The field's workload with our Spark function: one `classify` between the two tables."""

from __future__ import annotations

import field
import pyspark
from contender import contend, options
from spark_session import session, with_functions


def main() -> None:
    arguments = options(engine=("onnx", "pytorch"))
    settings = {
        **with_functions(arguments.model),
        "spark.classify.batchSize": arguments.batch_size,
        "spark.classify.device": arguments.device,
    }
    spark = session(arguments, settings)

    def classify(source: str, target: str) -> None:
        # One small file is one partition to Spark.
        images = spark.read.parquet(source).repartition(spark.sparkContext.defaultParallelism)
        classified = images.selectExpr(field.PATHS, f"classify({field.PATHS}, '{arguments.engine}').class AS label")
        classified.write.mode("overwrite").parquet(target)

    contend(arguments, field.table_job(str(arguments.model), classify), {"spark": pyspark.__version__})
    spark.stop()


if __name__ == "__main__":
    main()
