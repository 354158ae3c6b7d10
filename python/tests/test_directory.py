"""The directory as a whole: replaced or left alone, compared with the original, and read by the core."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from conftest import export

from spark_classify import program
from spark_classify.cli import main

NETWORK = ["--timm", "test_resnet.r160_in1k", "--random", "--formats", "onnx"]
# A trace keeps the branch that its example took.
BRANCHING = """
from torch import nn

class Branching(nn.Linear):
    def __init__(self):
        super().__init__(3, 3)

    def forward(self, pixel_values):
        result = super().forward(pixel_values.mean((2, 3)))
        return result + 1 if len(pixel_values) == 1 else result
"""
STEPS = """
{"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8}, "resample": 2, "do_normalize": false}
"""


def test_a_directory_is_replaced_only_if_asked(
    tmp_path: Path, images: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made/out"
    out.mkdir(parents=True)
    (out / "mine.txt").write_text("mine")
    assert export(images, out, *NETWORK, "--labels", labels) == 1
    assert "is there already" in capsys.readouterr().err
    assert export(images, out, *NETWORK, "--labels", labels, "--force") == 1
    assert "is no model directory" in capsys.readouterr().err
    (out / "config.json").write_text("{}")
    assert export(images, out, *NETWORK, "--labels", labels, "--force") == 0
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.onnx", "preprocessor_config.json"]
    # A failure leaves what was there, and nothing beside it.
    assert export(images, out, *NETWORK, "--labels", labels, "--force", "--tolerance", "-1") == 1
    assert "not written: the export differs" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.onnx", "preprocessor_config.json"]
    assert list(out.parent.iterdir()) == [out]


def test_the_file_takes_any_batch_and_tells_nothing_of_this_machine(tmp_path: Path, images: Path, labels: Path) -> None:
    assert export(images, tmp_path / "out", *NETWORK, "--labels", labels) == 0
    model = onnx.load(tmp_path / "out/model.onnx", load_external_data=False)
    (given,) = model.graph.input
    dimensions = given.type.tensor_type.shape.dim
    assert [dimension.dim_param or dimension.dim_value for dimension in dimensions] == ["batch", 3, 160, 160]
    assert not any(initializer.external_data for initializer in model.graph.initializer)
    assert b"stack_trace" not in (tmp_path / "out/model.onnx").read_bytes()


def test_a_format_that_computes_something_else_does_not_pass(
    tmp_path: Path, images: Path, labels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("branching.py").write_text(BRANCHING)
    Path("preprocessor_config.json").write_text(STEPS)
    arguments = ["--module", "branching:Branching", "--random", "--labels", labels]
    arguments += ["--preprocessor", "preprocessor_config.json", "--formats", "torchscript"]
    assert export(images, Path("out"), *arguments) == 1
    shown = capsys.readouterr()
    assert "TOO FAR" in shown.out and "more than 0.0001" in shown.err
    assert not Path("out").exists()


def test_the_core_computes_what_the_original_does(
    tmp_path: Path, images: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    core = program.find()
    assert core is not None, "build it: cargo build --release -p classify-bench"
    arguments = ["--timm", "test_resnet.r160_in1k", "--random", "--labels", labels, "--images", images]
    arguments += ["--out", tmp_path / "out", "--classify-bench", core]
    assert main(["export", *map(str, arguments)]) == 0
    shown = capsys.readouterr().out
    for backend in ("onnx", "pytorch"):
        (line,) = [line for line in shown.splitlines() if line.startswith(f"classify-bench, {backend}")]
        assert "3 of 3" in line and "TOO FAR" not in line
