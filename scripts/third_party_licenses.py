"""Writes the licences of all that the jar holds of others: for each Rust crate in its native libraries, for the C
libraries that they bring, for Rust's standard library, and for ONNX Runtime.

    python scripts/third_party_licenses.py FILE ONNXRUNTIME_VERSION

Texts come from the crates' own folders, from Rust's tool chain, and for ONNX Runtime from its Python package in .venv,
which has to be of the release that the jar has.
"""

import html
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("spark-classify-jni-onnx", "spark-classify-jni-torch")
NAMES = ("license", "licence", "copying", "unlicense", "notice")
# C sources beside a crate's own, by crate: their folder, and the texts in it.
BUNDLED = {
    "libdav1d-sys": [("dav1d", "vendor", ("COPYING",))],
    "turbojpeg-sys": [("libjpeg-turbo", "libjpeg-turbo", ("LICENSE.md", "README.ijg"))],
    "openjpeg-sys": [("OpenJPEG", "vendor", ("LICENSE",))],
    "zstd-sys": [("Zstandard", "zstd", ("LICENSE",))],
    "bzip2-sys": [("bzip2", "bzip2-1.0.8", ("LICENSE",))],
}


def linked_crates() -> list[dict]:
    """The packages of others that are compiled into the native libraries, without build scripts and macros, as cargo
    describes them; `uses` has the ids of those that each of them uses."""
    command = [
        "cargo",
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
        "--filter-platform",
        "aarch64-unknown-linux-gnu",
    ]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [package["id"] for package in metadata["packages"] if package["name"] in LIBRARIES]
    found = set()
    while waiting:
        crate = waiting.pop()
        is_macro = any("proc-macro" in target["kind"] for target in packages[crate]["targets"])
        if crate in found or is_macro:
            continue
        found.add(crate)
        links = [link for link in nodes[crate]["deps"] if any(kind["kind"] is None for kind in link["dep_kinds"])]
        packages[crate]["uses"] = [link["pkg"] for link in links]
        waiting += packages[crate]["uses"]
    others = [packages[crate] for crate in found if packages[crate]["source"]]
    return sorted(others, key=lambda package: (package["name"].lower(), package["version"]))


def texts_of(folder: Path, names: tuple[str, ...] | None = None) -> list[str]:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    wanted = [file for file in files if (file.name in names if names else file.name.lower().startswith(NAMES))]
    return [file.read_text(errors="replace").strip() for file in wanted]


def standard_library() -> list[tuple[str, list[str]]]:
    """Rust's own, with the crates that it is made of: a title and texts of each, where the tool chain has them."""

    def rustc(*options: str) -> str:
        return subprocess.run(["rustc", *options], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    def plain(page: str) -> str:
        return re.sub(r"\s*\n\s*\n\s*", "\n\n", html.unescape(re.sub(r"<[^>]*>", "", page))).strip()

    title = f"Rust's standard library (MIT OR Apache-2.0), of {rustc('--version')}"
    folder = Path(rustc("--print", "sysroot")) / "share/doc/rust"
    notices = folder / "COPYRIGHT-library.html"
    if not notices.exists():
        return [(title, [])]
    own, *crates = notices.read_text().partition("<body>")[2].split("<h3>")
    licences = [file.read_text().strip() for file in sorted((folder / "licenses").glob("*.txt")) if file.stem in own]
    if not licences or not crates:
        raise SystemExit(f"{notices} is not of the form that is known here: have {__file__} read it")
    parts = [(title, [plain(own), *licences])]
    for crate in crates:
        name = plain(crate.partition("</h3>")[0]).lstrip("\U0001f4e6 ")
        (licence,) = re.findall(r"<b>License:</b> (.*)</p>", crate)
        texts = [html.unescape(text).strip() for text in re.findall(r"<pre>(.*?)</pre>", crate, re.DOTALL)]
        parts.append((f"{name} ({licence}), in Rust's standard library", texts))
    return parts


def onnxruntime(version: str) -> tuple[str, list[str]]:
    packages = next((ROOT / ".venv/lib").glob("python3.*/site-packages"), Path())
    if not (packages / f"onnxruntime-{version}.dist-info").is_dir():
        raise SystemExit(
            f"the jar has ONNX Runtime {version} (onnxruntimeVersion in build.gradle), and .venv, where its licences "
            "lie, another one or none: name that release in scripts/requirements.txt and run `make setup`"
        )
    texts = texts_of(packages / "onnxruntime", ("LICENSE", "ThirdPartyNotices.txt"))
    return "ONNX Runtime (MIT), and what is in it", texts


def main() -> None:
    target, onnxruntime_version = sys.argv[1:]
    parts: list[tuple[str, list[str]]] = []
    for package in linked_crates():
        folder = Path(package["manifest_path"]).parent
        if not package["license"]:
            raise SystemExit(f"the crate {package['name']} does not say its licence")
        title = f"{package['name']} {package['version']} ({package['license']}, {package['repository'] or 'crates.io'})"
        parts.append((title, texts_of(folder)))
        for name, below, names in BUNDLED.get(package["name"], []):
            texts = texts_of(folder / below, names)
            if len(texts) != len(names):
                raise SystemExit(f"{folder / below} lacks one of {', '.join(names)}")
            parts.append((f"{name}, in {package['name']} {package['version']}", texts))
    parts += standard_library()
    parts.append(onnxruntime(onnxruntime_version))

    users = defaultdict(list)
    for title, texts in parts:
        for text in texts or ["Its package has no text; the licence is the one named in brackets."]:
            users[text].append(title)
    lines = ["What this archive holds of others, each with the text of its licence.", ""]
    for text, titles in users.items():
        lines += ["=" * 100, *titles, "-" * 100, text, ""]
    Path(target).write_text("\n".join(lines))


if __name__ == "__main__":
    main()
