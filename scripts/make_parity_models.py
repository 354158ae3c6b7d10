"""Builds model directories of common image classifiers and computes what they give for some of the committed images.

    python scripts/make_parity_models.py --out tests/parity/models

Weights are random (seeded) but for the project's own network, so nothing is downloaded; heads are scaled so that the
images get different probabilities. Each directory holds `config.json`, `preprocessor_config.json` (but for timm, which
has all in `config.json`), `model.onnx` and `model.pt`, and what the family's own preprocessing and onnxruntime, torch,
timm or the pipeline of transformers make of every image: `golden.json` has the checksums of decoded and resized pixels
and the probabilities, `tensors.npy` the inputs. `golden.json` also says what changes when preprocessing that works on
Pillow images works on torch tensors instead. A directory that is there is left alone.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnxruntime
import timm
import timm.data
import torch
import torchvision
import torchvision_cases
import transformers
from classifier_model import load_weights, preprocessor_config
from parity_directories import DYNAMIC_BATCH, GOLDEN, ONNX_OPSET, SEED, make_missing, options, versions
from PIL import Image
from processor_cases import torchvision_transforms, transformers_processor
from timm.models._hub import save_config_for_hf
from torch import nn
from torchvision import transforms

# They take half of the time.
LARGE = ("efficientnet-b0", "convnext-tiny", "swin-t")
TENSORS = "tensors.npy"
# How much the logits of a class differ between images, as a standard deviation.
LOGIT_SPREAD = 1.5
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
CONVNEXT = {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3, **IMAGENET}
# As optimum exports: every dimension is dynamic, and only the names tell which are the channels.
DYNAMIC_ALL = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}

Build = Callable[[], nn.Module]
# The probabilities of the images, from a network and its processor.
Answer = Callable[[nn.Module, object, list[Image.Image]], torch.Tensor]


@dataclass
class Model:
    """One model directory."""

    name: str
    build: Build
    # The model's steps, and where they work on Pillow images the same on torch tensors.
    processor: object
    tensor_processor: object | None
    # The file that says both; None where `config` does.
    preprocessor_config: dict[str, object] | None
    labels: list[str]
    # What config.json says; None for the labels alone.
    config: dict[str, object] | None = None
    # The family's own way from images to probabilities, without the exported files.
    answer: Answer | None = None
    trained: bool = False
    # What the exported module does around the network.
    wrap: Callable[[nn.Module], nn.Module] = field(default=lambda network: Logits(network))
    channels_last: bool = False
    half: bool = False
    probabilities: bool = False
    dynamic_axes: dict[int, str] = field(default_factory=lambda: DYNAMIC_BATCH)


class Logits(nn.Module):
    """The network's logits as a tensor, whatever it returns."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        output = self.network(pixel_values)
        return output if isinstance(output, torch.Tensor) else output.logits


class LogitsInDictionary(Logits):
    """As models of transformers return them when they are traced."""

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": super().forward(pixel_values)}


class LogitsInTuple(Logits):
    """As models of transformers return them with `return_dict=False`."""

    def forward(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor]:
        return (super().forward(pixel_values),)


class Probabilities(Logits):
    """Softmax inside the model."""

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return super().forward(pixel_values).softmax(1)


class ChannelsLast(Logits):
    """Images with the channels as their last dimension."""

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return super().forward(pixel_values.permute(0, 3, 1, 2))


def numbered(count: int) -> list[str]:
    return [f"class_{index}" for index in range(count)]


def of_transformers(name: str, architecture: str, family: str, settings: dict[str, object], **options: object) -> Model:
    """A model of transformers from `settings`, with the image processor that belongs to it."""
    processor, written = transformers_processor(family, options.pop("processing"))
    tensors = getattr(transformers, f"{family}ImageProcessor")(**written_fields(written))
    classes = options.pop("classes")

    def build() -> nn.Module:
        config = getattr(transformers, f"{architecture}Config")(**settings, num_labels=classes)
        config._attn_implementation = "eager"
        return getattr(transformers, f"{architecture}ForImageClassification")(config)

    return Model(name, build, processor, tensors, written, numbered(classes), **options)


def on_tensors(model: Model, family: str) -> Model:
    """The same network for the pixels that the processor of transformers makes with torchvision."""
    processor, written = torchvision_cases.transformers_processor(family, written_fields(model.preprocessor_config))
    written["image_processor_backend"] = "torchvision"
    name = f"{model.name}-torchvision"
    return replace(model, name=name, processor=processor, tensor_processor=None, preprocessor_config=written)


