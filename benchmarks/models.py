"""Makes model directories of common networks with random weights: to see how cost grows with the model, and for the
field's workload.

    .venv-reference/bin/python benchmarks/models.py                  # those of `make bench-growth`, or the named ones
    .venv-bench-peers/bin/python benchmarks/models.py field

Nothing is downloaded. The same torch and torchvision make the same weights. A directory that is there is left alone.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torchvision
from photos import draw_photo

FOLDER = Path(__file__).resolve().parent / ".models"
SIDE = 224
PHOTOS = 64
SEED = 5

# What torchvision's transforms of ImageNet's networks do, on Pillow images.
IMAGENET = {
    **{"image_processor_type": "torchvision", "do_resize": True, "size": {"shortest_edge": 256}, "resample": 2},
    **{"do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE}},
}
SQUARE = {"do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 2}
NORMAL = {
    **{"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True},
    **{"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
}


def noise() -> torch.Tensor:
    """Inputs of random pixels, each around a colour of its own."""
    return torch.randn(8, 3, SIDE, SIDE) + 3 * torch.randn(8, 3, 1, 1)


def photos() -> torch.Tensor:
    """Inputs such as the field's workload has."""
    rng = random.Random(SEED)
    transform = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    return torch.stack([transform(draw_photo((500, 375), rng)) for _ in range(PHOTOS)])


@dataclass(frozen=True)
class Network:
    """An architecture: its constructor in torchvision, the name of its last layer, its classes, how images become its
    input, and inputs such as it will get. `has_weights`: a file weights.pt has them for programs that build the network
    themselves."""

    constructor: Callable[..., torch.nn.Module]
    head: str
    classes: int = 10
    resize: dict[str, object] = field(default_factory=lambda: SQUARE)
    inputs: Callable[[], torch.Tensor] = noise
    has_weights: bool = False


NETWORKS = {
    "resnet-18": Network(torchvision.models.resnet18, "fc"),
    "resnet-50": Network(torchvision.models.resnet50, "fc"),
    "vit-b-16": Network(torchvision.models.vit_b_16, "heads.head"),
    "field": Network(torchvision.models.resnet18, "fc", 1000, IMAGENET, photos, has_weights=True),
}
GROWTH = ("resnet-18", "resnet-50", "vit-b-16")


def build(kind: Network) -> torch.nn.Module:
    """The network, with a head that tells images apart: of random weights come about the same logits for all."""
    torch.manual_seed(SEED)
    network = kind.constructor(weights=None, num_classes=kind.classes).eval()
    layer = network.get_submodule(kind.head)
    with torch.inference_mode():
        torch.nn.init.normal_(layer.weight)
        logits = network(kind.inputs())
        layer.weight.div_(logits.std(dim=0).mean())
        layer.bias.copy_(-logits.mean(dim=0) / logits.std(dim=0).mean())
    return network


def make(name: str) -> None:
    directory, kind = FOLDER / name, NETWORKS[name]
    if directory.is_dir():
        return
    unfinished = directory.with_name(f"{name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    network, example = build(kind), torch.zeros(2, 3, SIDE, SIDE)
    if kind.has_weights:
        torch.save(network.state_dict(), unfinished / "weights.pt")
    torch.jit.trace(network, example).save(str(unfinished / "model.pt"))
    torch.onnx.export(
        network,
        (example,),
        str(unfinished / "model.onnx"),
        input_names=["pixel_values"],
        output_names=["logits"],
        dynamic_axes={"pixel_values": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
    )
    config = {"id2label": {str(index): f"class {index}" for index in range(kind.classes)}}
    for file, content in (("config.json", config), ("preprocessor_config.json", kind.resize | NORMAL)):
        (unfinished / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.rename(directory)
    print(directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(GROWTH), help=f"of {', '.join(NETWORKS)}")
    names = parser.parse_args().names
    if unknown := set(names) - set(NETWORKS):
        parser.error(f"no network is called {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    # Of tracing, about what does not change with the image.
    warnings.simplefilter("ignore")
    # A fused operator that ONNX does not have.
    torch.backends.mha.set_fastpath_enabled(False)
    for name in names:
        make(name)


if __name__ == "__main__":
    main()
