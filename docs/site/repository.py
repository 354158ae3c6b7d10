"""Puts the pages of the repository where the repository has them, so that links are the same in both.

MkDocs takes a folder of pages. Ours link to what is beside that folder as well (`../SECURITY.md`, a manifest of
`examples/`), and the first page is the README. So this hook gives MkDocs the files under their paths in the repository:
the pages of docs/, those that the navigation names, and whatever file a page links to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    found: set[Path] = set()
    # What the navigation names and is not there is MkDocs' to report, and so is what a page links to.
    new = {ROOT / name for name in named(config.nav) if (ROOT / name).is_file()} | set(ROOT.glob("docs/**/*.md"))
    while new:
        found |= new
        new = {target for page in new if page.suffix == ".md" for target in links_of(page)} - found
    ours = [_file(path, ROOT, config) for path in sorted(found)]
    ours += [_file(path, SITE, config) for path in sorted(SITE.glob("assets/*"))]
    return Files([*ours, *(file for file in files if file.src_dir != config.docs_dir)])


def named(navigation: object) -> Iterator[str]:
    """The pages in a navigation, which has lists of pages, and of titles with a page or a list each."""
    if isinstance(navigation, str):
        yield navigation
    else:
        entries = navigation.values() if isinstance(navigation, dict) else navigation
        for entry in entries:
            yield from named(entry)


def links_of(page: Path) -> set[Path]:
    """The files of the repository that a page links to."""
    targets = {(page.parent / link).resolve() for link in LINK.findall(page.read_text()) if "://" not in link}
    return {target for target in targets if target.is_file() and target.is_relative_to(ROOT)}


def _file(path: Path, folder: Path, config: MkDocsConfig) -> File:
    return File(path.relative_to(folder).as_posix(), str(folder), config.site_dir, config.use_directory_urls)
