"""XINFO, byte by byte."""

import re

import pytest
from test_stream import NOT_INT, WRONG_TYPE, fill

WORDS = "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."


def encoded(value, protocol):
    """RESP of text, numbers, None, lists and maps."""
    if value is None:
        return b"$-1\r\n" if protocol == 2 else b"_\r\n"
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, str):
        return b"$%d\r\n%b\r\n" % (len(value), value.encode())
    if isinstance(value, dict):
        head = b"*%d\r\n" % (2 * len(value)) if protocol == 2 else b"%%%d\r\n" % len(value)
        return head + b"".join(encoded(item, protocol) for pair in value.items() for item in pair)
    return b"*%d\r\n" % len(value) + b"".join(encoded(item, protocol) for item in value)


def answers(client, line, expected):
    """Whether a command answers so; times are written as 0."""
    reply = re.sub(rb":1[67]\d{11}\r\n", b":0\r\n", client.raw(line.encode() + b"\r\n"))
    reply = re.sub(rb"((?:idle|inactive)\r\n):\d+", rb"\1:0", reply)
    assert reply == encoded(expected, client.protocol)


def entry(n):
    return [f"{n}-0", ["f", str(n)]]


FACTS = {
    "length": 3, "radix-tree-keys": 1, "radix-tree-nodes": 2, "last-generated-id": "4-0",
    "max-deleted-entry-id": "2-0", "entries-added": 4, "recorded-first-entry-id": "1-0",
}  # fmt: skip


@pytest.fixture
def stream(client):
    """Entries 1, 3 and 4; group g has given 1 to alice and 2, which is deleted, to bob."""
    fill(client, 4)
    client.cmd("XGROUP", "CREATE", "s", "g", "0")
    for consumer in ("alice", "bob"):
        client.cmd("XREADGROUP", "GROUP", "g", consumer, "COUNT", 1, "STREAMS", "s", ">")
    client.cmd("XGROUP", "CREATECONSUMER", "s", "g", "carol")
    client.cmd("XGROUP", "CREATE", "s", "late", "$")
    client.cmd("XDEL", "s", "2")
    return client


def test_stream(stream):
    answers(stream, "XINFO STREAM s", FACTS | {"groups": 2, "first-entry": entry(1), "last-entry": entry(4)})
    stream.cmd("XGROUP", "CREATE", "empty", "g", "$", "MKSTREAM")
    answers(stream, "XINFO STREAM empty", {
        "length": 0, "radix-tree-keys": 0, "radix-tree-nodes": 1, "last-generated-id": "0-0",
        "max-deleted-entry-id": "0-0", "entries-added": 0, "recorded-first-entry-id": "0-0", "groups": 1,
        "first-entry": None, "last-entry": None,
    })  # fmt: skip


def test_full(stream):
    def consumer(name, active, *pending):
        return {
            "name": name,
            "seen-time": 0,
            "active-time": active,
            "pel-count": len(pending),
            "pending": list(pending),
        }

    full = FACTS | {
        "entries": [entry(1), entry(3), entry(4)],
        "groups": [
            {
                "name": "g", "last-delivered-id": "2-0", "entries-read": 2, "lag": None, "pel-count": 2,
                "pending": [["1-0", "alice", 0, 1], ["2-0", "bob", 0, 1]],
                "consumers": [
                    consumer("alice", 0, ["1-0", 0, 1]),
                    consumer("bob", 0, ["2-0", 0, 1]),
                    consumer("carol", -1),
                ],
            },
            {
                "name": "late", "last-delivered-id": "4-0", "entries-read": None, "lag": 0, "pel-count": 0,
                "pending": [], "consumers": [],
            },
        ],
    }  # fmt: skip
    answers(stream, "XINFO STREAM s FULL", full)
    answers(stream, "XINFO STREAM s FULL COUNT 0", full)
    answers(stream, "xinfo stream s full count -1", full)
    full["entries"] = full["entries"][:1]
    full["groups"][0]["pending"] = full["groups"][0]["pending"][:1]
    answers(stream, "XINFO STREAM s FULL COUNT 1", full)


