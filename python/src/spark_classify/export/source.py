"""What is exported: a network with everything that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from spark_classify.errors import ClassifyError

LOGITS = "logits"


@dataclass(frozen=True)
class Source:
    """A network, how its own library prepares images for it, and the two files that say the same.

    `network` takes pixels (batch, 3, height, width) as float32 and gives one tensor: logits (batch, classes),
    embeddings (batch, dimensions), or tokens (batch, tokens, dimensions). `preprocess` makes (3, height, width) of an
    RGB image. `output` names what the network gives: `logits` for a classifier.
    """

    network: nn.Module
    preprocess: Callable[[Image.Image], torch.Tensor]
    config: dict[str, Any]
    preprocessor_config: dict[str, Any]
    output: str = LOGITS

    def __post_init__(self) -> None:
        # A wrapper around a network that is ready for inference begins in training mode again.
        self.network.eval()

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """What `config` makes of logits: softmax, sigmoid, or nothing where they are probabilities already."""
        function = self.config.get("function_to_apply")
        if function is None:
            multi_label = self.config.get("problem_type") == "multi_label_classification"
            function = "sigmoid" if multi_label or logits.shape[1] == 1 else "softmax"
        return {"sigmoid": torch.sigmoid, "softmax": lambda x: x.softmax(1), "none": lambda x: x}[function](logits)


def classifier_config(architecture: str, labels: Sequence[str]) -> dict[str, Any]:
    """`config.json` of a classifier that is no model of transformers."""
    return {"architectures": [architecture], **label_fields(labels)}


def label_fields(labels: Sequence[str]) -> dict[str, Any]:
    """The class names in the two fields that Hugging Face has for them."""
    return {
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def read_labels(path: Path) -> list[str]:
    """The class names in a UTF-8 text file, one a line, in class-id order."""
    try:
        labels = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise ClassifyError(f"{path}: cannot be read as UTF-8 text: {cause}") from cause
    for number, label in enumerate(labels, start=1):
        if not label.strip():
            raise ClassifyError(f"{path}: line {number} is empty; write one class name a line, in class-id order")
    if not labels:
        raise ClassifyError(f"{path}: is empty; write one class name a line, in class-id order")
    return labels
