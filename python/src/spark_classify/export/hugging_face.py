"""A directory that `save_pretrained` of transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from spark_classify.errors import ClassifyError
from spark_classify.export import preprocessing, pretrained
from spark_classify.export.source import LOGITS, Source, label_fields

IMAGE_EMBEDS, POOLER_OUTPUT, LAST_HIDDEN_STATE = "image_embeds", "pooler_output", "last_hidden_state"
FEW = 5
OWN_NETWORK = "export it with --module, whose function makes the network"


def classifier(directory: Path, preprocessor: Path | None = None) -> Source:
    """The image classifier in the directory, with the labels that its configuration names."""
    model = load(transformers.AutoModelForImageClassification, directory)
    if model.config.problem_type == "regression":
        raise ClassifyError(f"{directory}/config.json: `problem_type` regression is no classification")
    labels = _labels(model, directory)
    preprocess, fields = preprocessing.read(preprocessor or directory)
    config = {**config_of(model), **label_fields(labels)}
    return Source(Output(model, LOGITS), preprocess, config, fields)


def embedder(directory: Path, preprocessor: Path | None = None, pooling: str | None = None) -> Source:
    """The image encoder in the directory.

    It gives `image_embeds` where the model projects images into one space with texts, else `pooler_output` where the
    model has it, else `last_hidden_state`, and then `pooling` (`cls` or `mean`) must say what is made of its tokens.
    With `pooling`, the output is always `last_hidden_state`.
    """
    model = load(_encoder_class(directory), directory, optional="pooler.")
    preprocess, fields = preprocessing.read(preprocessor or directory)
    if pooling and hasattr(model, "get_image_features"):
        raise ClassifyError(
            f"{directory}: {type(model).__name__} gives one vector an image, `{IMAGE_EMBEDS}`; leave --pooling out"
        )
    output = LAST_HIDDEN_STATE if pooling else _output_of(model, directory)
    config = config_of(model)
    if pooling:
        config["pooling"] = pooling
    return Source(Output(model, output), preprocess, config, fields, output)


class Output(nn.Module):
    """One of the outputs of a model of transformers, as a tensor."""

    def __init__(self, model: nn.Module, output: str) -> None:
        super().__init__()
        self.model = model
        self.output = output

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        if self.output == IMAGE_EMBEDS and hasattr(self.model, "get_image_features"):
            return self.model.get_image_features(pixel_values=pixel_values).pooler_output
        result = self.model(pixel_values=pixel_values)[self.output]
        # Convolutional networks keep two axes of length 1 from their pooling.
        return result.flatten(1) if self.output == POOLER_OUTPUT else result


def load(auto_class: Any, directory: Path, optional: str | None = None) -> Any:
    """The model in float32, ready for inference; weights that are missing are an error, never random numbers.

    Those whose names begin with `optional` may be missing; the model then has None in their place.
    """
    _refuse_others(directory)
    # The fused attention leaves tensors in an order of memory that torch.onnx.export cannot follow in Swin.
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    model, report = pretrained.load(
        auto_class, directory, pretrained.CONFIG, OWN_NETWORK, output_loading_info=True, **options
    )
    missing = {name for name in report["missing_keys"] if not (optional and name.startswith(optional))}
    if missing or report["mismatched_keys"]:
        names = ", ".join(f"`{name}`" for name in sorted(missing or map(str, report["mismatched_keys"]))[:FEW])
        raise ClassifyError(
            f"{directory}: has no weights for {names} of {type(model).__name__}, which would be random; name a "
            "directory with a trained classifier, or export its embeddings with --embeddings"
        )
    if optional and report["missing_keys"]:
        setattr(model, optional.removesuffix("."), None)
    return model.eval()


def config_of(model: Any) -> dict[str, Any]:
    """The model's `config.json`, but for what concerns its training or this machine."""
    config: dict[str, Any] = model.config.to_diff_dict()
    config.pop("_name_or_path", None)
    # timm's steps, in their two places: the file beside says them, and the core refuses two files that say steps.
    config.pop("pretrained_cfg", None)
    if "architecture" in config:
        config.pop("input_size", None)
    config["architectures"] = [type(model).__name__]
    return config


def _refuse_others(directory: Path) -> None:
    if not (directory / pretrained.CONFIG).is_file():
        raise ClassifyError(f"{directory}: has no config.json; name a directory that `save_pretrained` wrote")


def _labels(model: Any, directory: Path) -> list[str]:
    names = model.config.id2label
    if sorted(names) != list(range(len(names))):
        raise ClassifyError(
            f"{directory}/config.json: field `id2label`: has {', '.join(map(str, sorted(names)[:FEW]))}…; write the "
            "number of each output, from 0 on"
        )
    return [names[index] for index in range(len(names))]


def _encoder_class(directory: Path) -> Any:
    _refuse_others(directory)
    config = pretrained.load(transformers.AutoConfig, directory, pretrained.CONFIG, OWN_NETWORK)
    architecture = (config.architectures or [""])[0]
    if architecture.endswith("VisionModelWithProjection"):
        return getattr(transformers, architecture)
    return transformers.AutoModel


def _output_of(model: Any, directory: Path) -> str:
    if hasattr(model, "get_image_features") or type(model).__name__.endswith("VisionModelWithProjection"):
        return IMAGE_EMBEDS
    with torch.inference_mode():
        size = getattr(model.config, "image_size", None) or 224
        height, width = (size, size) if isinstance(size, int) else size
        outputs = model(pixel_values=torch.zeros(1, 3, height, width))
    if outputs.get(POOLER_OUTPUT) is not None:
        return POOLER_OUTPUT
    raise ClassifyError(
        f"{directory}: {type(model).__name__} gives only one vector for each token; say with --pooling what an image's "
        "embedding is made of: cls (the first token) or mean (all of them)"
    )
