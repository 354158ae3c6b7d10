"""What makes of the package a wheel with jars: scripts/package.py lays out the folder that this is then built in."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelOfOnePlatform(BuildHookInterface[Any]):
    """Gives a wheel that has jars the tag of the platform of their native libraries, and its list of components."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        tag = root / "platform-tag"
        if tag.is_file():
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{tag.read_text().strip()}"
        build_data["sbom_files"] += [str(file) for file in sorted(root.glob("*.cdx.json"))]
