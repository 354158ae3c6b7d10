"""TorchScript modules that must not be run as they are. usage: python make_modules.py OUT (needs torch 2.11).

Some change themselves while they run, some work as in training, some use files. Each goes into a model directory of
its own (12 classes, 32 x 32, no normalisation). `plain` changes nothing and is the control; so do `forked`, `helper`
and `own`, which only look as if they did, and `nan_for_dark`; `quantized`, `odd_pooling`, `named_tuple` and
`scripted_linear` are used otherwise than most. `one_image` and `batch_norm_alone` cannot be run on several images at
once, or not with the same result.
"""

import json
import pathlib
import sys
import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn

out, size = pathlib.Path(sys.argv[1]), 32


def put(name, module, trace=False):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"id2label": {str(i): f"c{i}" for i in range(12)}}))
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "ViTImageProcessor",
                "do_resize": True,
                "size": {"height": size, "width": size},
                "resample": 2,
                "do_rescale": True,
                "rescale_factor": 1 / 255,
                "do_normalize": False,
            }
        )
    )
    if trace:
        scripted = torch.jit.trace(module, torch.rand(2, 3, size, size), check_trace=False)
    else:
        scripted = torch.jit.script(module)
    scripted.save(str(folder / "model.pt"))


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6


class Counter(nn.Module):
    """Adds to a buffer in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1.0)
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6 + self.count * 0.001


class Assign(nn.Module):
    """Assigns a tensor attribute."""

    def __init__(self):
        super().__init__()
        self.register_buffer("state", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.state = self.state + x.mean()
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6 + self.state * 1e-6


class Feature(nn.Module):
    """Keeps a feature map to be looked at later; nothing reads it."""

    kept: Tensor | None

    def __init__(self):
        super().__init__()
        self.kept = None
        self.conv = nn.Conv2d(3, 12, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x)
        self.kept = features
        return features.mean((2, 3)) * 6


class Memory(nn.Module):
    """Keeps a list of inputs."""

    kept: list[Tensor]

    def __init__(self):
        super().__init__()
        self.kept = [torch.zeros(1, 3, size, size)]

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(x)
        if len(self.kept) > 64:
            self.kept.clear()
            self.kept.append(x)
        first = self.kept[0][0:1].expand(x.size(0), 3, 32, 32)
        return nn.functional.avg_pool2d(first, 16).flatten(1) * 6


class Dropping(nn.Module):
    """Random at inference: no two runs agree."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(nn.functional.avg_pool2d(x, 16).flatten(1) * 6, 0.5, training=True)


class Writes(nn.Module):
    """Writes its input to a file."""

    def forward(self, x: Tensor) -> Tensor:
        torch.save(x, "/tmp/spark-classify-written-by-forward")
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6


class Reads(nn.Module):
    """Looks into a file, which also makes it longer."""

    def forward(self, x: Tensor) -> Tensor:
        secret = torch.from_file("/etc/hostname", False, 4, dtype=torch.uint8)
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6 + secret.sum() * 0


class WritesAtLoad(nn.Module):
    """Writes a file when it is loaded, before anybody runs it."""

    def __init__(self):
        super().__init__()
        self.scale = 6.0

    @torch.jit.export
    def __getstate__(self) -> tuple[float, bool]:
        return (self.scale, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[float, bool]) -> None:
        self.scale = state[0]
        self.training = state[1]
        torch.save(torch.zeros(1), "/tmp/spark-classify-written-at-load")

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 16).flatten(1) * self.scale


def save_all(x: Tensor) -> Tensor:
    torch.save(x, "/tmp/spark-classify-written-by-fork")
    return x


class WritesInFork(nn.Module):
    """The same in a function that is called at the same time."""

    def forward(self, x: Tensor) -> Tensor:
        future = torch.jit.fork(save_all, x)
        return nn.functional.avg_pool2d(torch.jit.wait(future), 16).flatten(1) * 6


class Forked(nn.Module):
    """Calls itself at the same time, harmlessly."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3)

    def forward(self, x: Tensor) -> Tensor:
        future = torch.jit.fork(self.conv, x)
        return torch.jit.wait(future).mean((2, 3)) * 6


@torch.jit.script
class Total:
    def __init__(self):
        self.sum = 0

    def add(self, number: int) -> None:
        self.sum += number


class Helper(nn.Module):
    """Makes an object in each run, and changes only that."""

    def forward(self, x: Tensor) -> Tensor:
        total = Total()
        total.add(6)
        return nn.functional.avg_pool2d(x, 16).flatten(1) * total.sum


class Holder(nn.Module):
    """Keeps an object of a class of its own, and changes it."""

    def __init__(self):
        super().__init__()
        self.total = Total()

    def forward(self, x: Tensor) -> Tensor:
        self.total.add(1)
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6 + self.total.sum * 1e-6


class Inner(nn.Module):
    """Has a module that changes itself."""

    def __init__(self):
        super().__init__()
        self.counter = Counter()

    def forward(self, x: Tensor) -> Tensor:
        return self.counter(x)


class BatchNorm(nn.Module):
    """With weights, so that it is the same in train mode and out of it but for the batch norm."""

    def __init__(self, average=True):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3)
        self.norm = nn.BatchNorm2d(12, track_running_stats=average)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x)).relu().mean((2, 3)) * 6


class Dropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(nn.functional.avg_pool2d(x, 16).flatten(1) * 6)


class Random(nn.Module):
    """Adds noise, by an operator that is random always."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 16).flatten(1) * 6 + torch.randn(12)


