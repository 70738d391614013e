"""benchmarks/runner.py: turns and failures."""

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from benchmarks import runner
from benchmarks.resident import resident_bytes
from benchmarks.results import Reading, Results, readings
from benchmarks.scenarios import Scale, Scenario
from minikv.compare.errors import MeasurementError
from minikv.compare.peers import Peer
from minikv.compare.server import RunningServer


class FakeServer:
    started: ClassVar[list[str]] = []

    def __init__(self, name: str, command: Sequence[str], options: Mapping[str, str]) -> None:
        if name == "valkey":
            raise MeasurementError("did not start")
        self.name = name
        self.started.append(name)

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
        if (case, server.name) == ("GET", "redis"):
            raise MeasurementError("no GET")
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


def test_resident_memory_of_this_process() -> None:
    assert resident_bytes(os.getpid()) > 1 << 20
