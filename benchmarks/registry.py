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


REFERENCE = ours("python-onnx", "sequential Python, one core", "ONNX", "sequential.py", "--engine=onnx")

ALL = (
    ours("limit", "the limit: bare Rust, no Spark", "ONNX", "core.py", "--mode=limit"),
    ours("limit-pytorch", "the limit: bare Rust, no Spark", "PyTorch", "core.py", "--mode=limit", "--engine=pytorch"),
    ours("core-onnx", "classify-bench, no Spark", "ONNX", "core.py"),
    ours("core-pytorch", "classify-bench, no Spark", "PyTorch", "core.py", "--engine=pytorch"),
    ours("spark-onnx", "spark-classify", "ONNX", "spark_classify.py"),
    ours("spark-pytorch", "spark-classify", "PyTorch", "spark_classify.py", "--engine=pytorch"),
    REFERENCE,
    Contender("python-torch", "sequential Python, one core", "PyTorch", ("sequential.py", "--engine=torch")),
)
