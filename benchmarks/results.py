"""What a benchmark has measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from measure import Result
from parity import Parity
from registry import Contender


@dataclass
class Row:
    """One contender: seconds of each round, the peak of its memory in bytes, and the worst parity; of some, the seconds
    to the first row of each round, too.

    `reason` says why there are none.
    """

    name: str
    group: str
    engine: str
    images: int
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    parity: Parity | None = None
    versions: dict[str, str] = field(default_factory=dict)
    first_rows: list[float] = field(default_factory=list)
    reason: str | None = None

    @classmethod
    def of(cls, contender: Contender, images: int) -> Row:
        return cls(contender.name, contender.group, contender.engine, images)

    def add(self, result: Result, parity: Parity) -> None:
        """Takes in one round."""
        self.seconds.append(result.seconds)
        self.memory = max(self.memory, result.memory)
        self.versions |= result.versions
        if result.first_row is not None:
            self.first_rows.append(result.first_row)
        if self.parity is None or parity.holds <= self.parity.holds:
            self.parity = parity

    def fail(self, reason: str) -> None:
        """A contender that fails once has no result: its other rounds would say too much for it."""
        self.seconds, self.parity, self.reason = [], None, reason

    @property
    def is_right(self) -> bool:
        """Whether it was measured, and all its answers are the reference's."""
        return self.parity is not None and self.parity.holds

    @property
    def speed(self) -> float | None:
        """Images in a second, the median of the rounds."""
        return self.images / median(self.seconds) if self.seconds else None
