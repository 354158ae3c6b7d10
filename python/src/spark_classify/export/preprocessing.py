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
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from spark_classify.errors import ClassifyError

FILE = "preprocessor_config.json"
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
        "rescale_factor": 1 / 255,
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
    fields = _read_json(path) if path.is_file() else _read_json(path / FILE) if (path / FILE).is_file() else {}
    if fields.get("image_processor_type") == TORCHVISION:
        return _torchvision_steps(path, fields), fields
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(path, backend="pil", local_files_only=True)
    except Exception as cause:
        if fields and "image_processor_type" not in fields:
            raise ClassifyError(
                f"{path}: lacks image_processor_type, by which transformers knows whose steps these are; "
                "ViTImageProcessor is one that resizes, rescales and normalizes"
            ) from cause
        raise ClassifyError(f"{path}: holds no image processor that transformers reads: {cause}") from cause
    if isinstance(processor, transformers.TimmWrapperImageProcessor):
        return processor.val_transforms, timm_fields(str(path), processor.data_config)
    # Some have no class that works on Pillow images, and give other pixels than the core does.
    if not type(processor).__name__.endswith("Pil"):
        raise ClassifyError(
            f"{path}: {type(processor).__name__} does not work on Pillow images; give the steps in a file of another "
            "processor, with --preprocessor"
        )

    def preprocess(image: Image.Image) -> torch.Tensor:
        return torch.as_tensor(processor(image, return_tensors="pt")["pixel_values"][0], dtype=torch.float32)

    return preprocess, json.loads(processor.to_json_string())


def _read_json(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as cause:
        raise ClassifyError(f"{path}: cannot be read as JSON: {cause}") from cause
    if not isinstance(fields, dict):
        raise ClassifyError(f"{path}: is no JSON object; `processor.save_pretrained` of transformers writes one")
    return fields


def _torchvision_steps(path: Path, fields: dict[str, Any]) -> Preprocess:
    try:
        size, crop = fields["size"], fields["crop_size"]
        resize = size["shortest_edge"] if "shortest_edge" in size else (size["height"], size["width"])
        mode = InterpolationMode(Image.Resampling(fields["resample"]).name.lower())
        return transforms.Compose(
            [
                transforms.Resize(resize, mode),
                transforms.CenterCrop((crop["height"], crop["width"])),
                transforms.ToTensor(),
                transforms.Normalize(fields["image_mean"], fields["image_std"]),
            ]
        )
    except (KeyError, TypeError, ValueError) as cause:
        raise ClassifyError(
            f"{path}: lacks a field of torchvision's steps, or has it in another form: {cause}"
        ) from cause
