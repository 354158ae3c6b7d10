"""The site that `make docs` builds: it needs nothing but its own files, and has every page."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from shutil import which

import pytest
from conftest import ROOT
from pages import SITE

# What a browser fetches by itself, as opposed to what a reader follows.
FETCHED = re.compile(r'<(?:script|img|iframe|source)\b[^>]*?\bsrc="([^"]+)"|<link\b([^>]*)>')
BROWSERS = ["chromium-headless-shell", "chromium", "google-chrome"]


@pytest.fixture(scope="module")
def built() -> list[Path]:
    found = sorted(SITE.rglob("*.html"))
    assert found, f"{SITE} is not there: run `make docs`"
    return found


def fetched(html: str) -> list[str]:
    found = []
    for source, link in FETCHED.findall(html):
        if source:
            found.append(source)
        elif re.search(r'rel="(?:stylesheet|icon|preload|preconnect|modulepreload|manifest)"', link):
            found.append(re.search(r'href="([^"]+)"', link)[1])
    return found


def test_pages_fetch_nothing_but_files_of_the_site(built):
    for page in built:
        # The page for what is not found may be shown at any path, and so names its files from the top.
        folder = SITE if page.name == "404.html" else page.parent
        names = fetched(page.read_text())
        assert names
        for name in names:
            assert "//" not in name, (page, name)
            assert (folder / name.lstrip("/")).is_file(), (page, name)


def test_style_sheets_fetch_nothing_from_elsewhere():
    for sheet in SITE.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text()), sheet


def test_every_page_can_be_found_by_search():
    index = json.loads((SITE / "search/search_index.json").read_text())
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    pages = {page.relative_to(ROOT).with_suffix(".html").as_posix() for page in ROOT.glob("docs/**/*.md")}
    assert pages <= found


def test_search_works_from_the_disk():
    browser = next(filter(which, BROWSERS), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is here")
    address = f"{(SITE / 'index.html').as_uri()}?q=try_embed_image"
    # Whatever would leave the machine fails, and a failed request shows as a message on the console.
    options = ["--no-sandbox", "--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND"]
    done = subprocess.run(
        [browser, *options, "--virtual-time-budget=20000", "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    links = [tag for tag in re.findall(r"<a [^>]*>", done.stdout) if 'class="md-search-result__link"' in tag]
    assert any("docs/sql.html" in link for link in links), links
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line], done.stderr
