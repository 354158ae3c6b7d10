"""What a benchmark has measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from measure import Result, Task
from parity import Parity
from registry import Contender


@dataclass
class Row:
    """One contender: seconds of each round, the peak of its memory in bytes, and the parity of each round; of some, the
    seconds to the first row of each round, the tasks of a job and how its memory grew, too.

    `reason` says why there are none.
    """

    name: str
    group: str
    engine: str
    images: int
    cores: int
    device: str = "cpu"
    is_inexact: bool = False
    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    parities: list[Parity] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    first_rows: list[float] = field(default_factory=list)
    tasks: int = 0
    growth: float | None = None
    reason: str | None = None

    @classmethod
    def of(cls, contender: Contender, task: Task) -> Row:
        told = (contender.name, contender.group, contender.engine, task.classified, task.cores, task.device)
        return cls(*told, contender.is_inexact)

    def add(self, result: Result, parity: Parity) -> None:
        """Takes in one round."""
        self.seconds.append(result.seconds)
        self.memory = max(self.memory, result.memory)
        self.versions |= result.versions
        if result.first_row is not None:
            self.first_rows.append(result.first_row)
        self.parities.append(parity)
        self.tasks = result.tasks or self.tasks
        if result.growth is not None:
            self.growth = max(result.growth, self.growth or 0.0)

    def fail(self, reason: str) -> None:
        """A contender that fails once has no result: its other rounds would say too much for it."""
        self.seconds, self.parities, self.reason = [], [], reason

    @property
    def parity(self) -> Parity | None:
        """The worst of the rounds."""
        return max(self.parities, key=lambda parity: (not parity.holds, parity.wrong_labels), default=None)

    @property
    def is_right(self) -> bool:
        """Whether it was measured, and all its answers are the reference's."""
        return self.parity is not None and self.parity.holds

    @property
    def is_wrong(self) -> bool:
        """Whether its answers are not the reference's although they should be, or not all there."""
        parity = self.parity
        return parity is not None and (parity.missing > 0 if self.is_inexact else not parity.holds)

    @property
    def speed(self) -> float | None:
        """Images in a second, the median of the rounds."""
        return self.images / median(self.seconds) if self.seconds else None

    @property
    def unit_speed(self) -> float | None:
        """The same for each core, or for the one GPU."""
        return self.speed and self.speed / (self.cores if self.device == "cpu" else 1)
