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


GOALS = (
    Goal("Spark, ONNX: of the limit", "spark-onnx", named("limit"), 0.95),
    Goal("Spark, ONNX: of classify-bench", "spark-onnx", named("core-onnx"), 0.9),
    Goal("Spark, PyTorch: of classify-bench", "spark-pytorch", named("core-pytorch"), 0.9),
    Goal("Spark, PyTorch: of ONNX", "spark-pytorch", named("spark-onnx"), 0.9),
    Goal("Spark, ONNX: times Daft's best", "spark-onnx", peers("daft", engine="ONNX"), 1.5),
    Goal("Spark, ONNX: times PySpark's and Ray's best", "spark-onnx", peers("pyspark", "ray", engine="ONNX"), 2),
    Goal(
        "Spark, PyTorch: times PySpark's and Ray's best", "spark-pytorch", peers("pyspark", "ray", engine="PyTorch"), 2
    ),
    Goal("Spark, ONNX: times onnxruntime-java of equal answers", "spark-onnx", named("ort-java-pillow"), 2),
    Goal("Spark, ONNX: times SynapseML", "spark-onnx", named("synapseml"), 8),
    Goal(
        "Spark, ONNX: memory of onnxruntime-java's",
        "spark-onnx",
        named("ort-java", "ort-java-pillow"),
        0.8,
        is_memory=True,
    ),
)
