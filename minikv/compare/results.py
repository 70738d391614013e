"""Readings and what is made of them: medians, spreads, the rule for the bottleneck."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Metric:
    """A measured quantity: how it is named, written and compared."""

    name: str
    title: str
    unit: str
    digits: int = 2  # after the decimal point
    lower_is_better: bool = True

    def text(self, value: float) -> str:
        return f"{value:,.{self.digits}f}"


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rps", "requests per second", "", 0, lower_is_better=False),
        Metric("cpu_us", "server CPU per request", "µs", 2),
        Metric("p50_ms", "latency p50", "ms", 3),
        Metric("p99_ms", "latency p99", "ms", 3),
        Metric("p999_ms", "latency p99.9", "ms", 3),
        Metric("syscalls", "system calls per request", "", 2),
        Metric("switches", "context switches per request", "", 3),
        Metric("processes", "processes", "", 0),
        Metric("threads", "threads", "", 0),
        Metric("kib_per_connection", "memory per connection", "KiB", 2),
        Metric("idle_cpu", "CPU while idle", "% of a core", 1),
        Metric("errors", "errors", "", 0),
        Metric("server_busy", "server's core in use", "share", 2),
        Metric("load_busy", "load generator's core in use", "share", 2),
    )
}
BUSY = 0.95  # share of a core from which on it counts as used up


def generator_was_bottleneck(generator_busy: float, server_busy: float) -> bool:
    """Whether the throughput is the generator's limit: its core was full while the server's was not."""
    return generator_busy > BUSY >= server_busy


@dataclass
class Reading:
    """One turn: a scenario on a target."""

    values: dict[str, float] = field(default_factory=dict)  # by the name of the metric
    unknown: dict[str, str] = field(default_factory=dict)  # metrics without a value, and why
    calls: dict[str, float] = field(default_factory=dict)  # system calls per request
    failure: str = ""  # what the server did not do that the scenario asks for
    notes: list[str] = field(default_factory=list)


Key = tuple[str, str]  # scenario, target


@dataclass
class Results:
    """All turns of a run, in the order taken."""

    readings: dict[Key, list[Reading]] = field(default_factory=dict)
    skipped: dict[Key, None] = field(default_factory=dict)  # some of their turns, for want of time

    def add(self, key: Key, reading: Reading) -> None:
        self.readings.setdefault(key, []).append(reading)

    def values(self, key: Key, metric: str) -> list[float]:
        return [reading.values[metric] for reading in self.readings.get(key, []) if metric in reading.values]

    def median(self, key: Key, metric: str) -> float | None:
        values = self.values(key, metric)
        return statistics.median(values) if values else None

    def failure(self, key: Key) -> str:
        """The first failure of a scenario on a target; empty if it passed every time."""
        return next((reading.failure for reading in self.readings.get(key, []) if reading.failure), "")

    def unknown(self, key: Key, metric: str) -> str:
        """Why there is no value."""
        reasons = (reading.unknown.get(metric, "") for reading in self.readings.get(key, []))
        return next(filter(None, reasons), "")

    def notes(self, key: Key) -> list[str]:
        return list(dict.fromkeys(note for reading in self.readings.get(key, []) for note in reading.notes))

    def calls(self, key: Key) -> dict[str, float]:
        """System calls per request, the commonest first."""
        totals: dict[str, float] = {}
        counted = [reading.calls for reading in self.readings.get(key, []) if reading.calls]
        for calls in counted:
            for name, count in calls.items():
                totals[name] = totals.get(name, 0) + count / len(counted)
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    def bottlenecks(self) -> list[str]:
        """A line for each scenario in which the generator set the pace, naming the targets."""
        limited: dict[str, list[str]] = {}
        for scenario, target in self.readings:
            busy = [self.median((scenario, target), metric) for metric in ("load_busy", "server_busy")]
            if busy[0] is not None and busy[1] is not None and generator_was_bottleneck(busy[0], busy[1]):
                limited.setdefault(scenario, []).append(f"{target} (server {busy[1]:.0%} busy)")
        return [
            f"{scenario}: the load generator was the bottleneck with {', '.join(targets)}"
            for scenario, targets in limited.items()
        ]

    def best(self, scenario: str, targets: Iterable[str], metric: str) -> float | None:
        """The best value of the targets that did all that was asked."""
        values = [
            value
            for target in targets
            if not self.failure((scenario, target))
            and (value := self.median((scenario, target), metric)) is not None
        ]
        if not values:
            return None
        return min(values) if METRICS[metric].lower_is_better else max(values)
