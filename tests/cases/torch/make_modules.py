"""TorchScript modules that change themselves while they run. usage: python make_modules.py OUT (needs torch 2.11).

Each goes into a model directory of its own (12 classes, 32 x 32, no normalisation). `plain` changes nothing
and is the control.
"""

import json
import pathlib
import sys

import torch
from torch import Tensor, nn

out, size = pathlib.Path(sys.argv[1]), 32


def put(name, module):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"id2label": {str(i): f"c{i}" for i in range(12)}}))
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "ViTImageProcessor",
                "do_resize": True,
                "size": {"height": size, "width": size},
                "resample": 2,
                "do_rescale": True,
                "rescale_factor": 1 / 255,
                "do_normalize": False,
            }
        )
    )
    torch.jit.script(module.eval()).save(str(folder / "model.pt"))


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6


class Counter(nn.Module):
    """Adds to a buffer in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1.0)
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6 + self.count * 0.001


class Assign(nn.Module):
    """Assigns a tensor attribute."""

    def __init__(self):
        super().__init__()
        self.register_buffer("state", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.state = self.state + x.mean()
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6 + self.state * 1e-6


class Feature(nn.Module):
    """Keeps a feature map to be looked at later; nothing reads it."""

    kept: Tensor | None

    def __init__(self):
        super().__init__()
        self.kept = None
        self.conv = nn.Conv2d(3, 12, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x)
        self.kept = features
        return features.mean((2, 3)) * 6


class Memory(nn.Module):
    """Keeps a list of inputs."""

    kept: list[Tensor]

    def __init__(self):
        super().__init__()
        self.kept = [torch.zeros(1, 3, size, size)]

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(x)
        if len(self.kept) > 64:
            self.kept.clear()
            self.kept.append(x)
        first = self.kept[0][0:1].expand(x.size(0), 3, 32, 32)
        return nn.functional.avg_pool2d(first, 16).flatten(1) * 6


class Dropping(nn.Module):
    """Random at inference: no two runs agree."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(nn.functional.avg_pool2d(x, 16).flatten(1) * 6, 0.5, training=True)


for module in (Plain, Counter, Assign, Feature, Memory, Dropping):
    put(module.__name__.lower(), module())
