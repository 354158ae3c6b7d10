"""Writes `tests/golden/report.json`: predictions, and the figures that scikit-learn and SciPy compute for them.

    python scripts/report_cases.py

Each case holds the labels and probabilities of its images, and by name what the report must say of them. Needs the
reference environment.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics

ROOT = Path(__file__).resolve().parent.parent
BINS = 20


def calibration_error(confidence: np.ndarray, right: np.ndarray) -> float:
    """As Guo et al. (2017) define it, over bins of equal width."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    inside = [bins == number for number in range(BINS)]
    distances = [abs(right[bin_].mean() - confidence[bin_].mean()) * bin_.sum() for bin_ in inside if bin_.any()]
    return float(sum(distances) / len(confidence))


def case(
    name: str, classes: int, images: int, sharpness: float, seed: int, missing: int | None = None
) -> dict[str, Any]:
    """Images whose labels follow the probabilities, more or less; none of them of the class `missing`."""
    random = np.random.default_rng(seed)
    # Few digits, so that the file is short; float32 as the model gives them.
    logits = random.normal(size=(images, classes)) * sharpness
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = np.round(probabilities, 4).astype(np.float32)
    actual = np.array([random.choice(classes, p=row / row.sum()) for row in probabilities.astype(float)])
    if missing is not None:
        actual[actual == missing] = (missing + 1) % classes
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1).astype(float)
    right = (predicted == actual).astype(float)
    correct = int(right.sum())
    interval = binomtest(correct, images).proportion_ci(method="wilson")
    known = np.maximum(probabilities[np.arange(images), actual].astype(float), 1e-15)
    figures = {
        "correct": correct,
        "accuracy": metrics.accuracy_score(actual, predicted),
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "balanced_accuracy": metrics.recall_score(
            actual, predicted, average="macro", labels=np.unique(actual), zero_division=0
        ),
        "macro_f1": metrics.f1_score(actual, predicted, average="macro", zero_division=0),
        "weighted_f1": metrics.f1_score(actual, predicted, average="weighted", zero_division=0),
        "log_loss": float(-np.log(known).mean()),
        "calibration_error": calibration_error(confidence, right),
    }
    return {
        "name": name,
        "classes": classes,
        "actual": actual.tolist(),
        "probabilities": [[round(float(value), 4) for value in row] for row in probabilities],
        "figures": {key: float(value) for key, value in figures.items()},
        "confusion": metrics.confusion_matrix(actual, predicted, labels=range(classes)).tolist(),
    }


def main() -> None:
    cases = [
        case("three classes", 3, 120, 2.0, 1),
        case("no image of a class", 4, 60, 1.5, 2, missing=2),
        case("two classes, hardly told apart", 2, 80, 0.3, 3),
        case("sure, and often wrong", 6, 90, 6.0, 4),
    ]
    content = {"scikit-learn": version("scikit-learn"), "scipy": version("scipy"), "cases": cases}
    path = ROOT / "tests/golden/report.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{len(cases)} cases in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
