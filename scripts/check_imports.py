"""Fails where Rust modules or Scala packages import each other in a circle.

    scripts/check_imports.py

A Rust module is a file; what it imports are the files that its `use` declarations name, and those below it that it
calls. A Scala package is a folder below `io/sparkclassify`. Tests are left out.
"""

import re
import sys
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def expand(tree: str) -> Iterable[list[str]]:
    """The paths of a use tree: `a::{b, c::{d, self}}` gives a::b, a::c::d and a::c."""
    head, brace, rest = tree.partition("{")
    names = [name for name in head.strip().split("::") if name]
    if not brace:
        yield [name.split(" as ")[0] for name in names]
        return
    depth, part = 0, ""
    for char in rest[: rest.rindex("}")] + ",":
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            for inner in expand(part) if part.strip() else []:
                yield names + [name for name in inner if name != "self"]
            part = ""
        else:
            part += char


def rust_imports(source: Path) -> dict[str, set[str]]:
    """For each module of a crate, `decode::png` for one, those that it imports."""
    files = {}
    for file in sorted(source.rglob("*.rs")):
        parts = file.relative_to(source).with_suffix("").parts
        if parts[-1] != "tests":
            files["::".join(parts[:-1] if parts[-1] == "mod" else parts)] = file
    imports = {}
    for module, file in files.items():
        text = re.split(r"#\[cfg\((?:all\()?test\b", file.read_text())[0]
        text = re.sub(r"//.*", "", text)
        here = [] if module == "lib" else module.split("::")
        below = re.findall(r"^(?:pub(?:\([^)]*\))? )?mod (\w+);", text, re.MULTILINE)
        used = [name for name in below if re.search(rf"\b{name}::", text)]
        found = {"::".join([*here, name]) for name in used} & files.keys()
        for tree in re.findall(r"^(?:pub(?:\([^)]*\))? )?use ([^;]+);", text, re.MULTILINE):
            for path in expand(re.sub(r"\s+", " ", tree)):
                start = {"crate": [], "self": here}.get(path[0])
                if path[0] == "super":
                    ups = next(index for index, name in enumerate([*path, ""]) if name != "super")
                    start, path = here[: len(here) - ups], path[ups - 1 :]
                if start is None:
                    start, path = here, ["", *path]
                target = start + path[1:]
                while target and "::".join(target) not in files:
                    target.pop()
                name = "::".join(target)
                if name and name != module:
                    found.add(name)
        imports[module] = found
    # lib.rs only declares what there is.
    imports.pop("lib", None)
    return imports


def scala_imports(source: Path) -> dict[str, set[str]]:
    """For each package, those that its files import."""
    imports: dict[str, set[str]] = {}
    for file in sorted([*source.rglob("*.scala"), *source.rglob("*.java")]):
        package = file.relative_to(source).parts[0] if file.parent != source else "(root)"
        found = set(re.findall(r"^import (?:static )?io\.sparkclassify\.([a-z]\w*)\.", file.read_text(), re.MULTILINE))
        imports.setdefault(package, set()).update(found - {package})
    return imports


def circle(imports: dict[str, set[str]]) -> list[str]:
    """The modules of a circle, or none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def main() -> int:
    graphs = {
        crate.parent.name: rust_imports(crate) for crate in sorted((ROOT / "rust-core").glob("*/src")) if crate.is_dir()
    }
    for language in ("scala", "java", "entry"):
        source = ROOT / f"spark-udf-jvm/src/main/{language}/io/sparkclassify"
        if source.is_dir():
            for package, found in scala_imports(source).items():
                graphs.setdefault("spark-udf-jvm", {}).setdefault(package, set()).update(found)
    circles = [f"{name}: {' -> '.join(found)}" for name, graph in graphs.items() if (found := circle(graph))]
    print("\n".join(circles) if circles else f"No circle in {sum(map(len, graphs.values()))} modules.")
    return bool(circles)


if __name__ == "__main__":
    sys.exit(main())
