"""CPU per request, throughput and latency under redis-benchmark."""

from collections.abc import Sequence

from benchmarks import generator
from benchmarks.generator import Load
from benchmarks.results import METRICS, Reading, readings
from benchmarks.scenarios.base import Panel, Scale, Scenario
from minikv.compare import wire
from minikv.compare.server import RunningServer

PIPELINES = (1, 16, 100)
TESTS = {"PING": "ping_mbulk", "SET": "set", "GET": "get", "INCR": "incr", "MSET": "mset"}
# Enough for about a second of server CPU at Redis's cost per request.
REQUESTS = {1: 150_000, 16: 1_000_000, 100: 1_500_000}
MSET_REQUESTS = {1: 100_000, 16: 250_000, 100: 250_000}


def measure_load(case: str, server: RunningServer, load: Load) -> list[Reading]:
    """Run one load and read both sides of it."""
    before = server.cpu_seconds()
    report = generator.run(server.port, load)
    cpu = server.cpu_seconds() - before
    return readings(
        case,
        cpu_us=cpu / load.requests * 1e6,
        rps=report.requests_per_second,
        p50_ms=report.p50,
        p99_ms=report.p99,
        p999_ms=report.p999,
        generator_busy=report.generator_busy,
        server_busy=min(1.0, cpu / report.seconds),
    )


class Throughput(Scenario):
    name = "cpu"
    title = "50 clients, 100,000 keys"
    headline = ("cpu_us", "rps")
    fresh_servers = False
    keyspace: int = 100_000
    value_bytes = 3
    tests: tuple[str, ...] = tuple(TESTS)
    pipelines: tuple[int, ...] = PIPELINES

    def cases(self) -> Sequence[str]:
        return [f"{test} P{pipeline}" for pipeline in self.pipelines for test in self.tests]

    def panels(self) -> list[Panel]:
        return [
            Panel(
                f"{METRICS[metric].title}, pipeline {pipeline}",
                metric,
                [f"{test} P{pipeline}" for test in self.tests],
            )
            for metric in ("cpu_us", "rps", "p999_ms")
            for pipeline in self.pipelines
        ]

    def prepare(self, server: RunningServer) -> None:
        wire.fill(server.port, wire.template(b"SET", wire.KEY, b"x" * self.value_bytes), range(self.keyspace))
        if "INCR" in self.tests:
            wire.fill(server.port, wire.template(b"SET", wire.COUNTER, b"0"), range(self.keyspace))

    def measure(self, case: str, server: RunningServer) -> list[Reading]:
        test, _, depth = case.partition(" P")
        pipeline = int(depth)
        counts = MSET_REQUESTS if test == "MSET" else REQUESTS
        load = Load(
            test=TESTS[test],
            pipeline=pipeline,
            requests=int(counts[pipeline] * self.scale.requests),
            keyspace=self.keyspace,
            value_bytes=self.value_bytes,
        )
        return measure_load(case, server, load)


class LargeKeyspace(Throughput):
    name = "large"
    title = "50 clients, 5 M keys of 32 B values (far beyond the cache)"
    value_bytes = 32
    tests = ("SET", "GET")
    pipelines = (100,)

    def __init__(self, scale: Scale) -> None:
        super().__init__(scale)
        self.keyspace = scale.large_keyspace
