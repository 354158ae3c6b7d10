"""Making model directories of trained networks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from spark_classify.errors import ClassifyError

# Read when transformers is imported, later than this: nothing is downloaded, whatever a directory names.
os.environ["HF_HUB_OFFLINE"] = "1"

EXTRA = "spark-classify[export]"


@contextmanager
def needing_extra() -> Iterator[None]:
    """Around an import of what the extra brings: without it, the error says how to install it."""
    try:
        yield
    except ModuleNotFoundError as cause:
        raise ClassifyError(f"{cause}: export needs more packages: pip install '{EXTRA}'") from cause
