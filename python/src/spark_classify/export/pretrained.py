"""What transformers reads from a directory: nothing is downloaded, and no code in the directory is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spark_classify.errors import ClassifyError

CONFIG = "config.json"


def load(auto_class: Any, path: Path, file: str, way_out: str, **options: Any) -> Any:
    """What `auto_class` makes of the path. Its `file` may name code of its own, which `way_out` does without."""
    try:
        return auto_class.from_pretrained(path, local_files_only=True, trust_remote_code=False, **options)
    except Exception as cause:
        configuration = path / file if path.is_dir() else path
        if configuration.is_file() and read_json(configuration).get("auto_map"):
            raise ClassifyError(
                f"{configuration}: field `auto_map`: names Python code of its own, which is not run; {way_out}"
            ) from cause
        raise ClassifyError(f"{path}: {auto_class.__name__} of transformers cannot read it: {cause}") from cause


def read_json(path: Path) -> dict[str, Any]:
    """The fields of a JSON file."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as cause:
        raise ClassifyError(f"{path}: cannot be read as JSON: {cause}") from cause
    if not isinstance(fields, dict):
        raise ClassifyError(f"{path}: is no JSON object; `save_pretrained` of transformers writes one")
    return fields
