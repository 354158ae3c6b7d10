"""`preprocessor_config.json` in its two readings: torchvision's steps, and the processors of transformers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import LABELS, STEPS, export_and_classify, opened
from torchvision import transforms

from spark_classify import ClassifyError
from spark_classify.export import preprocessing

# With a crop whose odd pixel is on the one side or the other.
CLIP = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 27},
    "crop_size": {"height": 20, "width": 20},
    "do_center_crop": True,
    "resample": 2,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.4],
}
# A network whose logits are the mean channels.
CHANNELS = """
from torch import nn

class Channels(nn.Module):
    def forward(self, pixel_values):
        return pixel_values.mean((2, 3))
"""


def written(tmp_path: Path, fields: dict[str, object]) -> Path:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(fields))
    return path


RESIZE_AND_CROP = [transforms.Resize(36), transforms.CenterCrop((33, 32))]
NORMALIZE = transforms.Normalize(STEPS["image_mean"], STEPS["image_std"])


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({}, [*RESIZE_AND_CROP, transforms.ToTensor(), NORMALIZE]),
        ({"do_resize": False}, [transforms.CenterCrop((33, 32)), transforms.ToTensor(), NORMALIZE]),
        (
            {"size": {"height": 9, "width": 8}, "do_center_crop": False},
            [transforms.Resize((9, 8)), transforms.ToTensor(), NORMALIZE],
        ),
        (
            {"do_normalize": False, "rescale_factor": 1 / 255, "rescale_offset": False, "do_pad": None},
            [*RESIZE_AND_CROP, transforms.ToTensor()],
        ),
        (
            {"do_rescale": False, "rescale_factor": 7},
            [
                transforms.Resize(36),
                transforms.CenterCrop((33, 32)),
                transforms.PILToTensor(),
                torch.Tensor.float,
                NORMALIZE,
            ],
        ),
    ],
)
def test_the_switches_of_torchvisions_steps(
    tmp_path: Path, images: Path, fields: dict[str, object], steps: list[object]
) -> None:
    preprocess, _ = preprocessing.read(written(tmp_path, {**STEPS, **fields}))
    for image in opened(images):
        torch.testing.assert_close(preprocess(image), transforms.Compose(steps)(image), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"size": {"shortest_edge": 36, "longest_edge": 40}},
            "field `size`: is {'shortest_edge': 36, 'longest_edge': 40}",
        ),
        ({"size": None}, "field `size`: is missing; write"),
        ({"size": {"shortest_edge": "36"}}, "field `size.shortest_edge`: is '36'; write a whole number"),
        ({"resample": None}, "field `resample`: is None"),
        ({"do_center_crop": None}, "field `do_center_crop`: is missing beside `crop_size`; write true or false"),
        ({"do_center_crop": "yes"}, "field `do_center_crop`: is 'yes'; write true or false"),
        ({"crop_size": 32}, "field `crop_size`: is 32; write"),
        ({"rescale_factor": 1 / 127.5}, "field `rescale_factor`: is 0.00784"),
        ({"rescale_offset": True}, "field `rescale_offset`: is True, which is none of torchvision's steps"),
        ({"do_flip_channel_order": True}, "field `do_flip_channel_order`: is True"),
        ({"image_mean": [1, 2]}, "field `image_mean`: is [1, 2]; write three numbers"),
        ({"image_std": [1, 0, 1]}, "field `image_std`: is [1, 0, 1]; write three numbers above 0"),
        ({"image_processor_backend": "torchvision"}, "field `image_processor_backend`: these are steps on Pillow"),
        ({"do_center_crop": False}, "the input's size depends on the image; add `do_center_crop` and `crop_size`"),
    ],
)
def test_torchvisions_steps_that_are_others_are_refused_by_name(
    tmp_path: Path, fields: dict[str, object], reason: str
) -> None:
    with pytest.raises(ClassifyError) as refused:
        preprocessing.read(written(tmp_path, {**STEPS, **fields}))
    assert reason in str(refused.value) and "preprocessor_config.json" in str(refused.value)


def test_a_size_that_depends_on_the_image_is_refused_of_transformers_too(tmp_path: Path) -> None:
    fields = {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "do_center_crop": False}
    with pytest.raises(ClassifyError, match="the input's size depends on the image"):
        preprocessing.read(written(tmp_path, fields))


def test_code_beside_the_steps_is_not_run(tmp_path: Path) -> None:
    own = {"auto_map": {"AutoImageProcessor": "own.Processor"}, "image_processor_type": "OwnProcessor"}
    (tmp_path / "own.py").write_text("raise SystemExit('was run')")
    written(tmp_path, own)
    with pytest.raises(ClassifyError, match=r"preprocessor_config\.json: field `auto_map`: .*--preprocessor"):
        preprocessing.read(tmp_path)


def test_the_processor_on_tensors_where_the_file_says_so(
    tmp_path: Path, images: Path, labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    on_pillow, _ = preprocessing.read(written(tmp_path, CLIP))
    path = written(tmp_path, {**CLIP, "image_processor_backend": "torchvision"})
    on_tensors, fields = preprocessing.read(path)
    assert fields["image_processor_backend"] == "torchvision"
    noise = transforms.ToPILImage()(torch.rand(3, 211, 190))
    assert (on_tensors(noise) - on_pillow(noise)).abs().max() > 1e-3, "it should matter"

    Path("channels.py").write_text(CHANNELS)
    arguments = ["--module", "channels:Channels", "--random", "--labels", labels, "--preprocessor", path]
    given = export_and_classify(images, Path("out"), *arguments, "--tolerance", "1e-6")
    expected = torch.stack([on_tensors(image).mean((1, 2)) for image in opened(images)]).softmax(1)
    assert expected.shape == (3, len(LABELS))
    torch.testing.assert_close(given["onnx"], expected, rtol=0, atol=1e-6)


def test_another_backend_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifyError, match="field `image_processor_backend`: `fast` is neither"):
        preprocessing.read(written(tmp_path, {**CLIP, "image_processor_backend": "fast"}))
