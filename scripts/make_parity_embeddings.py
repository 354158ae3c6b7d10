"""Builds model directories of common image encoders and computes the embeddings of some of the committed images.

    python scripts/make_parity_embeddings.py --out tests/parity/embeddings

Weights are random (seeded), so nothing is downloaded. Each directory holds `config.json`, `preprocessor_config.json`,
`model.onnx` and `model.pt`, and `golden.json` what the network itself makes of every image in torch, with its family's
own preprocessing on Pillow images: the embedding, pooled and normalised as config.json says. A directory that is there
is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from make_parity_models import CONVNEXT, preprocess
from parity_directories import DYNAMIC_BATCH, GOLDEN, ONNX_OPSET, SEED, make_missing, options, versions
from PIL import Image
from processor_cases import transformers_processor
from torch import nn

SIZE = 64
ENCODER = {
    "image_size": SIZE,
    "patch_size": 16,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    # Larger than what models begin with, so that more than the position of a token is left in its vector.
    "initializer_range": 0.15,
}


@dataclass
class Encoder:
    """One model directory."""

    name: str
    build: Callable[[], nn.Module]
    # The name of the network's output.
    output: str
    # The processor's family, and what it is told.
    processor: str
    processing: dict[str, object]
    config: dict[str, object] = field(default_factory=dict)


class Named(nn.Module):
    """One output of a network, in a dictionary as its own."""

    def __init__(self, network: nn.Module, output: str) -> None:
        super().__init__()
        self.network = network
        self.output = output

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {self.output: self.network(pixel_values)[self.output]}


def of_transformers(architecture: str, configuration: str, settings: dict[str, object], **options: object) -> nn.Module:
    config = getattr(transformers, configuration)(**settings)
    config._attn_implementation = "eager"
    return getattr(transformers, architecture)(config, **options)


def with_effect(network: nn.Module) -> nn.Module:
    """With the small weights that the network begins with, nothing would be left of the images."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network


def encoders() -> list[Encoder]:
    clip = {**ENCODER, "projection_dim": 40}
    resnet = {"embedding_size": 16, "hidden_sizes": [16, 32, 64], "depths": [1, 1, 1], "layer_type": "basic"}
    crop = {"size": {"shortest_edge": SIZE}, "crop_size": {"height": SIZE, "width": SIZE}}
    square = {"size": {"height": SIZE, "width": SIZE}}

    def vit() -> nn.Module:
        return of_transformers("ViTModel", "ViTConfig", ENCODER, add_pooling_layer=False)

    return [
        Encoder(
            "clip",
            lambda: of_transformers("CLIPVisionModelWithProjection", "CLIPVisionConfig", clip),
            "image_embeds",
            *("CLIP", crop),
        ),
        Encoder(
            "siglip",
            lambda: of_transformers("SiglipVisionModel", "SiglipVisionConfig", ENCODER),
            "pooler_output",
            *("Siglip", square),
        ),
        Encoder("vit-cls", vit, "last_hidden_state", "ViT", square, {"pooling": "cls"}),
        Encoder("vit-mean", vit, "last_hidden_state", "ViT", square, {"pooling": "mean", "normalize": False}),
        Encoder(
            "resnet",
            lambda: with_effect(of_transformers("ResNetModel", "ResNetConfig", resnet)),
            "pooler_output",
            *("ConvNext", CONVNEXT),
        ),
    ]


@torch.inference_mode()
def embeddings(encoder: Encoder, network: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """What Python makes of the images."""
    values = network(pixels)[encoder.output]
    if encoder.output == "last_hidden_state":
        values = values[:, 0] if encoder.config["pooling"] == "cls" else values.mean(1)
    values = values.flatten(1)
    return nn.functional.normalize(values) if encoder.config.get("normalize", True) else values


def export(encoder: Encoder, network: nn.Module, pixels: torch.Tensor, directory: Path) -> None:
    module = Named(network, encoder.output).eval()
    torch.jit.trace(module, pixels[:2], strict=False).save(str(directory / "model.pt"))
    torch.onnx.export(
        module,
        (pixels[:2],),
        str(directory / "model.onnx"),
        dynamo=False,
        opset_version=ONNX_OPSET,
        input_names=["pixel_values"],
        output_names=[encoder.output],
        dynamic_axes={"pixel_values": DYNAMIC_BATCH, encoder.output: DYNAMIC_BATCH},
    )


def make(encoder: Encoder, images: dict[str, Image.Image], few: list[str], directory: Path) -> None:
    """Writes a model directory and its golden values."""
    torch.manual_seed(SEED)
    directory.mkdir(parents=True, exist_ok=True)
    network = encoder.build().eval()
    processor, written = transformers_processor(encoder.processor, encoder.processing)
    for name, content in (("config.json", encoder.config), ("preprocessor_config.json", written)):
        (directory / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    pixels = preprocess(processor, [images[name] for name in few]).float()
    export(encoder, network, pixels, directory)
    # One by one, as the reference for any batch.
    rows = torch.cat([embeddings(encoder, network, image) for image in pixels.split(1)])
    golden = {"versions": versions(), "output": encoder.output, "images": dict(zip(few, rows.tolist(), strict=True))}
    # Written last: where it is, everything is.
    (directory / GOLDEN).write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
    print(f"{directory}: {rows.shape[1]} values, which differ by {rows.std(0).mean():.3f}", flush=True)


def main() -> None:
    make_missing(options(__doc__, "tests/parity/embeddings").parse_args(), encoders(), make)


if __name__ == "__main__":
    main()
