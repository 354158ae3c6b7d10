"""`spark-classify check`: the core's own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from spark_classify import program
from spark_classify.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_the_core_says_what_it_makes_of_a_directory(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(ROOT / "model")]) == 0
    told = capfd.readouterr().out
    assert "resize to 128 x 128 pixels" in told
    assert "onnx, fp32: yes, with model.onnx" in told and "pytorch, fp32: yes, with model.pt" in told


def test_a_directory_that_no_backend_can_use_is_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 1
    assert "config.json: is missing" in capfd.readouterr().err


def test_without_the_core_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "model", "--classify-bench", str(tmp_path / "absent")]) == 1
    assert "absent: is no program; give the path of classify-bench" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    # As the package lies where it is installed: in no repository.
    monkeypatch.setattr(program, "__file__", str(tmp_path / "program.py"))
    assert main(["check", "model"]) == 1
    assert "`make build` leaves it in target/release" in capsys.readouterr().err
