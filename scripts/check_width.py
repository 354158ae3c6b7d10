"""Fails where a line of a source or a page is wider than 120 columns.

    scripts/check_width.py

Lines with a string may be wider, and in Markdown tables, commands, and links that cannot be broken.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 120
KINDS = {".c", ".cpp", ".h", ".java", ".md", ".py", ".rs", ".scala"}


def main() -> int:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    wide = []
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix not in KINDS or not path.is_file():
            continue
        command = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            markdown = path.suffix == ".md"
            command ^= markdown and line.lstrip().startswith("```")
            if markdown:
                may_be = command or line.startswith("|") or len(line.split()) <= 2
            else:
                # A text in Scala has a bar before each of its lines.
                may_be = '"' in line or line.lstrip().startswith("|")
            if len(line) > WIDTH and not may_be:
                wide.append(f"{name}:{number}: {len(line)} columns")
    print("\n".join(wide) if wide else f"No line is wider than {WIDTH} columns.")
    return bool(wide)


if __name__ == "__main__":
    sys.exit(main())
