"""The benchmark for GPUs, on the CPU and on a few images: that all its parts run and fit together."""

import os
import re
import shutil
import subprocess

from conftest import ROOT

# The environment that has torch and onnxruntime for Python.
PYTHON = ROOT / ".venv-reference/bin/python"


def test_every_part_is_measured(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for image in sorted((ROOT / "dataset/all_images").iterdir())[:12]:
        shutil.copy(image, images / image.name)
    command = [PYTHON, ROOT / "benchmarks/gpu/run.py", "--device", "cpu", "--cores", 2, "--images", images]
    command += ["--repeat", 1, "--rounds", 1, "--batch", 4, "--onnxruntime", os.environ["ORT_DYLIB_PATH"]]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not measured" not in done.stdout, done.stdout
    assert len(re.findall(r"^\| .* \| \d+ \|$", done.stdout, re.MULTILINE)) == 7, done.stdout
    # Both devices are the CPU here, so the answers are the same.
    assert done.stdout.count("0.0e+00, 0 of 12 labels differ") == 2, done.stdout
