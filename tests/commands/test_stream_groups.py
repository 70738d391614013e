"""Consumer groups: XGROUP, XACK, XPENDING, XCLAIM and XAUTOCLAIM."""

import time

import pytest
from test_stream import BAD_ID, NOT_INT, SYNTAX, WRONG_TYPE, fill, ids

NO_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
    "MKSTREAM option to create an empty stream automatically."
)
NO_GROUP = "NOGROUP No such consumer group 'none' for key name 's'"
NEITHER = "NOGROUP No such key '{}' or consumer group '{}'"


@pytest.fixture
def group(client):
    """Entries 1 to 6; alice has 1 to 3 of group g, bob 4."""
    fill(client, 6)
    assert client.cmd("XGROUP", "CREATE", "s", "g", "0") == b"OK"
    read(client, "alice", 3)
    read(client, "bob", 1)
    return client


def read(client, consumer, count, group="g"):
    client.cmd("XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", "s", ">")


def pending(client, *consumer, group="g"):
    """Pending entries, each as "id consumer count"."""
    rows = client.cmd("XPENDING", "s", group, "-", "+", 100, *consumer)
    return [f"{id.decode().removesuffix('-0')} {name.decode()} {count}" for id, name, _, count in rows]


# ---------------------------------------------------------------- XGROUP


def test_make_and_destroy(client):
    fill(client, 3)
    assert client.cmd("XGROUP", "CREATE", "s", "g", "$") == b"OK"
    assert client.error("XGROUP", "CREATE", "s", "g", "0") == "BUSYGROUP Consumer Group name already exists"
    assert client.cmd("XGROUP", "CREATE", "s", "", "2-0", "ENTRIESREAD", 2) == b"OK"
    assert client.error("XGROUP", "CREATE", "none", "g", "$") == NO_KEY
    assert client.cmd("XGROUP", "CREATE", "new", "g", "$", "MKSTREAM") == b"OK"
    assert client.cmd("XLEN", "new") == 0
    assert client.cmd("EXISTS", "new") == 1
    assert client.cmd("XGROUP", "DESTROY", "s", "g") == 1
    assert client.cmd("XGROUP", "DESTROY", "s", "g") == 0
    assert client.error("XGROUP", "DESTROY", "none", "g") == NO_KEY


def test_set_where_a_group_is(group):
    assert group.cmd("XGROUP", "SETID", "s", "g", "5") == b"OK"
    read(group, "carol", 10)
    assert pending(group, "carol") == ["6 carol 1"]
    assert group.cmd("XGROUP", "SETID", "s", "g", "-") == b"OK"
    read(group, "carol", 2)
    assert pending(group, "carol") == ["1 carol 1", "2 carol 1", "6 carol 1"], "they are taken from alice"
    assert pending(group) == ["1 carol 1", "2 carol 1", "3 alice 1", "4 bob 1", "6 carol 1"]
    assert group.cmd("XGROUP", "SETID", "s", "g", "$", "ENTRIESREAD", 4) == b"OK"
    assert group.error("XGROUP", "SETID", "s", "none", "$") == NO_GROUP


def test_consumers(group):
    assert group.cmd("XGROUP", "CREATECONSUMER", "s", "g", "carol") == 1
    assert group.cmd("XGROUP", "CREATECONSUMER", "s", "g", "alice") == 0
    assert group.cmd("XGROUP", "DELCONSUMER", "s", "g", "alice") == 3
    assert group.cmd("XGROUP", "DELCONSUMER", "s", "g", "alice") == 0
    assert group.cmd("XGROUP", "DELCONSUMER", "s", "g", "carol") == 0
    assert pending(group) == ["4 bob 1"]
    assert group.error("XGROUP", "CREATECONSUMER", "s", "none", "c") == NO_GROUP
    assert group.error("XGROUP", "DELCONSUMER", "s", "none", "c") == NO_GROUP
    assert group.error("XGROUP", "CREATECONSUMER", "none", "g", "c") == NO_KEY


