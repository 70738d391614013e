"""python -m benchmarks against a real server, made tiny."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the bench extra is not installed")
pytest.importorskip("matplotlib", reason="the bench extra is not installed")

from benchmarks import __main__
from benchmarks.scenarios import Scale, latency
from minikv.compare import peers

TINY = Scale(
    requests=0.001,
    large_keyspace=1000,
    memory_keys=1000,
    connections=(0, 20),
    inserted_keys=5000,
    deleted_from=1000,
    expiring_keys=1000,
    repeats=1,
)


@pytest.mark.timeout(600)
def test_tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("redis-benchmark"):
        pytest.skip("redis-benchmark is not installed")
    found = [peer for peer in map(peers.find_peer, ("valkey", "redis")) if isinstance(peer, peers.Peer)]
    if not found:
        pytest.skip("neither Valkey nor Redis is installed")
    monkeypatch.setattr(__main__, "QUICK", TINY)
    # The inserting process takes only what the other tests leave of the processors.
    monkeypatch.setattr(latency, "START_LIMIT", 500)
    server = found[0]
    arguments = [
        "--quick",
        "--servers",
        server.name,
        "--scenarios",
        "cpu,latency,expiry",
        "--output",
        str(tmp_path),
    ]
    assert __main__.main(arguments) == 0
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["servers"] == {server.name: server.version}
    measured = {(reading["scenario"], reading["case"]) for reading in document["readings"]}
    assert {
        ("cpu", "GET P16"),
        ("cpu", "MSET P100"),
        ("latency", "GET beside inserts"),
        ("expiry", "even"),
    } <= measured
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md",
        "results.json",
        "cpu.png",
        "latency.png",
        "expiry.png",
    }
