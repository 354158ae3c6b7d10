"""The contenders: what they are called, what they run, and in which environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTENDERS = Path(__file__).resolve().parent / "contenders"


@dataclass(frozen=True)
class Contender:
    """A program that classifies.

    `name` is for `--only`; `group` and `engine` stand in the table; `environment` is the virtual environment whose
    Python runs the program; `cores` are its workers and `batch_size` its batches, where they differ from the others'.
    """

    name: str
    group: str
    engine: str
    program: tuple[str, ...]
    environment: str = ".venv-bench-peers"
    cores: int | None = None
    batch_size: int | None = None

    @property
    def python(self) -> Path:
        return ROOT / self.environment / "bin/python"

    @property
    def command(self) -> list[str]:
        script, *arguments = self.program
        return [str(self.python), str(CONTENDERS / script), *arguments]


def ours(name: str, group: str, engine: str, *program: str) -> Contender:
    return Contender(name, group, engine, program, ".venv")


def batches(engine: str, backend: str, size: int) -> Contender:
    program = ("spark_classify.py", f"--engine={backend}")
    return Contender(f"{backend}-batch-{size}", f"batches of {size}", engine, program, ".venv", batch_size=size)


def peer(name: str, group: str, engine: str, *program: str) -> Contender:
    return Contender(name, group, engine, program)


def jvm(name: str, group: str, engine: str, libraries: str, kind: str) -> Contender:
    return Contender(name, group, engine, ("jvm.py", libraries, kind))


REFERENCE = ours("python-onnx", "sequential Python, one core", "ONNX", "sequential.py", "--engine=onnx")

PEERS = (
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
    Contender("synapseml", "SynapseML ONNXModel", "ONNX", ("synapseml.py",), ".venv-bench-synapseml"),
)

# The Spark function in other shapes: cores, tasks of several cores, executors in processes of their own, partitions,
# and files that take 50 ms to open.
SHAPES = (
    ours("spark-onnx", "spark-classify, local", "ONNX", "spark_classify.py"),
    Contender("spark-1-core", "1 core, local", "ONNX", ("spark_classify.py",), ".venv", cores=1),
    ours("spark-wide-tasks", "one task at a time, on all cores", "ONNX", "spark_classify.py", "--tasks=wide"),
    ours("spark-1-executor", "1 executor", "ONNX", "spark_classify.py", "--executors=1"),
    ours("spark-2-executors", "2 executors", "ONNX", "spark_classify.py", "--executors=2"),
    ours("spark-4-executors", "4 executors", "ONNX", "spark_classify.py", "--executors=4"),
    ours("spark-100-partitions", "100 partitions", "ONNX", "spark_classify.py", "--partitions=100"),
    ours("spark-1000-partitions", "1,000 partitions", "ONNX", "spark_classify.py", "--partitions=1000"),
    ours("spark-quick-files", "files without latency", "ONNX", "spark_classify.py", "--files=quick"),
    ours("spark-slow-files", "files with 50 ms of latency", "ONNX", "spark_classify.py", "--files=slow"),
)

BATCHES = tuple(
    batches(engine, backend, size)
    for engine, backend in (("ONNX", "onnx"), ("PyTorch", "pytorch"))
    for size in (1, 8, 32, 128)
)

SETS = {"peers": PEERS, "shapes": SHAPES, "batches": BATCHES}
