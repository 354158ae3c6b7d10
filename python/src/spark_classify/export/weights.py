"""Weights from a file, without running what the file might hold."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spark_classify.errors import ClassifyError

# Where training scripts keep the state dict among an optimizer's state and numbers.
WRAPPERS = ("state_dict", "model", "model_state_dict")
# What `nn.DataParallel` puts before every name.
PARALLEL = "module."
# What torchvision's DenseNets called their layers in its files: no name of a module has a dot any more.
OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)$")
# A counter, absent in old files, that nothing reads outside of training.
COUNTER = "num_batches_tracked"
FEW = 5


def load_into(network: nn.Module, path: Path, unused: tuple[str, ...] = ()) -> None:
    """Loads a state dict (.safetensors, or what `torch.save` wrote); every name and every shape has to fit.

    Names that begin with one of `unused`, and that the network has not, are passed over.
    """
    state, own = read(path), network.state_dict()
    if all(name.startswith(PARALLEL) for name in state) and not state.keys() & own.keys():
        state = {name.removeprefix(PARALLEL): tensor for name, tensor in state.items()}
    state = {name if name in own else OLD_DENSENET.sub(r"\1\2", name): tensor for name, tensor in state.items()}
    state = {name: tensor for name, tensor in state.items() if name in own or not name.startswith(unused)}
    for problem, names in (
        ("lacks", {name for name in own.keys() - state.keys() if name.rpartition(".")[2] != COUNTER}),
        ("has, and the network has not,", state.keys() - own.keys()),
        ("has in another shape", {name for name in own.keys() & state.keys() if own[name].shape != state[name].shape}),
    ):
        if names:
            shown = ", ".join(f"`{name}`" for name in sorted(names)[:FEW])
            more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
            raise ClassifyError(
                f"{path}: {problem} {shown}{more}: these are the weights of another network, or of another number of "
                "classes; check the name of the network and --labels"
            )
    try:
        network.load_state_dict({**own, **state})
    except Exception as cause:
        raise ClassifyError(f"{path}: {type(network).__name__} does not take these weights: {cause}") from cause


def read(path: Path) -> dict[str, torch.Tensor]:
    """The state dict in a file."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as cause:
        raise ClassifyError(
            f"{path}: holds more than weights ({str(cause).splitlines()[0]}); save the state dict alone: "
            "torch.save(model.state_dict(), ...)"
        ) from cause
    except Exception as cause:
        raise ClassifyError(f"{path}: cannot be read as weights: {cause}") from cause
    if isinstance(content, dict):
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not _is_state_dict(content):
        raise ClassifyError(f"{path}: holds no state dict; save one: torch.save(model.state_dict(), ...)")
    return content


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and bool(content)
        and all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in content.items())
    )


def choose(network: nn.Module, path: Path | None, unused: tuple[str, ...] = ()) -> nn.Module:
    """The network ready for inference, with weights from the file; without one, with those that it has."""
    if path is not None:
        load_into(network, path, unused)
    return network.eval()
