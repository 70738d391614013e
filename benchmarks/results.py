"""Readings and what is made of them: medians, ratios to the better peer, the bottleneck rule."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from minikv.compare.peers import OURS
from minikv.compare.results import Metric, generator_was_bottleneck

METRICS = {
    metric.name: metric
    for metric in (
        Metric("cpu_us", "server CPU per request", "µs", 3),
        Metric("rps", "throughput", "requests/s", 0, lower_is_better=False),
        Metric("p50_ms", "latency p50", "ms", 3),
        Metric("p99_ms", "latency p99", "ms", 3),
        Metric("p999_ms", "latency p99.9", "ms", 3),
        Metric("worst_ms", "worst latency", "ms", 3),
        Metric("raw_p999_ms", "latency p99.9, stalls counted once", "ms", 3),
        Metric("insert_rate", "insert rate", "keys/s", 0, lower_is_better=False),
        Metric("generator_busy", "generator's core in use", "share"),
        Metric("server_busy", "server's core in use", "share"),
        Metric("bytes_per_key", "resident memory per key", "bytes", 1),
        Metric("bytes_growing", "resident memory per key while growing", "bytes", 1),
        Metric("bytes_per_element", "resident memory per element", "bytes", 1),
        Metric("bytes_per_connection", "resident memory per idle connection", "bytes", 0),
        Metric("held_connections", "connections held throughout", "", 0, lower_is_better=False),
        Metric("resident_over_used", "resident over used memory", "ratio"),
        Metric("resident_mb", "resident memory", "MB", 1),
        Metric("used_mb", "used memory", "MB", 1),
        Metric("late_p50_ms", "median lateness of an expired event", "ms", 1),
        Metric("late_p99_ms", "p99 lateness of an expired event", "ms", 1),
        Metric("late_worst_ms", "worst lateness of an expired event", "ms", 1),
    )
}


@dataclass(frozen=True)
class Reading:
    """One value of one metric in one case."""

    case: str
    metric: str
    value: float


def readings(case: str, **values: float) -> list[Reading]:
    """Several metrics of one case."""
    return [Reading(case, metric, value) for metric, value in values.items()]


Key = tuple[str, str, str]  # scenario, case, metric


@dataclass
class Results:
    """Every value of a run, in the order measured, and the failures."""

    values: dict[Key, dict[str, list[float]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, scenario: str, server: str, taken: Iterable[Reading]) -> None:
        for reading in taken:
            servers = self.values.setdefault((scenario, reading.case, reading.metric), {})
            servers.setdefault(server, []).append(reading.value)

    def median(self, key: Key, server: str) -> float | None:
        values = self.values.get(key, {}).get(server)
        return statistics.median(values) if values else None

    def medians(self, key: Key) -> dict[str, float]:
        return {server: statistics.median(values) for server, values in self.values.get(key, {}).items()}

    def ratio(self, key: Key) -> float | None:
        """Our median over the better peer's; None unless both were measured."""
        medians = self.medians(key)
        ours = medians.pop(OURS, None)
        if ours is None or not medians:
            return None
        best = min(medians.values()) if METRICS[key[2]].lower_is_better else max(medians.values())
        return ours / best if best else None

    def bottlenecks(self) -> list[str]:
        """A line for each scenario and server, naming the cases in which the generator set the pace."""
        limited: dict[tuple[str, str], list[str]] = {}
        for scenario, case, metric in self.values:
            if metric != "generator_busy":
                continue
            servers = self.medians((scenario, case, "server_busy"))
            for server, generator_busy in self.medians((scenario, case, metric)).items():
                if generator_was_bottleneck(generator_busy, servers[server]):
                    mention = f"{case} (server {servers[server]:.0%} busy)"
                    limited.setdefault((scenario, server), []).append(mention)
        return [
            f"{scenario}, {server}: the load generator was the bottleneck in {', '.join(cases)}"
            for (scenario, server), cases in limited.items()
        ]


def percentile(samples: Sequence[float], per_mille: int) -> float:
    """The value below which `per_mille` thousandths of the samples lie."""
    return statistics.quantiles(samples, n=1000, method="inclusive")[per_mille - 1]


def with_omitted(samples: Iterable[float], interval: float) -> list[float]:
    """Add the requests that a stall kept from being sent at their time (coordinated omission).

    A client that waits for its reply sends one request during a stall where its schedule had many; each
    of those would have waited for the rest of the stall.
    source   HdrHistogram, recordValueWithExpectedInterval
    """
    completed = []
    for sample in samples:
        completed.append(sample)
        omitted = sample - interval
        while omitted >= interval:
            completed.append(omitted)
            omitted -= interval
    return completed
