"""benchmarks/report.py and charts.py: what a run leaves behind."""

import io
import json
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the bench extra is not installed")

from rich.console import Console

from benchmarks import report
from benchmarks.results import Results, readings
from benchmarks.scenarios import SCENARIOS, Scale
from minikv.compare.peers import Peer


@pytest.fixture
def run() -> report.Run:
    results = Results(failures=["memory, 8 B values, valkey: it broke"])
    for server, factor in (("minikv", 1.0), ("redis", 2.0)):
        for case in ("SET P1", "GET P1"):
            results.add("cpu", server, readings(case, cpu_us=5 * factor, rps=100_000 / factor))
    results.add("cpu", "minikv", readings("GET P1", generator_busy=1.0, server_busy=0.5))
    servers = [Peer(name, (name,), "1.2.3") for name in ("minikv", "redis", "valkey")]
    scenarios = [scenario(Scale()) for scenario in SCENARIOS if scenario.name in ("cpu", "memory")]
    return report.Run({"kernel": "Linux 1"}, servers, scenarios, results)


def test_markdown_table() -> None:
    text = report.markdown_table(["case", "a"], [["x", "1"], ["y", "2"]])
    assert text == "| case | a |\n| --- | ---: |\n| x | 1 |\n| y | 2 |\n"


def test_markdown(run: report.Run) -> None:
    text = report.markdown(run, {"cpu": "cpu.png"})
    assert "| kernel | Linux 1 |" in text
    assert "| server CPU per request, µs | minikv 1.2.3 | redis 1.2.3 | valkey 1.2.3 | ratio |" in text
    assert "| SET P1 | 5.000 | 10.000 | - | 0.50 |" in text
    assert "| CPU per request, GET, no pipeline | ratio | 1.00 | 0.500 | pass |" in text
    assert "(cpu.png)" in text
    assert "- cpu, minikv: the load generator was the bottleneck in GET P1" in text
    assert "- memory, 8 B values, valkey: it broke" in text


def test_json(run: report.Run) -> None:
    document = json.loads(report.as_json(run))
    assert document["facts"] == {"kernel": "Linux 1"}
    assert document["servers"] == {"minikv": "1.2.3", "redis": "1.2.3", "valkey": "1.2.3"}
    first = document["readings"][0]
    assert (first["scenario"], first["case"], first["metric"]) == ("cpu", "SET P1", "cpu_us")
    assert first["values"] == {"minikv": [5.0], "redis": [10.0]}
    assert first["ratio"] == 0.5
    assert {goal["verdict"] for goal in document["goals"]} == {"pass", "not measured"}
    assert len(document["bottlenecks"]) == len(document["failures"]) == 1


def test_terminal(run: report.Run) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    report.print_run(console, run)
    text = console.export_text()
    assert "cpu: 50 clients" in text
    assert "memory:" not in text.split("goals")[0], "a scenario without figures has no table"
    assert "pass" in text
    assert "the load generator was the bottleneck" in text


def test_charts(run: report.Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the bench extra is not installed")
    from benchmarks import charts

    assert charts.draw(run, tmp_path) == {"cpu": "cpu.png"}
    assert (tmp_path / "cpu.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (12.0, "12"), (1234.0, "1,234"), (98_765.0, "98.8 k"), (1_234_567.0, "1.23 M")],
)
def test_short_numbers(value: float, text: str) -> None:
    pytest.importorskip("matplotlib", reason="the bench extra is not installed")
    from benchmarks import charts

    assert charts.short(value) == text
