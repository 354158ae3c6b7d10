"""Trains the ID-card classifier on freshly drawn cards and measures it on the held-out data set.

    python scripts/train_model.py --weights model/id_card_cnn.pth

The training and validation cards come from seeds of their own; the held-out images (`dataset/`) are looked at once,
after the last epoch, and choose nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from classifier_model import LABELS, WEIGHTS_FILE, IdCardCnn, decode, load_weights, normalise, resize
from make_dataset import CSV_FILE, EXTENSIONS, HELD_OUT_SEED, IMAGE_FOLDER, Plan, draw_image
from torch import nn

TRAINING_SEED = 1
VALIDATION_SEED = 2
VALIDATION_CARDS = 150
CARDS_PER_BATCH = 5
MAP_CELLS = 8
MAP_WEIGHT = 2.0
WEIGHT_DECAY = 1e-2


def draw_pixels(item: Plan) -> np.ndarray:
    """Draws a card and takes it through the file format and the resize, as inference does."""
    return resize(decode(draw_image(item, optimize=False)))


def drawn_set(seed: int, cards: int, cache: Path) -> np.ndarray:
    """Pixels of `cards` cards, each in every class: cards x classes x height x width x 3, uint8.

    A card's versions differ in the forgery alone, so the network cannot but look at that. They are kept in `cache` for
    the next run.
    """
    if seed == HELD_OUT_SEED:
        raise SystemExit(f"seed {seed} draws the held-out images: choose another one to train from")
    path = cache / f"cards-{seed}-{cards}.npy"
    if path.exists():
        return np.load(path)
    items = [
        Plan(seed, index, class_id, EXTENSIONS[index % 2]) for index in range(cards) for class_id in range(len(LABELS))
    ]
    with ProcessPoolExecutor() as pool:
        pixels = np.stack(list(pool.map(draw_pixels, items, chunksize=15)))
    pixels = pixels.reshape(cards, len(LABELS), *pixels.shape[1:])
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path, pixels)
    return pixels


def held_out_set(dataset: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and class ids of the committed images."""
    table = pd.read_csv(dataset / CSV_FILE)
    pixels = [resize(decode((dataset / IMAGE_FOLDER / name).read_bytes())) for name in table["image_path"]]
    return np.stack(pixels), table["actual_class_id"].to_numpy()


