"""INFO: which sections, their fields, and that the figures are true."""

import re
import time

import pytest

import minikv

ALL = [
    "Server", "Clients", "Memory", "Persistence", "Threads", "Stats", "Replication", "CPU", "Modules",
    "Commandstats", "Errorstats", "Latencystats", "Cluster", "Keyspace", "Keysizes",
]  # fmt: skip
DEFAULT = [name for name in ALL if name not in ("Commandstats", "Latencystats")]


@pytest.fixture
def server():
    with minikv.Server(port=0) as server:
        yield server


@pytest.fixture
def client(connect):
    connection = connect()
    connection.cmd("CONFIG", "RESETSTAT")
    return connection


def text(client, *sections):
    return client.cmd("INFO", *sections).decode()


def titles(info):
    return re.findall(r"^# (\w+)\r$", info, re.MULTILINE)


def figures(client, *sections):
    return dict(line.split(":", 1) for line in text(client, *sections).split("\r\n") if ":" in line)


@pytest.mark.parametrize(
    "sections, expected",
    [
        ((), DEFAULT),
        (("default",), DEFAULT),
        (("ALL",), ALL),
        (("everything",), ALL),
        (("all", "debug"), [*ALL, "Debug"]),
        (("cpu", "replication", "CPU"), ["Replication", "CPU"]),
        (("keyspace", "no-such-section"), ["Keyspace"]),
        (("no-such-section",), []),
        (("default", "commandstats"), [name for name in ALL if name != "Latencystats"]),
    ],
)
def test_sections(client, sections, expected):
    assert titles(text(client, *sections)) == expected


def test_layout(client):
    assert text(client, "cluster", "keysizes") == "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keysizes\r\n"
    assert text(client, "none") == ""


def test_is_verbatim(connect):
    assert connect(3).exchange("INFO", "cluster") == b"=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"
    assert connect(2).exchange("INFO", "cluster") == b"$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n"


def test_no_field_twice(client):
    lines = [line.split(":")[0] for line in text(client, "everything", "debug").split("\r\n") if ":" in line]
    assert len(lines) == len(set(lines))


def test_server(client, server):
    facts = figures(client, "server")
    assert facts["redis_version"] == "8.2.3"
    assert facts["minikv_version"] == "0.1.0"
    assert facts["redis_mode"] == "standalone"
    assert int(facts["tcp_port"]) == server.port
    assert re.fullmatch("[0-9a-f]{40}", facts["run_id"])
    assert facts["listener0"] == f"name=tcp,bind=127.0.0.1,bind=-::1,port={server.port}"
    assert abs(int(facts["server_time_usec"]) / 1e6 - time.time()) < 60


def test_clients(client, connect):
    before = int(figures(client, "clients")["connected_clients"])
    watcher, subscriber = connect(), connect()
    watcher.cmd("WATCH", "a", "b")
    subscriber.cmd("SUBSCRIBE", "channel")
    facts = figures(client, "clients")
    assert int(facts["connected_clients"]) == before + 2
    assert facts["watching_clients"] == "1"
    assert facts["total_watched_keys"] == "2"
    assert facts["pubsub_clients"] == "1"
    assert figures(client, "stats")["pubsub_channels"] == "1"


def test_memory(client):
    empty = figures(client, "memory")
    client.cmd("SET", "k", "v" * 1_000_000)
    full = figures(client, "memory")
    assert 1_000_000 <= int(full["used_memory"]) - int(empty["used_memory"]) < 1_050_000
    assert int(full["used_memory_peak"]) >= int(full["used_memory"])
    assert full["used_memory_human"].endswith("M") or full["used_memory_human"].endswith("K")
    client.cmd("DEL", "k")
    after = figures(client, "memory")
    assert int(after["used_memory"]) < int(full["used_memory"])
    assert int(after["used_memory_peak"]) >= int(full["used_memory"])
    assert int(after["used_memory_startup"]) <= int(after["used_memory"])
    assert int(after["used_memory_dataset"]) >= 0


def test_stats(client, connect):
    client.cmd("SET", "k", "v")
    client.cmd("GET", "k")
    client.cmd("GET", "missing")
    client.cmd("NO-SUCH-COMMAND")
    facts = figures(client, "stats")
    assert facts["total_commands_processed"] == "4"  # CONFIG RESETSTAT and three
    assert facts["keyspace_hits"] == "1"
    assert facts["keyspace_misses"] == "1"
    assert facts["total_error_replies"] == "1"
    assert int(facts["total_net_input_bytes"]) > 0
    assert int(facts["eventloop_cycles"]) > 0


def test_commandstats_and_errorstats(client):
    client.cmd("SET", "k", "v")
    client.cmd("SET", "k")
    client.cmd("INCR", "k")
    client.cmd("CONFIG", "GET", "port")
    facts = figures(client, "commandstats", "errorstats")
    calls = r"calls=1,usec=\d+,usec_per_call=\d+\.00"
    assert re.fullmatch(calls + ",rejected_calls=1,failed_calls=0", facts["cmdstat_set"])
    assert re.fullmatch(calls + ",rejected_calls=0,failed_calls=1", facts["cmdstat_incr"])
    assert re.fullmatch(calls + ",rejected_calls=0,failed_calls=0", facts["cmdstat_config|get"])
    assert facts["errorstat_ERR"] == "count=2"


def test_latencystats(client):
    client.cmd("CONFIG", "SET", "latency-tracking-info-percentiles", "0 50.0 99.9 100")
    client.cmd("SET", "k", "v")
    found = figures(client, "latencystats")["latency_percentiles_usec_set"]
    assert re.fullmatch(r"p0=\d+\.000,p50=\d+\.000,p99\.9=\d+\.000,p100=\d+\.000", found)
    client.cmd("CONFIG", "SET", "latency-tracking", "no")
    client.cmd("GET", "k")
    assert figures(client, "latencystats") == {}
    client.cmd("CONFIG", "SET", "latency-tracking", "yes")
    assert "latency_percentiles_usec_get" not in figures(client, "latencystats")


def test_keyspace(client):
    assert figures(client, "keyspace") == {}
    client.cmd("SET", "k", "v")
    assert figures(client, "keyspace") == {"db0": "keys=1,expires=0,avg_ttl=0,subexpiry=0"}
    client.cmd("SET", "other", "v", "EX", 1000)
    [ttl] = re.fullmatch(
        r"keys=2,expires=1,avg_ttl=(\d+),subexpiry=0", figures(client, "keyspace")["db0"]
    ).groups()
    assert 900_000 < int(ttl) <= 1_000_000


def test_resetstat_keeps_the_peak(client):
    client.cmd("SET", "k", "v" * 1_000_000)
    peak = int(figures(client, "memory")["used_memory_peak"])
    client.cmd("FLUSHALL")
    client.cmd("CONFIG", "RESETSTAT")
    assert int(figures(client, "memory")["used_memory_peak"]) >= peak
    assert figures(client, "stats")["total_connections_received"] == "0"


def test_in_a_store():
    with minikv.Store() as store:
        info = store.execute(b"INFO").decode()
    assert "tcp_port:0\r\n" in info
    assert "connected_clients:0\r\n" in info
    assert "listener0" not in info
