"""Networks of torchvision and timm by name, and of a function with a state dict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from conftest import LABELS, export, give_effect, opened, run_onnx
from safetensors.torch import save_file
from torchvision import transforms

CONV = """
import torch
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))

def number():
    return 3
"""
STEPS = {
    "image_processor_type": "torchvision",
    "size": {"shortest_edge": 36},
    "resample": 2,
    "do_center_crop": True,
    "crop_size": {"height": 33, "width": 32},
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.4],
}


def logits(network: torch.nn.Module, steps: object, images: Path) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.stack([steps(image) for image in opened(images)])
    with torch.inference_mode():
        return pixels, network(pixels)


def imagenet_steps(resize: int, crop: int, mode: str) -> transforms.Compose:
    return transforms.Compose(
        [
            transforms.Resize(resize, transforms.InterpolationMode(mode)),
            transforms.CenterCrop(crop),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )


def test_torchvision_with_weights_of_a_training_script(tmp_path: Path, images: Path, labels: Path) -> None:
    network = give_effect(torchvision.models.squeezenet1_1(weights=None, num_classes=3))
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"epoch": 7, "state_dict": state}, tmp_path / "checkpoint.pth")
    out = tmp_path / "out"
    arguments = ["--torchvision", "squeezenet1_1", "--weights", tmp_path / "checkpoint.pth", "--labels", labels]
    assert export(images, out, *arguments) == 0
    pixels, expected = logits(network, imagenet_steps(256, 224, "bilinear"), images)
    torch.testing.assert_close(run_onnx(out, "logits", pixels), expected, rtol=1e-4, atol=1e-4)
    assert list(json.loads((out / "config.json").read_text())["id2label"].values()) == LABELS


def test_torchvision_asks_whose_steps_where_its_weights_differ(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--torchvision", "mobilenet_v2", "--random", "--formats", "torchscript"]
    assert export(images, tmp_path / "out", *arguments) == 1
    assert "choose with --preset one of IMAGENET1K_V1, IMAGENET1K_V2" in capsys.readouterr().err
    assert export(images, tmp_path / "out", *arguments, "--preset", "IMAGENET1K_V2") == 0
    assert json.loads((tmp_path / "out/preprocessor_config.json").read_text())["size"] == {"shortest_edge": 232}
    assert json.loads((tmp_path / "out/config.json").read_text())["id2label"]["0"] == "tench"


def test_timm_with_its_own_steps(tmp_path: Path, images: Path, labels: Path) -> None:
    network = give_effect(timm.create_model("test_resnet.r160_in1k", num_classes=3))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    out = tmp_path / "out"
    arguments = ["--timm", "test_resnet.r160_in1k", "--weights", tmp_path / "model.safetensors", "--labels", labels]
    assert export(images, out, *arguments) == 0
    cfg = network.pretrained_cfg
    steps = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=cfg))
    pixels, expected = logits(network, steps, images)
    torch.testing.assert_close(run_onnx(out, "logits", pixels), expected, rtol=1e-4, atol=1e-4)


def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: Path) -> list[object]:
    """The arguments for a module of the user's own, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("own_network.py").write_text(CONV)
    Path("preprocessor_config.json").write_text(json.dumps(STEPS))
    return ["--module", "own_network:make", "--labels", labels, "--preprocessor", "preprocessor_config.json"]


def test_a_module_with_its_state_dict(
    tmp_path: Path, images: Path, labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = module(tmp_path, monkeypatch, labels)
    namespace: dict[str, object] = {}
    exec(CONV, namespace)
    network = give_effect(namespace["make"]())
    torch.save(network.state_dict(), "weights.pth")
    assert export(images, Path("out"), *arguments, "--weights", "weights.pth") == 0
    steps = transforms.Compose(
        [
            transforms.Resize(36),
            transforms.CenterCrop((33, 32)),
            transforms.ToTensor(),
            transforms.Normalize(STEPS["image_mean"], STEPS["image_std"]),
        ]
    )
    pixels, expected = logits(network, steps, images)
    torch.testing.assert_close(run_onnx(Path("out"), "logits", pixels), expected, rtol=1e-4, atol=1e-4)


def test_steps_of_nobody_are_refused_with_the_name_that_is_missing(
    tmp_path: Path,
    images: Path,
    labels: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = module(tmp_path, monkeypatch, labels)
    steps = {key: value for key, value in STEPS.items() if key != "image_processor_type"}
    Path("preprocessor_config.json").write_text(json.dumps(steps))
    assert export(images, Path("out"), *arguments, "--random") == 1
    message = capsys.readouterr().err
    assert "preprocessor_config.json: lacks image_processor_type" in message and "ViTImageProcessor" in message
    assert len(message) < 300, "not the list of all that transformers knows"


def test_weights_that_do_not_fit_or_hold_code_are_refused(
    tmp_path: Path,
    images: Path,
    labels: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = module(tmp_path, monkeypatch, labels)

    def refused(content: object) -> str:
        torch.save(content, "weights.pth")
        assert export(images, Path("out"), *arguments, "--weights", "weights.pth") == 1
        assert not Path("out").exists()
        return capsys.readouterr().err

    assert "weights.pth: lacks `0.bias`" in refused({"other": torch.zeros(1)})
    names = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "4.weight": (5, 16), "4.bias": (5,)}
    assert "has in another shape `4.bias`, `4.weight`" in refused({k: torch.zeros(v) for k, v in names.items()})
    assert "holds more than weights" in refused(torch.nn.Linear(2, 2))
    assert "holds no state dict" in refused([1, 2])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--module", "own_network"], "write package.module:factory"),
        (["--module", "own_network:absent"], "has no attribute 'absent'"),
        (["--module", "own_network:number"], "gives a int, not a torch.nn.Module"),
        (["--timm", "no_such_model"], "timm has no model `no_such_model`"),
        (["--torchvision", "no_such_model"], "torchvision has no image classifier `no_such_model`"),
        (["--timm", "test_resnet", "--preset", "x"], "--preset has no meaning"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path,
    images: Path,
    labels: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    fixed = module(tmp_path, monkeypatch, labels)
    assert export(images, Path("out"), *fixed[2:], "--random", *arguments) == 1
    assert reason in capsys.readouterr().err
