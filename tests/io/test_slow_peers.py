"""Peers that read late, little or never: what they are owed stays right, and others do not wait for it."""

import os
import re
import socket
from contextlib import suppress

import pytest
from connections import until

MIB = 1 << 20


def bulk(value):
    return b"$%d\r\n%b\r\n" % (len(value), value)


def request(*words):
    return b"*%d\r\n" % len(words) + b"".join(map(bulk, words))


def arrives(client, expected):
    """Whether the next bytes are those; pytest would take minutes to show how large ones differ."""
    return client.raw(len(expected)) == expected


def figure(client, section, name):
    return int(re.search(rf"{name}:(\d+)".encode(), client.cmd("INFO", section))[1])


def has_run(admin, client, commands):
    """Whether a client's commands have run, whatever it has read; so many since it connected."""
    line = re.search(rf"addr={client.address} .*".encode(), admin.cmd("CLIENT", "LIST"))[0]
    return int(re.search(rb"tot-cmds=(\d+)", line)[1]) == commands


# ---------------------------------------------------------------- all arrives


def test_pipeline_that_is_read_late(serve, connect):
    """200 MB of replies."""
    port = serve().port
    client, other = connect(port), connect(port)
    values = [bytes([i]) + os.urandom(1023) for i in range(250)]
    for i, value in enumerate(values):
        assert other.cmd("SET", i, value) == b"OK"
    rounds = 800
    pipeline = b"".join(request(b"GET", b"%d" % i) for i in range(len(values)))
    for _ in range(rounds):
        client.socket.sendall(pipeline)
        assert other.cmd("GET", 7) == values[7]
    until(lambda: has_run(other, client, rounds * len(values)))
    expected = b"".join(map(bulk, values))
    assert all(arrives(client, expected) for _ in range(rounds))
    assert client.cmd("PING") == b"PONG"


def test_large_value_that_changes_meanwhile(serve, connect):
    port = serve().port
    client, other = connect(port), connect(port)
    value = bytes(range(250)) * 200_000
    client.cmd("SET", "large", value)
    client.send("GET", "large")
    assert other.cmd("PING") == b"PONG"
    assert other.cmd("SET", "large", "short") == b"OK"
    assert arrives(client, bulk(value))


@pytest.mark.parametrize("size", [100, 20_000, 65_536])
def test_more_pieces_than_one_call_takes(serve, connect, size):
    """Values of 16 KiB and more are sent from where they lie: two pieces each, and a call takes 1,024."""
    client = connect(serve().port)
    values = [bytes([i]) * (size + i) for i in range(10)]
    for i, value in enumerate(values):
        client.cmd("SET", i, value)
    keys = [b"%d" % (i % 10) for i in range(3000)]
    client.send("MGET", *keys, "none")
    ten = b"".join(map(bulk, values))
    assert arrives(client, b"*3001\r\n")
    assert all(arrives(client, ten) for _ in range(300))
    assert arrives(client, b"$-1\r\n")
    client.socket.sendall(b"".join(request(b"GET", key) + request(b"STRLEN", key) for key in keys))
    ten = b"".join(bulk(value) + b":%d\r\n" % len(value) for value in values)
    assert all(arrives(client, ten) for _ in range(300))


# ---------------------------------------------------------------- what is owed does not change


def changed(value, *words):
    """The value that a change leaves behind."""
    if words[0] == "APPEND":
        return value + words[2]
    if words[0] == "SETRANGE":
        start = words[2]
        value = value.ljust(start, b"\0")
        return value[:start] + words[3] + value[start + len(words[3]) :]
    return words[2]


CHANGES = [
    ("SETRANGE", "k", 0, b"first"),
    ("APPEND", "k", b"and some more"),
    ("SETRANGE", "k", 700_000, b"in the middle"),
    ("APPEND", "k", os.urandom(MIB)),
    ("SETRANGE", "k", 2_200_000, b"behind its end"),
    ("SET", "k", os.urandom(100_000)),
    ("SETRANGE", "k", 99_999, b"last"),
    ("SET", "k", b"short"),
    ("APPEND", "k", os.urandom(70_000)),
]


def test_changes_in_place_leave_owed_replies_alone(serve, connect):
    """Each state of the value is asked for by one who reads when all is over."""
    port = serve().port
    client, other = connect(port), connect(port)
    value = os.urandom(MIB)
    assert other.cmd("SET", "k", value) == b"OK"
    expected, commands = [], 0
    for change in CHANGES:
        for _ in range(5):
            client.send("GET", "k")
        client.send("GETRANGE", "k", 10, -10)
        commands += 6
        expected += [bulk(value)] * 5 + [bulk(value[10:-9])]
        until(lambda: has_run(other, client, commands))  # noqa: B023
        other.cmd(*change)
        value = changed(value, *change)
        assert other.cmd("GET", "k") == value
    assert all(arrives(client, reply) for reply in expected)
    assert client.cmd("GET", "k") == value


