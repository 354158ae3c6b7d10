"""`preprocessor_config.json`: written for torchvision's steps, and read as Hugging Face and torchvision read it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image

from spark_classify.errors import ClassifyError
from spark_classify.export import pretrained
from spark_classify.export.torchvision_steps import RESCALE_FACTOR, Steps

FILE = "preprocessor_config.json"
NESTING = "processor_config.json"
# Which of the two implementations that transformers has of a processor; the field is ours.
BACKEND = "image_processor_backend"
# What the core calls the steps that no processor of Hugging Face does.
TORCHVISION = "torchvision"

Preprocess = Callable[[Image.Image], torch.Tensor]


def torchvision_fields(
    resize: int | tuple[int, int],
    crop: tuple[int, int],
    resample: str,
    mean: Sequence[float],
    std: Sequence[float],
) -> dict[str, Any]:
    """The file for torchvision's Resize, CenterCrop, ToTensor and Normalize on Pillow images.

    `resize` is the shorter side, or height and width; `resample` the name of a filter of Pillow.
    """
    if resample.upper() not in Image.Resampling.__members__:
        raise ClassifyError(
            f"the interpolation `{resample}` is not one of Pillow's; give the steps with --preprocessor"
        )
    edge = {"shortest_edge": resize} if isinstance(resize, int) else {"height": resize[0], "width": resize[1]}
    return {
        "image_processor_type": TORCHVISION,
        "do_resize": True,
        "size": edge,
        "resample": int(Image.Resampling[resample.upper()]),
        "do_center_crop": True,
        "crop_size": {"height": crop[0], "width": crop[1]},
        "do_rescale": True,
        "rescale_factor": RESCALE_FACTOR,
        "do_normalize": True,
        "image_mean": list(mean),
        "image_std": list(std),
    }


def timm_fields(name: str, steps: dict[str, Any]) -> dict[str, Any]:
    """The file for the steps that timm's `resolve_data_config` gives: torchvision does them."""
    channels, height, width = steps["input_size"]
    if channels != 3:
        raise ClassifyError(f"{name}: takes {channels} channels, not 3")
    scaled = math.floor(height / steps["crop_pct"]), math.floor(width / steps["crop_pct"])
    if steps["crop_mode"] == "squash":
        resize: int | tuple[int, int] = scaled
    elif steps["crop_mode"] == "center" and height == width:
        resize = scaled[0]
    else:
        raise ClassifyError(
            f"{name}: timm's crop mode `{steps['crop_mode']}` to {height} x {width} pixels is not among torchvision's "
            "steps; give steps with --preprocessor"
        )
    return torchvision_fields(resize, (height, width), steps["interpolation"], steps["mean"], steps["std"])


def read(path: Path) -> tuple[Preprocess, dict[str, Any]]:
    """The steps that a file says, on Pillow images, and its fields.

    `path` is the file, or a directory with it (or with `processor_config.json`, as transformers 5 writes them).
    """
    preprocess, fields = _read(path)
    try:
        landscape, portrait = (preprocess(Image.new("RGB", size)).shape for size in ((64, 48), (48, 64)))
    except Exception as cause:
        raise ClassifyError(f"{path}: its steps fail on an image: {cause}") from cause
    if landscape != portrait:
        raise ClassifyError(
            f"{path}: without `height` and `width` in `size` the input's size depends on the image; add "
            "`do_center_crop` and `crop_size`, or write height and width"
        )
    if len(landscape) != 3 or landscape[0] != 3:
        raise ClassifyError(f"{path}: makes {tuple(landscape)} of an image, not (3, height, width); use other steps")
    return preprocess, fields


def _read(path: Path) -> tuple[Preprocess, dict[str, Any]]:
    fields = _fields(path)
    if fields.get("image_processor_type") == TORCHVISION:
        return Steps(path, fields).transform(), fields
    backend = fields.get(BACKEND) or "pil"
    if backend not in ("pil", TORCHVISION):
        raise ClassifyError(f"{path}: field `{BACKEND}`: `{backend}` is neither `pil` nor `{TORCHVISION}`")
    try:
        processor = pretrained.load(
            transformers.AutoImageProcessor,
            path,
            FILE,
            "give the steps in a file, with --preprocessor",
            backend=backend,
        )
    except ClassifyError as error:
        if fields and not {"image_processor_type", "auto_map"} & fields.keys():
            raise ClassifyError(
                f"{path}: lacks image_processor_type, by which transformers knows whose steps these are; "
                "ViTImageProcessor is one that resizes, rescales and normalizes"
            ) from error
        raise
    if isinstance(processor, transformers.TimmWrapperImageProcessor):
        return processor.val_transforms, timm_fields(str(path), processor.data_config)
    # Some have no class for the one or the other, and give other pixels than the core does.
    if type(processor).__name__.endswith("Pil") != (backend == "pil"):
        images = "Pillow images" if backend == "pil" else "tensors"
        raise ClassifyError(
            f"{path}: {type(processor).__name__} does not work on {images}; give the steps in a file of another "
            "processor, with --preprocessor"
        )

    def preprocess(image: Image.Image) -> torch.Tensor:
        return torch.as_tensor(processor(image, return_tensors="pt")["pixel_values"][0], dtype=torch.float32)

    return preprocess, json.loads(processor.to_json_string())


def _fields(path: Path) -> dict[str, Any]:
    """What the file says; nothing where transformers looks elsewhere, in `config.json`."""
    if path.is_file():
        return pretrained.read_json(path)
    nested = pretrained.read_json(path / NESTING).get("image_processor") if (path / NESTING).is_file() else None
    if isinstance(nested, dict):
        return nested
    return pretrained.read_json(path / FILE) if (path / FILE).is_file() else {}
