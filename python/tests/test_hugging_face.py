"""Directories of transformers, as `save_pretrained` writes them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch
import transformers
from conftest import export, export_and_classify, give_effect, opened, run_onnx

from spark_classify import program
from spark_classify.cli import main
from spark_classify.export import hugging_face

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
SQUARE = {"size": {"height": 32, "width": 32}}
CROPPED = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}

# Architecture, its settings, the processor, and its settings.
CLASSIFIERS = {
    "ViT": (VISION, "vit.ViT", SQUARE),
    "Dinov2": ({**SMALL, "image_size": 28, "patch_size": 14}, "bit.Bit", {**CROPPED, "crop_size": 28}),
    "ResNet": (
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
        *("convnext.ConvNext", {"size": {"shortest_edge": 32}, "crop_pct": 0.875, "resample": 3}),
    ),
    "ConvNext": ({"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 1, 1]}, "convnext.ConvNext", {"size": 32}),
    "Swin": (
        {"image_size": 32, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4, "patch_size": 2},
        *("vit.ViT", SQUARE),
    ),
    "MobileNetV2": ({"image_size": 32, "depth_multiplier": 0.35}, "mobilenet_v2.MobileNetV2", CROPPED),
}


def processor_of(name: str, settings: dict[str, object]) -> object:
    folder, family = name.split(".")
    module = importlib.import_module(f"transformers.models.{folder}.image_processing_pil_{folder}")
    return getattr(module, f"{family}ImageProcessorPil")(**settings)


def saved(tmp_path: Path, model: torch.nn.Module, processor: object) -> Path:
    directory = tmp_path / "saved"
    give_effect(model).save_pretrained(directory)
    processor.save_pretrained(directory)
    return directory


def classifier(tmp_path: Path, name: str, **config: object) -> tuple[Path, torch.nn.Module, object]:
    settings, processor_name, processor_settings = CLASSIFIERS[name]
    names = {"id2label": {0: "a", 1: "b", 2: "c", 3: "d"}, "label2id": {"a": 0, "b": 1, "c": 2, "d": 3}}
    configuration = getattr(transformers, f"{name}Config")(**{**settings, **names, **config})
    model = getattr(transformers, f"{name}ForImageClassification")(configuration)
    processor = processor_of(processor_name, processor_settings)
    return saved(tmp_path, model, processor), model, processor


def change(directory: Path, **fields: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**read(path), **fields}))


def read(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_gives_in_onnx_what_it_gives_in_transformers(tmp_path: Path, images: Path, name: str) -> None:
    directory, model, processor = classifier(tmp_path, name)
    out = tmp_path / "out"
    assert export(images, out, "--hugging-face", directory) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "model.onnx",
        "model.pt",
        "preprocessor_config.json",
    ]
    pixels = processor(opened(images), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        expected = model(pixels).logits
    assert expected.std(0).max() > 1e-2, "the images should differ"
    torch.testing.assert_close(run_onnx(out, "logits", pixels), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.jit.load(out / "model.pt")(pixels), expected, rtol=1e-4, atol=1e-4)
    assert read(out / "config.json")["id2label"] == {"0": "a", "1": "b", "2": "c", "3": "d"}


def test_two_default_labels_are_written_though_transformers_leaves_them_out(tmp_path: Path, images: Path) -> None:
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**VISION))
    directory = saved(tmp_path, model, processor_of("vit.ViT", SQUARE))
    assert export(images, tmp_path / "out", "--hugging-face", directory, "--formats", "torchscript") == 0
    assert read(tmp_path / "out/config.json")["id2label"] == {"0": "LABEL_0", "1": "LABEL_1"}
    assert not (tmp_path / "out/model.onnx").exists()


def test_a_multi_label_model_stays_one(tmp_path: Path, images: Path) -> None:
    directory, model, processor = classifier(tmp_path, "ViT", problem_type="multi_label_classification")
    given = export_and_classify(images, tmp_path / "out", "--hugging-face", directory)
    assert read(tmp_path / "out/config.json")["problem_type"] == "multi_label_classification"
    pipeline = transformers.pipeline("image-classification", model=model, image_processor=processor)
    expected = torch.zeros(3, 4)
    for row, predictions in zip(expected, pipeline(opened(images), top_k=4), strict=True):
        for prediction in predictions:
            row[model.config.label2id[prediction["label"]]] = prediction["score"]
    assert (expected.sum(1) - 1).abs().min() > 1e-2, "the labels should be independent"
    for backend in ("onnx", "pytorch"):
        torch.testing.assert_close(given[backend], expected, rtol=0, atol=1e-5)


def test_a_single_label_has_its_own_probability(tmp_path: Path, images: Path) -> None:
    directory, model, processor = classifier(tmp_path, "ViT", id2label={0: "cat"}, label2id={"cat": 0})
    given = export_and_classify(images, tmp_path / "out", "--hugging-face", directory)
    pipeline = transformers.pipeline("image-classification", model=model, image_processor=processor)
    expected = torch.tensor([[prediction["score"]] for (prediction,) in pipeline(opened(images))])
    assert (1 - expected).min() > 1e-2, "no softmax over one label"
    for backend in ("onnx", "pytorch"):
        torch.testing.assert_close(given[backend], expected, rtol=0, atol=1e-5)


def test_a_head_without_weights_is_refused(tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = saved(tmp_path, transformers.ViTModel(transformers.ViTConfig(**VISION)), processor_of("vit.ViT", {}))
    assert export(images, tmp_path / "out", "--hugging-face", directory) == 1
    error = capsys.readouterr().err
    assert "has no weights for `classifier.bias`, `classifier.weight`" in error and "--embeddings" in error
    assert not (tmp_path / "out").exists()


def test_clip_gives_image_embeds(tmp_path: Path, images: Path) -> None:
    text = {**SMALL, "vocab_size": 20, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**VISION, "projection_dim": 24}
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=24)
    processor = processor_of("clip.CLIP", CROPPED)
    directory = saved(tmp_path, transformers.CLIPModel(config), processor)
    assert export(images, tmp_path / "out", "--hugging-face", directory, "--embeddings") == 0
    pixels = processor(opened(images), return_tensors="pt")["pixel_values"]
    model = transformers.CLIPVisionModelWithProjection.from_pretrained(directory)
    with torch.inference_mode():
        expected = model(pixels).image_embeds
    assert expected.shape == (3, 24)
    torch.testing.assert_close(run_onnx(tmp_path / "out", "image_embeds", pixels), expected, rtol=1e-4, atol=1e-4)
    given = torch.jit.load(tmp_path / "out/model.pt")(pixels)["image_embeds"]
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)

    model.save_pretrained(tmp_path / "saved_vision")
    processor.save_pretrained(tmp_path / "saved_vision")
    arguments = ["--hugging-face", tmp_path / "saved_vision", "--embeddings", "--formats", "onnx"]
    assert export(images, tmp_path / "vision", *arguments) == 0
    torch.testing.assert_close(run_onnx(tmp_path / "vision", "image_embeds", pixels), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "settings", "width"),
    [
        ("SiglipVision", VISION, 32),
        ("Dinov2", {**SMALL, "image_size": 32, "patch_size": 8}, 32),
        ("ResNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}, 16),
    ],
)
def test_an_encoder_gives_its_pooler_output(
    tmp_path: Path, images: Path, name: str, settings: dict[str, object], width: int
) -> None:
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**settings))
    processor = processor_of("vit.ViT", SQUARE)
    directory = saved(tmp_path, model, processor)
    assert export(images, tmp_path / "out", "--hugging-face", directory, "--embeddings", "--formats", "onnx") == 0
    pixels = processor(opened(images), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        expected = model(pixels).pooler_output.flatten(1)
    given = run_onnx(tmp_path / "out", "pooler_output", pixels)
    assert given.shape == (3, width)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


def test_tokens_need_a_pooling(tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # As DINO's weights are published: without a pooler.
    model = transformers.ViTModel(transformers.ViTConfig(**VISION), add_pooling_layer=False)
    processor = processor_of("vit.ViT", SQUARE)
    directory = saved(tmp_path, model, processor)
    arguments = ["--hugging-face", directory, "--embeddings", "--formats", "onnx"]
    assert export(images, tmp_path / "out", *arguments) == 1
    assert "say with --pooling" in capsys.readouterr().err
    assert export(images, tmp_path / "out", *arguments, "--pooling", "mean") == 0
    assert read(tmp_path / "out/config.json")["pooling"] == "mean"
    pixels = processor(opened(images), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        expected = model(pixels).last_hidden_state
    torch.testing.assert_close(run_onnx(tmp_path / "out", "last_hidden_state", pixels), expected, rtol=1e-4, atol=1e-4)


def test_a_model_of_timm_has_its_steps_in_one_file(tmp_path: Path, images: Path) -> None:
    steps = {
        "input_size": [3, 32, 32],
        "crop_pct": 0.9,
        "interpolation": "bilinear",
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    config = transformers.TimmWrapperConfig(architecture="test_resnet", num_labels=3, pretrained_cfg=steps)
    model = give_effect(transformers.TimmWrapperForImageClassification(config))
    model.save_pretrained(tmp_path / "saved")
    assert "pretrained_cfg" in read(tmp_path / "saved/config.json")
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "saved")
    given = export_and_classify(images, tmp_path / "out", "--hugging-face", tmp_path / "saved")
    with torch.inference_mode():
        expected = model(processor(opened(images))["pixel_values"]).logits.softmax(1)
    for backend in ("onnx", "pytorch"):
        torch.testing.assert_close(given[backend], expected, rtol=0, atol=1e-5)


def test_the_core_is_asked_about_encoders(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = transformers.ViTModel(transformers.ViTConfig(**VISION), add_pooling_layer=False)
    directory = saved(tmp_path, model, processor_of("vit.ViT", SQUARE))
    arguments = ["--hugging-face", directory, "--embeddings", "--pooling", "mean", "--images", images]
    command = ["export", *map(str, arguments), "--classify-bench", str(program.find())]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    # What is wrong in the core's eyes alone.
    monkeypatch.setattr(hugging_face, "config_of", lambda _: {"normalize": "no"})
    assert main([*command, "--out", str(tmp_path / "other")]) == 1
    assert "--check" in (error := capsys.readouterr().err) and "field `normalize`" in error
    assert not (tmp_path / "other").exists()


def test_an_embedding_that_is_no_vector_is_refused_without_the_core(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
    model = transformers.ResNetModel(transformers.ResNetConfig(**small))
    directory = saved(tmp_path, model, processor_of("vit.ViT", SQUARE))
    arguments = ["--hugging-face", directory, "--embeddings", "--pooling", "mean"]
    assert export(images, tmp_path / "out", *arguments) == 1
    error = capsys.readouterr().err
    assert "gives `last_hidden_state` (2, 16, 4, 4) for 2 images, not (2, tokens, numbers)" in error


def test_an_embedding_of_clip_needs_no_pooling(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = {**SMALL, "vocab_size": 20, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1}
    model = transformers.CLIPModel(transformers.CLIPConfig(vision_config=VISION, text_config=text))
    directory = saved(tmp_path, model, processor_of("clip.CLIP", CROPPED))
    arguments = ["--hugging-face", directory, "--embeddings", "--pooling", "cls"]
    assert export(images, tmp_path / "out", *arguments) == 1
    assert "CLIPModel gives one vector an image, `image_embeds`; leave --pooling out" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [[], ["--embeddings"]])
def test_a_directory_of_nothing_is_refused(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str], kind: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for directory in (tmp_path / "empty", tmp_path / "absent"):
        assert export(images, tmp_path / "out", "--hugging-face", directory, *kind) == 1
        assert f"{directory}: has no config.json; name a directory" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [[], ["--embeddings"]])
def test_code_in_a_directory_is_not_run(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str], kind: list[str]
) -> None:
    directory, _, _ = classifier(tmp_path, "ViT")
    autos = {"AutoConfig": "own.Config", "AutoModel": "own.Net", "AutoModelForImageClassification": "own.Net"}
    change(directory, model_type="own", auto_map=autos)
    (directory / "own.py").write_text("raise SystemExit('was run')")
    assert export(images, tmp_path / "out", "--hugging-face", directory, *kind) == 1
    error = capsys.readouterr().err
    assert "config.json: field `auto_map`: names Python code of its own, which is not run" in error
    assert "--module" in error and "trust_remote_code" not in error


def test_labels_that_do_not_count_from_0_are_refused(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, _, _ = classifier(tmp_path, "ViT")
    change(directory, id2label={"1": "a", "2": "b", "3": "c", "4": "d"}, label2id=None)
    assert export(images, tmp_path / "out", "--hugging-face", directory) == 1
    assert "config.json: field `id2label`: has 1, 2, 3, 4" in capsys.readouterr().err
