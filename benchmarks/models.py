"""Makes model directories of common networks with random weights, to see how cost grows with the model.

    .venv-reference/bin/python benchmarks/models.py

Nothing is downloaded. The same torch and torchvision make the same weights. A directory that is there is left alone.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import torch
import torchvision

FOLDER = Path(__file__).resolve().parent / ".models"
SIDE = 224
CLASSES = 10
SEED = 5

NETWORKS = {
    "resnet-18": (torchvision.models.resnet18, "fc"),
    "resnet-50": (torchvision.models.resnet50, "fc"),
    "vit-b-16": (torchvision.models.vit_b_16, "heads.head"),
}


def build(name: str) -> torch.nn.Module:
    """The network, with a head that tells images apart: of random weights come about the same logits for all."""
    torch.manual_seed(SEED)
    constructor, head = NETWORKS[name]
    network = constructor(weights=None, num_classes=CLASSES).eval()
    layer = network.get_submodule(head)
    with torch.inference_mode():
        torch.nn.init.normal_(layer.weight)
        logits = network(torch.randn(8, 3, SIDE, SIDE) + 3 * torch.randn(8, 3, 1, 1))
        layer.weight.div_(logits.std(dim=0).mean())
        layer.bias.copy_(-logits.mean(dim=0) / logits.std(dim=0).mean())
    return network


def make(name: str) -> None:
    directory = FOLDER / name
    if directory.is_dir():
        return
    unfinished = directory.with_name(f"{name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    network, example = build(name), torch.zeros(2, 3, SIDE, SIDE)
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
    config = {"id2label": {str(index): f"class {index}" for index in range(CLASSES)}}
    processor = {
        **{"do_resize": True, "size": {"height": SIDE, "width": SIDE}, "resample": 2},
        **{"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True},
        **{"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
    }
    for file, content in (("config.json", config), ("preprocessor_config.json", processor)):
        (unfinished / file).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.rename(directory)
    print(directory)


def main() -> None:
    # Of tracing, about what does not change with the image.
    warnings.simplefilter("ignore")
    # A fused operator that ONNX does not have.
    torch.backends.mha.set_fastpath_enabled(False)
    for name in NETWORKS:
        make(name)


if __name__ == "__main__":
    main()
