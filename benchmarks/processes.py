"""The processes of one contender, found by a mark in their environment, which every child inherits."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MARK = "SPARK_CLASSIFY_BENCHMARK"


def marked(mark: str) -> list[int]:
    """The ids of the processes that have `MARK=mark` in their environment."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue  # of another user, or gone
        if wanted in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def memory(mark: str) -> int:
    """The memory of the processes in bytes: pages that several of them share count once (PSS)."""
    total = 0
    for process in marked(mark):
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def end(mark: str) -> None:
    """Ends what a contender has left running."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in marked(mark):
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + 5
        while marked(mark) and time.monotonic() < deadline:
            time.sleep(0.1)
