"""The page of a report, opened from its file in a browser."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest
from browser import Page, find_browser
from conftest import ROOT

pytestmark = pytest.mark.skipif(
    find_browser() is None,
    reason="there is no Chromium here to open a report's page in (Debian: apt-get install chromium-headless-shell)",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """The page about the dataset and two bad images, beside a run with another engine."""
    folder = tmp_path_factory.mktemp("report")
    with (ROOT / "dataset/image_data.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    # Wrong on purpose, so that there are mistakes to show.
    rows[1][1:] = ["valid_id", "2"] if rows[1][1] != "valid_id" else ["font_issue", "1"]
    (folder / "broken.jpg").write_bytes((ROOT / "dataset/all_images" / rows[1][0]).read_bytes()[:300])
    rows += [[str(folder / "broken.jpg"), "font_issue", "1"], ["none.jpg", "valid_id", "2"]]
    with (folder / "images.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    bench = [ROOT / "target/release/classify-bench", "--images", folder / "images.csv", "--model", "model"]
    bench += ["--image-dir", "dataset/all_images", "--backend"]
    for name, backend, options in [
        ("other", "pytorch", []),
        ("report", "onnx", ["--baseline", folder / "other.json"]),
    ]:
        done = subprocess.run(
            [*bench, backend, "--report", folder / f"{name}.html", *options], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 1, done.stderr  # There are bad images.
    return folder / "report.html"


@pytest.fixture
def page(report, tmp_path):
    with Page(find_browser(), tmp_path / "profile") as page:
        page.look(width=1200)
        page.open(report)
        yield page
        assert page.messages() == []
        assert [url for url in page.requests() if not url.startswith("data:")] == [report.as_uri()]


def figures(report: Path) -> dict:
    return json.loads(report.with_suffix(".json").read_text())["figures"]


def test_the_figures_on_the_page_are_those_of_the_json(page, report):
    shown = page.run("Object.fromEntries([...document.querySelectorAll('data')].map(d => [d.dataset.figure, d.value]))")
    found = figures(report)
    assert len(shown) >= 10
    for name, value in shown.items():
        assert float(value) == (found["labelled"] | found)[name], name


def test_the_tables_are_those_of_the_json(page, report):
    labelled = figures(report)["labelled"]
    rows = page.run("[...document.querySelectorAll('.sortable tbody tr')].map(r => [...r.cells].map(c => c.innerText))")
    assert [row[:4] for row in rows] == [
        [known["class"], *[str(known[key]) for key in ("images", "predicted", "correct")]]
        for known in labelled["classes"]
    ]
    cells = page.run("[...document.querySelectorAll('[data-show]')].map(b => [b.dataset.show, +b.innerText])")
    assert dict(cells) == {f"{cell['actual']}-{cell['predicted']}": cell["images"] for cell in labelled["confusion"]}


def test_a_number_of_the_matrix_shows_its_images(page, report):
    labelled = figures(report)["labelled"]
    wrong = next(cell for cell in labelled["confusion"] if cell["actual"] != cell["predicted"])
    pair = f"{wrong['actual']}-{wrong['predicted']}"
    visible = "[...document.querySelectorAll('[data-pair]')].filter(c => c.checkVisibility()).map(c => c.dataset.pair)"
    section = visible.replace("[data-pair]", "#pairs ~ .gallery [data-pair]")
    assert len(set(page.run(section))) > 1
    page.run(f"document.querySelector('[data-show=\"{pair}\"]').click()")
    assert set(page.run(section)) == {pair}
    names = [labelled["classes"][wrong[key]]["class"] for key in ("actual", "predicted")]
    status = page.run("document.getElementById('pair-filter').innerText")
    assert status == f"{names[0]} predicted as {names[1]}: {min(wrong['images'], 4)} shown"
    # The way back has the focus.
    page.press("Enter")
    assert len(set(page.run(section))) > 1


def test_a_table_is_sorted_from_the_keyboard(page, report):
    classes = figures(report)["labelled"]["classes"]
    column = "[...document.querySelectorAll('.sortable tbody tr')].map(r => r.cells[0].innerText)"
    for _ in range(200):
        page.press("Tab")
        if page.run("document.activeElement.innerText") == "recall":
            break
    page.press("Enter")
    by_recall = sorted(classes, key=lambda known: -known["recall"])
    assert page.run(column) == [known["class"] for known in by_recall]
    assert page.run("document.activeElement.closest('th').ariaSort") == "descending"
    page.press("Enter")
    assert page.run(column) == [known["class"] for known in sorted(classes, key=lambda known: known["recall"])]
    page.press("Tab", shift=True)
    for _ in range(4):
        page.press("Tab", shift=True)
    page.press("Space")
    assert page.run(column) == sorted(known["class"] for known in classes)


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_the_width_and_can_be_read(page, width, dark):
    page.look(width=width, dark=dark)
    assert page.run("document.documentElement.scrollWidth") <= width
    # WCAG 2.2 asks for a contrast of 4.5 of text of this size.
    worst = page.run(CONTRAST)
    assert worst[0] >= 4.5, worst


def test_every_picture_is_there_and_every_image_has_a_name(page, report):
    pictures = page.run(
        "[...document.images].map(i => [i.complete && i.naturalWidth > 0, Math.max(i.naturalWidth, i.naturalHeight)])"
    )
    assert pictures
    assert all(loaded and size <= 160 for loaded, size in pictures), pictures
    assert page.run(
        "[...document.querySelectorAll('svg')].every(s => s.getAttribute('role') && s.getAttribute('aria-label'))"
    )
    assert report.stat().st_size < 5_000_000


# The least contrast of a text with what is behind it, and that text.
CONTRAST = """
(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const below = element.parentElement ? behind(element.parentElement) : [255, 255, 255];
    return over(channels(getComputedStyle(element).backgroundColor), below);
  };
  let worst = [99, ""];
  for (const element of document.querySelectorAll("body *:not(script)")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const colour = element.closest("svg") ? style.fill : style.color;
    const back = behind(element);
    const [low, high] = [luminance(over(channels(colour), back)), luminance(back)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < worst[0]) worst = [contrast, text, element.className];
  }
  return worst;
})()
"""
