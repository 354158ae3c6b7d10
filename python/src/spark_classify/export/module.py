"""A network of the user's own, made by a function of theirs."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from spark_classify.errors import ClassifyError
from spark_classify.export import preprocessing
from spark_classify.export.source import Source, classifier_config
from spark_classify.export.weights import choose


def classifier(name: str, weights: Path | None, labels: Sequence[str], preprocessor: Path) -> Source:
    """The network that `package.module:factory` makes, called without arguments: logits of the `labels`, of pixels."""
    network = _make(name)
    preprocess, fields = preprocessing.read(preprocessor)
    return Source(choose(network, weights), preprocess, classifier_config(type(network).__name__, labels), fields)


def _make(name: str) -> nn.Module:
    module_name, _, factory_name = name.partition(":")
    if not module_name or not factory_name:
        raise ClassifyError(f"--module {name}: write package.module:factory")
    # As `python -m` finds modules; what the factory imports is found there, too.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError) as cause:
        raise ClassifyError(f"--module {name}: {cause}; run in its folder, or set PYTHONPATH") from cause
    except Exception as cause:
        raise ClassifyError(f"--module {name}: cannot be imported: {type(cause).__name__}: {cause}") from cause
    try:
        network = factory()
    except Exception as cause:
        raise ClassifyError(
            f"--module {name}: the function fails without arguments: {type(cause).__name__}: {cause}"
        ) from cause
    if not isinstance(network, nn.Module):
        raise ClassifyError(f"--module {name}: gives a {type(network).__name__}, not a torch.nn.Module")
    return network
