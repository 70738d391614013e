"""minikv compare against a real server, made tiny."""

import json
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the extra 'compare' is not installed")
pytest.importorskip("jinja2", reason="the extra 'compare' is not installed")
pytest.importorskip("vl_convert", reason="the extra 'compare' is not installed")

from minikv import cli
from minikv.compare import command
from minikv.compare.scenarios import Scale

TINY = Scale(window=0.2, warm_up=0.05, connect=5, drain=5, settle=0.05, trace=0.1, stop=5, rounds=1, limit=60)


def test_epoll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(command, "QUICK", TINY)
    scenarios = "conns-50,pipeline-16,churn,blocking,slow"
    arguments = [
        "compare",
        "--quick",
        "--models",
        "epoll",
        "--scenarios",
        scenarios,
        "--output",
        str(tmp_path),
    ]
    assert cli.main(arguments) == 0
    assert "conns-50: 50 connections" in capsys.readouterr().out
    readings = {
        reading["scenario"]: reading
        for reading in json.loads((tmp_path / "results.json").read_text())["readings"]
    }
    assert list(readings) == scenarios.split(",")
    assert [reading["failure"] for reading in readings.values()] == [""] * len(readings)
    medians = {name: reading["medians"] for name, reading in readings.items()}
    for figures in medians.values():
        assert figures["rps"] > 0
        assert figures["cpu_us"] > 0
        assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["p999_ms"]
        assert figures["errors"] == 0
        assert figures["processes"] == 1
    assert medians["blocking"]["rps"] < 101  # 10 ms each, one after the other
    assert medians["pipeline-16"]["cpu_us"] < medians["conns-50"]["cpu_us"]
    calls = readings["churn"]["turns"][0]
    assert calls["unknown"].get("syscalls") or 0.5 < calls["calls"]["accept4"] < 2.5  # some find nobody
