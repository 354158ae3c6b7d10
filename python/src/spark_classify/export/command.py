"""`spark-classify export`: from the command line's arguments to a checked directory."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from spark_classify import program
from spark_classify.errors import ClassifyError
from spark_classify.export import directory, formats, hugging_face, images, needing_extra, verify, zero_shot
from spark_classify.export.source import Source, read_labels

INPUTS = ("hugging-face", "weights", "labels", "zero-shot", "preprocessor", "images")


def export(arguments: argparse.Namespace) -> int:
    """Makes the directory and prints how it differs from the original; an error where that is too much."""
    formats.quieten()
    # Random weights are the same ones every time.
    torch.manual_seed(0)
    given = {option: getattr(arguments, option.replace("-", "_")) for option in INPUTS}
    directory.refuse_inputs(arguments.out, {option: path for option, path in given.items() if path is not None})
    core = None if arguments.without_classify_bench else program.find(arguments.classify_bench)
    with directory.replacing(arguments.out, arguments.force) as made, tempfile.TemporaryDirectory() as folder:
        source = source_of(arguments)
        paths = images.find(arguments.images) if arguments.images else images.make(Path(folder))
        example = torch.stack([source.preprocess(images.open_rgb(path)) for path in (paths * 2)[:2]])
        verify.refuse_unusable(source, example)
        directory.write(source, made, arguments.formats, example)
        rows = verify.verify(source, made, arguments.formats, paths, arguments.tolerance, core)
        print(verify.table(rows))
        if not all(row.passed for row in rows):
            raise ClassifyError(
                f"{arguments.out}: not written: the export differs from the original by more than "
                f"{arguments.tolerance:g} (--tolerance)"
            )
    if core is None and not arguments.without_classify_bench:
        print(f"{program.NAME} is not on PATH: what Spark will compute was not compared (--classify-bench).")
    print(f"{arguments.out}: {', '.join(formats.FORMATS[name][0] for name in arguments.formats)}")
    return 0


def source_of(arguments: argparse.Namespace) -> Source:
    """The network that the arguments name."""
    if arguments.hugging_face:
        return _of_hugging_face(arguments)
    _refuse(arguments, "zero_shot", "template", "embeddings", "pooling")
    if (arguments.weights is None) == (not arguments.random):
        raise ClassifyError("say where the weights come from: either --weights FILE or --random")
    labels = read_labels(arguments.labels) if arguments.labels else None
    # Each library is imported where it is asked for.
    if arguments.timm:
        _refuse(arguments, "preset")
        with needing_extra():
            from spark_classify.export import timm_models

        return timm_models.classifier(arguments.timm, arguments.weights, labels, arguments.preprocessor)
    if arguments.torchvision:
        from spark_classify.export import torchvision_models

        return torchvision_models.classifier(
            arguments.torchvision, arguments.weights, labels, arguments.preset, arguments.preprocessor
        )
    _refuse(arguments, "preset")
    if labels is None or arguments.preprocessor is None:
        raise ClassifyError("--module needs --labels FILE and --preprocessor FILE: only you know them")
    from spark_classify.export import module

    return module.classifier(arguments.module, arguments.weights, labels, arguments.preprocessor)


def _of_hugging_face(arguments: argparse.Namespace) -> Source:
    _refuse(arguments, "weights", "random", "labels", "preset")
    if arguments.zero_shot:
        _refuse(arguments, "embeddings", "pooling")
        templates = arguments.template or [zero_shot.DEFAULT_TEMPLATE]
        labels = read_labels(arguments.zero_shot)
        return zero_shot.classifier(arguments.hugging_face, labels, templates, arguments.preprocessor)
    _refuse(arguments, "template")
    if arguments.embeddings:
        return hugging_face.embedder(arguments.hugging_face, arguments.preprocessor, arguments.pooling)
    _refuse(arguments, "pooling")
    return hugging_face.classifier(arguments.hugging_face, arguments.preprocessor)


def _refuse(arguments: argparse.Namespace, *names: str) -> None:
    """Options that would have no effect here are mistakes."""
    for name in names:
        if getattr(arguments, name):
            raise ClassifyError(f"--{name.replace('_', '-')} has no meaning for this export; leave it out")
