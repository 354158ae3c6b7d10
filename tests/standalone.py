"""Processes of Spark on loopback, and a standalone cluster of them: a master and workers, each a process of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Processes that live for seconds: compiling them well takes longer than they run.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
LOADED = re.compile(r"ClassifyEngine: The model (\S+) runs on ")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what: str, condition: Callable[[], bool], process: subprocess.Popen, log: Path) -> None:
    """Waits for a process that has just been started."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, log.read_text()[-8000:]
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen\n{log.read_text()[-8000:]}")
        time.sleep(0.2)


def wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    """Waits until a process that has just been started listens on a port of loopback."""

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(f"listening on port {port}", listens, process, log)


def executors_below(folder: Path) -> list[int]:
    """The ids of the processes that are executors and run below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_below = Path(os.readlink(process / "cwd")).is_relative_to(folder)
            if is_below and b"CoarseGrainedExecutorBackend" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            pass  # It has ended, or is another user's.
    return sorted(found)


class Cluster:
    """A master and a worker on each of the hosts, which are addresses of loopback.

    It runs from `__enter__` to `__exit__`. Only processes that it has started itself, or whose working directory is
    below its folder, are ever ended.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cores: int = 1,
        hosts: tuple[str, ...] = ("127.0.0.1", "127.0.0.2"),
        home: str | None = None,
        environment: dict[str, dict[str, str]] | None = None,
    ) -> None:
        """`environment` has more variables for the workers of some hosts, which their executors inherit."""
        self.folder, self.cores, self.hosts = folder, cores, hosts
        self.home = home or os.environ["SPARK_HOME"]
        self.environment = environment or {}
        port = free_port()
        self.url = f"spark://127.0.0.1:{port}"
        self._port = port
        self._master: subprocess.Popen | None = None
        self._workers: dict[str, subprocess.Popen] = {}
        self._started = 0
        self._forgotten: set[Path] = set()

    def __enter__(self) -> Cluster:
        self.folder.mkdir(parents=True)
        try:
            self._master, log = self._start("master.Master", "127.0.0.1", "--port", self._port)
            wait_for(self._port, self._master, log)
            for host in self.hosts:
                self.start_worker(host, wait=False)
            # An application that asks before has fewer executors.
            registered = lambda: log.read_text().count("Registering worker") >= len(self.hosts)  # noqa: E731
            wait_until("the registration of the workers", registered, self._master, log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        processes = [*self._workers.values(), *([self._master] if self._master else [])]
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=60)

    def _start(self, name: str, host: str, *args: object) -> tuple[subprocess.Popen, Path]:
        self._started += 1
        log = self.folder / f"{self._started}-{name}.log"
        command = [f"{self.home}/bin/spark-class", f"org.apache.spark.deploy.{name}", "--host", host]
        own = {"SPARK_HOME": self.home, "SPARK_WORKER_DIR": str(self.folder / "work")}
        own |= {"SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED}
        environment = {**os.environ, **own, **self.environment.get(host, {})}
        with log.open("w") as output:
            process = subprocess.Popen(
                [*command, "--webui-port", "0", *map(str, args)],
                cwd=ROOT,
                stdout=output,
                stderr=output,
                env=environment,
            )
        return process, log

    def start_worker(self, host: str, *, wait: bool = True) -> None:
        """Starts a worker on a host, where there is none or it has ended."""
        process, log = self._start("worker.Worker", host, "--cores", self.cores, "--memory", "2g", self.url)
        self._workers[host] = process
        if wait:
            registered = lambda: "Successfully registered with master" in log.read_text()  # noqa: E731
            wait_until("the registration of the worker", registered, process, log)

    def kill_worker(self, host: str) -> None:
        self._workers[host].kill()
        self._workers[host].wait()

    def executors(self) -> list[int]:
        """The ids of the processes of the executors that run."""
        return executors_below(self.folder)

    def forget(self) -> None:
        """Forgets the executors of the applications that have ended, whose last processes it waits for."""
        deadline = time.monotonic() + 60
        while self.executors() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not self.executors()
        self._forgotten.update(self._executor_logs())

    def _executor_logs(self) -> list[Path]:
        return [log for log in self.folder.glob("work/app-*/*/stderr") if log not in self._forgotten]

    def executor_logs(self) -> dict[str, str]:
        """What each executor has logged, by `application/number`."""
        return {"/".join(log.parts[-3:-1]): log.read_text(errors="replace") for log in self._executor_logs()}

    def model_loads(self) -> dict[str, Counter[str]]:
        """How often each executor says that it has loaded each model."""
        return {executor: Counter(LOADED.findall(log)) for executor, log in self.executor_logs().items()}

    def show_logs(self) -> None:
        for log in [*self.folder.glob("*.log"), *self._executor_logs(), *self.folder.glob("work/driver-*/stderr")]:
            print(f"--- {log}\n{log.read_text(errors='replace')[-8000:]}")
