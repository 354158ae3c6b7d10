"""CLIP and SigLIP with any labels: a plain classifier whose last layer is made of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from spark_classify.errors import ClassifyError
from spark_classify.export import preprocessing, pretrained
from spark_classify.export.hugging_face import load
from spark_classify.export.source import Source, classifier_config

DEFAULT_TEMPLATE = "a photo of a {}"
# SigLIP is trained on texts that are filled up to this many tokens.
SIGLIP_TOKENS = 64


def classifier(
    directory: Path,
    labels: Sequence[str],
    templates: Sequence[str] = (DEFAULT_TEMPLATE,),
    preprocessor: Path | None = None,
) -> Source:
    """A classifier of the labels by the CLIP or SigLIP model in the directory.

    A label's texts are the templates with the label in the place of `{}`; the mean of their embeddings, each of length
    1, is the label's, as in CLIP's own evaluation. CLIP gives one class an image (softmax), SigLIP says of each label
    whether it fits (sigmoid).
    """
    for template in templates:
        if "{}" not in template:
            raise ClassifyError(f"--template {template!r}: write {{}} where the label goes")
    model = load(transformers.AutoModel, directory)
    kind = model.config.model_type
    if kind not in ("clip", "siglip"):
        raise ClassifyError(f"{directory}: is a `{kind}`; zero-shot export knows `clip` and `siglip`")
    way_out = "save a tokenizer of transformers' own there"
    tokenizer = pretrained.load(transformers.AutoTokenizer, directory, "tokenizer_config.json", way_out)
    embeddings = _embeddings(model, tokenizer, labels, templates)
    scale = model.logit_scale.detach().exp()
    bias = model.logit_bias.detach() if kind == "siglip" else torch.zeros(1)
    config = classifier_config(f"ZeroShot{type(model).__name__}", labels)
    if kind == "siglip":
        config |= {"problem_type": "multi_label_classification", "function_to_apply": "sigmoid"}
    preprocess, fields = preprocessing.read(preprocessor or directory)
    network = ZeroShot(model, embeddings * scale, bias.expand(len(labels)).clone())
    return Source(network.eval(), preprocess, config, fields)


class ZeroShot(nn.Module):
    """The image's embedding, of length 1, times the labels': (batch, labels)."""

    def __init__(self, model: Any, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        # Without the encoder of texts.
        self.vision_model = model.vision_model
        self.projection = getattr(model, "visual_projection", nn.Identity())
        self.labels = nn.Linear(weight.shape[1], weight.shape[0])
        self.labels.weight = nn.Parameter(weight, requires_grad=False)
        self.labels.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        embedding = self.projection(self.vision_model(pixel_values=pixel_values).pooler_output)
        return self.labels(embedding / embedding.norm(dim=-1, keepdim=True))


@torch.inference_mode()
def _embeddings(model: Any, tokenizer: Any, labels: Sequence[str], templates: Sequence[str]) -> torch.Tensor:
    """A row of length 1 for each label."""
    rows = []
    for label in labels:
        # Not `format`, to which every other brace means something.
        texts = [template.replace("{}", label) for template in templates]
        if model.config.model_type == "siglip":
            length = min(SIGLIP_TOKENS, model.config.text_config.max_position_embeddings)
            tokens = tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        else:
            tokens = tokenizer(texts, padding=True, return_tensors="pt")
        if tokens["input_ids"].shape[1] > model.config.text_config.max_position_embeddings:
            limit = model.config.text_config.max_position_embeddings
            raise ClassifyError(
                f"the label {label!r} is longer than the {limit} tokens that the model reads; shorten it"
            )
        features = model.get_text_features(**tokens).pooler_output
        mean = (features / features.norm(dim=-1, keepdim=True)).mean(0)
        rows.append(mean / mean.norm())
    return torch.stack(rows).clone()
