"""classify-bench: the same core without Spark."""

import json
import os
import subprocess

import pytest
from conftest import BACKENDS, ROOT, assert_matches_golden, read_predictions


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", [[], ["--batch-size", "8", "--threads", "2"]], ids=["sequential", "batched"])
def test_bench_matches_the_python_reference(golden, tmp_path, backend, options):
    output = tmp_path / "predictions.csv"
    done = subprocess.run(
        [
            *[ROOT / "target/release/classify-bench", "--images", "dataset/image_data.csv"],
            *["--image-dir", "dataset/all_images", "--model", "model", "--backend", backend],
            *["--output", output, "--json", *options],
        ],
        cwd=ROOT,
        # The binary finds libtorch by itself; only ONNX Runtime's place has to be told.
        env={key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["images"] == len(golden[backend])
    assert report["images_per_second"] > 0
    assert_matches_golden(read_predictions(output), golden[backend])
