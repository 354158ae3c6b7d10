"""Finding `classify-bench`, the core as a program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from spark_classify.errors import ClassifyError

NAME = "classify-bench"


def find(given: Path | None = None) -> Path | None:
    """The program: the one that is `given`, else one on PATH, else the one built in the repository around this file.

    Raises ClassifyError where one is given that is no program.
    """
    if given is not None:
        if not os.access(given, os.X_OK) or given.is_dir():
            raise ClassifyError(f"{given}: is no program; give the path of {NAME}")
        return given.absolute()
    on_path = shutil.which(NAME)
    if on_path:
        return Path(on_path)
    for folder in Path(__file__).resolve().parents:
        built = folder / "target/release" / NAME
        if (folder / "Cargo.toml").is_file() and os.access(built, os.X_OK):
            return built
    return None


def environment() -> dict[str, str]:
    """The program's environment: ONNX Runtime's library is the one of the Python package where none is named."""
    variables = dict(os.environ)
    if "ORT_DYLIB_PATH" not in variables:
        library = _library_of_python_package()
        if library:
            variables["ORT_DYLIB_PATH"] = str(library)
    return variables


def _library_of_python_package() -> Path | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    return next(iter(sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))), None)
