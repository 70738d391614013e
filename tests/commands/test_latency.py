"""LATENCY: events past the threshold, their graph and report, and the histograms of commands."""

import time

import pytest

import minikv
from minikv.commands.latency import age_label, graph_block
from minikv.latency import LatencyMonitor


@pytest.fixture
def server():
    with minikv.Server(port=0, latency_monitor_threshold=20, enable_debug_command="yes") as server:
        yield server


@pytest.fixture
def client(connect):
    return connect()


def test_slow_commands_are_events(client):
    assert client.cmd("LATENCY", "LATEST") == []
    client.cmd("DEBUG", "SLEEP", "0.03")
    [[name, moment, latest, most]] = client.cmd("LATENCY", "LATEST")
    assert name == b"command"
    assert abs(moment - time.time()) < 60
    assert 30 <= latest == most
    assert client.cmd("LATENCY", "HISTORY", "command") == [[moment, latest]]
    assert client.cmd("LATENCY", "HISTORY", "unknown") == []


def test_nothing_while_off(client):
    client.cmd("CONFIG", "SET", "latency-monitor-threshold", 0)
    client.cmd("DEBUG", "SLEEP", "0.03")
    assert client.cmd("LATENCY", "LATEST") == []


def test_threshold_and_slow_log_are_apart(client):
    client.cmd("CONFIG", "SET", "slowlog-log-slower-than", -1)
    client.cmd("DEBUG", "SLEEP", "0.03")
    assert len(client.cmd("LATENCY", "LATEST")) == 1
    assert client.cmd("SLOWLOG", "LEN") == 0
    client.cmd("LATENCY", "RESET")
    client.cmd("CONFIG", "SET", "slowlog-log-slower-than", 10_000, "latency-monitor-threshold", 1000)
    client.cmd("DEBUG", "SLEEP", "0.03")
    assert client.cmd("LATENCY", "LATEST") == []
    assert client.cmd("SLOWLOG", "LEN") == 1


def test_reset(client):
    client.cmd("DEBUG", "SLEEP", "0.03")
    assert client.cmd("LATENCY", "RESET", "unknown") == 0
    assert client.cmd("LATENCY", "RESET", "command", "unknown") == 1
    assert client.cmd("LATENCY", "RESET") == 0


def test_graph(client):
    assert client.error("LATENCY", "GRAPH", "nope") == "ERR No samples available for event 'nope'"
    client.cmd("DEBUG", "SLEEP", "0.03")
    lines = client.cmd("LATENCY", "GRAPH", "command").decode().split("\n")
    assert lines[0].startswith("command - high ")
    assert lines[1] == "-" * 80


def test_bars():
    values = [10, 40, 80, 20, 3, 50, 30]
    labels = [f"{n}s" for n in range(7, 0, -1)]
    bars = ["  #    ", "  |  o ", " #|  |o", "o||#_||", "       ", "7654321", "sssssss"]
    assert graph_block(values, labels, 3, 77) == "".join(f"{row}\n" for row in bars)
    assert graph_block([5], ["59s"], 5, 1) == " \n \n \n_\n \n5\n9\ns\n"


@pytest.mark.parametrize(
    "seconds, label", [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (200_000, "2d")]
)
def test_age_labels(seconds, label):
    assert age_label(seconds) == label


def test_one_sample_a_second():
    monitor = LatencyMonitor()
    for ms in (30, 50, 40):
        monitor.add("command", ms)
    samples = monitor.events["command"].samples
    assert max(ms for _, ms in samples) == 50 == monitor.events["command"].most
    assert len({moment for moment, _ in samples}) == len(samples)


def test_doctor(client):
    assert b"No event has taken 20 ms" in client.cmd("LATENCY", "DOCTOR")
    client.cmd("DEBUG", "SLEEP", "0.03")
    report = client.cmd("LATENCY", "DOCTOR")
    assert b"- command: 1 spike, " in report
    client.cmd("LATENCY", "RESET")
    client.cmd("CONFIG", "SET", "latency-monitor-threshold", 0)
    assert b"is off" in client.cmd("LATENCY", "DOCTOR")


def test_histogram(client):
    client.cmd("CONFIG", "RESETSTAT")
    for _ in range(3):
        client.cmd("SET", "k", "v")
    client.cmd("CLIENT", "ID")
    client.cmd("CONFIG", "SET", "latency-tracking", "no")
    client.cmd("GET", "k")
    reply = client.cmd("LATENCY", "HISTOGRAM", "set", "get", "client", "unknown")
    assert reply[0::2] == [b"set", b"client|id"]
    word, calls, word2, steps = reply[1]
    assert (word, calls, word2) == (b"calls", 3, b"histogram_usec")
    assert steps[-1] == 3
    assert all(limit & (limit - 1) == 0 for limit in steps[0::2])
    assert client.cmd("LATENCY", "HISTOGRAM", "unknown") == []
    assert b"config|resetstat" in client.cmd("LATENCY", "HISTOGRAM")


def test_histogram_is_a_map(connect):
    client = connect(3)
    client.cmd("SET", "k", "v")
    reply = client.cmd("LATENCY", "HISTOGRAM", "SET")
    assert reply[b"set"][b"calls"] == 1
    assert list(reply[b"set"][b"histogram_usec"].values()) == [1]


def test_help(client):
    assert client.cmd("LATENCY", "HELP")[0].startswith(b"LATENCY <subcommand>")
    assert client.error("LATENCY", "HELP", "x") == "ERR wrong number of arguments for 'latency|help' command"
