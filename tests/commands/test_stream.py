"""Streams: adding, listing, deleting and trimming entries."""

import pytest
from connections import Connection

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_INT = "ERR value is not an integer or out of range"
BAD_ID = "ERR Invalid stream ID specified as stream command argument"
TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
LAST_ID = "18446744073709551615-18446744073709551615"


@pytest.fixture(params=[100, 2], ids=["one-block", "blocks"])
def blocks(request, client):
    client.cmd("CONFIG", "SET", "stream-node-max-entries", request.param)
    yield request.param
    client.cmd("CONFIG", "SET", "stream-node-max-entries", 100)


def fill(client, last, key="s"):
    """Entries 1-0, 2-0, ... with a field f of the same number."""
    for i in range(1, last + 1):
        assert client.cmd("XADD", key, f"{i}-0", "f", i) == b"%d-0" % i


def ids(reply):
    return [id.decode().removesuffix("-0") for id, _ in reply]


def listed(client, key="s"):
    return ids(client.cmd("XRANGE", key, "-", "+"))


# ---------------------------------------------------------------- XADD


def test_add_and_list(client, blocks):
    assert client.cmd("XADD", "s", "5-1", "name", "value", "n", "12") == b"5-1"
    assert client.cmd("XADD", "s", "5-2", "name", "", "n", "-7") == b"5-2"
    assert client.cmd("XADD", "s", "7", "other", "x" * 5000) == b"7-0"
    assert client.cmd("XADD", "s", "7-1", "name", "9223372036854775807", "n", "+1", "name", "again") == b"7-1"
    entries = [
        [b"5-1", [b"name", b"value", b"n", b"12"]],
        [b"5-2", [b"name", b"", b"n", b"-7"]],
        [b"7-0", [b"other", b"x" * 5000]],
        [b"7-1", [b"name", b"9223372036854775807", b"n", b"+1", b"name", b"again"]],
    ]
    assert client.cmd("XLEN", "s") == 4
    assert client.cmd("XRANGE", "s", "-", "+") == entries
    assert client.cmd("XREVRANGE", "s", "+", "-") == entries[::-1]
    assert client.cmd("TYPE", "s") == b"stream"
    assert client.cmd("OBJECT", "ENCODING", "s") == b"stream"


def test_ids_that_the_server_makes(client):
    first, second = (client.cmd("XADD", "s", "*", "f", i) for i in range(2))
    (ms, seq), (later, other) = (map(int, id.split(b"-")) for id in (first, second))
    assert abs(ms - int(client.cmd("TIME")[0]) * 1000) < 10_000
    assert (ms, seq) < (later, other)
    assert client.cmd("XADD", "s", "9999999999999-5", "f", "v") == b"9999999999999-5"
    assert client.cmd("XADD", "s", "*", "f", "v") == b"9999999999999-6"
    assert client.cmd("XADD", "s", "9999999999999-*", "f", "v") == b"9999999999999-7"
    assert client.cmd("XADD", "s", "19999999999999-*", "f", "v") == b"19999999999999-0"
    assert client.cmd("XADD", "s", "19999999999999-18446744073709551615", "f", "v")
    assert client.cmd("XADD", "s", "*", "f", "v") == b"20000000000000-0"
    assert client.cmd("XADD", "zero", "0-*", "f", "v") == b"0-1"


def test_ids_that_are_too_small(client):
    assert (
        client.error("XADD", "s", "0-0", "f", "v") == "ERR The ID specified in XADD must be greater than 0-0"
    )
    assert client.cmd("EXISTS", "s") == 0
    client.cmd("XADD", "s", "5-5", "f", "v")
    for id in ("5-5", "5-4", "5", "4-*", "1-9"):
        assert client.error("XADD", "s", id, "f", "v") == TOO_SMALL
    client.cmd("XDEL", "s", "5-5")
    assert client.error("XADD", "s", "5-5", "f", "v") == TOO_SMALL
    client.cmd("XADD", "s", "5-18446744073709551615", "f", "v")
    assert client.error("XADD", "s", "5-*", "f", "v") == TOO_SMALL
    client.cmd("XADD", "s", LAST_ID, "f", "v")
    exhausted = "ERR The stream has exhausted the last possible ID, unable to add more items"
    assert client.error("XADD", "s", "*", "f", "v") == exhausted


