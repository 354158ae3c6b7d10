"""A classifier of timm, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import timm.data

from spark_classify.errors import ClassifyError
from spark_classify.export import preprocessing
from spark_classify.export.source import Source, classifier_config
from spark_classify.export.weights import choose


def classifier(
    name: str, weights: Path | None, labels: Sequence[str] | None = None, preprocessor: Path | None = None
) -> Source:
    """The network with weights from a file, or with random ones; `name` may end in a tag (`resnet18.a1_in1k`), which
    says the preprocessing. Without `labels` it has the classes of the tag."""
    if not timm.is_model(name):
        raise ClassifyError(f"timm has no model `{name}`; timm.list_models() names them")
    options = {} if labels is None else {"num_classes": len(labels)}
    try:
        made = timm.create_model(name, pretrained=False, **options)
    except Exception as cause:
        raise ClassifyError(f"{name}: timm cannot make it ({cause}); timm.list_pretrained() names the tags") from cause
    network = choose(made, weights)
    config = classifier_config(name, labels or _imagenet_labels(network, name))
    if preprocessor is not None:
        preprocess, fields = preprocessing.read(preprocessor)
        return Source(network, preprocess, config, fields)
    steps = timm.data.resolve_model_data_config(network)
    fields = preprocessing.timm_fields(name, steps)
    return Source(network, timm.data.create_transform(**steps, is_training=False), config, fields)


def _imagenet_labels(network: Any, name: str) -> list[str]:
    subset = timm.data.infer_imagenet_subset(network)
    if subset is None:
        raise ClassifyError(f"{name}: timm does not name its {network.num_classes} classes; name them with --labels")
    names = timm.data.ImageNetInfo(subset)
    return [names.index_to_description(index) for index in range(network.num_classes)]
