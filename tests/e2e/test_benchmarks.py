"""The benchmark's machinery: contenders run, and their answers are compared. How fast they are is not tested."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

CONTENDERS = ["limit", "core-onnx", "spark-onnx"]


@pytest.fixture
def benchmark(tmp_path):
    """Runs the benchmark on a few images of the data set and returns its report."""
    images = tmp_path / "images"
    images.mkdir()
    for image in sorted((ROOT / "dataset/all_images").iterdir())[:6]:
        shutil.copy(image, images)

    def run(*options: str) -> dict:
        command = [sys.executable, ROOT / "benchmarks/run.py", "--image-dir", images, "--rounds", "1", "--cores", "1"]
        subprocess.run(
            [*command, "--output", tmp_path / "results", *options],
            cwd=tmp_path,
            env=os.environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        return json.loads((tmp_path / "results/benchmark.json").read_text())

    return run


def test_contenders_are_measured_and_compared(benchmark, tmp_path):
    report = benchmark("--only", ",".join(CONTENDERS))
    assert [contender["name"] for contender in report["contenders"]] == CONTENDERS
    for contender in report["contenders"]:
        assert contender["parity"], contender
        assert len(contender["seconds"]) == 1 and contender["seconds"][0] > 0
        assert contender["peak_memory_bytes"] > 1 << 20
    measured = {goal["goal"]: goal["figure"] for goal in report["goals"] if goal["figure"] is not None}
    assert "ONNX: of the limit" in measured
    assert "| the limit" in (tmp_path / "results/benchmark.md").read_text()
    assert "spark-classify (ONNX)" in (tmp_path / "results/benchmark.svg").read_text()


def test_a_contender_that_cannot_run_is_reported_with_its_reason(benchmark, tmp_path):
    broken = tmp_path / "model"
    shutil.copytree(ROOT / "model", broken)
    (broken / "model.pt").write_bytes(b"no model")
    report = benchmark("--only", "limit,core-pytorch", "--model", str(broken))
    limit, broken_one = report["contenders"]
    assert limit["parity"]
    assert "model.pt" in broken_one["reason"]
    assert "images_per_second" not in broken_one
