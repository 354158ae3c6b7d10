"""The results of a benchmark as JSON, as Markdown, and as a chart in a page of HTML and in an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from goals import Goal
from results import Row

COLORS = {"ONNX": "#3b6fb6", "PyTorch": "#d9713c"}
WRONG = "#b9b9b9"


def write(folder: Path, setting: dict[str, Any], rows: list[Row], wanted: Sequence[Goal]) -> str:
    """Writes the files, and returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"setting": setting, "contenders": [row_json(row) for row in rows], "goals": goals(rows, wanted)}
    (folder / "benchmark.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    text = markdown(setting, rows, wanted)
    (folder / "benchmark.md").write_text(text, encoding="utf-8")
    drawn = chart(rows)
    (folder / "benchmark.svg").write_text(drawn, encoding="utf-8")
    (folder / "benchmark.html").write_text(page(drawn, text), encoding="utf-8")
    return text


def row_json(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"name": row.name, "group": row.group, "engine": row.engine, "versions": row.versions}
    if row.parity is None:
        return told | {"reason": row.reason}
    return told | {
        "images_per_second": row.speed,
        "images_per_second_a_core" if row.device == "cpu" else "images_per_second_a_gpu": row.unit_speed,
        "seconds": row.seconds,
        "first_row_seconds": row.first_rows,
        "peak_memory_bytes": row.memory,
        "memory_growth": row.growth,
        "tasks": row.tasks,
        "missing": row.parity.missing,
        "wrong_labels": row.parity.wrong_labels,
        "ties": row.parity.ties,
        "max_probability_difference": row.parity.max_difference,
        "parity": row.parity.holds,
    }


def goals(rows: list[Row], wanted: Sequence[Goal]) -> list[dict[str, Any]]:
    told = []
    for goal in wanted:
        figure = goal.measure(rows)
        told.append(
            {
                "goal": goal.text,
                "wanted": f"{'at most' if goal.at_most else 'at least'} {goal.tell(goal.wanted)}",
                "figure": figure,
                "measured": "not measured" if figure is None else goal.tell(figure),
                "met": None if figure is None else goal.is_met(figure),
            }
        )
    return told


def markdown(setting: dict[str, Any], rows: list[Row], wanted: Sequence[Goal]) -> str:
    unit = "core" if all(row.device == "cpu" for row in rows) else "GPU"
    titles = ["", "engine", "images/s", f"a {unit}", "slowest to fastest round", "labels wrong", "largest difference"]
    lines = [f"| {' | '.join([*titles, 'peak memory'])} |", "|---|---|--:|--:|--:|--:|--:|--:|"]
    for row in rows:
        if row.parity is None:
            lines.append(f"| {row.group} | {row.engine} | not measured: {first_line(row.reason)} | | | | | |")
            continue
        speeds = [row.images / seconds for seconds in row.seconds]
        lost = f", {row.parity.missing} missing" if row.parity.missing else ""
        lost += f", {row.parity.ties} ties" if row.parity.ties else ""
        difference = row.parity.max_difference
        cells = [
            *(row.group, row.engine, f"{row.speed:.0f}" + (" ✗ wrong answers" if row.is_wrong else "")),
            *(f"{row.unit_speed:.1f}", f"{min(speeds):.0f} to {max(speeds):.0f}"),
            f"{row.parity.wrong_labels / max(row.parity.compared, 1):.1%} ({row.parity.wrong_labels}{lost})",
            "labels alone" if difference is None else f"{difference:.1e}",
            f"{row.memory / 1e6:.0f} MB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if wanted:
        lines += ["", "| goal | wanted | measured | |", "|---|--:|--:|---|"]
    for goal in goals(rows, wanted):
        verdict = {None: "", True: "met", False: "**not met**"}[goal["met"]]
        lines.append(f"| {goal['goal']} | {goal['wanted']} | {goal['measured']} | {verdict} |")
    lines.append("")
    lines += [
        f"- first row of {row.group} ({row.engine}), unpacking the libraries and loading the model in it: "
        f"{median(row.first_rows):.2f} s"
        for row in rows
        if row.first_rows
    ]
    lines += [*(f"- {name}: {value}" for name, value in setting.items())]
    return "\n".join(lines) + "\n"


def page(drawn: str, text: str) -> str:
    """The chart and the tables in one file that a browser shows."""
    parts = ["<!doctype html>", '<html lang="en"><meta charset="utf-8"><title>spark-classify: benchmark</title>']
    parts += ["<style>body { font-family: sans-serif } td, th { padding: 2px 12px; text-align: left }</style>", drawn]
    for block in text.split("\n\n"):
        if block.startswith("|"):
            heading, _, *rows = block.splitlines()
            parts += ["<table>", row_html(heading, "th"), *(row_html(row, "td") for row in rows), "</table>", "<p>"]
        else:
            parts += ["<ul>", *(f"<li>{escape(line.removeprefix('- '))}" for line in block.splitlines()), "</ul>"]
    return "\n".join([*parts, "</html>"]) + "\n"


def row_html(line: str, cell: str) -> str:
    """A row of a table in Markdown."""
    cells = [text.strip(" *|").replace("\\|", "|") for text in line.split(" | ")]
    return "<tr>" + "".join(f"<{cell}>{escape(text, quote=False)}" for text in cells)


def first_line(text: str | None) -> str:
    """The line of a failure that says most: the last one that is no stack trace."""
    lines = [line.strip() for line in (text or "").splitlines()]
    telling = [line for line in lines if "Error" in line or "Exception" in line] or lines or [""]
    return telling[-1].replace("|", "\\|")[:200]


def chart(rows: list[Row]) -> str:
    """Bars, the fastest first; grey where the answers are wrong."""
    measured = sorted((row for row in rows if row.speed is not None), key=lambda row: -(row.speed or 0))
    left, width, step = 330, 480, 26
    longest = max((row.speed or 0 for row in measured), default=1.0)
    height = step * len(measured) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" '
        f'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="20" font-weight="bold">images per second, from path to collected result</text>',
    ]
    for index, row in enumerate(measured):
        top, length = 32 + step * index, width * (row.speed or 0) / longest
        right = not row.is_wrong
        label, color = escape(f"{row.group} ({row.engine})"), COLORS[row.engine] if right else WRONG
        parts += [
            f'<text x="{left - 8}" y="{top + 15}" text-anchor="end">{label}</text>',
            f'<rect x="{left}" y="{top}" width="{length:.1f}" height="20" fill="{color}"/>',
            f'<text x="{left + length + 6:.1f}" y="{top + 15}">{row.speed:.0f}{"" if right else " wrong"}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