def by_pipeline(network: nn.Module, processor: object, images: list[Image.Image]) -> torch.Tensor:
    """What the pipeline of transformers gives, which chooses softmax or sigmoid by the network's configuration."""
    pipeline = transformers.pipeline("image-classification", model=network, image_processor=processor)
    classes = network.config.num_labels
    rows = torch.zeros(len(images), classes)
    for row, predictions in zip(rows, pipeline(images, top_k=classes), strict=True):
        for prediction in predictions:
            row[network.config.label2id[prediction["label"]]] = prediction["score"]
    return rows


def of_timm(architecture: str, classes: int, **options: object) -> Model:
    """A model of timm in timm's own form, with the transforms of timm for it."""

    def build() -> nn.Module:
        return timm.create_model(architecture, num_classes=classes, **options)

    network, labels = build(), numbered(classes)
    steps = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    descriptions = {label: f"what {label} is" for label in labels}
    with tempfile.NamedTemporaryFile() as file:
        save_config_for_hf(network, file.name, {"label_names": labels, "label_descriptions": descriptions})
        config = json.load(file)
    return Model(f"timm-{architecture}", build, steps, tensor_steps(steps), None, labels, config, by_itself)


@torch.inference_mode()
def by_itself(network: nn.Module, transform: transforms.Compose, images: list[Image.Image]) -> torch.Tensor:
    """What the network gives in torch, one image at a time as the reference for any batch."""
    return torch.cat([network(transform(image)[None]) for image in images]).softmax(1)


def tensor_steps(steps: transforms.Compose) -> transforms.Compose:
    """Transforms that resize, crop, make tensors and normalise, beginning with a tensor."""
    resize, crop, _, normalize = steps.transforms
    return transforms.Compose(
        [transforms.PILToTensor(), resize, crop, transforms.ConvertImageDtype(torch.float32), normalize]
    )


def written_fields(written: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in written.items() if name != "image_processor_type"}


def of_torchvision(name: str, architecture: str, classes: int, **options: object) -> Model:
    """A model of torchvision, with the transforms that belong to its weights."""
    processor, written = torchvision_transforms(256, 224)

    def build() -> nn.Module:
        return getattr(torchvision.models, architecture)(weights=None, num_classes=classes)

    return Model(name, build, processor, tensor_steps(processor), written, numbered(classes), **options)


def of_the_project(name: str, directory: Path, **options: object) -> Model:
    """The committed network."""
    written = preprocessor_config()
    processor, _ = transformers_processor("ViT", written_fields(written))
    tensors = transformers.ViTImageProcessor(**written_fields(written))
    labels = json.loads((directory / "config.json").read_text())["id2label"]
    weights = next(directory.glob("*.pth"))
    names = [labels[str(index)] for index in range(len(labels))]
    return Model(name, lambda: load_weights(weights), processor, tensors, written, names, trained=True, **options)


