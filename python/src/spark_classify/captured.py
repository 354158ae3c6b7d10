"""Errors of classic sessions as PySpark's own exceptions, also where PySpark does not make them so.

The JVM throws a SparkRuntimeException, and PySpark 4 shows it as its own: in one line, with `getCondition()`,
`getSqlState()` and `getMessageParameters()`. Two things are missing, which `install()` adds to this Python process:

* PySpark 3.5 sees only what Spark wraps around the error of a task, and shows a page of Java;
* `getMessage()` looks every condition up in Spark's own table, and fails where it is not there.

Other errors stay as they are. Spark Connect needs nothing of this.
"""

from __future__ import annotations

from typing import Any

_OURS = "io.sparkclassify."


def install() -> None:
    """Adds it to the PySpark of this process, once."""
    from pyspark.errors.exceptions import captured

    if getattr(captured.convert_exception, "of_spark_classify", False):
        return
    convert, message = captured.convert_exception, getattr(captured.CapturedException, "getMessage", None)

    def convert_exception(error: Any) -> Any:
        converted = convert(error)
        if isinstance(converted, captured.UnknownException):
            ours = _cause_of_ours(error)
            if ours is not None:
                return captured.SparkRuntimeException(origin=ours)
        return converted

    def get_message(self: Any) -> str:
        origin = self._origin
        if message is None or _is_ours(origin):
            return str(self.desc if origin is None else origin.getMessage())
        return str(message(self))

    patched: Any = captured
    patched.convert_exception = convert_exception
    patched.convert_exception.of_spark_classify = True
    patched.CapturedException.getMessage = get_message


def _cause_of_ours(error: Any) -> Any:
    while error is not None and not _is_ours(error):
        error = error.getCause()
    return error


def _is_ours(error: Any) -> bool:
    return error is not None and str(error.getClass().getName()).startswith(_OURS)
