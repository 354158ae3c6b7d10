"""What Python makes of `tests/cases/models`: class names and probabilities of one image, or that it is refused.

Writes `tests/cases/models.json`. Pixels come from transformers' processor on Pillow images, or from timm's transforms,
logits from ONNX Runtime, class names and the function from logits to probabilities from transformers.

    python scripts/model_cases.py
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import onnx
import onnxruntime
import timm.data
from PIL import Image
from transformers import AutoImageProcessor, PreTrainedConfig

MODELS = Path("tests/cases/models")
IMAGE = Path("tests/cases/images/probe.png")
CONFIG, PREPROCESSOR, PROCESSOR = "config.json", "preprocessor_config.json", "processor_config.json"
# Not model directories but parts of others.
PARTS = {"elsewhere"}
# Refused, with what the message must say.
ERRORS = {
    "data_link": "outside",
    "eleven": "names 11 classes, but the onnx model gives 12",
    "float64": "float64",
    "id_gap": "id `12` is not one of 0 to 11",
    "ir99": "99",
    "nan_for_dark": "its logits are not finite numbers",
    "nan_json": "is NaN; write a finite number",
    "opset99": "99",
    "safetensors": "model.onnx",
    "two_outputs": "`output_name` into config.json",
    "utf16": "UTF-16",
}
# What a directory says in a form that transformers does not read, in the form that it does.
READABLE = {
    "gray": {"image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    "size_float": {"size": {"height": 32, "width": 32}},
    "size_text": {"size": 32},
}
ONE_OUTPUT = {"zipmap": "probabilities", "zipmap_only": "probabilities"}


def read(path: Path) -> dict[str, object]:
    """A JSON file, with or without a byte-order mark."""
    return json.loads(path.read_text("utf-8-sig"))


def root(directory: Path) -> Path:
    """Where the files are: within a hub cache, in its one snapshot."""
    return next(directory.glob("*/snapshots/*"), directory)


def readable_copy(directory: Path, folder: Path) -> Path:
    """The configuration files of a directory, for transformers."""
    copy = folder / directory.name
    copy.mkdir()
    for name in (CONFIG, PREPROCESSOR, PROCESSOR):
        if (root(directory) / name).exists():
            content = read(root(directory) / name)
            if name == PREPROCESSOR:
                content |= READABLE.get(directory.name, {})
            (copy / name).write_text(json.dumps(content))
    return copy


def pixels(directory: Path, image: Image.Image) -> np.ndarray:
    """The model's input, float32, 1 x 3 x height x width."""
    files = [directory / name for name in (PREPROCESSOR, CONFIG) if (directory / name).exists()]
    pretrained = next((read(path)["pretrained_cfg"] for path in files if "pretrained_cfg" in read(path)), None)
    if pretrained is not None:
        config = timm.data.resolve_data_config(pretrained_cfg=pretrained)
        return timm.data.create_transform(**config, is_training=False)(image).numpy()[None]
    processor = AutoImageProcessor.from_pretrained(directory, backend="pil")
    return np.asarray(processor(image, return_tensors="np")["pixel_values"], dtype=np.float32)


def model_file(directory: Path) -> Path:
    """The model."""
    return next(path for name in ("model.onnx", "onnx/model.onnx") if (path := directory / name).exists())


def outputs(name: str, path: Path, nchw: np.ndarray) -> np.ndarray:
    """What the model gives, in float32."""
    if name in ONE_OUTPUT:
        # A map of names is no order of classes: the tensor that it is made of has one.
        model = onnx.load(path)
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(ONE_OUTPUT[name], onnx.TensorProto.FLOAT, None))
        session = onnxruntime.InferenceSession(model.SerializeToString())
    else:
        session = onnxruntime.InferenceSession(path)
    [given] = session.get_inputs()
    if given.shape[-1] == 3:
        nchw = nchw.transpose(0, 2, 3, 1)
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
    [result] = session.run(None, {given.name: nchw.astype(kinds[given.type])})
    return result.reshape(-1).astype(np.float32)


def label_names(config: dict[str, object], classes: int) -> list[str]:
    """Class names by id, as transformers reads them, or as timm does."""
    if "pretrained_cfg" in config:
        return config.get("label_names") or [str(index) for index in range(classes)]
    if "id2label" not in config and "label2id" in config:
        # transformers forgets these names, and calls the classes LABEL_0 and LABEL_1.
        return sorted(config["label2id"], key=config["label2id"].get)
    known = {key: value for key, value in config.items() if key in ("id2label", "num_labels")}
    return [str(name) for _, name in sorted(PreTrainedConfig(**known).id2label.items())]


def probabilities(config: dict[str, object], values: np.ndarray) -> np.ndarray:
    """As transformers' pipeline decides, except that `function_to_apply` of the file goes first."""
    several = len(values) > 1 and config.get("problem_type") != "multi_label_classification"
    function = config.get("function_to_apply") or ("softmax" if several else "sigmoid")
    exact = values.astype(np.float64)
    if function == "softmax":
        exact = np.exp(exact - exact.max())
        return exact / exact.sum()
    return 1 / (1 + np.exp(-exact)) if function == "sigmoid" else exact


def case(directory: Path, folder: Path, image: Image.Image) -> dict[str, object]:
    """What a directory must give."""
    if directory.name in ERRORS:
        return {"error": ERRORS[directory.name]}
    copy = readable_copy(directory, folder)
    config = read(copy / CONFIG)
    values = outputs(directory.name, model_file(root(directory)), pixels(copy, image))
    if directory.name in ONE_OUTPUT:
        config["function_to_apply"] = "none"
    results = probabilities(config, values)
    return {"labels": label_names(config, len(values)), "probabilities": [float(f"{value:.9g}") for value in results]}


def main() -> None:
    """Writes the file."""
    image = Image.open(IMAGE).convert("RGB")
    folder = Path(tempfile.mkdtemp())
    try:
        directories = sorted(path for path in MODELS.iterdir() if path.name not in PARTS)
        cases = {directory.name: case(directory, folder, image) for directory in directories}
    finally:
        shutil.rmtree(folder)
    lines = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in cases.items()]
    MODELS.with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
