"""minikv/compare/peers.py and machine.py: finding servers, staying on a core."""

import os
import sys

import pytest

from minikv.compare import machine, peers


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Redis server v=8.2.3 sha=b5d43ceb:0 malloc=jemalloc-5.3.0 bits=64", "8.2.3"),
        ("Valkey server v=9.1.2 sha=00000000:1", "9.1.2"),
        ("minikv 0.1.0", "0.1.0"),
        ("no version here", None),
    ],
)
def test_version_is_found(text: str, version: str | None) -> None:
    assert peers.version_in(text) == version


def test_absent_server_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "peer_command", lambda name: None)
    assert peers.find_peer("redis") == "redis: not installed"
    monkeypatch.setattr(peers, "peer_command", lambda name: (sys.executable, "-c", "raise SystemExit(1)"))
    assert peers.find_peer("redis") == "redis: --version failed: no output"


def test_pinning_ends() -> None:
    before = os.sched_getaffinity(0)
    with machine.pinned(machine.SERVER_CORE):
        assert os.sched_getaffinity(0) == {machine.SERVER_CORE}
    assert os.sched_getaffinity(0) == before


def test_available_memory_is_a_share() -> None:
    assert 0 < machine.available_memory() < 1