def test_mistakes_of_xgroup(group):
    words = "ERR unknown subcommand or wrong number of arguments for '{}'. Try XGROUP HELP."
    assert group.error("XGROUP", "CREATE", "s", "h", "x") == BAD_ID
    assert group.error("XGROUP", "CREATE", "s", "h", "-") == BAD_ID
    assert group.error("XGROUP", "CREATE", "s", "h", "0", "NOPE") == words.format("CREATE")
    assert group.error("XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD") == words.format("CREATE")
    assert group.error("XGROUP", "create", "s", "h", "0", "ENTRIESREAD", "x") == NOT_INT
    negative = "ERR value for ENTRIESREAD must be positive or -1"
    assert group.error("XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD", "-2") == negative
    assert group.error("XGROUP", "SETID", "s", "g", "0", "MKSTREAM") == words.format("SETID")
    group.cmd("SET", "str", "v")
    for line in (
        "CREATE str g 0",
        "CREATE str g 0 MKSTREAM",
        "SETID str g 0",
        "DESTROY str g",
        "DELCONSUMER str g c",
    ):
        assert group.error("XGROUP", *line.split()) == WRONG_TYPE
    assert group.cmd("XGROUP", "HELP")[0].startswith(b"XGROUP <subcommand>")


def test_names_with_any_bytes(client):
    fill(client, 1)
    names = [b"", b"\0", b"\0\0", b"a", b"a\0", b"\xff", b"a b\r\n"]
    for name in names[::-1]:
        assert client.cmd("XGROUP", "CREATE", "s", name, "0") == b"OK"
        assert client.cmd("XGROUP", "CREATECONSUMER", "s", name, name) == 1
    groups = client.cmd("XINFO", "GROUPS", "s")
    assert [row[b"name"] if client.protocol == 3 else row[1] for row in groups] == sorted(names)


# ---------------------------------------------------------------- XACK


def test_acknowledge(group):
    assert group.cmd("XACK", "s", "g", "1", "2-0", "9", "1", "6") == 2
    assert pending(group) == ["3 alice 1", "4 bob 1"]
    assert group.cmd("XACK", "s", "none", "1", "x") == 0
    assert group.cmd("XACK", "none", "g", "1") == 0
    assert group.error("XACK", "s", "g", "3", "x") == BAD_ID
    assert pending(group) == ["3 alice 1", "4 bob 1"]
    group.cmd("SET", "str", "v")
    assert group.error("XACK", "str", "g", "1") == WRONG_TYPE


# ---------------------------------------------------------------- XPENDING


def test_summary(group):
    assert group.cmd("XPENDING", "s", "g") == [4, b"1-0", b"4-0", [[b"alice", b"3"], [b"bob", b"1"]]]
    group.cmd("XACK", "s", "g", "1", "4")
    assert group.cmd("XPENDING", "s", "g") == [2, b"2-0", b"3-0", [[b"alice", b"2"]]]
    group.cmd("XACK", "s", "g", "2", "3")
    null, nulls = (b"$-1\r\n", b"*-1\r\n") if group.protocol == 2 else (b"_\r\n", b"_\r\n")
    assert group.raw(b"XPENDING s g\r\n") == b"*4\r\n:0\r\n" + null + null + nulls


def test_pending_in_a_range(group):
    assert group.cmd("XPENDING", "s", "g", "-", "+", 2, "bob") == [
        [b"4-0", b"bob", pytest.approx(0, abs=5000), 1]
    ]
    for words, found in (
        ("- + 10", "1 2 3 4"),
        ("- + 2", "1 2"),
        ("2 3 10", "2 3"),
        ("(2 (4-0 10", "3"),
        ("- + 0", ""),
        ("- + -1", ""),
        ("- + 10 alice", "1 2 3"),
        ("- + 10 none", ""),
        ("5 + 10", ""),
        ("+ - 10", ""),
        ("IDLE 0 - + 10", "1 2 3 4"),
        ("IDLE 60000 - + 10", ""),
        ("IDLE 60000 - + 10 alice", ""),
    ):
        rows = group.cmd("XPENDING", "s", "g", *words.split())
        assert [row[0].decode().removesuffix("-0") for row in rows] == found.split(), words
    time.sleep(0.02)
    assert len(group.cmd("XPENDING", "s", "g", "IDLE", 10, "-", "+", 3)) == 3


