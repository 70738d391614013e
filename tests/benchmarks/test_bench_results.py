"""benchmarks/results.py: medians, ratios, percentiles, the bottleneck rule."""

import pytest

from benchmarks.results import (
    Results,
    percentile,
    readings,
    with_omitted,
)
from minikv.compare.results import generator_was_bottleneck

CPU = ("cpu", "GET P1", "cpu_us")
RPS = ("cpu", "GET P1", "rps")


def filled(**servers: list[float]) -> Results:
    results = Results()
    for server, values in servers.items():
        for value in values:
            results.add("cpu", server, readings("GET P1", cpu_us=value, rps=1e6 / value))
    return results


def test_median_of_the_turns() -> None:
    results = filled(redis=[3.0, 1.0, 2.0])
    assert results.median(CPU, "redis") == 2.0
    assert results.median(CPU, "valkey") is None
    assert results.median(("cpu", "GET P16", "cpu_us"), "redis") is None


def test_ratio_is_to_the_better_peer() -> None:
    results = filled(minikv=[1.0], redis=[4.0], valkey=[2.0])
    assert results.ratio(CPU) == pytest.approx(0.5)  # less is better: against 2 µs
    assert results.ratio(RPS) == pytest.approx(2.0)  # more is better: against the same server


@pytest.mark.parametrize("servers", [{"minikv": [1.0]}, {"redis": [1.0], "valkey": [2.0]}, {}])
def test_no_ratio_without_both_sides(servers: dict[str, list[float]]) -> None:
    assert filled(**servers).ratio(CPU) is None


@pytest.mark.parametrize(
    ("generator", "server", "limited"),
    [(1.0, 0.5, True), (0.96, 0.95, True), (1.0, 1.0, False), (0.95, 0.2, False), (0.3, 0.99, False)],
)
def test_bottleneck_is_a_full_generator_beside_a_server_with_room(
    generator: float, server: float, limited: bool
) -> None:
    assert generator_was_bottleneck(generator, server) is limited


def test_bottlenecks_are_told_once_per_server() -> None:
    results = Results()
    for case in ("SET P1", "GET P1"):
        results.add("cpu", "minikv", readings(case, generator_busy=0.99, server_busy=0.4))
        results.add("cpu", "redis", readings(case, generator_busy=0.9, server_busy=1.0))
    (line,) = results.bottlenecks()
    assert line.startswith("cpu, minikv: the load generator was the bottleneck")
    assert "SET P1 (server 40% busy), GET P1 (server 40% busy)" in line


def test_server_load_without_a_generator_is_no_bottleneck() -> None:
    results = Results()
    results.add("expiry", "redis", readings("even", server_busy=0.2))
    assert results.bottlenecks() == []


def test_percentile() -> None:
    samples = list(range(1001))
    assert percentile(samples, 500) == 500
    assert percentile(samples, 999) == 999


def test_a_stall_counts_for_the_requests_it_kept_back() -> None:
    assert with_omitted([10, 1000, 20], 250) == [10, 1000, 750, 500, 250, 20]
    assert with_omitted([249, 250, 499], 250) == [249, 250, 499]
