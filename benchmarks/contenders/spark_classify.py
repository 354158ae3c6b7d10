"""Our Spark function, from PySpark: one DataFrame of paths, one `classify`, and the rows collected, or written."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pyspark
from contender import Prediction, contend, options, timed
from spark_session import images, session, with_functions

ROOT = Path(__file__).resolve().parents[2]
# What the images of --files=slow need (docs of spark.classify.read.threads: latency times images a second and task).
READ_THREADS = 32
# Executors share so many tasks at a time, on the cores there are: none gets more of the machine by being several.
EXECUTOR_TASKS = 4
# Where a job into files writes.
FILES = f"{os.environ['TMPDIR']}/rows"


def main() -> None:
    arguments = options(
        engine=("onnx", "pytorch"),
        executors=("driver", "1", "2", "4"),
        partitions=("default", "100", "1000"),
        files=("local", "quick", "slow"),
        tasks=("narrow", "wide"),
        precision=("fp32", "bf16", "int8"),
        decode=("exact", "fast"),
        result=("rows", "files"),
    )
    settings = {
        **with_functions(arguments.model),
        "spark.classify.batchSize": arguments.batch_size,
        "spark.classify.precision": arguments.precision,
        "spark.classify.decode": arguments.decode,
        # Of this process alone, so that the first row's time has unpacking in it.
        "spark.classify.native.dir": f"{os.environ['TMPDIR']}/native",
    }
    if arguments.executors != "driver":
        executors = int(arguments.executors)
        tasks = EXECUTOR_TASKS * math.ceil(arguments.cores / EXECUTOR_TASKS)
        settings["spark.master"] = f"local-cluster[{executors},{tasks // executors},2048]"
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
        settings["spark.classify.read.schemes"] = f"file,{arguments.files}"
    spark = session(arguments, settings)

    def written() -> list[Prediction]:
        columns = pyarrow.parquet.read_table(FILES).to_pydict()
        return [Prediction(*row) for row in zip(*columns.values(), strict=True)]

    def classify(paths: list[str]) -> list[Prediction] | Callable[[], list[Prediction]]:
        rows = images(spark, [scheme + path for path in paths]).selectExpr(
            "path", f"classify(path, '{arguments.engine}') AS c"
        )
        rows = rows.select("path", "c.class_id", "c.probabilities")
        if arguments.result == "rows":
            return [Prediction(row.path.removeprefix(scheme), *row[1:]) for row in rows.collect()]
        rows.write.mode("overwrite").parquet(FILES)
        return written

    # Spark's own first query takes seconds, whatever it does.
    images(spark, ["none"]).selectExpr("path", "named_struct('length', length(path)) AS c").select("c.length").collect()
    start = time.perf_counter()
    classify(arguments.images.read_text(encoding="utf-8").splitlines()[:1])
    first_row = time.perf_counter() - start
    facts = {"first_row": first_row, "tasks": spark.sparkContext.defaultParallelism}
    contend(arguments, timed(classify), {"spark": pyspark.__version__}, **facts)
    spark.stop()


if __name__ == "__main__":
    main()