def test_mistakes_of_xpending(group):
    for words, error in (
        ("s g - +", SYNTAX),
        ("s g - + x", NOT_INT),
        ("s g x + 10", BAD_ID),
        ("s g IDLE x - + 10", NOT_INT),
        ("s g IDLE 1 - +", SYNTAX),
        ("s g - + 10 c d e f", SYNTAX),
        ("s g (18446744073709551615-18446744073709551615 + 1", "ERR invalid start ID for the interval"),
        ("s g - (0-0 1", "ERR invalid end ID for the interval"),
        ("s none", NEITHER.format("s", "none")),
        ("s none - + 1", NEITHER.format("s", "none")),
        ("none g", NEITHER.format("none", "g")),
    ):
        assert group.error("XPENDING", *words.split()) == error, words
    group.cmd("SET", "str", "v")
    assert group.error("XPENDING", "str", "g") == WRONG_TYPE


# ---------------------------------------------------------------- XCLAIM


def test_claim(group):
    assert group.cmd("XCLAIM", "s", "g", "bob", 0, "1", "2", "9", "6") == [
        [b"1-0", [b"f", b"1"]],
        [b"2-0", [b"f", b"2"]],
    ]
    assert pending(group) == ["1 bob 2", "2 bob 2", "3 alice 1", "4 bob 1"]
    assert group.cmd("XCLAIM", "s", "g", "carol", 60_000, "1") == []
    assert group.cmd("XCLAIM", "s", "g", "carol", 0, "1", "JUSTID") == [b"1-0"]
    assert pending(group, "carol") == ["1 carol 2"]
    assert group.cmd("XCLAIM", "s", "g", "carol", 0, "1", "RETRYCOUNT", 9, "JUSTID") == [b"1-0"]
    assert pending(group, "carol") == ["1 carol 9"]


def test_claim_with_a_time(group):
    group.cmd("XCLAIM", "s", "g", "bob", 0, "1", "IDLE", 5000)
    assert group.cmd("XPENDING", "s", "g", "-", "+", 1)[0][2] == pytest.approx(5000, abs=1000)
    group.cmd("XCLAIM", "s", "g", "bob", 0, "1", "TIME", 1000)
    assert group.cmd("XPENDING", "s", "g", "-", "+", 1)[0][2] > 10**12
    group.cmd("XCLAIM", "s", "g", "bob", 0, "1", "TIME", 10**15)
    assert group.cmd("XPENDING", "s", "g", "-", "+", 1)[0][2] < 5000
    assert group.cmd("XCLAIM", "s", "g", "alice", 60_000, "1") == []


def test_claim_by_force(group):
    assert group.cmd("XCLAIM", "s", "g", "bob", 0, "6", "FORCE") == [[b"6-0", [b"f", b"6"]]]
    assert group.cmd("XCLAIM", "s", "g", "bob", 0, "9", "FORCE") == []
    assert pending(group, "bob") == ["4 bob 1", "6 bob 2"]


def test_claim_what_was_deleted(group):
    group.cmd("XDEL", "s", "1", "3")
    assert ids(group.cmd("XCLAIM", "s", "g", "bob", 0, "1", "2")) == ["2"]
    assert pending(group) == ["2 bob 2", "3 alice 1", "4 bob 1"]


