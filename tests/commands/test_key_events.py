"""The keyspace events of the generic and expiry commands, in the order of Redis."""

import time

import pytest
import redis


@pytest.fixture(autouse=True)
def empty_store(client):
    client.cmd("FLUSHALL")


class Events:
    """Listens to all keyspace events through a connection of its own."""

    def __init__(self, client, port):
        self.client = client
        client.cmd("CONFIG", "SET", "notify-keyspace-events", "AKEnmoc")
        self.connection = redis.Redis(port=port)
        self.pubsub = self.connection.pubsub(ignore_subscribe_messages=False)
        self.pubsub.psubscribe("__keyspace@*__:*", "end")
        for _ in range(2):
            self.pubsub.get_message(timeout=5)

    def of(self, *words):
        """What a command publishes: "database:key event" each."""
        self.client.cmd(*words)
        return self.taken()

    def taken(self):
        """What has been published since."""
        self.client.cmd("PUBLISH", "end", "")
        found = []
        while True:
            message = self.pubsub.get_message(timeout=5)
            assert message is not None
            if message["channel"] == b"end":
                return found
            channel = message["channel"].decode()
            found.append(
                f"{channel[len('__keyspace@')]}:{channel.split('__:', 1)[1]} {message['data'].decode()}"
            )

    def close(self):
        self.client.cmd("CONFIG", "SET", "notify-keyspace-events", "")
        self.pubsub.close()
        self.connection.close()


@pytest.fixture
def events(client, server):
    listener = Events(client, server.port)
    yield listener
    listener.close()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("DEL", "a", "none", "b"), ["0:a del", "0:b del"]),
        (("UNLINK", "a"), ["0:a del"]),
        (("RENAME", "a", "new"), ["0:new new", "0:a rename_from", "0:new rename_to"]),
        (("RENAMENX", "a", "new"), ["0:new new", "0:a rename_from", "0:new rename_to"]),
        (("RENAMENX", "a", "b"), []),
        (("RENAME", "a", "a"), []),
        (("COPY", "a", "new"), ["0:new new", "0:new copy_to"]),
        (("COPY", "a", "new", "DB", "1"), ["1:new new", "1:new copy_to"]),
        (("COPY", "a", "b"), []),
        (("COPY", "none", "b"), ["0:none keymiss"]),
        (("MOVE", "a", "2"), ["2:a new", "0:a move_from", "2:a move_to"]),
        (("MOVE", "none", "2"), []),
        (("EXPIRE", "a", "100"), ["0:a expire"]),
        (("PEXPIRE", "a", "100000"), ["0:a expire"]),
        (("EXPIREAT", "a", "9999999999"), ["0:a expire"]),
        (("PEXPIREAT", "a", "9999999999999"), ["0:a expire"]),
        (("EXPIRE", "a", "100", "XX"), []),
        (("EXPIRE", "none", "100"), []),
        (("EXPIRE", "a", "-1"), ["0:a del"]),
        (("EXPIREAT", "a", "1"), ["0:a del"]),
        (("PERSIST", "a"), []),
        (("PERSIST", "volatile"), ["0:volatile persist"]),
        (("TTL", "none"), ["0:none keymiss"]),
        (("TYPE", "none"), ["0:none keymiss"]),
        (("EXISTS", "a", "none"), ["0:none keymiss"]),
        (("TOUCH", "none"), ["0:none keymiss"]),
        (("OBJECT", "ENCODING", "none"), []),
        (("DEL", "none"), []),
        (("FLUSHDB",), []),
        (("FLUSHALL",), []),
        (("SWAPDB", "0", "1"), []),
    ],
)
def test_events(client, events, command, expected):
    client.cmd("MSET", "a", 1, "b", 2)
    client.cmd("SET", "volatile", 3, "EX", 100)
    events.taken()
    assert events.of(*command) == expected


def test_overwritten(client, events):
    client.cmd("MSET", "a", 1, "b", 2)
    events.taken()
    assert events.of("RENAME", "a", "b") == ["0:b new", "0:a rename_from", "0:b rename_to", "0:b overwritten"]
    client.cmd("SET", "a", 1)
    events.taken()
    assert events.of("COPY", "b", "a", "REPLACE") == ["0:a new", "0:a copy_to", "0:a overwritten"]


@pytest.mark.parametrize(
    "command",
    [
        ("DEL", "a"),
        ("EXISTS", "a"),
        ("TTL", "a"),
        ("EXPIRE", "a", "1"),
        ("SCAN", "0"),
        ("SCAN", "0", "MATCH", "zz*"),
        ("RANDOMKEY",),
        ("RENAME", "a", "c"),
        ("RENAME", "b", "a"),
        ("COPY", "b", "a"),
        ("TYPE", "a"),
        ("OBJECT", "FREQ", "a"),
    ],
)
def test_expired(client, events, command):
    """An expired key leaves with one event, whoever comes across it first."""
    client.cmd("SET", "b", 1)
    client.cmd("SET", "a", 1, "PX", 1)
    time.sleep(0.003)
    try:
        client.cmd(*command)
        while command == ("RANDOMKEY",) and client.cmd("DBSIZE") == 2:
            client.cmd(*command)
    except Exception:  # RENAME of a missing key
        pass
    assert events.taken().count("0:a expired") == 1
