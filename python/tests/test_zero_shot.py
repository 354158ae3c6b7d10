"""CLIP and SigLIP with labels folded in, next to transformers' own way: texts and images together."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch
import transformers
from conftest import LABELS, export, export_and_classify, give_effect, opened, run_onnx
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from spark_classify.export import zero_shot

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
VISION = {**SMALL, "image_size": 32, "patch_size": 8}
WORDS = ["<pad>", "<start>", "<end>", "<other>", "a", "photo", "of", "picture", "cat", "dog", "hat", "red", ",", "."]


def tokenizer(kind: str) -> transformers.PreTrainedTokenizerFast:
    """Words as tokens, between a start and an end."""
    # SigLIP's published tokenizers give no attention mask: its text encoder reads the padding, too.
    inputs = ["input_ids", "attention_mask"] if kind == "CLIP" else ["input_ids"]
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<other>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing("<start> $A <end>", None, [("<start>", 1), ("<end>", 2)])
    names = {"pad_token": "<pad>", "bos_token": "<start>", "eos_token": "<end>", "unk_token": "<other>"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, model_max_length=16, model_input_names=inputs, **names
    )


def saved(tmp_path: Path, kind: str) -> tuple[Path, torch.nn.Module, object]:
    text = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 16}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = getattr(transformers, f"{kind}Config")(vision_config=VISION, text_config=text)
    model = give_effect(getattr(transformers, f"{kind}Model")(config))
    with torch.no_grad():
        # What training brings them to.
        model.logit_scale.fill_(3.0)
        if kind == "Siglip":
            model.logit_bias.fill_(-1.5)
    module = importlib.import_module(f"transformers.models.{kind.lower()}.image_processing_pil_{kind.lower()}")
    processor = getattr(module, f"{kind}ImageProcessorPil")(size={"height": 32, "width": 32}, do_center_crop=False)
    directory = tmp_path / "saved"
    for part in (model, processor, tokenizer(kind)):
        part.save_pretrained(directory)
    return directory, model, processor


@torch.inference_mode()
def logits_by_transformers(kind: str, model: torch.nn.Module, pixels: torch.Tensor, template: str) -> torch.Tensor:
    padding = {"padding": True} if kind == "CLIP" else {"padding": "max_length", "max_length": 16}
    texts = tokenizer(kind)([template.format(label) for label in LABELS], return_tensors="pt", **padding)
    return model(**texts, pixel_values=pixels).logits_per_image


@pytest.mark.parametrize("kind", ["CLIP", "Siglip"])
def test_the_classifier_gives_what_images_and_texts_give(tmp_path: Path, images: Path, labels: Path, kind: str) -> None:
    directory, model, processor = saved(tmp_path, kind)
    out = tmp_path / "out"
    arguments = ["--hugging-face", directory, "--zero-shot", labels, "--template", "a picture of a {}."]
    assert export(images, out, *arguments) == 0
    pixels = processor(opened(images), return_tensors="pt")["pixel_values"]
    expected = logits_by_transformers(kind, model, pixels, "a picture of a {}.")
    assert expected.std() > 0.1, "labels and images should differ"
    torch.testing.assert_close(run_onnx(out, "logits", pixels), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.jit.load(out / "model.pt")(pixels), expected, rtol=1e-4, atol=1e-4)
    config = json.loads((out / "config.json").read_text())
    assert list(config["id2label"].values()) == LABELS
    assert config.get("function_to_apply") == (None if kind == "CLIP" else "sigmoid")
    assert config.get("problem_type") == (None if kind == "CLIP" else "multi_label_classification")


@pytest.mark.parametrize("kind", ["CLIP", "Siglip"])
def test_the_core_gives_what_images_and_texts_give(tmp_path: Path, images: Path, labels: Path, kind: str) -> None:
    directory, model, processor = saved(tmp_path, kind)
    arguments = ["--hugging-face", directory, "--zero-shot", labels, "--template", "a picture of a {}."]
    given = export_and_classify(images, tmp_path / "out", *arguments)
    pixels = processor(opened(images), return_tensors="pt")["pixel_values"]
    logits = logits_by_transformers(kind, model, pixels, "a picture of a {}.")
    expected = logits.softmax(1) if kind == "CLIP" else logits.sigmoid()
    for backend in ("onnx", "pytorch"):
        torch.testing.assert_close(given[backend], expected, rtol=0, atol=1e-5)


def test_other_braces_in_a_template_are_text(tmp_path: Path) -> None:
    directory, _, _ = saved(tmp_path, "CLIP")
    source = zero_shot.classifier(directory, LABELS, ["{} {0} {hat"])
    assert source.network.labels.weight.shape[0] == len(LABELS)


def test_several_templates_are_averaged_and_the_average_has_length_1(
    tmp_path: Path, images: Path, labels: Path
) -> None:
    directory, model, processor = saved(tmp_path, "CLIP")
    templates = ["a photo of a {}.", "a picture of {}", "{}"]
    options = [option for template in templates for option in ("--template", template)]
    assert export(images, tmp_path / "out", "--hugging-face", directory, "--zero-shot", labels, *options) == 0
    pixels = processor(opened(images), return_tensors="pt")["pixel_values"]
    words = tokenizer("CLIP")
    with torch.inference_mode():
        # As CLIP's own notebook has it.
        columns = []
        for label in LABELS:
            embeddings = [
                model.get_text_features(**words(template.format(label), return_tensors="pt")).pooler_output[0]
                for template in templates
            ]
            mean = torch.stack([embedding / embedding.norm() for embedding in embeddings]).mean(0)
            columns.append(mean / mean.norm())
        image = model.get_image_features(pixels).pooler_output
        expected = model.logit_scale.exp() * (image / image.norm(dim=1, keepdim=True)) @ torch.stack(columns, 1)
    torch.testing.assert_close(run_onnx(tmp_path / "out", "logits", pixels), expected, rtol=1e-4, atol=1e-4)
    one = logits_by_transformers("CLIP", model, pixels, templates[0])
    assert (one - expected).abs().max() > 1e-2, "one template alone should give something else"


@pytest.mark.parametrize(
    ("kind", "arguments", "reason"),
    [
        ("CLIP", ["--template", "a photo"], "write {} where the label goes"),
        ("CLIP", ["--template", "{}" + " a" * 20], "longer than the 16 tokens"),
        ("CLIP", ["--embeddings"], "--embeddings has no meaning"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path,
    images: Path,
    labels: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    arguments: list[str],
    reason: str,
) -> None:
    directory, _, _ = saved(tmp_path, kind)
    assert export(images, tmp_path / "out", "--hugging-face", directory, "--zero-shot", labels, *arguments) == 1
    assert reason in capsys.readouterr().err
