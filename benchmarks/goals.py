"""What the project wants of its own speed and memory, as ratios between contenders of one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from results import Row


@dataclass(frozen=True)
class Goal:
    """One contender against others: the worst ratio counts.

    `others` chooses among the rows that were measured. A goal on memory wants at most `wanted`, one on speed at least.
    """

    text: str
    own: str
    others: Callable[[Row], bool]
    wanted: float
    is_memory: bool = False

    def ratio(self, rows: list[Row]) -> float | None:
        """None where one of the two sides was not measured."""
        own = next((row for row in rows if row.name == self.own and row.seconds), None)
        others = [row for row in rows if row.seconds and row.name != self.own and self.others(row)]
        if own is None or not others:
            return None
        if self.is_memory:
            return max(own.memory / other.memory for other in others)
        return min(speed_ratio(own, other) for other in others)

    def is_met(self, ratio: float) -> bool:
        return ratio <= self.wanted if self.is_memory else ratio >= self.wanted


def speed_ratio(own: Row, other: Row) -> float:
    """Round by round, because a machine's speed changes between rounds more than within one; then the median."""
    return median(theirs / mine for mine, theirs in zip(own.seconds, other.seconds, strict=False))


def named(*names: str) -> Callable[[Row], bool]:
    return lambda row: row.name in names


def peers(*prefixes: str, engine: str) -> Callable[[Row], bool]:
    """Those whose answers are right: a wrong one can be had in no time."""
    return lambda row: row.name.startswith(prefixes) and row.engine == engine and row.is_right


PEERS = (
    Goal("ONNX: of the limit", "spark-onnx", named("limit"), 0.95),
    Goal("ONNX: of classify-bench", "spark-onnx", named("core-onnx"), 0.9),
    Goal("PyTorch: of classify-bench", "spark-pytorch", named("core-pytorch"), 0.9),
    Goal("PyTorch: of ONNX", "spark-pytorch", named("spark-onnx"), 0.9),
    Goal("ONNX: times Daft's best", "spark-onnx", peers("daft", engine="ONNX"), 1.5),
    Goal("ONNX: times PySpark's and Ray's best", "spark-onnx", peers("pyspark", "ray", engine="ONNX"), 2),
    Goal("PyTorch: times PySpark's and Ray's best", "spark-pytorch", peers("pyspark", "ray", engine="PyTorch"), 2),
    Goal("ONNX: times onnxruntime-java of equal answers", "spark-onnx", named("ort-java-pillow"), 2),
    Goal("ONNX: times SynapseML", "spark-onnx", named("synapseml"), 8),
    Goal("ONNX: memory of onnxruntime-java's", "spark-onnx", named("ort-java-pillow"), 0.8, is_memory=True),
)

SHAPES = (
    Goal("all cores: times one core", "spark-onnx", named("spark-1-core"), 1.95),
    Goal("one task on all cores: times one core", "spark-wide-tasks", named("spark-1-core"), 1.9),
    Goal("2 executors: of one on the same cores", "spark-2-executors", named("spark-1-executor"), 0.95),
    Goal("4 executors: of one on the same cores", "spark-4-executors", named("spark-1-executor"), 0.95),
    Goal("1,000 partitions: of two a core", "spark-1000-partitions", named("spark-onnx"), 0.9),
    Goal("50 ms to open a file: of none", "spark-slow-files", named("spark-quick-files"), 0.9),
)

SETS = {"peers": PEERS, "shapes": SHAPES, "batches": ()}
