"""torchvision's Resize, CenterCrop, ToTensor and Normalize, as the fields of `preprocessor_config.json` say them.

What the core obeys is obeyed here or refused: else the export would be compared with other pixels than it gets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from spark_classify.errors import ClassifyError

RESCALE_FACTOR = 1 / 255
STEPS = {
    *("image_processor_type", "do_resize", "size", "resample", "do_center_crop", "crop_size"),
    *("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std"),
}
# They say nothing about the pixels; the core passes over them, too.
NEUTRAL = {
    *("_valid_processor_keys", "auto_map", "default_to_square", "device", "disable_grouping", "do_convert_rgb"),
    *("do_reduce_labels", "feature_extractor_type", "input_data_format", "processor_class", "reduce_labels"),
    "return_tensors",
}


class Steps:
    """The steps that a file says."""

    def __init__(self, path: Path, fields: dict[str, Any]) -> None:
        self._path = path
        # A field that is null is not there.
        self._fields = {name: value for name, value in fields.items() if value is not None}

    def transform(self) -> transforms.Compose:
        """Of a Pillow image to pixels."""
        self._refuse_others()
        steps: list[Any] = []
        if self._switch("do_resize", True):
            steps.append(self._resize())
        # As in the core: processors have different defaults, so that a size alone says nothing.
        if self._switch("do_center_crop", None if "crop_size" in self._fields else False):
            steps.append(transforms.CenterCrop(self._height_and_width("crop_size")))
        steps += self._pixels()
        if self._switch("do_normalize", True):
            mean, std = (self._channels(name) for name in ("image_mean", "image_std"))
            if min(std) <= 0:
                raise self._error("image_std", f"is {std}; write three numbers above 0")
            steps.append(transforms.Normalize(mean, std))
        return transforms.Compose(steps)

    def _refuse_others(self) -> None:
        if self._fields.get("image_processor_backend", "pil") != "pil":
            raise self._error("image_processor_backend", "these are steps on Pillow images; write `pil`")
        for name, value in self._fields.items():
            switched_off = name.startswith(("do_", "rescale_offset")) and value is False
            if name not in STEPS | NEUTRAL | {"image_processor_backend"} and not switched_off:
                raise self._error(name, f"is {value!r}, which is none of torchvision's steps; remove it")

    def _resize(self) -> transforms.Resize:
        size = self._fields.get("size")
        if isinstance(size, dict) and {name for name, edge in size.items() if edge is not None} == {"shortest_edge"}:
            resize: Any = self._edge("size.shortest_edge", size["shortest_edge"])
        else:
            resize = self._height_and_width("size", ', or {"shortest_edge": ...} alone')
        resample = self._fields.get("resample")
        try:
            mode = InterpolationMode(Image.Resampling(resample).name.lower())
        except ValueError as cause:
            reason = f"is {resample!r}; write the number of a filter of Pillow: 2 is bilinear"
            raise self._error("resample", reason) from cause
        return transforms.Resize(resize, mode)

    def _pixels(self) -> list[Any]:
        if not self._switch("do_rescale", True):
            return [transforms.PILToTensor(), torch.Tensor.float]
        factor = self._fields.get("rescale_factor", RESCALE_FACTOR)
        if factor != RESCALE_FACTOR:
            raise self._error("rescale_factor", f"is {factor!r}; ToTensor divides by 255: write {RESCALE_FACTOR}")
        return [transforms.ToTensor()]

    def _switch(self, name: str, default: bool | None) -> bool:
        value = self._fields.get(name, default)
        if not isinstance(value, bool):
            reason = "is missing beside `crop_size`" if value is None else f"is {value!r}"
            raise self._error(name, f"{reason}; write true or false")
        return value

    def _height_and_width(self, name: str, alternative: str = "") -> tuple[int, int]:
        size = self._fields.get(name)
        given = {key for key, edge in size.items() if edge is not None} if isinstance(size, dict) else set()
        if not isinstance(size, dict) or given != {"height", "width"}:
            reason = "is missing" if size is None else f"is {size!r}"
            raise self._error(name, f'{reason}; write {{"height": ..., "width": ...}}{alternative}')
        return self._edge(f"{name}.height", size["height"]), self._edge(f"{name}.width", size["width"])

    def _edge(self, name: str, value: Any) -> int:
        if not isinstance(value, int) or value < 1:
            raise self._error(name, f"is {value!r}; write a whole number of pixels")
        return value

    def _channels(self, name: str) -> list[float]:
        values = self._fields.get(name)
        numbers = values if isinstance(values, list) else []
        if len(numbers) != 3 or not all(isinstance(number, int | float) for number in numbers):
            reason = "is missing" if values is None else f"is {values!r}"
            raise self._error(name, f"{reason}; write three numbers, or switch `do_normalize` off")
        return numbers

    def _error(self, name: str, reason: str) -> ClassifyError:
        return ClassifyError(f"{self._path}: field `{name}`: {reason}")
