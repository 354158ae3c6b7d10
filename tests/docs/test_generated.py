"""The pages that are written by programs are what these would write now. The suites of the jar check theirs."""

from __future__ import annotations

import json
import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import errors_page


def test_errors_page_is_fresh():
    assert errors_page.PAGE.read_text() == errors_page.text(), "`python scripts/errors_page.py` writes it again"


def test_errors_page_has_every_condition_and_every_message():
    page = errors_page.PAGE.read_text()
    conditions = json.loads(errors_page.CONDITIONS.read_text())
    for name, entry in conditions.items():
        assert f"\n## {name}\n" in page and entry["sqlState"] in page
        assert entry["meaning"].endswith(".") and entry["wayOut"].endswith(".")
    seen = errors_page.messages_by_condition()
    assert seen.keys() <= conditions.keys()
    assert all(errors_page.cell(message) in page for messages in seen.values() for message in messages.values())
