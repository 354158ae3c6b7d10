"""How many images a running query has come to, and how fast.

    with spark_classify.progress(spark):
        predictions.write.parquet("/predictions")

    12,480 images, 96.3 images/s, 2 bad

Spark's own bar counts tasks, of which each may have thousands of images. This counts what the operators of the queries
have counted, as Spark's UI does.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from spark_classify.errors import ClassifyError
from spark_classify.session import is_connect, of_the_jar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# How long it may take where no line is renewed, as in a log.
_SECONDS_IN_LOG = 60.0


def progress(spark: SparkSession, *, interval: float = 1.0, file: TextIO | None = None) -> Progress:
    """For a `with`: shows how far the queries are that run in it, and in its end how far they came.

    In a terminal and in a notebook that is a line that is renewed every `interval` seconds; elsewhere a line a minute,
    and one at the end. It goes to `file`, which is `sys.stderr` by default. Counted are all queries of the application
    that run in that time, of other threads too; what comes out of a cache is not classified again, and not counted.
    Spark tells of a running task every ten seconds (`spark.executor.heartbeatInterval`) and when it is over.

    Spark Connect tells a client of tasks alone, and so does this there. The images of a query that is over are in its
    `DataFrame.executionInfo` (Spark 4).

    Raises ClassifyError for Spark Connect before Spark 4, which tells nothing, and in the beginning of the `with` where
    Spark was started without the jar.
    """
    shown = _Line(file or sys.stderr)
    if not is_connect(spark):
        return Images(spark, shown, interval)
    if not hasattr(spark, "registerProgressHandler"):
        raise ClassifyError("Spark Connect tells of running queries only since Spark 4.0: use that, or do without")
    return Tasks(spark, shown, interval)


class Progress:
    """What `progress` gives: it keeps a line up to date as long as its `with` lasts."""

    def __init__(self, spark: SparkSession, line: _Line, interval: float) -> None:
        self._line, self._interval = line, interval
        # What is used of it has no public name, or none in every release.
        self._spark: Any = spark
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spark-classify-progress", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        # No trouble with the line takes the place of an exception that is on its way.
        with contextlib.nullcontext() if error is None else contextlib.suppress(Exception):
            try:
                self._look()
            finally:
                self._line.end(str(self))

    def _run(self) -> None:
        while not self._over.wait(self._interval):
            # What goes on failing is raised in the end.
            with contextlib.suppress(Exception):
                self._look()
                self._line.show(str(self))

    def _look(self) -> None:
        raise NotImplementedError


class Images(Progress):
    """In a classic session: the images of the queries."""

    images = 0
    """How many, the bad ones included, NULL not."""
    bad_images = 0
    """How many of them have an error instead of a result."""
    seconds = 0.0
    """From the beginning of the first query until now, or until the end of the last one."""

    def __enter__(self) -> Images:
        self._running = of_the_jar(self._spark._jvm.io.sparkclassify.info.RunningImages)
        self._start = int(time.time() * 1000)
        super().__enter__()
        return self

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return f"{self.images:,} images, {self.images_per_second:,.1f} images/s, {self.bad_images:,} bad"

    def _look(self) -> None:
        # A session that has been stopped in the `with` leaves what was known before.
        if self._spark._jsc.sc().isStopped():
            return
        self.images, self.bad_images, millis = self._running.since(self._spark._jsparkSession, self._start)
        self.seconds = millis / 1000


class Tasks(Progress):
    """Over Spark Connect: the tasks of the queries."""

    tasks = 0
    """How many are over."""
    all_tasks = 0
    """How many there are in the stages that Spark knows of so far."""

    def __enter__(self) -> Tasks:
        self._of_queries: dict[str, tuple[int, int]] = {}
        self._spark.registerProgressHandler(self._told)
        super().__enter__()
        return self

    def __exit__(self, *reason: Any) -> None:
        self._spark.removeProgressHandler(self._told)
        super().__exit__(*reason)

    def __str__(self) -> str:
        return f"{self.tasks:,} of {self.all_tasks:,} tasks"

    def _told(self, stages: Any, inflight_tasks: int, operation_id: str | None, done: bool) -> None:
        counts = [(stage.num_completed_tasks, stage.num_tasks) for stage in stages or []]
        if counts:
            self._of_queries[operation_id or ""] = sum(over for over, _ in counts), sum(known for _, known in counts)

    def _look(self) -> None:
        counts = list(self._of_queries.values())
        self.tasks, self.all_tasks = sum(over for over, _ in counts), sum(known for _, known in counts)


class _Line:
    """A line that is renewed where it can be."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._width, self._shown_at = file, 0, time.monotonic()
        self._notebook: Any = _notebook_display() if file is sys.stderr else None

    def show(self, text: str) -> None:
        if self._notebook is not None:
            self._notebook(text)
        elif self._file.isatty():
            self._file.write("\r" + text.ljust(self._width))
            self._file.flush()
            self._width = len(text)
        elif time.monotonic() - self._shown_at >= _SECONDS_IN_LOG:
            self._shown_at = time.monotonic()
            print(text, file=self._file, flush=True)

    def end(self, text: str) -> None:
        if self._notebook is not None:
            self._notebook(text)
        else:
            start = "\r" if self._file.isatty() else ""
            print(start + text.ljust(self._width), file=self._file, flush=True)


def _notebook_display() -> Any:
    """What shows a text in the place of the one before, in the cell of a notebook; None elsewhere."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    handle: Any = None

    def show(text: str) -> None:
        nonlocal handle
        # As text: an object that shows itself by its `text/plain` alone needs no widgets.
        bundle = {"text/plain": text}
        if handle is None:
            handle = display(bundle, raw=True, display_id=True)
        else:
            handle.update(bundle, raw=True)

    return show
