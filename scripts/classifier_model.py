"""The ID-card classifier: its labels, preprocessing and network, shared by training, export and checks."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

LABELS = ("crop_and_replace", "font_issue", "valid_id")
INPUT_SIZE = (128, 128)
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)

WEIGHTS_FILE = "id_card_cnn.pth"
TORCHSCRIPT_FILE = "model.pt"
ONNX_FILE = "model.onnx"


class IdCardCnn(nn.Module):
    """Four convolution blocks, a 4x4 adaptive average pool and two linear layers; the output is logits."""

    def __init__(self, classes: int = len(LABELS)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in (32, 64, 128, 256):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d((4, 4))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(256 * 4 * 4, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, classes)
        )

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.pool(self.features(pixel_values)))


def decode(data: bytes) -> Image.Image:
    """Decodes an image file to RGB, as Pillow does it: alpha is dropped and an EXIF orientation is not applied."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB")


def resize(image: Image.Image) -> np.ndarray:
    """Resizes straight to the input size with Pillow's antialiased bilinear filter: uint8, height x width x 3."""
    height, width = INPUT_SIZE
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR))


def normalise(pixels: np.ndarray) -> torch.Tensor:
    """Turns uint8 pixels (N x height x width x 3) into the network's input (N x 3 x height x width, float32)."""
    scaled = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).to(torch.float32) / 255.0
    mean = torch.tensor(IMAGE_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(IMAGE_STD).view(1, 3, 1, 1)
    return ((scaled - mean) / std).contiguous()


def preprocess(data: bytes) -> torch.Tensor:
    """One image file to one network input (1 x 3 x height x width)."""
    return normalise(resize(decode(data))[np.newaxis])


def load_weights(path: Path) -> IdCardCnn:
    """Builds the network from a state dict, ready for inference."""
    model = IdCardCnn()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.eval()


def preprocessor_config() -> dict[str, object]:
    """The preprocessing above in the words of Hugging Face's `preprocessor_config.json`."""
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": INPUT_SIZE[0], "width": INPUT_SIZE[1]},
        "resample": int(Image.Resampling.BILINEAR),
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(IMAGE_MEAN),
        "image_std": list(IMAGE_STD),
    }


def write_configs(directory: Path) -> None:
    """Writes `config.json` and `preprocessor_config.json`, in the form Hugging Face's image classifiers use."""
    config = {
        "model_type": "id_card_cnn",
        "architectures": ["IdCardCnn"],
        "num_channels": 3,
        "image_size": list(INPUT_SIZE),
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
        "label2id": {label: index for index, label in enumerate(LABELS)},
        "torch_dtype": "float32",
    }
    for name, content in (("config.json", config), ("preprocessor_config.json", preprocessor_config())):
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
