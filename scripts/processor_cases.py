"""Preprocessing configurations of every supported processor, and what the processor itself makes of an image."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path

import numpy as np
from classifier_model import decode
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

# The folder of each processor in transformers.
FOLDERS = {
    "Beit": "beit",
    "Bit": "bit",
    "Blip": "blip",
    "ChineseCLIP": "chinese_clip",
    "CLIP": "clip",
    "ConvNext": "convnext",
    "DeiT": "deit",
    "EfficientNet": "efficientnet",
    "Levit": "levit",
    "MobileNetV1": "mobilenet_v1",
    "MobileNetV2": "mobilenet_v2",
    "MobileViT": "mobilevit",
    "PoolFormer": "poolformer",
    "Pvt": "pvt",
    "Segformer": "segformer",
    "Siglip": "siglip",
    "ViT": "vit",
}
# Fields whose defaults differ between releases of transformers: a file has to say them.
UNSETTLED = {
    "Beit": {"size": {"height": 40, "width": 40}, "do_center_crop": True},
    "ConvNext": {"resample": 3},
    "EfficientNet": {"resample": 2},
    "MobileViT": {"resample": 2},
    "Pvt": {"resample": 3},
}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
# Landscape and portrait, small and large.
IMAGES = (Path("tests/golden/images/baseline_420.jpg"), Path("dataset/all_images/id_0001.jpg"))
PORTRAIT = "portrait.png"
# Further settings: crops within and beyond the resized image, even and odd, and every form of every field.
VARIANTS: list[tuple[str, dict[str, object]]] = [
    ("Bit", {"size": {"shortest_edge": 33}, "crop_size": {"height": 28, "width": 28}, "resample": 1}),
    ("Bit", {"size": {"shortest_edge": 20}, "crop_size": {"height": 31, "width": 24}, "resample": 2}),
    ("Bit", {"size": {"height": 31, "width": 20}, "crop_size": {"height": 20, "width": 31}, "resample": 4}),
    ("CLIP", {"size": 30, "crop_size": 25, "do_normalize": False}),
    ("CLIP", {"size": {"shortest_edge": 32, "longest_edge": 40}, "crop_size": 45}),
    ("CLIP", {"do_resize": False, "crop_size": 64, "do_rescale": False}),
    ("CLIP", {"size": {"max_height": 30, "max_width": 41}, "crop_size": 27}),
    ("ConvNext", {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3, **IMAGENET}),
    ("ConvNext", {"size": 50, "crop_pct": 0.95, "resample": 2}),
    ("ConvNext", {"size": {"shortest_edge": 384}, "crop_pct": 1.0, "resample": 3}),
    ("EfficientNet", {"size": {"height": 40, "width": 30}, "resample": 0, **IMAGENET}),
    ("EfficientNet", {"size": 44, "resample": 5, "rescale_offset": True, "rescale_factor": 1 / 127.5}),
    ("EfficientNet", {"size": 44, "resample": 3, "do_center_crop": True, "crop_size": 33, "include_top": False}),
    ("EfficientNet", {"size": 40, "resample": 3, "do_normalize": False, "image_std": [0.2, 0.3, 0.4]}),
    ("Levit", {"size": {"shortest_edge": 35}, "crop_size": 35}),
    ("Levit", {"size": {"height": 40, "width": 45}, "crop_size": 35}),
    ("MobileViT", {"size": {"shortest_edge": 36}, "crop_size": 32, "resample": 2, "do_flip_channel_order": False}),
    ("PoolFormer", {"size": {"shortest_edge": 35}, "crop_pct": 0.95, "crop_size": 35}),
    ("PoolFormer", {"size": {"height": 35, "width": 35}, "crop_size": 33}),
    ("PoolFormer", {"size": {"height": 35, "width": 31}, "crop_size": 33}),
    ("Siglip", {"size": {"height": 40, "width": 50}, "resample": 2}),
    ("ViT", {"size": 32, "rescale_factor": 0.01, "image_mean": 0.4, "image_std": [0.3, 0.2, 0.1]}),
]
TORCHVISION = [(256, 224), (33, 28), (33, 27), (34, 27), (20, 31)]


def transformers_processor(name: str, fields: dict[str, object]) -> tuple[object, dict[str, object]]:
    """The processor that works on Pillow images, and the file it writes."""
    module = importlib.import_module(f"transformers.models.{FOLDERS[name]}.image_processing_pil_{FOLDERS[name]}")
    processor = getattr(module, f"{name}ImageProcessorPil")(**fields)
    return processor, json.loads(processor.to_json_string())


def torchvision_transforms(size: int, crop: int) -> tuple[transforms.Compose, dict[str, object]]:
    """The transforms that go with torchvision's weights, and the file that says the same."""
    steps = [
        transforms.Resize(size, InterpolationMode.BILINEAR),
        transforms.CenterCrop(crop),
        transforms.ToTensor(),
        transforms.Normalize(IMAGENET["image_mean"], IMAGENET["image_std"]),
    ]
    fields = {"size": size, "resample": 2, "do_center_crop": True, "crop_size": crop, **IMAGENET}
    return transforms.Compose(steps), {"image_processor_type": "torchvision", **fields}


def processors() -> list[tuple[object, dict[str, object]]]:
    """Every processor with the file that it writes, with one that leaves its defaults out, and with variants."""
    cases = []
    for name in FOLDERS:
        settled = UNSETTLED.get(name, {})
        processor, written = transformers_processor(name, settled)
        cases.append((processor, written))
        cases.append((processor, {"image_processor_type": f"{name}ImageProcessor", **settled}))
    for name, fields in VARIANTS:
        processor, written = transformers_processor(name, fields)
        cases.append((processor, written))
        # As older files are written: before the processor has made a dictionary of `size`.
        old = {"feature_extractor_type": f"{name}FeatureExtractor", **UNSETTLED.get(name, {}), **fields}
        cases.append((processor, old))
    return cases + [torchvision_transforms(*sizes) for sizes in TORCHVISION]


def tensor(processor: object, data: bytes) -> np.ndarray:
    """What the processor makes of an image file: float32, 3 x height x width."""
    image = decode(data)
    if isinstance(processor, transforms.Compose):
        return processor(image).numpy()
    pixels = processor(image, return_tensors="np")["pixel_values"][0]
    return np.ascontiguousarray(pixels, dtype=np.float32)


def write_portrait(path: Path) -> None:
    """A tall image: the others lie."""
    with Image.open(IMAGES[0]) as image:
        image.transpose(Image.Transpose.ROTATE_90).resize((53, 130)).save(path)


def processed(folder: Path) -> dict[str, object]:
    """For every configuration and image, the checksum of the tensor (float32, little endian)."""
    write_portrait(folder / PORTRAIT)
    cases = []
    for processor, fields in processors():
        tensors = {}
        for path in (*IMAGES, folder / PORTRAIT):
            pixels = tensor(processor, path.read_bytes())
            checksum = hashlib.sha256(pixels.astype("<f4").tobytes()).hexdigest()
            tensors[path.as_posix()] = {"shape": list(pixels.shape), "sha256": checksum}
        cases.append({"preprocessor_config": fields, "tensors": tensors})
    return {"cases": cases}
