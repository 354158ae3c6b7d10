"""Puts the pages of the repository where the repository has them, so that links are the same in both.

MkDocs takes a folder of pages. Ours link to what is beside that folder as well (`../SECURITY.md`, a manifest of
`examples/`), and the first page is the README. So this hook gives MkDocs the files under their paths in the repository:
the pages, and whatever file one of them links to.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]
# Beside docs/*.md.
PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", "examples/README.md"]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    pages = [*sorted(ROOT.glob("docs/**/*.md")), *(ROOT / name for name in PAGES if (ROOT / name).exists())]
    linked = {target for page in pages for target in links_of(page)}
    assets = [file for file in files if file.src_uri.startswith("site/assets/")]
    return Files(
        [_file(path, config) for path in sorted({*pages, *linked})] + [_asset(file, config) for file in assets]
    )


def links_of(page: Path) -> set[Path]:
    """The files of the repository that a page links to. What is not there is MkDocs' to report."""
    targets = {(page.parent / link).resolve() for link in LINK.findall(page.read_text()) if "://" not in link}
    return {target for target in targets if target.is_file() and target.is_relative_to(ROOT)}


def _file(path: Path, config: MkDocsConfig) -> File:
    return File(path.relative_to(ROOT).as_posix(), str(ROOT), config.site_dir, config.use_directory_urls)


def _asset(file: File, config: MkDocsConfig) -> File:
    return File(file.src_uri.removeprefix("site/"), str(SITE), config.site_dir, config.use_directory_urls)
