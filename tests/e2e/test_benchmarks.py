"""The benchmark's machinery: contenders run, and their answers are compared. How fast they are is not tested."""

import io
import json
import os
import random
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from PIL import Image

sys.path.append(str(ROOT / "benchmarks"))
from parity import Parity, compare
from photos import draw_photo, encode_photo

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


def test_where_labels_are_all_there_is_a_tie_is_not_wrong():
    reference = {"clear": (0, [0.6, 0.3, 0.1]), "tie": (0, [0.41, 0.4, 0.19])}
    labels = {"clear": (0, []), "tie": (1, [])}
    assert compare(labels, reference) == Parity(compared=2, missing=0, wrong_labels=0, ties=1, max_difference=None)
    assert compare(labels, reference).holds
    wrong = compare({"clear": (1, []), "tie": (2, [])}, reference)
    assert (wrong.wrong_labels, wrong.ties, wrong.holds) == (2, 0, False)
    # With probabilities, these decide, and another label is wrong.
    told = compare({path: (label, reference[path][1]) for path, (label, _) in labels.items()}, reference)
    assert (told.wrong_labels, told.ties, told.max_difference, told.holds) == (1, 0, 0.0, False)
    assert compare({}, reference).missing == 2


def test_drawn_photos_have_the_pixels_and_about_the_bytes_of_imagenet():
    sizes = []
    for number in range(12):
        rng = random.Random(number)
        file = encode_photo(draw_photo((500, 375), rng), rng)
        assert Image.open(io.BytesIO(file)).size == (500, 375)
        sizes.append(len(file))
    assert 90_000 < sum(sizes) / len(sizes) < 130_000, sizes
    assert min(sizes) > 60_000 and max(sizes) < 170_000, sizes
