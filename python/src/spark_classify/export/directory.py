"""Writing a model directory, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from spark_classify.errors import ClassifyError
from spark_classify.export import preprocessing
from spark_classify.export.formats import FORMATS
from spark_classify.export.source import Source

CONFIG = "config.json"


def write(source: Source, directory: Path, formats: Sequence[str], example: torch.Tensor) -> None:
    """Writes the two configuration files and the network in each of the formats.

    `example` are pixels of two images: with one, an exporter takes the batch for fixed.
    """
    for name, content in ((CONFIG, source.config), (preprocessing.FILE, source.preprocessor_config)):
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (directory / name).write_text(text + "\n", encoding="utf-8")
    for name in formats:
        file, write_format = FORMATS[name]
        write_format(source, example, directory / file)


def refuse_inputs(target: Path, inputs: Mapping[str, Path]) -> None:
    """What is replaced goes away, and an input in it or around it would go with it. `inputs` are by option."""
    out = target.resolve()
    for option, path in inputs.items():
        # A link, and what it leads to.
        for source in (path.parent.resolve() / path.name, path.resolve()):
            if out.is_relative_to(source) or source.is_relative_to(out):
                raise ClassifyError(
                    f"{target}: is, holds or lies in {path} (--{option}), which is read; choose another directory with "
                    "--out"
                )


def _refuse(target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise ClassifyError(f"{target}: is there already; choose another directory, or replace it with --force")
    if target.exists() and not (target / CONFIG).is_file():
        raise ClassifyError(f"{target}: is no model directory (it has no {CONFIG}); not replaced, even with --force")


@contextmanager
def replacing(target: Path, force: bool) -> Iterator[Path]:
    """A new folder beside the target, which becomes the target where nothing fails, and else goes away."""
    _refuse(target, force)
    try:
        target = target.absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent)
    except OSError as cause:
        raise ClassifyError(f"{target}: cannot be made: {cause}; choose another directory with --out") from cause
    with temporary as folder:
        # The temporary folder is its owner's alone; a model is everyone's who may read the parent.
        made = Path(folder, "new")
        made.mkdir()
        yield made
        # Somebody else may have made it in the meantime.
        _refuse(target, force)
        try:
            if force and target.exists():
                os.replace(target, Path(folder, "old"))
            os.replace(made, target)
        except OSError as cause:
            if Path(folder, "old").exists():
                shutil.move(Path(folder, "old"), target)
            raise ClassifyError(f"{target}: cannot be written: {cause}") from cause