@pytest.mark.parametrize(
    "end", ["DEL k", "UNLINK k", "RENAME k other", "GETDEL k", "PEXPIRE k 0", "FLUSHALL", "FLUSHALL ASYNC"]
)
def test_keys_that_go_leave_owed_replies_alone(serve, connect, end):
    port = serve().port
    client, other = connect(port), connect(port)
    value = os.urandom(MIB)
    before = figure(other, "memory", "used_memory")
    other.cmd("SET", "k", value)
    for _ in range(20):
        client.send("GET", "k")
    until(lambda: has_run(other, client, 20))
    other.cmd(*end.split())
    assert other.cmd("EXISTS", "k") == 0
    for i in range(20):
        other.cmd("SET", f"filler-{i}", bytes(MIB))
    assert all(arrives(client, bulk(value)) for _ in range(20))
    other.cmd("FLUSHALL")
    until(lambda: figure(other, "memory", "used_memory") < before + MIB)


def test_a_copy_and_its_original_change_apart(serve, connect):
    port = serve().port
    client, other = connect(port), connect(port)
    value = os.urandom(MIB)
    other.cmd("SET", "k", value)
    for _ in range(10):
        client.send("GET", "k")
    until(lambda: has_run(other, client, 10))
    assert other.cmd("COPY", "k", "copy") == 1
    for _ in range(10):
        client.send("GET", "copy")
    until(lambda: has_run(other, client, 20))
    other.cmd("SETRANGE", "copy", 0, "copy")
    other.cmd("SETRANGE", "k", 0, "original")
    assert all(arrives(client, bulk(value)) for _ in range(20))
    assert client.cmd("GET", "copy") == b"copy" + value[4:]
    assert client.cmd("GET", "k") == b"original" + value[8:]


# ---------------------------------------------------------------- limits


def test_pipeline_over_the_limit_costs_no_memory(spawn, connect):
    """Without a limit the replies would take 200 MB."""
    server = spawn(client_output_buffer_limit="normal 4mb 0 0")
    client, other = connect(server.port), connect(server.port)
    other.cmd("SET", "k", "v" * 1000)
    before = server.peak_memory()
    with suppress(ConnectionError):
        for _ in range(200):
            client.socket.sendall(request(b"GET", b"k") * 1000)
    assert client.is_closed()
    until(lambda: figure(other, "stats", "client_output_buffer_limit_disconnections") == 1)
    assert server.peak_memory() - before < 40_000_000
    assert other.cmd("GET", "k") == b"v" * 1000


@pytest.mark.parametrize("limit", ["pubsub 2mb 0 0", "pubsub 0 1mb 1"], ids=["hard", "soft"])
def test_subscriber_that_does_not_read(serve, connect, limit):
    port = serve(hz=100, client_output_buffer_limit=limit).port
    slow, publisher = connect(port), connect(port)
    quick = [connect(port, protocol) for protocol in (2, 3, 2)]
    for subscriber in (slow, *quick):
        assert subscriber.cmd("SUBSCRIBE", "channel") == [b"subscribe", b"channel", 1]

    def publish(i):
        message = b"%09d" % i * 10_000
        receivers = publisher.cmd("PUBLISH", "channel", message)
        for subscriber in quick:
            assert subscriber.read() == [b"message", b"channel", message]
        return receivers

    def owed():
        lines = publisher.cmd("CLIENT", "LIST", "TYPE", "pubsub").split(b"\n")
        return max(int(re.search(rb"omem=(\d+)", line)[1]) for line in lines if line)

    i = 0
    while publish(i) == 4:
        i += 1
        assert i < 1000
        if "1mb" in limit and owed() > MIB:
            until(lambda: publisher.cmd("PUBSUB", "NUMSUB", "channel")[1] == 3)
    for more in range(i + 1, i + 20):
        assert publish(more) == 3
    assert slow.is_closed()
    assert figure(publisher, "stats", "client_output_buffer_limit_disconnections") == 1


# ---------------------------------------------------------------- half-closed


@pytest.mark.parametrize("together", [False, True], ids=["later", "at once"])
def test_half_closed_peer_gets_what_it_is_owed(serve, connect, together):
    client = connect(serve().port)
    client.cmd("SET", "half", "x" * 100_000)
    if together:
        client.socket.sendall(request(b"GET", b"half") * 100)
    else:
        for _ in range(100):
            client.send("GET", "half")
    client.socket.shutdown(socket.SHUT_WR)
    assert all(arrives(client, bulk(b"x" * 100_000)) for _ in range(100))
    assert client.is_closed()
    assert client.received == b""