def test_full_shows_ten(client):
    fill(client, 30)
    reply = client.cmd("XINFO", "STREAM", "s", "FULL")
    entries = reply[b"entries"] if client.protocol == 3 else reply[reply.index(b"entries") + 1]
    assert len(entries) == 10


def test_groups(stream):
    answers(stream, "XINFO GROUPS s", [
        {"name": "g", "consumers": 3, "pending": 2, "last-delivered-id": "2-0", "entries-read": 2,
         "lag": None},
        {"name": "late", "consumers": 0, "pending": 0, "last-delivered-id": "4-0", "entries-read": None,
         "lag": 0},
    ])  # fmt: skip


def test_consumers(stream):
    answers(stream, "XINFO CONSUMERS s g", [
        {"name": "alice", "pending": 1, "idle": 0, "inactive": 0},
        {"name": "bob", "pending": 1, "idle": 0, "inactive": 0},
        {"name": "carol", "pending": 0, "idle": 0, "inactive": -1},
    ])  # fmt: skip
    answers(stream, "XINFO CONSUMERS s late", [])


def progress(client, group="g"):
    """(entries-read, lag) of a group."""
    for row in client.cmd("XINFO", "GROUPS", "s"):
        fields = row if client.protocol == 3 else dict(zip(row[::2], row[1::2], strict=True))
        if fields[b"name"] == group.encode():
            return fields[b"entries-read"], fields[b"lag"]


def test_lag(client):
    def read(count):
        client.cmd("XREADGROUP", "GROUP", "g", "c", "COUNT", count, "STREAMS", "s", ">")
        return progress(client)

    client.cmd("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
    assert progress(client) == (None, 0)
    fill(client, 10)
    assert progress(client) == (None, 10)
    assert read(3) == (3, 7)
    client.cmd("XDEL", "s", "5")
    assert progress(client) == (3, None), "a gap ahead"
    assert read(1) == (None, None)
    client.cmd("XTRIM", "s", "MINID", "6")
    assert progress(client) == (None, 5), "all that is left"
    assert read(2) == (7, 3)
    client.cmd("XGROUP", "CREATE", "s", "h", "8", "ENTRIESREAD", 8)
    assert progress(client, "h") == (8, 2)
    client.cmd("XGROUP", "SETID", "s", "h", "8", "ENTRIESREAD", 100)
    assert progress(client, "h") == (10, 0), "no more than there were"
    client.cmd("XGROUP", "SETID", "s", "h", "99")
    assert progress(client, "h") == (None, None)
    assert read(10) == (10, 0)
    client.cmd("XTRIM", "s", "MAXLEN", "0")
    assert progress(client, "h") == (None, 0)


def test_mistakes(stream):
    assert stream.error("XINFO", "STREAM", "s", "NOPE") == WORDS
    assert stream.error("XINFO", "STREAM", "s", "FULL", "COUNT") == WORDS
    assert stream.error("XINFO", "STREAM", "s", "FULL", "NOPE", "1") == WORDS
    assert stream.error("XINFO", "STREAM", "s", "FULL", "COUNT", "x") == NOT_INT
    assert (
        stream.error("XINFO", "CONSUMERS", "s", "none")
        == "NOGROUP No such consumer group 'none' for key name 's'"
    )
    stream.cmd("SET", "str", "v")
    for words in (("STREAM",), ("GROUPS",), ("CONSUMERS", "g")):
        assert stream.error("XINFO", words[0], "none", *words[1:]) == "ERR no such key"
        assert stream.error("XINFO", words[0], "str", *words[1:]) == WRONG_TYPE
    assert stream.cmd("XINFO", "HELP")[0].startswith(b"XINFO <subcommand>")
