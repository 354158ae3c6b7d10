"""Networks of torchvision and timm by name, and of a function with a state dict."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from conftest import LABELS, STEPS, export, give_effect, opened, run_onnx
from safetensors.torch import save_file
from torch import nn
from torchvision import transforms

from spark_classify import ClassifyError
from spark_classify.export import torchvision_models, weights

CONV = """
import torch
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3))

def number():
    return 3

def dictionary():
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = make()

        def forward(self, pixel_values):
            return {"logits": self.network(pixel_values)}

    return Wrapped()

def four():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))

def grid():
    return nn.Conv2d(3, 3, 3)

def picky():
    return nn.Sequential(nn.Flatten(), nn.Linear(5, 3))

def late():
    import own_helper
    return own_helper.make()

def missing():
    import no_such_package
"""


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
    Path("broken_network.py").write_text("1 / 0")
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
        (["--module", "own_network:dictionary"], "gives a dict, not a tensor; wrap it"),
        (["--module", "own_network:four"], "gives `logits` (2, 4) for 2 images, not (2, 3): a number for each label"),
        (["--module", "own_network:grid"], "gives `logits` (2, 3, 31, 30) for 2 images"),
        (["--module", "own_network:picky"], "the network fails on pixels (2, 3, 33, 32)"),
        (["--module", "own_network:missing"], "own_network:missing: the function fails without arguments: ModuleNot"),
        (["--module", "broken_network:make"], "broken_network:make: cannot be imported: ZeroDivisionError"),
        (["--timm", "no_such_model"], "timm has no model `no_such_model`"),
        (["--timm", "resnet18.nope"], "resnet18.nope: timm cannot make it (Invalid pretrained tag"),
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
    error = capsys.readouterr().err
    assert reason in error and "pip install" not in error


def test_what_the_function_imports_is_found_in_the_working_directory(
    tmp_path: Path, images: Path, labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = module(tmp_path, monkeypatch, labels)
    Path("own_helper.py").write_text(CONV)
    arguments[1] = "own_network:late"
    assert export(images, Path("out"), *arguments, "--random", "--formats", "torchscript") == 0


@pytest.mark.parametrize("auxiliary", [True, False])
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_these_two_expect_other_pixels_with_the_weights_of_torchvision(
    tmp_path: Path, images: Path, name: str, auxiliary: bool
) -> None:
    options = {"transform_input": True, "aux_logits": auxiliary, "init_weights": False, "num_classes": 3}
    network = give_effect(torchvision.models.get_model(name, weights=None, **options))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    source = torchvision_models.classifier(name, tmp_path / "weights.pth", LABELS)
    pixels, expected = logits(network, source.preprocess, images)
    with torch.inference_mode():
        given = source.network(pixels)
        network.transform_input = False
        otherwise = network(pixels)
    torch.testing.assert_close(given, expected, rtol=0, atol=0)
    assert (otherwise - expected).abs().max() > 1e-2 * expected.abs().max(), "it should matter"


def saved(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(state, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_the_old_names_in_the_files_of_densenet(tmp_path: Path) -> None:
    def make() -> nn.Module:
        return torchvision.models.DenseNet(4, (1, 1), 8, num_classes=3)

    state = give_effect(make()).state_dict()
    # As in densenet121-a639ec97.pth: with dots, and from before there was the counter.
    old = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    for part in ("norm1", "conv1", "norm2", "conv2"):
        for name in [name for name in old if f".denselayer1.{part}." in name]:
            old[name.replace(part, f"{part[:-1]}.{part[-1]}")] = old.pop(name)
    assert "features.denseblock1.denselayer1.norm.1.running_mean" in old
    network = make()
    weights.load_into(network, saved(tmp_path, old))
    for name, value in old.items():
        own = re.sub(r"(denselayer1\.\w+)\.([12]\.)", r"\1\2", name)
        torch.testing.assert_close(network.state_dict()[own], value, rtol=0, atol=0)


def test_a_network_may_call_its_own_parts_as_parallel_training_does(tmp_path: Path) -> None:
    network = nn.Module()
    network.module = nn.Linear(2, 3)
    state = {name: torch.full_like(value, 7) for name, value in network.state_dict().items()}
    for prefix in ("", "module."):
        network.module.reset_parameters()
        weights.load_into(network, saved(tmp_path, {prefix + name: value for name, value in state.items()}))
        assert (network.module.weight == 7).all()


def test_weights_that_the_network_itself_refuses(tmp_path: Path) -> None:
    class Versioned(nn.Linear):
        def _load_from_state_dict(self, *arguments: object) -> None:
            raise ValueError("of version 3")

    network = Versioned(2, 3)
    with pytest.raises(ClassifyError, match=r"weights\.pth: Versioned does not take these weights: of version 3"):
        weights.load_into(network, saved(tmp_path, network.state_dict()))


def test_without_the_packages_of_the_extra_it_says_how_to_get_them(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for absent in ("command", "timm_models"):
        with monkeypatch.context() as patched:
            # An import of what is None here fails as that of a package that is not there.
            patched.setitem(sys.modules, f"spark_classify.export.{absent}", None)
            patched.delattr(f"spark_classify.export.{absent}", raising=False)
            assert export(images, tmp_path / "out", "--timm", "test_resnet", "--random") == 1
        assert "pip install 'spark-classify[export]'" in capsys.readouterr().err
