"""Writes docs/errors.md: every error condition, what it means, the way out, and messages that users have seen.

    python scripts/errors_page.py

The conditions are those of the jar (`error-conditions.json`), the messages those of `tests/golden/errors.json`, which a
test provokes one by one.
"""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/errors.md"
CONDITIONS = ROOT / "spark-udf-jvm/src/main/resources/io/sparkclassify/error-conditions.json"
MESSAGES = ROOT / "tests/golden/errors.json"
WIDTH = 120

INTRODUCTION = """\
<!-- Written by `python scripts/errors_page.py` from error-conditions.json and tests/golden/errors.json. -->
# Errors and ways out

Every error has a condition, an SQLSTATE and one sentence that names the thing, the reason and the way out:

```
[CLASSIFY_UNREADABLE_IMAGE] cannot read /images/none.jpg: the file does not exist.
To keep such rows with their error, use try_classify (in Spark ML: handleInvalid). SQLSTATE: 58030
```

A bad image concerns its row: `classify` fails the query, and `try_classify` puts condition and reason into the field
`error` and goes on. Whatever is wrong with a model, the configuration or a library fails both, at once. Programs look
at the condition, not at the text: `getCondition()` and `getSqlState()` of the exception in Scala, Java and Python.
"""
# What a condition's text refers to.
PAGES = {
    "configuration page": "configuration.md",
    "page on GPUs": "gpu.md#errors",
    "`spark-classify check DIR`": "models.md#checking-one",
}


def text() -> str:
    """The page."""
    conditions = json.loads(CONDITIONS.read_text())
    seen = messages_by_condition()
    rows = [f"| [`{name}`](#{name.lower()}) | {entry['sqlState']} |" for name, entry in conditions.items()]
    table = "\n".join(["| condition | SQLSTATE |", "|---|---|", *rows])
    sections = [section(name, entry, seen.get(name, {})) for name, entry in conditions.items()]
    return "\n".join([INTRODUCTION, table, *sections])


def section(name: str, entry: dict[str, str], messages: dict[str, str]) -> str:
    parts = [f"\n## {name}", wrapped(entry["meaning"]), wrapped(f"**Way out.** {linked(entry['wayOut'])}")]
    template = "\n".join(entry["message"])
    if template != "<message>":
        parts.append(wrapped(f"Its messages read `{template}`"))
    if messages:
        rows = [f"| {what} | {cell(message)} |" for what, message in messages.items()]
        parts.append("\n".join(["| when | message |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def messages_by_condition() -> dict[str, dict[str, str]]:
    """Condition → what was wrong → the message, without what stands around it in every one."""
    found: dict[str, dict[str, str]] = {}
    for what, message in json.loads(MESSAGES.read_text()).items():
        match = re.fullmatch(r"\[(\w+)\] (.*?)\.? SQLSTATE: \w+(?:; line \d+ pos \d+)?", message, re.DOTALL)
        assert match, f"{MESSAGES}: the message of '{what}' has another form: {message}"
        condition, sentence = match.groups()
        if what != condition:
            found.setdefault(condition, {})[what] = sentence
    return found


def cell(message: str) -> str:
    """A message in a cell of a table, where its own signs must not be Markdown's."""
    message = message.replace("{root}", "/project").replace("{work}", "/data")
    return re.sub(r"([|*_<>\[\]`{}])", r"\\\1", message.replace("\\", "\\\\"))


def linked(sentence: str) -> str:
    for phrase, page in PAGES.items():
        sentence = sentence.replace(phrase, f"[{phrase}]({page})")
    return sentence


def wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)


def main() -> None:
    PAGE.write_text(text())
    print(f"Wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