@pytest.mark.parametrize(
    "id", ["x", "-", "+", "1-x", "1-", "-1", "1--1", "1-2-3", "18446744073709551616", "1" * 128, "$"]
)
def test_bad_ids(client, id):
    assert client.error("XADD", "s", id, "f", "v") == BAD_ID
    assert client.cmd("EXISTS", "s") == 0
    if id not in "-+":
        assert client.error("XRANGE", "s", id, "+") == BAD_ID
    client.cmd("XADD", "s", "1", "f", "v")
    assert client.error("XDEL", "s", id) == BAD_ID


def test_ids_as_c_reads_numbers(client):
    for given, id in (
        (" 7", "7-0"),
        ("+8", "8-0"),
        ("0009-01", "9-1"),
        ("18446744073709551615-1", "18446744073709551615-1"),
    ):
        assert client.cmd("XADD", "s", given, "f", "v") == id.encode()


def test_mistakes_of_xadd(client):
    arity = "ERR wrong number of arguments for 'xadd' command"
    for words in (
        ("s",),
        ("s", "*"),
        ("s", "*", "f"),
        ("s", "*", "f", "v", "g"),
        ("s", "MAXLEN", "3", "*", "f"),
        ("s", "NOMKSTREAM", "0-0", "f"),
    ):
        assert client.error("XADD", *words) == arity
    for words, error in (
        ("MAXLEN x * f v", NOT_INT),
        ("MAXLEN -1 * f v", "ERR The MAXLEN argument must be >= 0."),
        ("MINID x * f v", BAD_ID),
        (
            "MAXLEN 3 MINID 3 * f v",
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        ),
        ("LIMIT 3 * f v", "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("MAXLEN 3 LIMIT 3 * f v", "ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ("MAXLEN ~ 3 LIMIT x * f v", NOT_INT),
        ("MAXLEN ~ 3 LIMIT -1 * f v", "ERR The LIMIT argument must be >= 0."),
        ("NOPE * f v", BAD_ID),
        ("KEEPREF DELREF * f v", BAD_ID),
    ):
        assert client.error("XADD", "s", *words.split()) == error
    client.cmd("SET", "str", "v")
    assert client.error("XADD", "str", "*", "f", "v") == WRONG_TYPE
    assert client.error("XADD", "str", "NOMKSTREAM", "*", "f", "v") == WRONG_TYPE


def test_only_to_a_stream_that_exists(client):
    assert client.cmd("XADD", "s", "NOMKSTREAM", "*", "f", "v") is None
    assert client.cmd("EXISTS", "s") == 0
    client.cmd("XADD", "s", "1", "f", "v")
    assert client.cmd("XADD", "s", "nomkstream", "2", "f", "v") == b"2-0"


def test_add_and_trim(client, blocks):
    fill(client, 10)
    assert client.cmd("XADD", "s", "MAXLEN", "4", "11", "f", "v") == b"11-0"
    assert listed(client) == ["8", "9", "10", "11"]
    assert client.cmd("XADD", "s", "MINID", "=", "10", "12", "f", "v") == b"12-0"
    assert listed(client) == ["10", "11", "12"]
    client.cmd("XADD", "s", "MAXLEN", "0", "13", "f", "v")
    assert listed(client) == []
    assert client.cmd("EXISTS", "s") == 1
    assert client.error("XADD", "s", "13", "f", "v") == TOO_SMALL


# ---------------------------------------------------------------- XRANGE, XREVRANGE


def test_ranges(client, blocks):
    fill(client, 9)
    client.cmd("XADD", "s", "9-5", "f", "v")
    client.cmd("XDEL", "s", "4-0")
    for first, last, found in (
        ("3", "6", "3 5 6"),
        ("(3", "6", "5 6"),
        ("3", "(6-0", "3 5"),
        ("3", "(6", "3 5 6"),
        ("(3-0", "(5-0", ""),
        ("4", "4", ""),
        ("5", "5-0", "5"),
        ("9", "9", "9 9-5"),
        ("9", "9-4", "9"),
        ("(9-0", "+", "9-5"),
        ("-", "2", "1 2"),
        ("8", "7", ""),
        ("10", "+", ""),
        ("+", "-", ""),
    ):
        assert ids(client.cmd("XRANGE", "s", first, last)) == found.split(), (first, last)
        assert ids(client.cmd("XREVRANGE", "s", last, first)) == found.split()[::-1], (first, last)
    assert ids(client.cmd("XRANGE", "s", "-", "+", "COUNT", 4)) == ["1", "2", "3", "5"]
    assert ids(client.cmd("XREVRANGE", "s", "+", "-", "COUNT", 3)) == ["9-5", "9", "8"]


def test_count(client):
    fill(client, 3)
    null = b"*-1\r\n" if client.protocol == 2 else b"_\r\n"
    assert client.raw(b"XRANGE s - + COUNT 0\r\n") == null
    assert client.raw(b"XREVRANGE s + - COUNT -5\r\n") == null
    assert client.raw(b"XRANGE none - + COUNT 0\r\n") == b"*0\r\n"
    assert len(client.cmd("XRANGE", "s", "-", "+", "COUNT", 1, "COUNT", 2)) == 2


def test_mistakes_of_ranges(client):
    fill(client, 1)
    assert client.error("XRANGE", "s", "(-", "+") == BAD_ID
    assert client.error("XRANGE", "s", "(", "+") == BAD_ID
    assert client.error("XRANGE", "s", f"({LAST_ID}", "+") == "ERR invalid start ID for the interval"
    assert client.error("XRANGE", "s", "-", "(0-0") == "ERR invalid end ID for the interval"
    assert client.error("XREVRANGE", "s", "(0-0", "-") == "ERR invalid end ID for the interval"
    assert client.error("XRANGE", "s", "-", "+", "COUNT") == SYNTAX
    assert client.error("XRANGE", "s", "-", "+", "NOPE", "1") == SYNTAX
    assert client.error("XRANGE", "s", "-", "+", "COUNT", "x") == NOT_INT
    client.cmd("SET", "str", "v")
    for line in ("XRANGE str - +", "XREVRANGE str + -", "XLEN str", "XDEL str 1", "XTRIM str MAXLEN 1"):
        assert client.error(*line.split()) == WRONG_TYPE
    for line in ("XSETID str 1", "XDELEX str IDS 1 1", "XACKDEL str g IDS 1 1"):
        assert client.error(*line.split()) == WRONG_TYPE
    assert client.cmd("XLEN", "none") == 0


# ---------------------------------------------------------------- deleting


def test_delete(client, blocks):
    fill(client, 7)
    assert client.cmd("XDEL", "s", "3", "9", "3", "7-0") == 2
    assert listed(client) == ["1", "2", "4", "5", "6"]
    assert client.cmd("XDEL", "none", "3", "x") == 0
    assert client.error("XDEL", "s", "1", "x") == BAD_ID
    assert client.cmd("XDEL", "s", *range(1, 8)) == 5
    assert client.cmd("EXISTS", "s") == 1
    assert listed(client) == []


def test_trim(client):
    fill(client, 100)
    assert client.cmd("XTRIM", "s", "MAXLEN", 200) == 0
    assert client.cmd("XTRIM", "s", "MAXLEN", "~", 50) == 0, "one block"
    assert client.cmd("XTRIM", "s", "MAXLEN", "=", 90) == 10
    assert client.cmd("XTRIM", "s", "MINID", "20-0") == 9
    assert client.cmd("XTRIM", "s", "MINID", "~", "20-0") == 0
    assert listed(client)[0] == "20"
    assert client.cmd("XTRIM", "s", "MINID", 1000) == 81
    assert client.cmd("XTRIM", "none", "MAXLEN", 1) == 0


def test_trim_whole_blocks(client, blocks):
    fill(client, 10)
    assert client.cmd("XTRIM", "s", "MAXLEN", "~", 5) == (4 if blocks == 2 else 0)
    assert client.cmd("XTRIM", "s", "MINID", "~", 8, "LIMIT", 1) == 0
    assert client.cmd("XTRIM", "s", "MINID", "~", 8, "LIMIT", 2) == (2 if blocks == 2 else 0)
    assert client.cmd("XTRIM", "s", "MAXLEN", "~", 0, "DELREF") == 0, (
        "whole blocks go only if nothing is asked"
    )


def test_mistakes_of_xtrim(client):
    fill(client, 1)
    needs = "ERR syntax error, XTRIM must be called with a trimming strategy"
    assert client.error("XTRIM", "s", "KEEPREF", "DELREF") == SYNTAX
    assert client.error("XTRIM", "s", "LIMIT", "0") == needs
    assert client.error("XTRIM", "s", "NOPE", "3") == SYNTAX
    assert client.error("XTRIM", "s", "MAXLEN", "3", "3") == SYNTAX
    assert client.error("XTRIM", "s", "MAXLEN", "=") == NOT_INT
    assert client.error("XTRIM", "s", "MAXLEN", "1", "LIMIT", "30").startswith("ERR syntax error, LIMIT")


# ---------------------------------------------------------------- XDELEX, and references of groups


def with_groups(client):
    """Entries 1 to 6; group g has read 1 to 4 and acknowledged 1 and 2, group h both 1 to 3."""
    fill(client, 6)
    for group, last, done in (("g", 4, ("1", "2")), ("h", 3, ("1", "2", "3"))):
        client.cmd("XGROUP", "CREATE", "s", group, "0")
        client.cmd("XREADGROUP", "GROUP", group, "c", "COUNT", last, "STREAMS", "s", ">")
        client.cmd("XACK", "s", group, *done)


def pending(client, group):
    return [id.decode().removesuffix("-0") for id, *_ in client.cmd("XPENDING", "s", group, "-", "+", 100)]


def test_delete_by_references(client, blocks):
    with_groups(client)
    assert client.cmd("XDELEX", "s", "ACKED", "IDS", 4, 1, 3, 5, 9) == [1, 2, 2, 2]
    assert client.cmd("XDELEX", "s", "KEEPREF", "IDS", 2, 4, 1) == [1, -1]
    assert pending(client, "g") == ["3", "4"]
    assert client.cmd("XDELEX", "s", "IDS", 2, 3, 4, "DELREF") == [1, -1]
    assert pending(client, "g") == []
    assert listed(client) == ["2", "5", "6"]
    assert client.cmd("XDELEX", "none", "IDS", 2, 1, "x") == [-1, -1]


def test_trim_by_references(client, blocks):
    with_groups(client)
    assert client.cmd("XTRIM", "s", "MAXLEN", 3, "ACKED") == 2
    assert listed(client) == ["3", "4", "5", "6"]
    assert client.cmd("XTRIM", "s", "MINID", 5, "DELREF") == 2
    assert pending(client, "g") == []
    client.cmd("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    client.cmd("XADD", "s", "ACKED", "MAXLEN", "1", "7", "f", "v")
    assert listed(client) == ["5", "6", "7"]
    client.cmd("XADD", "s", "MAXLEN", "1", "8", "f", "v")
    assert pending(client, "g") == ["5", "6"]


def test_acknowledge_and_delete(client, blocks):
    with_groups(client)
    assert client.cmd("XACKDEL", "s", "g", "ACKED", "IDS", 4, 3, 4, 1, 9) == [1, 2, -1, -1]
    assert listed(client) == ["1", "2", "4", "5", "6"]
    assert pending(client, "g") == []
    client.cmd("XREADGROUP", "GROUP", "h", "c", "STREAMS", "s", ">")
    client.cmd("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    assert client.cmd("XACKDEL", "s", "h", "IDS", 1, 5) == [1]
    assert pending(client, "g") == ["5", "6"]
    assert client.cmd("XACKDEL", "s", "h", "DELREF", "IDS", 1, 6) == [1]
    assert pending(client, "g") == ["5"]
    assert client.cmd("XACKDEL", "s", "none", "IDS", 1, "x") == [-1]
    assert client.cmd("XACKDEL", "none", "g", "IDS", 2, 1, 2) == [-1, -1]


@pytest.mark.parametrize("command", [["XDELEX", "s"], ["XACKDEL", "s", "g"]])
def test_mistakes_of_xdelex(client, command):
    with_groups(client)
    number = "ERR Number of IDs must be a positive integer"
    match = "ERR The `numids` parameter must match the number of arguments"
    for words, error in (
        ("IDS 0 1", number),
        ("IDS x 1", number),
        ("IDS -1 1", number),
        ("IDS 2 1", match),
        ("IDS 1 x", BAD_ID),
        ("IDS 1 1 2", SYNTAX),
        ("NOPE 1 1", SYNTAX),
        ("KEEPREF ACKED IDS 1 1", SYNTAX),
        ("KEEPREF KEEPREF IDS 1 1", SYNTAX),
        ("KEEPREF IDS 1 1 ACKED", SYNTAX),
    ):
        assert client.error(*command, *words.split()) == error, words


# ---------------------------------------------------------------- XSETID


def test_set_the_last_id(client):
    fill(client, 3)
    assert client.cmd("XSETID", "s", "10-5") == b"OK"
    assert client.error("XADD", "s", "10-5", "f", "v") == TOO_SMALL
    assert client.cmd("XSETID", "s", "9", "ENTRIESADDED", "50", "MAXDELETEDID", "8-1") == b"OK"
    info = client.cmd("XINFO", "STREAM", "s")
    info = info if client.protocol == 3 else dict(zip(info[::2], info[1::2], strict=True))
    assert [info[name] for name in (b"last-generated-id", b"entries-added", b"max-deleted-entry-id")] == [
        b"9-0", 50, b"8-1",
    ]  # fmt: skip
    smaller = "ERR The ID specified in XSETID is smaller than "
    for words, error in (
        ("s 8", smaller + "current max_deleted_entry_id"),
        ("s 9 MAXDELETEDID 10", smaller + "the provided max_deleted_entry_id"),
        (
            "s 9 ENTRIESADDED 2",
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        ),
        ("s 9 ENTRIESADDED -1", "ERR entries_added must be positive"),
        ("s 9 ENTRIESADDED x", NOT_INT),
        ("s 9 MAXDELETEDID x", BAD_ID),
        ("s x", BAD_ID),
        ("s 9 NOPE 3", SYNTAX),
        ("s 9 ENTRIESADDED", SYNTAX),
        ("none 1", "ERR no such key"),
    ):
        assert client.error("XSETID", *words.split()) == error
    fill(client, 2, "t")
    assert client.error("XSETID", "t", "1") == smaller + "the target stream top item"


# ---------------------------------------------------------------- events and the rest

EVENTS = [
    ("XADD s 9 f v", "xadd"),
    ("XADD new 9 f v", "new xadd"),
    ("XADD s MAXLEN 1 9 f v", "xadd xtrim"),
    ("XADD s MAXLEN 100 9 f v", "xadd"),
    ("XTRIM s MAXLEN 1", "xtrim"),
    ("XTRIM s MAXLEN 100", ""),
    ("XDEL s 1 2", "xdel"),
    ("XDEL s 77", ""),
    ("XDELEX s IDS 1 1", "xdel"),
    ("XACKDEL s g IDS 1 3", "xdel"),
    ("XACKDEL s g ACKED IDS 1 4", ""),
    ("XSETID s 77", "xsetid"),
    ("XGROUP CREATE s n 0", "xgroup-create"),
    ("XGROUP CREATE new n 0 MKSTREAM", "new xgroup-create"),
    ("XGROUP SETID s g 0", "xgroup-setid"),
    ("XGROUP DESTROY s g", "xgroup-destroy"),
    ("XGROUP DESTROY s none", ""),
    ("XGROUP CREATECONSUMER s g d", "xgroup-createconsumer"),
    ("XGROUP CREATECONSUMER s g c", ""),
    ("XGROUP DELCONSUMER s g c", "xgroup-delconsumer"),
    ("XREADGROUP GROUP g d STREAMS s >", "xgroup-createconsumer"),
    ("XREADGROUP GROUP g c STREAMS s >", ""),
    ("XCLAIM s g d 0 3", "xgroup-createconsumer"),
    ("XAUTOCLAIM s g d 0 0", "xgroup-createconsumer"),
    ("XACK s g 3", ""),
]


@pytest.mark.parametrize(("command", "events"), EVENTS)
def test_events(server, client, subscriber, command, events):
    with_groups(client)
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "EAn")
    subscriber.subscribe("__keyevent@0__:*")
    client.cmd(*command.split())
    client.cmd("SET", "end", "v")
    found = []
    while not found or found[-1] != "set":
        channel, _ = subscriber.next()
        found.append(channel.decode().removeprefix("__keyevent@0__:"))
    assert found[: found.index("set")] == [*events.split(), "new"]
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "")


@pytest.mark.parametrize(
    ("command", "changes"),
    [("XADD s 9 f v", 1), ("XTRIM s MAXLEN 1", 1), ("XDEL s 1", 1), ("XGROUP CREATE new g 0 MKSTREAM", 1),
     ("XACK s g 3", 0), ("XREADGROUP GROUP g c STREAMS s >", 0), ("XGROUP DESTROY s g", 0),
     ("XSETID s 99", 0)],
)  # fmt: skip
def test_watched(server, client, command, changes):
    with_groups(client)
    client.cmd("WATCH", "s", "new")
    with Connection(server.port) as other:
        other.cmd(*command.split())
    assert (client.all("MULTI", "PING", "EXEC")[-1] is None) == changes


def test_copy_rename_and_delete(client, blocks):
    with_groups(client)
    before = client.cmd("XINFO", "STREAM", "s", "FULL", "COUNT", 0)
    assert client.cmd("COPY", "s", "t") == 1
    assert client.cmd("XINFO", "STREAM", "t", "FULL", "COUNT", 0) == before
    client.cmd("RENAME", "s", "u")
    client.cmd("XTRIM", "t", "MAXLEN", 0)
    assert client.cmd("XINFO", "STREAM", "u", "FULL", "COUNT", 0) == before
    assert client.cmd("DEL", "u", "t") == 2
    assert client.cmd("DBSIZE") == 0
