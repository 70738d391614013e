"""A server as a process of its own: started on loopback, awaited, ended with all that it started."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from minikv.compare import machine, processes, wire
from minikv.compare.errors import MeasurementError

START_LIMIT = 20.0  # seconds until it must answer
STOP_LIMIT = 20.0  # seconds that it may take to end
ANSWER_LIMIT = 2.0  # seconds for one PING while it starts
SETTLED = 0.05  # seconds in which no process has come


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningServer:
    """A server without persistence, alone on the server core; a context manager.

    options  settings beside the port, as --name value
    errors   MeasurementError if it does not answer in time
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        options: Mapping[str, str],
        start_limit: float = START_LIMIT,
        stop_limit: float = STOP_LIMIT,
    ) -> None:
        self.name = name
        self.port = free_port()
        self._stop_limit = stop_limit
        self._folder = tempfile.TemporaryDirectory(prefix="minikv-server-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name, "log")
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": self._folder.name,
            **options,
        }
        arguments = [word for name, value in settings.items() for word in (f"--{name}", value)]
        with machine.pinned(machine.SERVER_CORE), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that all that belongs to it can be found, and ended
            )
        self.pid = self._process.pid
        try:
            self._await_ready(start_limit)
        except BaseException:
            self.stop()
            raise

    def _await_ready(self, limit: float) -> None:
        deadline = time.monotonic() + limit
        while self.is_running() and time.monotonic() < deadline:
            try:
                if wire.command(self.port, b"PING", timeout=ANSWER_LIMIT) == b"+PONG":
                    self._await_workers(deadline)
                    return
            except (OSError, MeasurementError):
                time.sleep(0.01)
        raise MeasurementError(f"{self.name} did not start: {self.last_words()}")

    def _await_workers(self, deadline: float) -> None:
        """Wait until no more processes come."""
        before = -1
        while (count := len(processes.in_session(self.pid))) != before and time.monotonic() < deadline:
            before = count
            time.sleep(SETTLED)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pid)

    def stop(self) -> None:
        if self.is_running():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(self._stop_limit)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_LIMIT)
        self._end_orphans()
        self._folder.cleanup()

    def _end_orphans(self) -> None:
        """End workers that outlived their master, and wait until they are gone."""
        deadline = time.monotonic() + STOP_LIMIT
        while time.monotonic() < deadline:
            orphans = [process.pid for process in processes.in_session(self.pid) if process.state != "Z"]
            if not orphans:
                return
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def __enter__(self) -> "RunningServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
