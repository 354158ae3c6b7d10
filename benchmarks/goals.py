"""What the project wants of its own speed, memory and fast modes: mostly ratios between contenders of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from results import Row

Rows = Mapping[str, Row]
# What a goal looks at, from the contenders that were measured; None where one of them is missing.
Figure = Callable[[Rows], float | None]


@dataclass(frozen=True)
class Goal:
    """A figure that should be at least `wanted`, or at most where `at_most` is set; `unit` is that of both."""

    text: str
    figure: Figure
    wanted: float
    at_most: bool = False
    unit: str = ""

    def measure(self, rows: list[Row]) -> float | None:
        """The figure, or None where a contender that it needs was not measured."""
        return self.figure({row.name: row for row in rows if row.seconds})

    def is_met(self, figure: float) -> bool:
        return figure <= self.wanted if self.at_most else figure >= self.wanted

    def tell(self, figure: float) -> str:
        """The figure, or the wanted one, as the report shows it."""
        shown = f"{figure:.1f}" if self.unit == " ms" else f"{figure:.2f}"
        return f"{figure * 100:.2f}%" if self.unit == "%" else shown + self.unit


def ratio(own: Row, other: Row) -> float:
    """Of two speeds, round by round, because a machine's speed changes between rounds more than within one; then the
    median."""
    return median(
        theirs / other.images / (mine / own.images) for mine, theirs in zip(own.seconds, other.seconds, strict=False)
    )


def speed(own: str, others: Callable[[Row], bool]) -> Figure:
    """How many times as fast as the fastest of the others."""

    def figure(rows: Rows) -> float | None:
        against = [row for row in rows.values() if row.name != own and others(row)]
        return min(ratio(rows[own], row) for row in against) if own in rows and against else None

    return figure


def memory(own: str, other: str) -> Figure:
    """The peak of one as a share of the other's."""
    return lambda rows: rows[own].memory / rows[other].memory if own in rows and other in rows else None


def growth(own: str) -> Figure:
    """The peak of memory in the second half of a long job as a share of that in the first half."""
    return lambda rows: rows[own].growth if own in rows else None


def first_row(own: str) -> Figure:
    """Seconds to the first row that a process classifies."""
    return lambda rows: median(rows[own].first_rows) if own in rows and rows[own].first_rows else None


def task_start(many: str, few: str) -> Figure:
    """Milliseconds of a core that each more task costs, from the same work in many tasks and in few."""

    def figure(rows: Rows) -> float | None:
        if many not in rows or few not in rows:
            return None
        more = rows[many].tasks - rows[few].tasks
        return median(
            (mine - theirs) * rows[many].cores * 1e3 / more
            for mine, theirs in zip(rows[many].seconds, rows[few].seconds, strict=False)
        )

    return figure


def label_flips(*own: str) -> Figure:
    """The share of labels that differ from the reference's, of the worst of these."""

    def figure(rows: Rows) -> float | None:
        parities = [parity for name in own if name in rows for parity in rows[name].parities]
        return max((parity.wrong_labels / max(parity.compared, 1) for parity in parities), default=None)

    return figure


def named(*names: str) -> Callable[[Row], bool]:
    return lambda row: row.name in names


def peers(*prefixes: str, engine: str | None = None) -> Callable[[Row], bool]:
    """Those whose answers are right: a wrong one can be had in no time."""
    return lambda row: row.name.startswith(prefixes) and row.engine in (engine or row.engine,) and row.is_right


PEERS = (
    Goal("ONNX: of the limit", speed("spark-onnx", named("limit")), 0.95),
    Goal("ONNX: of classify-bench", speed("spark-onnx", named("core-onnx")), 0.9),
    Goal("PyTorch: of classify-bench", speed("spark-pytorch", named("core-pytorch")), 0.9),
    Goal("PyTorch: of ONNX", speed("spark-pytorch", named("spark-onnx")), 0.9),
    Goal("ONNX: times Daft's best", speed("spark-onnx", peers("daft")), 1.5),
    Goal("ONNX: times PySpark's and Ray's best", speed("spark-onnx", peers("pyspark", "ray")), 2),
    Goal(
        "PyTorch: times PySpark's and Ray's best with PyTorch",
        speed("spark-pytorch", peers("pyspark", "ray", engine="PyTorch")),
        2,
    ),
    Goal("ONNX: times onnxruntime-java of equal answers", speed("spark-onnx", named("ort-java-pillow")), 2),
    Goal("ONNX: times SynapseML", speed("spark-onnx", named("synapseml")), 8),
    Goal("ONNX: first row of a new process", first_row("spark-onnx"), 1.5, at_most=True, unit=" s"),
    Goal("PyTorch: first row of a new process", first_row("spark-pytorch"), 1.5, at_most=True, unit=" s"),
    Goal("ONNX, from Scala: memory of onnxruntime-java's", memory("spark-scala", "ort-java-pillow"), 0.8, at_most=True),
)

SHAPES = (
    Goal("all cores: times one core", speed("spark-onnx", named("spark-1-core")), 1.95),
    Goal("one task on all cores: times one core", speed("spark-wide-tasks", named("spark-1-core")), 1.9),
    Goal("2 executors: of one on the same cores", speed("spark-2-executors", named("spark-1-executor")), 0.95),
    Goal("4 executors: of one on the same cores", speed("spark-4-executors", named("spark-1-executor")), 0.95),
    Goal("1,000 partitions: of two a core", speed("spark-1000-partitions", named("spark-onnx")), 0.9),
    Goal(
        "the start of a task, with 1,000 partitions",
        task_start("spark-1000-partitions", "spark-onnx"),
        50,
        at_most=True,
        unit=" ms",
    ),
    Goal("50 ms to open a file: of none", speed("spark-slow-files", named("spark-quick-files")), 0.9),
)

FAST = tuple(
    goal
    for precision in ("int8", "bf16")
    for goal in (
        Goal(
            f"{precision}, decode=fast: times the exact limit",
            speed(f"spark-{precision}-decode-fast", named("limit")),
            1.6,
        ),
        Goal(
            f"{precision}, decode=fast: labels that differ",
            label_flips(f"spark-{precision}-decode-fast", f"dataset-{precision}-decode-fast"),
            0.005,
            at_most=True,
            unit="%",
        ),
    )
)

LONG = (
    Goal("200,000 images: of the limit", speed("spark-long", named("limit")), 0.95),
    Goal("200,000 images: memory of the second half over the first's", growth("spark-long"), 1.05, at_most=True),
    Goal("200,000 images, PyTorch: the same", growth("spark-long-pytorch"), 1.05, at_most=True),
)

FIELD = tuple(
    Goal(f"the field's workload, {engine}: times {who}", speed(own, peers(*others)), wanted)
    for engine, own in (("ONNX", "field-spark-onnx"), ("PyTorch", "field-spark-pytorch"))
    for who, others, wanted in (
        ("Ray Data's and Daft's best", ("field-ray", "field-daft"), 1),
        ("Spark's pandas functions", ("field-pandas",), 10),
    )
)

SETS = {
    **{"peers": PEERS, "fast": FAST, "shapes": SHAPES, "long": LONG, "batches": (), "growth": ()},
    "field": FIELD,
}
