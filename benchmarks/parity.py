"""How a contender's answers compare with the reference's."""

from __future__ import annotations

from dataclasses import dataclass

from measure import Answer, Answers

# What the project promises of its own answers, as the largest difference of a probability.
TOLERANCE = 1e-4
# Where labels are all there is: another one than the reference's is a tie, and not wrong, if the reference gives it at
# least this share of its own one's probability. Resizing bytes or numbers, and decoding a JPEG by another library, move
# probabilities by a few percent of themselves.
TIE = 0.95


@dataclass(frozen=True)
class Parity:
    """Counts of images, and the largest difference of a probability, None of a job that asks for labels alone."""

    compared: int
    missing: int
    wrong_labels: int
    ties: int
    max_difference: float | None

    @property
    def holds(self) -> bool:
        return not self.missing and not self.wrong_labels and (self.max_difference or 0.0) <= TOLERANCE


def compare(answers: Answers, reference: Answers, labels_only: bool = False) -> Parity:
    """Compares image by image, and with `labels_only` no probabilities. Images that the reference does not know count
    as missing, too."""
    if labels_only:
        answers = {path: (label, []) for path, (label, _) in answers.items()}
    common = answers.keys() & reference.keys()
    differences = [
        abs(mine - theirs)
        for path in common
        if answers[path][1]
        for mine, theirs in zip(answers[path][1], reference[path][1], strict=True)
    ]
    others = [path for path in common if answers[path][0] != reference[path][0]]
    ties = sum(is_tie(answers[path], reference[path]) for path in others)
    has_labels_alone = bool(common) and not differences
    return Parity(
        compared=len(common),
        missing=len(answers.keys() | reference.keys()) - len(common),
        wrong_labels=len(others) - ties,
        ties=ties,
        max_difference=None if has_labels_alone else max(differences, default=1.0),
    )


def is_tie(answer: Answer, reference: Answer) -> bool:
    """Whether another label than the reference's, of an answer without probabilities, is as good as that one."""
    (label, probabilities), (right, known) = answer, reference
    return not probabilities and known[label] >= TIE * known[right]
