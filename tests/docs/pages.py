"""The pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conftest import ROOT

SITE = ROOT / "target/site"
# Stands before a block that no test runs, and says why.
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True)
class Block:
    """A block of code: where it begins, its language (empty where none is named), and why no test runs it, if so."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> list[Path]:
    """Every page in Markdown."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return [ROOT / name for name in sorted(listed) if (ROOT / name).exists()]


@cache
def blocks() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page.relative_to(ROOT).as_posix(), page.read_text())]


def blocks_of(page: str, text: str) -> list[Block]:
    found: list[Block] = []
    inside: list[str] | None = None
    language, start, indent, reason = "", 0, "", None
    for number, line in enumerate(text.splitlines(), 1):
        if inside is None:
            if match := re.match(r"( *)```(\w*)$", line):
                indent, language = match.groups()
                inside, start = [], number
            elif line.strip():
                match = NOT_RUN.fullmatch(line.strip())
                reason = match[1] if match else None
        elif line == f"{indent}```":
            found.append(Block(page, start, language, "\n".join(inside) + "\n", reason))
            inside, reason = None, None
        else:
            inside.append(line.removeprefix(indent))
    assert inside is None, f"{page}:{start}: the block of code does not end"
    return found


def in_language(language: str, *folders: str) -> list[Block]:
    """The blocks of a language, on the pages whose path begins with one of these."""
    return [block for block in blocks() if block.language == language and block.page.startswith(folders or ("",))]


def without_code(text: str) -> str:
    """A page without its code, in blocks and in lines, where links are no links."""
    text = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "``", text)
