"""MEMORY: exact usage of keys, the figures of the whole."""

import pytest
from connections import until
from dump_samples import VALUES, words

import minikv


@pytest.fixture
def server():
    with minikv.Server(port=0) as server:
        yield server


@pytest.fixture
def client(connect):
    return connect()


def allocated(client):
    """Bytes in the arena: without the clients' buffers."""
    stats = client.cmd("MEMORY", "STATS")
    return dict(zip(stats[0::2], stats[1::2], strict=True))[b"allocator.allocated"]


@pytest.mark.parametrize("length", [1, 100, 5000, 20_000, 1_000_000])
def test_usage_is_what_the_key_adds(client, length):
    client.cmd("SET", "other", "x")  # so that the table's first segment is there
    before = allocated(client)
    client.cmd("SET", "key", "v" * length)
    after = allocated(client)
    share = 4104 // 2  # of the table: a segment and the directory, by two keys
    assert client.cmd("MEMORY", "USAGE", "key") == after - before + share


def test_usage_options(client):
    client.cmd("SET", "key", "value")
    exact = client.cmd("MEMORY", "USAGE", "key")
    assert client.cmd("MEMORY", "USAGE", "key", "SAMPLES", 0) == exact
    assert client.cmd("MEMORY", "USAGE", "key", "samples", 100) == exact
    assert client.error("MEMORY", "USAGE", "key", "SAMPLES", -1) == "ERR syntax error"
    assert client.error("MEMORY", "USAGE", "key", "SAMPLES") == "ERR syntax error"
    assert client.error("MEMORY", "USAGE", "key", "BOGUS", 1) == "ERR syntax error"
    assert (
        client.error("MEMORY", "USAGE", "key", "SAMPLES", "x")
        == "ERR value is not an integer or out of range"
    )


def test_usage_of_a_missing_key(connect, protocol):
    client = connect(protocol)
    null = b"$-1\r\n" if protocol == 2 else b"_\r\n"
    assert client.exchange("MEMORY", "USAGE", "missing") == null
    client.cmd("SET", "gone", "v", "PXAT", 1)
    assert client.exchange("MEMORY", "USAGE", "gone") == null


def test_usage_leaves_no_trace(client):
    client.cmd("SET", "key", "v")
    before = client.cmd("INFO", "stats").split(b"keyspace_hits:")[1].split()[0]
    client.cmd("MEMORY", "USAGE", "key")
    assert client.cmd("INFO", "stats").split(b"keyspace_hits:")[1].split()[0] == before


def test_stats(connect):
    client = connect(3)
    client.cmd("SELECT", 2)
    client.cmd("SET", "key", "v" * 100)
    stats = client.cmd("MEMORY", "STATS")
    assert stats[b"keys.count"] == 1
    assert stats[b"db.2"][b"overhead.hashtable.main"] > 0
    assert stats[b"total.allocated"] <= stats[b"peak.allocated"]
    assert stats[b"dataset.bytes"] >= 100
    assert isinstance(stats[b"fragmentation"], float)


def test_doctor_purge_and_malloc_stats(client):
    assert b"too little" in client.cmd("MEMORY", "DOCTOR")
    client.cmd("SETRANGE", "key", 10_000_000, "v")
    assert b"Nothing is wrong" in client.cmd("MEMORY", "DOCTOR")
    client.cmd("SET", "key", "v" * 6_000_000)
    assert b"Peak" in client.cmd("MEMORY", "DOCTOR")
    assert client.cmd("MEMORY", "PURGE") == b"OK"
    assert b"arena_used" in client.cmd("MEMORY", "MALLOC-STATS")


def test_help(client):
    assert client.cmd("MEMORY", "HELP")[0].startswith(b"MEMORY <subcommand>")


@pytest.mark.parametrize("name", VALUES)
def test_usage_of_every_type(client, name):
    client.cmd("SET", "other", "x")
    before = allocated(client)
    for line in VALUES[name][1]:
        client.cmd(*words(line, "key"))
    assert client.cmd("MEMORY", "USAGE", "key") == allocated(client) - before + 4104 // 2
    assert client.cmd("MEMORY", "USAGE", "key", "SAMPLES", 0) == allocated(client) - before + 4104 // 2
    client.cmd("COPY", "key", "copy")
    client.cmd("RENAME", "key", "name")
    assert client.cmd("DEL", "copy", "name") == 2
    until(lambda: allocated(client) == before)