class NanForDark(nn.Module):
    """Gives NaN for black images, and the same for all others."""

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3))
        return (mean * 0 / mean).unsqueeze(1).repeat(1, 12)


class OneImage(nn.Module):
    """Flattens as if there were one image."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 16).view(1, 12) * 6


class Changing(nn.Module):
    """Adds to a tensor that it was made with."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kept", torch.zeros(1, 1, 12))
        self.many = [torch.zeros(1, 1, 12)]
        self.named = {"first": torch.zeros(1, 1, 12)}
        self.pair = (torch.zeros(1, 1, 12), 1)


def put_changing(name, expression):
    # A class of its own, since `define` adds to the class.
    module = torch.jit.script(type(name, (Changing,), {})().eval())
    module.define(f"""
def forward(self, x: Tensor) -> Tensor:
    value = {expression}
    value.add_(1.0)
    return x.mean([2, 3]).repeat([1, 4]) * 6 + value.flatten() * 1e-6
""")
    put(name, module)


class Own(nn.Module):
    """Changes what it has made of its buffers, and of its input."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.full((12, 12), 0.5))
        self.linear = nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        bias = nn.functional.relu(self.linear(self.scale), inplace=True).mean(0)
        features = torch.einsum("ij,jk->ik", nn.functional.avg_pool2d(x, 16).flatten(1), self.scale)
        features.add_(bias)
        return nn.functional.relu(features.contiguous(), inplace=True)


class OddPooling(nn.Module):
    """Pools to a size that does not divide the input's, which oneDNN cannot."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.linear = nn.Linear(64, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.pool(self.conv(x).relu()).flatten(1))


class Heads(NamedTuple):
    logits: Tensor
    auxiliary: Tensor | None


def warned(x: Tensor) -> Tensor:
    if x.size(0) > 0:
        warnings.warn("as GoogLeNet does when it is scripted", stacklevel=2)
    return nn.functional.avg_pool2d(x, 16)


class Named(nn.Module):
    """Has a head for training, and warns."""

    def forward(self, x: Tensor) -> Heads:
        return Heads(warned(x).flatten(1) * 6, None)


def one_image(x: Tensor) -> Tensor:
    if x.size(0) != 1:
        raise ValueError("one image, please")
    return nn.functional.avg_pool2d(x, 16).flatten(1)


class OneImageInside(nn.Module):
    """Fails on two images, in a function that it calls."""

    def forward(self, x: Tensor) -> Tensor:
        return one_image(x) * 6


def quantized():
    torch.backends.quantized.engine = "fbgemm"
    quantization = torch.ao.quantization
    layers = nn.Sequential(nn.Conv2d(3, 12, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 12))
    module = quantization.QuantWrapper(layers).eval()
    quantization.fuse_modules(module.module, ["0", "1"], inplace=True)
    module.qconfig = quantization.get_default_qconfig("fbgemm")
    quantization.prepare(module, inplace=True)
    module(torch.rand(8, 3, size, size))
    return quantization.convert(module, inplace=True)


class ScriptedLinear(nn.Module):
    """Has linear layers in a loop and in a branch, where one stands twice."""

    def __init__(self):
        super().__init__()
        self.embed, self.mix = nn.Linear(48, 32), nn.Linear(32, 32)
        self.widen, self.head = nn.Linear(32, 64), nn.Linear(64, 12)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(nn.functional.unfold(x, 4, stride=4).transpose(1, 2))
        for _ in range(tokens.size(1) // 32):
            tokens = tokens + self.mix(tokens)
        if x.size(0) > 1:
            tokens = nn.functional.gelu(self.widen(tokens))
        else:
            tokens = self.widen(tokens)
            tokens = nn.functional.gelu(tokens)
        return self.head(tokens.mean(1)) * 6


torch.manual_seed(16)
for module in (Plain, Counter, Assign, Feature, Memory, Dropping, Writes, Reads, Forked, Helper, Holder, Inner, Random):
    put(module.__name__.lower(), module().eval())
put("nan_for_dark", NanForDark().eval())
put("writes_at_load", WritesAtLoad().eval())
put("writes_in_fork", WritesInFork().eval())
put("one_image", OneImage().eval())
put("traced_batch_norm", BatchNorm().train(), trace=True)
put("traced_dropout", Dropout().train(), trace=True)
put("batch_norm_alone", BatchNorm(average=False).eval())
put("batch_norm_script", BatchNorm().train())
for name, expression in {
    "changes_list": "self.many[0]",
    "changes_dict": 'self.named["first"]',
    "changes_tuple": "self.pair[0]",
    "changes_type_as": "self.kept.type_as(x)",
    "changes_einsum": 'torch.einsum("ijk->ijk", [self.kept])',
    "changes_atleast": "torch.atleast_3d(torch.atleast_2d(self.kept))",
    "changes_dequantize": "torch.dequantize(self.kept)",
    "changes_split": "torch.unsafe_split(self.kept, 12, 2)[0]",
}.items():
    put_changing(name, expression)
put("own", Own().eval())
put("odd_pooling", OddPooling().eval())
put("named_tuple", Named().eval())
put("one_image_inside", OneImageInside().eval())
put("quantized", quantized())
put("scripted_linear", ScriptedLinear().eval())
