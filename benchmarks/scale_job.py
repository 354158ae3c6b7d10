"""The Spark job of scale.py: so many paths, one `classify`, the rows into Parquet. Prints a line of JSON a second."""

from __future__ import annotations

import argparse
import json
import threading
import time

from contenders.spark_session import jar
from pyspark.sql import DataFrame, SparkSession, functions

DRAWINGS = 1000
METRIC = "number of reads tried again"


def session(options: argparse.Namespace) -> SparkSession:
    # So many tasks at a time, whatever executors share them.
    tasks = max(options.cores, options.executors)
    settings = {
        "spark.master": f"local-cluster[{options.executors},{tasks // options.executors},1024]",
        "spark.executor.memory": "1g",
        "spark.driver.memory": "1g",
        "spark.jars": jar(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.executorEnv.OMP_NUM_THREADS": "1",
        "spark.classify.model": options.model,
        "spark.classify.backend": "onnx",
    }
    if options.store:
        settings |= {
            "spark.driver.extraClassPath": options.store,
            "spark.executor.extraClassPath": options.store,
            "spark.hadoop.fs.faulty.impl": "FaultyFileSystem",
            # Of each hundred files two are refused, cut short, or late by 300 ms, as many of each.
            "spark.hadoop.fs.faulty.percent": "2",
            "spark.hadoop.fs.faulty.delay.least": "50",
            "spark.hadoop.fs.faulty.delay.most": "200",
            "spark.classify.read.schemes": "file,faulty",
            "spark.classify.read.threads": "256",
        }
    builder = SparkSession.builder.appName("scale")
    for key, value in settings.items():
        builder = builder.config(key, str(value))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def answers(spark: SparkSession, options: argparse.Namespace) -> DataFrame:
    scheme = "faulty:" if options.store else "file:"
    name = f"format_string('{scheme}{options.folder}/%06d/%03d.jpg', id div {DRAWINGS}, id % {DRAWINGS})"
    rows = spark.range(0, options.images, 1, options.partitions).selectExpr("id", f"{name} AS path")
    return rows.selectExpr("id", "classify(path) AS c").selectExpr("id", "c.class_id", "c.confidence")


def tell(spark: SparkSession, options: argparse.Namespace, start: float, over: threading.Event) -> None:
    """A line a second: how many images are done, as far as their tasks are."""
    tracker = spark.sparkContext.statusTracker()
    while not over.wait(1):
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        done = sum(stage.numCompletedTasks for stage in stages if stage)
        images = done * options.images // options.partitions
        print(json.dumps({"seconds": time.monotonic() - start, "done": images}), flush=True)


def metric_of(spark: SparkSession, name: str) -> int:
    """A metric of the operator, summed over the queries of the application."""
    store = spark._jsparkSession.sharedState().statusStore()
    total = 0
    executions = store.executionsList()
    for index in range(executions.size()):
        execution = executions.apply(index)
        values = store.executionMetrics(execution.executionId())
        metrics = execution.metrics()
        for place in range(metrics.size()):
            metric = metrics.apply(place)
            value = values.get(metric.accumulatorId())
            if metric.name() == name and value.isDefined():
                total += int(value.get().replace(",", ""))
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("folder", "model", "output"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("executors", "cores", "partitions", "images"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--store", help="folder with the class of the file system to read from")
    options = parser.parse_args()
    spark = session(options)
    over = threading.Event()
    start = time.monotonic()
    print(json.dumps({"seconds": 0.0, "done": 0}), flush=True)
    teller = threading.Thread(target=tell, args=(spark, options, start, over), daemon=True)
    teller.start()
    answers(spark, options).write.parquet(options.output)
    seconds = time.monotonic() - start
    over.set()
    teller.join()
    print(json.dumps({"seconds": seconds, "done": options.images}), flush=True)
    retries = metric_of(spark, METRIC)
    tracker = spark.sparkContext.statusTracker()
    failed = sum(
        stage.numFailedTasks
        for job in tracker.getJobIdsForGroup()
        for stage in map(tracker.getStageInfo, tracker.getJobInfo(job).stageIds)
        if stage
    )
    told = {"seconds": seconds, "retries": retries, "failed_tasks": failed, "wrong": wrong(spark, options)}
    print(json.dumps(told), flush=True)
    spark.stop()


def wrong(spark: SparkSession, options: argparse.Namespace) -> int:
    """How many rows are missing, there twice, or unlike those of the same drawing."""
    rows = spark.read.parquet(options.output)
    missing = options.images - rows.select("id").distinct().count()
    again = rows.count() - (options.images - missing)
    drawings = rows.selectExpr(f"id % {DRAWINGS} AS drawing", "class_id", "confidence").groupBy("drawing")
    spread = drawings.agg(
        functions.count_distinct("class_id").alias("classes"),
        (functions.max("confidence") - functions.min("confidence")).alias("difference"),
    )
    return missing + again + spread.where("classes > 1 OR NOT difference < 1e-5").count()


if __name__ == "__main__":
    main()
