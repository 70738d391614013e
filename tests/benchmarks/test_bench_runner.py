"""benchmarks/runner.py, peers.py, machine.py: turns, failures, finding servers."""

import os
import sys
from collections.abc import Sequence
from typing import ClassVar

import pytest

from benchmarks import machine, peers, runner
from benchmarks.errors import BenchmarkError
from benchmarks.peers import Peer, RunningServer
from benchmarks.results import Reading, Results, readings
from benchmarks.scenarios import Scale, Scenario


class FakeServer:
    started: ClassVar[list[str]] = []

    def __init__(self, peer: Peer) -> None:
        if peer.name == "valkey":
            raise BenchmarkError("did not start")
        self.peer = peer
        self.started.append(peer.name)

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Turns(Scenario):
    name = "cpu"
    title = "turns"
    headline = ("cpu_us",)

    def cases(self) -> Sequence[str]:
        return ["SET", "GET"]

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        if (case, server.peer.name) == ("GET", "redis"):
            raise BenchmarkError("no GET")
        return readings(case, cpu_us=1.0)


class SharedTurns(Turns):
    fresh_servers = False


PEERS = [Peer(name, (name,), "1.0.0") for name in ("minikv", "redis", "valkey")]


@pytest.fixture(autouse=True)
def fake_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeServer.started.clear()
    monkeypatch.setattr(runner, "RunningServer", FakeServer)


@pytest.mark.parametrize("kind", [Turns, SharedTurns])
def test_turns_failures_and_steps(kind: type[Turns]) -> None:
    scenario = kind(Scale(repeats=3))
    announced: list[str] = []
    results = runner.run([scenario], PEERS, announced.append)
    assert len(announced) == runner.count_steps([scenario], PEERS)
    assert results.values[("cpu", "SET", "cpu_us")] == {"minikv": [1.0] * 3, "redis": [1.0] * 3}
    assert results.values[("cpu", "GET", "cpu_us")] == {"minikv": [1.0] * 3}
    assert "cpu, GET, redis: no GET" in results.failures
    assert any("valkey: did not start" in line for line in results.failures)
    assert len(results.failures) == (2 if kind is SharedTurns else 3), "a failure is told once"


def test_servers_take_turns_within_a_case() -> None:
    announced: list[str] = []
    runner.run_scenario(Turns(Scale(repeats=1)), PEERS[:2], Results(), announced.append)
    assert announced == ["cpu: SET, minikv", "cpu: SET, redis", "cpu: GET, minikv", "cpu: GET, redis"]


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


def test_processor_time_and_memory_of_a_process() -> None:
    before = machine.cpu_seconds(os.getpid())
    sum(range(1_000_000))
    assert machine.cpu_seconds(os.getpid()) > before
    assert machine.resident_bytes(os.getpid()) > 1 << 20


def test_pinning_ends() -> None:
    before = os.sched_getaffinity(0)
    with machine.pinned(machine.SERVER_CORE):
        assert os.sched_getaffinity(0) == {machine.SERVER_CORE}
    assert os.sched_getaffinity(0) == before
