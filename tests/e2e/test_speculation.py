"""Speculative execution: of two attempts that classify the same rows one is killed, and nothing is lost or doubled."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from conftest import EXTENSION, ROOT, event_log, read_events

HANG_SECONDS = 60

SCRIPT = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
urls, answers = json.load(open(sys.argv[1])), sys.argv[2]
frame = spark.createDataFrame([(url,) for url in urls], "url string").repartition(len(urls))
rows = frame.selectExpr("url", "classify(url, 'onnx').class_id AS c").collect()
again = spark.sql(f"SELECT classify('{urls[0]}', 'onnx').class_id AS c").collect()[0].c
json.dump({"rows": [[row.url, row.c] for row in rows], "again": again}, open(answers, "w"))
"""


class Images(BaseHTTPRequestHandler):
    """Serves the dataset. The first request for each name under /hang/ waits, as a stuck connection would."""

    asked: ClassVar[set[str]] = set()
    lock = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            first = self.path not in self.asked
            self.asked.add(self.path)
        if first and self.path.startswith("/hang/"):
            time.sleep(HANG_SECONDS)
        content = (ROOT / "dataset/all_images" / self.path.rsplit("/", 1)[1]).read_bytes()
        try:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The attempt was killed.

    def log_message(self, *_: object) -> None:
        pass


def test_the_slower_attempt_is_killed(spark_run, cluster, jar, golden, tmp_path):
    names = sorted(golden["onnx"])[:8]
    Images.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Images)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # One task of eight hangs.
    port = server.server_address[1]
    urls = [f"http://127.0.0.1:{port}/{'hang' if at == 5 else 'ok'}/{name}" for at, name in enumerate(names)]
    script, questions, answers = tmp_path / "job.py", tmp_path / "urls.json", tmp_path / "answers.json"
    script.write_text(SCRIPT)
    questions.write_text(json.dumps(urls))
    events = tmp_path / "events"
    try:
        spark_run(
            *["spark-submit", "--master", cluster.url, "--jars", jar, "--conf", EXTENSION],
            *["--conf", "spark.executor.memory=512m", "--conf", "spark.driver.host=127.0.0.1"],
            *[
                "--conf",
                "spark.classify.model=model",
                "--conf",
                "spark.classify.read.schemes=file,http",
                "--conf",
                "spark.speculation=true",
            ],
            *["--conf", "spark.speculation.interval=100ms", "--conf", "spark.speculation.quantile=0.5"],
            *["--conf", "spark.speculation.multiplier=1.1", "--conf", "spark.speculation.minTaskRuntime=1s"],
            *[*event_log(events), script, questions, answers],
        )
    finally:
        server.shutdown()
    results = json.loads(answers.read_text())
    expected = {url: max(range(3), key=golden["onnx"][name].__getitem__) for url, name in zip(urls, names, strict=True)}
    assert sorted(map(tuple, results["rows"])) == sorted(expected.items())
    assert results["again"] == expected[urls[0]]

    ends = [event for event in read_events(events) if event["Event"] == "SparkListenerTaskEnd"]
    killed = [end for end in ends if end["Task End Reason"]["Reason"] == "TaskKilled"]
    assert killed, "Spark killed the attempt that hung"
    assert all(
        end["Task Info"]["Finish Time"] - end["Task Info"]["Launch Time"] < HANG_SECONDS * 1000 for end in killed
    )