def test_claim_sets_the_last_id(group):
    assert group.cmd("XCLAIM", "s", "g", "bob", 0, "99", "LASTID", "5") == []
    read(group, "bob", 10)
    assert pending(group, "bob") == ["4 bob 1", "6 bob 1"]
    group.cmd("XCLAIM", "s", "g", "bob", 0, "99", "LASTID", "2")
    read(group, "bob", 10)
    assert pending(group, "bob") == ["4 bob 1", "6 bob 1"]


def test_mistakes_of_xclaim(group):
    for words, error in (
        ("s g c x 1", "ERR Invalid min-idle-time argument for XCLAIM"),
        ("s g c 0 1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM"),
        ("s g c 0 1 TIME x", "ERR Invalid TIME option argument for XCLAIM"),
        ("s g c 0 1 RETRYCOUNT x", "ERR Invalid RETRYCOUNT option argument for XCLAIM"),
        ("s g c 0 1 LASTID x", BAD_ID),
        ("s g c 0 1 NOPE", "ERR Unrecognized XCLAIM option 'NOPE'"),
        ("s g c 0 1 IDLE", "ERR Unrecognized XCLAIM option 'IDLE'"),
        ("s none c x 1", NEITHER.format("s", "none")),
        ("none g c 0 1", NEITHER.format("none", "g")),
    ):
        assert group.error("XCLAIM", *words.split()) == error, words
    group.cmd("SET", "str", "v")
    assert group.error("XCLAIM", "str", "g", "c", 0, 1) == WRONG_TYPE


# ---------------------------------------------------------------- XAUTOCLAIM


def test_claim_in_turns(group):
    cursor, entries, deleted = group.cmd("XAUTOCLAIM", "s", "g", "carol", 0, "0", "COUNT", 2)
    assert (cursor, ids(entries), deleted) == (b"3-0", ["1", "2"], [])
    assert group.cmd("XAUTOCLAIM", "s", "g", "carol", 0, cursor, "COUNT", 1, "JUSTID") == [
        b"4-0",
        [b"3-0"],
        [],
    ]
    assert group.cmd("XAUTOCLAIM", "s", "g", "carol", 60_000, "-") == [b"0-0", [], []]
    assert pending(group) == ["1 carol 2", "2 carol 2", "3 carol 1", "4 bob 1"]
    cursor, entries, deleted = group.cmd("XAUTOCLAIM", "s", "g", "carol", 0, "(3-0")
    assert (cursor, ids(entries), deleted) == (b"0-0", ["4"], [])


def test_claim_in_turns_what_was_deleted(group):
    group.cmd("XDEL", "s", "1", "3")
    cursor, entries, deleted = group.cmd("XAUTOCLAIM", "s", "g", "carol", 0, "0", "COUNT", 3)
    assert (cursor, ids(entries), deleted) == (b"4-0", ["2"], [b"1-0", b"3-0"])
    assert pending(group) == ["2 carol 2", "4 bob 1"]


def test_mistakes_of_xautoclaim(group):
    for words, error in (
        ("s g c x 0", "ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        ("s g c 0 x", BAD_ID),
        ("s g c 0 0 COUNT 0", "ERR COUNT must be > 0"),
        ("s g c 0 0 COUNT x", "ERR COUNT must be > 0"),
        ("s g c 0 0 COUNT 8070450532247928833", "ERR COUNT must be > 0"),
        ("s g c 0 0 COUNT", SYNTAX),
        ("s g c 0 0 NOPE", SYNTAX),
        ("s g c 0 (18446744073709551615-18446744073709551615", "ERR invalid start ID for the interval"),
        ("s none c 0 0", NEITHER.format("s", "none")),
        ("none g c 0 0", NEITHER.format("none", "g")),
    ):
        assert group.error("XAUTOCLAIM", *words.split()) == error, words
    group.cmd("SET", "str", "v")
    assert group.error("XAUTOCLAIM", "str", "g", "c", 0, 0) == WRONG_TYPE
