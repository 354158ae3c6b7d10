"""How a contender's answers compare with the reference's."""

from __future__ import annotations

from dataclasses import dataclass

from measure import Answers

# What the project promises of its own answers, as the largest difference of a probability.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Parity:
    """Counts of images, and the largest difference of a probability."""

    compared: int
    missing: int
    wrong_labels: int
    max_difference: float

    @property
    def holds(self) -> bool:
        return not self.missing and not self.wrong_labels and self.max_difference <= TOLERANCE


def compare(answers: Answers, reference: Answers) -> Parity:
    """Compares image by image. Images that the reference does not know count as missing, too."""
    common = answers.keys() & reference.keys()
    differences = [
        abs(mine - theirs) for path in common for mine, theirs in zip(answers[path][1], reference[path][1], strict=True)
    ]
    return Parity(
        compared=len(common),
        missing=len(answers.keys() | reference.keys()) - len(common),
        wrong_labels=sum(answers[path][0] != reference[path][0] for path in common),
        max_difference=max(differences, default=1.0),
    )
