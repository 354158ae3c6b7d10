"""A classifier of torchvision, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchvision import models

from spark_classify.errors import ClassifyError
from spark_classify.export import preprocessing
from spark_classify.export.source import Source, classifier_config
from spark_classify.export.weights import choose

# torchvision's builders make them otherwise where they are given weights: these expect pixels of another normalisation,
# which the network makes of ImageNet's itself. Their auxiliary heads are for training alone.
TRANSFORMING = ("googlenet", "inception_v3")
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


def classifier(
    name: str,
    weights: Path | None,
    labels: Sequence[str] | None = None,
    preset: str | None = None,
    preprocessor: Path | None = None,
) -> Source:
    """The network with weights from a file, or with random ones.

    Without `labels` it has the classes of torchvision's own weights. `preset` names those of torchvision's weights
    whose preprocessing this network has; it may be left out where all of them agree.
    """
    if name not in models.list_models(module=models):
        raise ClassifyError(
            f"torchvision has no image classifier `{name}`; torchvision.models.list_models() names them"
        )
    entry = _entry(name, preset, needed=preprocessor is None)
    labels = labels or entry.meta["categories"]
    options = {"aux_logits": False, "init_weights": True} if name in TRANSFORMING else {}
    if options and weights is not None:
        options |= {"transform_input": True, "init_weights": False}
    network = choose(models.get_model(name, weights=None, num_classes=len(labels), **options), weights, AUXILIARY)
    config = classifier_config(name, labels)
    if preprocessor is not None:
        preprocess, fields = preprocessing.read(preprocessor)
        return Source(network, preprocess, config, fields)
    steps = entry.transforms()
    (resize,), (crop,) = steps.resize_size, steps.crop_size
    fields = preprocessing.torchvision_fields(resize, (crop, crop), steps.interpolation.value, steps.mean, steps.std)
    return Source(network, steps, config, fields)


def _entry(name: str, preset: str | None, needed: bool) -> Any:
    """The weights of torchvision's own that say the classes and the steps; they are not downloaded."""
    entries = models.get_model_weights(name).__members__
    if preset is not None:
        if preset not in entries:
            raise ClassifyError(f"--preset {preset}: torchvision's weights of {name} are {', '.join(entries)}")
        return entries[preset]
    steps = {repr(entry.transforms()) for entry in entries.values()}
    if needed and len(steps) > 1:
        raise ClassifyError(
            f"{name}: torchvision's weights have different preprocessing; choose with --preset one of "
            f"{', '.join(entries)}, or give the steps with --preprocessor"
        )
    return next(iter(entries.values()))
