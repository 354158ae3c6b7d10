"""The directory as a whole: replaced or left alone, compared with the original, and read by the core."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from conftest import export

from spark_classify import ClassifyError, program
from spark_classify.cli import main
from spark_classify.export.directory import replacing

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


@pytest.mark.parametrize(
    ("out", "option"),
    [
        ("data/saved", "--hugging-face data/saved"),
        ("data", "--hugging-face data/saved"),
        ("data/saved/made", "--hugging-face data/saved"),
        ("link", "--hugging-face data/saved"),
        ("data/saved", "--weights data/saved/config.json"),
        # What is replaced would be the link, not what it leads to.
        ("other", "--weights other/link.pth"),
        ("data/saved", "--images data/saved"),
        ("data/saved", "--preprocessor data/saved/config.json"),
        ("data/saved", "--labels data/saved/config.json"),
    ],
)
def test_an_input_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("data/saved", "other"):
        Path(folder).mkdir(parents=True)
        Path(folder, "config.json").write_text("{}")
    Path("link").symlink_to("data/saved")
    Path("other/link.pth").symlink_to("../data/saved/config.json")
    source = [] if "hugging" in option else ["--timm", "resnet18"]
    assert main(["export", *source, *option.split(), "--out", out, "--force"]) == 1
    name, path = option.split()
    assert f"{out}: is, holds or lies in {path} ({name}), which is read" in capsys.readouterr().err
    assert sorted(Path("data/saved").iterdir()) == [Path("data/saved/config.json")]


@pytest.mark.parametrize(
    ("force", "file", "reason"),
    [(False, "config.json", "is there already"), (True, "mine.txt", "is no model directory")],
)
def test_what_appears_in_the_meantime_stays(tmp_path: Path, force: bool, file: str, reason: str) -> None:
    target = tmp_path / "out"
    with pytest.raises(ClassifyError, match=reason), replacing(target, force) as made:
        (made / "config.json").write_text("{}")
        target.mkdir()
        (target / file).write_text("mine")
    assert [path.read_text() for path in target.iterdir()] == ["mine"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ClassifyError, match=r"file/out: cannot be made: .*--out"),
        replacing(tmp_path / "file/out", True),
    ):
        pass