def models(project: Path) -> list[Model]:
    efficientnet = {
        "size": {"height": 224, "width": 224},
        "resample": 0,
        "image_mean": IMAGENET["image_mean"],
        "image_std": [0.47853944, 0.4732864, 0.47434163],
    }
    vit = {"image_size": 224, "patch_size": 16, "hidden_size": 192, "num_hidden_layers": 6, "num_attention_heads": 3}
    resnet = {"embedding_size": 64, "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic"}
    swin = {"image_size": 224, "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24], "window_size": 7}
    small = "mobilenet-v3-small"
    tiny = {"image_size": 96, "patch_size": 16, "hidden_size": 96, "intermediate_size": 192, "num_hidden_layers": 3}
    tiny |= {"num_attention_heads": 4, "initializer_range": 0.1}
    multi_label = {"problem_type": "multi_label_classification"}
    small_vit = of_transformers(
        *("vit-small", "ViT", "ViT", tiny),
        processing={"size": {"height": 96, "width": 96}, "resample": 3},
        classes=6,
        answer=by_pipeline,
    )
    return [
        of_the_project("id-card-cnn", project),
        of_the_project("id-card-cnn-softmax", project, wrap=Probabilities, probabilities=True),
        of_the_project("id-card-cnn-float16", project, half=True),
        of_transformers("resnet-18", "ResNet", "ConvNext", resnet, processing=CONVNEXT, classes=10),
        of_torchvision(small, "mobilenet_v3_small", 100),
        of_torchvision(f"{small}-channels-last", "mobilenet_v3_small", 20, wrap=ChannelsLast, channels_last=True),
        # transformers' own network ends in a pooling that the ONNX export gets wrong; the processor is theirs.
        replace(
            of_transformers("efficientnet-b0", "", "EfficientNet", {}, processing=efficientnet, classes=5),
            build=lambda: torchvision.models.efficientnet_b0(weights=None, num_classes=5),
        ),
        of_transformers(
            *("vit", "ViT", "ViT", {**vit, "intermediate_size": 768}),
            processing={"do_convert_rgb": True},
            classes=7,
            wrap=LogitsInDictionary,
            dynamic_axes=DYNAMIC_ALL,
        ),
        of_transformers("convnext-tiny", "ConvNext", "ConvNext", {}, processing=CONVNEXT, classes=3),
        of_transformers(
            *("vit-multi-label", "ViT", "ViT", {**tiny, **multi_label}),
            processing={"size": {"height": 96, "width": 96}},
            classes=6,
            config={**multi_label, "id2label": dict(enumerate(numbered(6)))},
            answer=by_pipeline,
        ),
        on_tensors(small_vit, "ViT"),
        of_timm("resnet10t", 9),
        # With the layer scale that it begins with, nothing would be left of its blocks.
        of_timm("convnext_atto", 8, ls_init_value=1.0),
        of_timm("vit_tiny_patch16_224", 4),
        of_timm("efficientnet_lite0", 12),
        of_transformers(
            "swin-t", "Swin", "ViT", swin, processing={"resample": 3, **IMAGENET}, classes=2, wrap=LogitsInTuple
        ),
    ]


def preprocess(processor: object, images: list[Image.Image], **overrides: object) -> torch.Tensor:
    """A batch of images as NCHW."""
    if isinstance(processor, transforms.Compose):
        return torch.stack([processor(image) for image in images])
    return processor(images, return_tensors="pt", **overrides)["pixel_values"]


def resized(processor: object, image: Image.Image) -> np.ndarray:
    """The pixels before rescaling and normalising: uint8, height x width x 3."""
    if isinstance(processor, transforms.Compose):
        return np.array(transforms.Compose(processor.transforms[:2])(image))
    off = {"do_rescale": False, "do_normalize": False}
    if hasattr(processor, "include_top"):
        off["include_top"] = False
    return preprocess(processor, [image], **off)[0].numpy().transpose(1, 2, 0)


def last_linear(network: nn.Module) -> nn.Linear:
    return [module for module in network.modules() if isinstance(module, nn.Linear)][-1]


@torch.no_grad()
def give_random_weights_effect(network: nn.Module, pixels: torch.Tensor) -> None:
    """Sets the statistics of batch norms from images, and scales the head so that images differ in their logits."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # With the small weights that some models begin with, nothing would be left of the images.
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            # The average over all batches.
            module.momentum = None
    network.train()
    network(pixels)
    network.eval()
    head, output = last_linear(network), Logits(network)
    logits = output(pixels)
    head.weight *= (LOGIT_SPREAD / logits.std(0).clamp_min(1e-6))[:, None]
    head.bias.zero_()
    head.bias -= output(pixels).mean(0)


def export(model: Model, network: nn.Module, pixels: torch.Tensor, directory: Path) -> None:
    module = model.wrap(network).eval()
    example = pixels[:2]
    if model.channels_last:
        example = example.permute(0, 2, 3, 1).contiguous()
    if model.half:
        module, example = module.half(), example.half()
    torch.jit.trace(module, example, strict=False).save(str(directory / "model.pt"))
    torch.onnx.export(
        module,
        (example,),
        str(directory / "model.onnx"),
        dynamo=False,
        opset_version=ONNX_OPSET,
        input_names=["pixel_values"],
        output_names=["logits"],
        dynamic_axes={"pixel_values": model.dynamic_axes, "logits": {0: next(iter(model.dynamic_axes.values()))}},
    )
    if model.half:
        module.float()


def model_input(model: Model, pixels: torch.Tensor) -> torch.Tensor:
    if model.channels_last:
        pixels = pixels.permute(0, 2, 3, 1).contiguous()
    return pixels.half() if model.half else pixels


def of_torchscript(model: Model, directory: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """Runs the TorchScript file one image at a time, as the reference for any batch."""
    module = torch.jit.load(str(directory / "model.pt")).eval()

    @torch.inference_mode()
    def run(pixels: torch.Tensor) -> torch.Tensor:
        rows = []
        for image in model_input(model, pixels).split(1):
            output = module(image)
            output = output["logits"] if isinstance(output, dict) else output
            rows.append(output[0] if isinstance(output, tuple) else output)
        return torch.cat(rows).float()

    return run


def of_onnx(model: Model, directory: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(directory / "model.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(pixels: torch.Tensor) -> torch.Tensor:
        images = model_input(model, pixels).numpy()
        rows = [session.run(["logits"], {"pixel_values": images[index : index + 1]})[0] for index in range(len(images))]
        return torch.from_numpy(np.concatenate(rows)).float()

    return run


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write_configs(model: Model, directory: Path) -> None:
    config = {"id2label": dict(enumerate(model.labels))} if model.config is None else dict(model.config)
    if model.probabilities:
        config["function_to_apply"] = "none"
    files = {"config.json": config}
    if model.preprocessor_config is not None:
        written = dict(model.preprocessor_config)
        if model.channels_last:
            written["data_format"] = "channels_last"
        files["preprocessor_config.json"] = written
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def activate(model: Model, values: torch.Tensor) -> torch.Tensor:
    """Probabilities of what a model's file gives."""
    if model.probabilities:
        return values
    several = (model.config or {}).get("problem_type") == "multi_label_classification"
    return values.sigmoid() if several else values.softmax(1)


def difference(first: torch.Tensor, second: torch.Tensor) -> dict[str, object]:
    """How far two tables of probabilities are apart."""
    return {
        "images": len(first),
        "probability_difference": float((first - second).abs().max()),
        "label_flips": int((first.argmax(1) != second.argmax(1)).sum()),
    }


def make(model: Model, images: dict[str, Image.Image], few: list[str], directory: Path) -> None:
    """Writes a model directory and its golden values."""
    torch.manual_seed(SEED)
    directory.mkdir(parents=True, exist_ok=True)
    network = model.build().eval()
    pixels = preprocess(model.processor, [images[name] for name in few]).float()
    if not model.trained:
        give_random_weights_effect(network, pixels)
    write_configs(model, directory)
    export(model, network, pixels, directory)

    run = {"onnx": of_onnx(model, directory), "pytorch": of_torchscript(model, directory)}
    probabilities = {backend: activate(model, run[backend](pixels)) for backend in run}
    if model.answer is not None:
        probabilities["family"] = model.answer(network, model.processor, [images[name] for name in few])
    np.save(directory / TENSORS, pixels.numpy())

    golden = {
        "versions": versions(),
        "input_size": list(pixels.shape[2:]),
        "labels": model.labels,
        "images": {
            name: {
                "decoded_sha256": sha256(images[name].tobytes()),
                "resized_sha256": sha256(resized(model.processor, images[name]).astype(np.uint8).tobytes()),
                **{answer: values[index].tolist() for answer, values in probabilities.items()},
            }
            for index, name in enumerate(few)
        },
    }
    if model.tensor_processor is not None:
        # One network has learned to tell these images apart; of the others fewer will do.
        many = list(images.values())[:: 1 if model.trained else 5]
        processors = (model.processor, model.tensor_processor)
        golden["on_tensors"] = difference(
            *(activate(model, run["onnx"](preprocess(processor, many).float())) for processor in processors)
        )
    # Written last: where it is, everything is.
    (directory / GOLDEN).write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in directory.iterdir()) / 1e6
    print(f"{directory}: {size:.0f} MB, probabilities spread by {probabilities['onnx'].std(0).mean():.3f}", flush=True)


def main() -> None:
    parser = options(__doc__, "tests/parity/models")
    parser.add_argument("--model", type=Path, default=Path("model"), help="the committed model directory")
    parser.add_argument("--small", action="store_true", help=f"leave out {', '.join(LARGE)}")
    arguments = parser.parse_args()
    wanted = [model for model in models(arguments.model) if not (arguments.small and model.name in LARGE)]
    make_missing(arguments, wanted, make)


if __name__ == "__main__":
    main()