def augment(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shifts a normalised batch by up to two pixels and varies contrast and brightness."""
    dx, dy = torch.randint(-2, 3, (2,), generator=generator).tolist()
    pixels = torch.roll(pixels, (dy, dx), (2, 3))
    contrast = 1 + 0.1 * torch.randn(len(pixels), 1, 1, 1, generator=generator)
    return pixels * contrast + 0.1 * torch.randn(len(pixels), 3, 1, 1, generator=generator)


def predict(model: nn.Module, pixels: np.ndarray) -> np.ndarray:
    """Class ids for uint8 pixels."""
    with torch.inference_mode():
        parts = [model(normalise(pixels[at : at + 32])).argmax(1) for at in range(0, len(pixels), 32)]
    return torch.cat(parts).numpy()


def confusion(actual: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """Counts of images: actual classes down, predicted classes across."""
    counts = np.zeros((len(LABELS), len(LABELS)), dtype=int)
    np.add.at(counts, (actual, predicted), 1)
    return pd.DataFrame(counts, index=LABELS, columns=LABELS).rename_axis(index="actual", columns="predicted")


def forgery_maps(pixels: np.ndarray) -> torch.Tensor:
    """Where each card was forged: cards x classes x 8 x 8, each cell 0 (as on the valid card) or class id + 1.

    A card's versions differ in the forgery alone, so comparing them with the valid one tells. A cell is forged where
    more than 2% of its pixels differ by more than 24 grey levels.
    """
    valid = LABELS.index("valid_id")
    difference = np.abs(pixels.astype(np.int16) - pixels[:, valid : valid + 1]).max(axis=-1) > 24
    cards, versions, height, width = difference.shape
    cells = difference.reshape(cards, versions, MAP_CELLS, height // MAP_CELLS, MAP_CELLS, width // MAP_CELLS)
    forged = cells.mean(axis=(3, 5)) > 0.02
    return torch.from_numpy(forged * np.arange(1, versions + 1).reshape(1, -1, 1, 1))


def train(pixels: np.ndarray, validation: np.ndarray, arguments: argparse.Namespace) -> None:
    """AdamW with a one-cycle learning rate and cross entropy; a batch holds every version of its cards.

    While it is trained, the network has a second head that tells for each cell of the image whether it was forged, and
    how. That leads the convolutions to the small differences that count, which class labels alone do only after very
    many cards. The state dict is written after every epoch, without the second head.
    """
    torch.manual_seed(TRAINING_SEED)
    generator = torch.Generator().manual_seed(TRAINING_SEED)
    model = load_weights(arguments.start) if arguments.start else IdCardCnn()
    model = model.to(memory_format=torch.channels_last)
    cards, versions = pixels.shape[:2]
    map_head = nn.Conv2d(256, versions + 1, 1)
    parameters = [*model.parameters(), *map_head.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=WEIGHT_DECAY)
    steps = cards // CARDS_PER_BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.learning_rate, epochs=arguments.epochs, steps_per_epoch=steps, pct_start=0.2
    )
    class_loss = nn.CrossEntropyLoss()
    # Most cells are as on the valid card, and would outvote the others.
    map_loss = nn.CrossEntropyLoss(weight=torch.tensor([0.3] + [1.0] * versions))
    maps = forgery_maps(pixels)
    targets = torch.arange(versions).repeat(CARDS_PER_BATCH)
    validation_classes = np.tile(np.arange(versions), len(validation))
    for epoch in range(1, arguments.epochs + 1):
        started, losses = time.perf_counter(), np.zeros(2)
        model.train()
        order = torch.randperm(cards, generator=generator)[: steps * CARDS_PER_BATCH].view(steps, CARDS_PER_BATCH)
        for chosen in order.numpy():
            images = augment(normalise(pixels[chosen].reshape(-1, *pixels.shape[2:])), generator)
            features = model.features(images.contiguous(memory_format=torch.channels_last))
            of_class = class_loss(model.classifier(model.pool(features)), targets)
            of_map = map_loss(map_head(features), maps[chosen].flatten(0, 1))
            optimizer.zero_grad()
            (of_class + MAP_WEIGHT * of_map).backward()
            optimizer.step()
            schedule.step()
            losses += of_class.item(), of_map.item()
        model.eval()
        accuracy = (predict(model, validation.reshape(-1, *validation.shape[2:])) == validation_classes).mean()
        seconds = time.perf_counter() - started
        of_class, of_map = losses / steps
        print(
            f"epoch {epoch:2}: class loss {of_class:.4f}, map loss {of_map:.4f}, validation {accuracy:.4f},"
            f" {seconds:.0f} s",
            flush=True,
        )
        torch.save({name: value.contiguous() for name, value in model.state_dict().items()}, arguments.weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=Path("model") / WEIGHTS_FILE, help="state dict to write")
    parser.add_argument("--dataset", type=Path, default=Path("dataset"), help="the held-out data set")
    parser.add_argument("--start", type=Path, help="state dict to go on from, instead of random weights")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="at its peak (default: %(default)s)")
    parser.add_argument("--cards", type=int, default=1000, help="cards, each in every class (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=8, help="passes over them (default: %(default)s)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spark-classify-cards",
        help="where drawn cards are kept; clear it after a change to the drawing (default: %(default)s)",
    )
    parser.add_argument("--check-only", action="store_true", help="measure existing weights instead of training")
    arguments = parser.parse_args()

    if not arguments.check_only:
        validation = drawn_set(VALIDATION_SEED, VALIDATION_CARDS, arguments.cache)
        pixels = drawn_set(TRAINING_SEED, arguments.cards, arguments.cache)
        arguments.weights.parent.mkdir(parents=True, exist_ok=True)
        train(pixels, validation, arguments)
    pixels, actual = held_out_set(arguments.dataset)
    predicted = predict(load_weights(arguments.weights), pixels)
    print(f"held-out accuracy: {(predicted == actual).mean():.4f} ({(predicted == actual).sum()} of {len(actual)})")
    print(confusion(actual, predicted).to_string())


if __name__ == "__main__":
    main()
