"""The contenders: what they are called, what they run, and in which environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTENDERS = Path(__file__).resolve().parent / "contenders"


@dataclass(frozen=True)
class Contender:
    """A program that classifies.

    `name` is for `--only`; `group` and `engine` stand in the table. A contender `of_peers` runs with the Python of
    .venv-bench, the others with the one that runs the benchmark.
    """

    name: str
    group: str
    engine: str
    program: tuple[str, ...]
    of_peers: bool = True

    @property
    def python(self) -> Path:
        return ROOT / ".venv-bench/bin/python" if self.of_peers else Path(sys.executable)

    @property
    def command(self) -> list[str]:
        script, *arguments = self.program
        return [str(self.python), str(CONTENDERS / script), *arguments]


def ours(name: str, group: str, engine: str, *program: str) -> Contender:
    return Contender(name, group, engine, program, of_peers=False)


def peer(name: str, group: str, engine: str, *program: str) -> Contender:
    return Contender(name, group, engine, program)


def jvm(name: str, group: str, engine: str, libraries: str, kind: str) -> Contender:
    return Contender(name, group, engine, ("jvm.py", libraries, kind))


REFERENCE = ours("python-onnx", "sequential Python, one core", "ONNX", "sequential.py", "--engine=onnx")

ALL = (
    ours("limit", "the limit: bare Rust, no Spark", "ONNX", "core.py", "--mode=limit"),
    ours("limit-pytorch", "the limit: bare Rust, no Spark", "PyTorch", "core.py", "--mode=limit", "--engine=pytorch"),
    ours("core-onnx", "classify-bench, no Spark", "ONNX", "core.py"),
    ours("core-pytorch", "classify-bench, no Spark", "PyTorch", "core.py", "--engine=pytorch"),
    ours("spark-onnx", "spark-classify", "ONNX", "spark_classify.py"),
    ours("spark-pytorch", "spark-classify", "PyTorch", "spark_classify.py", "--engine=pytorch"),
    REFERENCE,
    peer("python-torch", "sequential Python, one core", "PyTorch", "sequential.py", "--engine=torch"),
    peer("pyspark-row-onnx", "PySpark row UDF", "ONNX", "pyspark_row.py", "--engine=onnx"),
    peer("pyspark-row-torch", "PySpark row UDF", "PyTorch", "pyspark_row.py", "--engine=torch"),
    peer("pyspark-batch-onnx", "predict_batch_udf", "ONNX", "pyspark_batch.py", "--engine=onnx"),
    peer("pyspark-batch-torch", "predict_batch_udf", "PyTorch", "pyspark_batch.py", "--engine=torch"),
    peer(
        *("pyspark-batch-torch-optimized", "predict_batch_udf, optimize_for_inference", "PyTorch"),
        *("pyspark_batch.py", "--engine=torch-optimized"),
    ),
    peer("daft", "Daft, threads", "ONNX", "daft_class.py", "--form=threads"),
    peer("daft-processes", "Daft, processes", "ONNX", "daft_class.py", "--form=processes"),
    peer("daft-own-images", "Daft, its own image functions", "ONNX", "daft_class.py", "--form=own-images"),
    peer("ray", "Ray Data", "ONNX", "ray_data.py", "--engine=onnx"),
    peer("ray-torch", "Ray Data, optimize_for_inference", "PyTorch", "ray_data.py", "--engine=torch-optimized"),
    jvm("ort-java-pillow", "Scala, onnxruntime-java, Pillow's arithmetic", "ONNX", "onnxruntime", "onnxruntime-pillow"),
    jvm("ort-java", "Scala, onnxruntime-java, Java2D", "ONNX", "onnxruntime", "onnxruntime-java2d"),
    jvm("djl", "Scala, DJL, Pillow's arithmetic", "PyTorch", "djl", "djl"),
)
