"""Our Spark function, from PySpark: one DataFrame of paths, one `classify`, and the rows collected."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyspark
from contender import Prediction, contend, options, timed
from spark_session import images, session

ROOT = Path(__file__).resolve().parents[2]
# What the images of --files=slow need (docs of spark.classify.read.threads: latency times images a second and task).
READ_THREADS = 32


def main() -> None:
    arguments = options(
        engine=("onnx", "pytorch"),
        executors=("driver", "1", "2", "4"),
        partitions=("default", "100", "1000"),
        files=("local", "quick", "slow"),
        tasks=("narrow", "wide"),
    )
    (jar,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    settings = {
        "spark.jars": str(jar),
        "spark.sql.extensions": "io.sparkclassify.ClassifyExtensions",
        "spark.classify.model": str(arguments.model),
        "spark.classify.batchSize": arguments.batch_size,
        # Of this process alone, so that the first row's time has unpacking in it.
        "spark.classify.native.dir": f"{os.environ['TMPDIR']}/native",
    }
    if arguments.executors != "driver":
        executors = int(arguments.executors)
        if arguments.cores % executors:
            raise SystemExit(f"ValueError: {executors} executors cannot share {arguments.cores} cores")
        settings["spark.master"] = f"local-cluster[{executors},{arguments.cores // executors},2048]"
        settings["spark.executor.memory"] = "1g"
    if arguments.partitions != "default":
        settings["spark.default.parallelism"] = arguments.partitions
    if arguments.tasks == "wide":
        settings["spark.task.cpus"] = arguments.cores
    scheme = ""
    if arguments.files != "local":
        scheme = f"{arguments.files}:"
        settings["spark.driver.extraClassPath"] = str(ROOT / "benchmarks/jvm/build/classes")
        settings[f"spark.hadoop.fs.{arguments.files}.impl"] = f"benchmarks.{arguments.files.title()}Files"
        settings["spark.classify.read.threads"] = READ_THREADS
    spark = session(arguments, settings)

    def classify(paths: list[str]) -> list[Prediction]:
        rows = images(spark, [scheme + path for path in paths]).selectExpr(
            "path", f"classify(path, '{arguments.engine}') AS c"
        )
        rows = rows.select("path", "c.class_id", "c.probabilities").collect()
        return [Prediction(row.path.removeprefix(scheme), row.class_id, row.probabilities) for row in rows]

    # Spark's own first query takes seconds, whatever it does.
    images(spark, ["none"]).selectExpr("path", "named_struct('length', length(path)) AS c").select("c.length").collect()
    start = time.perf_counter()
    classify(arguments.images.read_text(encoding="utf-8").splitlines()[:1])
    first_row = time.perf_counter() - start
    contend(arguments, timed(classify), {"spark": pyspark.__version__}, first_row=first_row)
    spark.stop()


if __name__ == "__main__":
    main()
