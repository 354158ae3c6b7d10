"""Every link within the repository leads to a file that is there, and to a heading that it has.

That is by the rules of those who show the pages as they are; MkDocs, which names headings by rules of its own, checks
its links when it builds the site.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT
from pages import pages, without_code

LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """The names by which a page's headings can be reached where it is shown without the site."""
    text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        repeated = sum(earlier == name or re.fullmatch(rf"{name}-\d+", earlier) is not None for earlier in found)
        found.append(f"{name}-{repeated}" if repeated else name)
    return set(found)


def links(text: str) -> list[str]:
    found = [first or second for first, second in LINK.findall(without_code(text))]
    return [link for link in found if "://" not in link]


def broken(page: Path, text: str) -> list[str]:
    problems = []
    for link in links(text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            problems.append(f"{link}: there is no such file")
        elif target.is_dir():
            problems.append(f"{link}: is a directory, which the site cannot show")
        elif anchor and (target.suffix != ".md" or anchor not in anchors(target)):
            problems.append(f"{link}: {target.name} has no such heading")
    return problems


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert not broken(page, page.read_text())


def test_broken_links_would_be_found():
    page = ROOT / "docs/gpu.md"
    text = (
        "[a](none.md) [b](gpu.md#none) [c](../examples) [d](#none)\n\n[e](gpu.md#errors) `[f](none)`\n\n[g]: none.md\n"
    )
    assert [problem.split(":")[0] for problem in broken(page, text)] == [
        "none.md",
        "gpu.md#none",
        "../examples",
        "#none",
        "none.md",
    ]
