"""XREAD and XREADGROUP, at once and waiting."""

import pytest
from connections import until
from test_stream import BAD_ID, NOT_INT, SYNTAX, WRONG_TYPE, fill, ids

MEANINGLESS = (
    "ERR The {} ID is meaningless in the context of XREADGROUP: you want to read the history of this "
    "consumer by specifying a proper ID, or use the > ID to get new messages. The {} ID would just return an "
    "empty result set."
)


@pytest.fixture
def one(connect, protocol):
    return connect(protocol)


@pytest.fixture
def other(connect):
    return connect()


def streams(reply):
    """The reply, whatever the protocol, as (key, IDs) of each stream."""
    if reply is None:
        return None
    pairs = reply.items() if isinstance(reply, dict) else reply
    return [(key.decode(), ids(entries)) for key, entries in pairs]


def waits(client, other, *words):
    """Send a command that waits."""
    client.send(*words)
    until(lambda: b"blocked_clients:1\r\n" in other.cmd("INFO", "clients"))


# ---------------------------------------------------------------- XREAD


def test_read_at_once(client):
    fill(client, 3)
    fill(client, 2, "t")
    assert streams(client.cmd("XREAD", "STREAMS", "s", "1")) == [("s", ["2", "3"])]
    assert streams(client.cmd("XREAD", "STREAMS", "s", "none", "t", "2-0", "0", "0")) == [
        ("s", ["3"]),
        ("t", ["1", "2"]),
    ]
    assert streams(client.cmd("XREAD", "COUNT", 1, "STREAMS", "s", "t", "0", "2")) == [("s", ["1"])]
    assert streams(client.cmd("XREAD", "COUNT", -1, "STREAMS", "s", "0")) == [("s", ["1", "2", "3"])]
    assert streams(client.cmd("XREAD", "COUNT", 5, "STREAMS", "s", "t", "+", "+")) == [
        ("s", ["3"]),
        ("t", ["2"]),
    ]
    reply = b"*1\r\n*2\r\n" if client.protocol == 2 else b"%1\r\n"
    reply += b"$1\r\ns\r\n*1\r\n*2\r\n$3\r\n3-0\r\n*2\r\n$1\r\nf\r\n$1\r\n3\r\n"
    assert client.raw(b"XREAD STREAMS s 2\r\n") == reply


def test_nothing_to_read(client):
    fill(client, 3)
    null = b"*-1\r\n" if client.protocol == 2 else b"_\r\n"
    for words in (b"s 3", b"s $", b"none 0", b"none +", b"s s 9 $"):
        assert client.raw(b"XREAD STREAMS " + words + b"\r\n") == null
    client.cmd("XDEL", "s", "1", "2", "3")
    assert client.raw(b"XREAD STREAMS s 0\r\n") == null
    assert client.raw(b"XREAD STREAMS s +\r\n") == null


def test_last_of_all(client):
    last = "18446744073709551615-18446744073709551615"
    client.cmd("XADD", "s", last, "f", "v")
    assert streams(client.cmd("XREAD", "STREAMS", "s", "+")) == [("s", [last])]
    assert client.cmd("XREAD", "STREAMS", "s", last) is None


def test_mistakes_of_xread(client):
    fill(client, 1)
    only = "ERR The {} option is only supported by XREADGROUP. You called XREAD instead."
    unbalanced = (
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."
    )
    group = (
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
        "option."
    )
    for words, error in (
        ("STREAMS s 0 1", unbalanced),
        ("STREAMS s x", BAD_ID),
        ("COUNT x STREAMS s 0", NOT_INT),
        ("BLOCK x STREAMS s 0", "ERR timeout is not an integer or out of range"),
        ("BLOCK -1 STREAMS s 0", "ERR timeout is negative"),
        ("NOPE STREAMS s 0", SYNTAX),
        ("COUNT 3 BLOCK 3", SYNTAX),
        ("GROUP g c STREAMS s 0", only.format("GROUP")),
        ("NOACK STREAMS s 0", only.format("NOACK")),
        ("STREAMS s >", group),
    ):
        assert client.error("XREAD", *words.split()) == error, words
    client.cmd("SET", "str", "v")
    assert client.error("XREAD", "STREAMS", "s", "str", "0", "0") == WRONG_TYPE


# ---------------------------------------------------------------- XREADGROUP


def test_read_as_a_group(client):
    fill(client, 5)
    client.cmd("XGROUP", "CREATE", "s", "g", "1")
    group = ("XREADGROUP", "GROUP", "g")
    assert streams(client.cmd(*group, "a", "COUNT", 2, "STREAMS", "s", ">")) == [("s", ["2", "3"])]
    assert streams(client.cmd(*group, "b", "COUNT", 1, "NOACK", "STREAMS", "s", ">")) == [("s", ["4"])]
    assert streams(client.cmd(*group, "b", "STREAMS", "s", ">")) == [("s", ["5"])]
    assert client.cmd(*group, "b", "STREAMS", "s", ">") is None
    assert streams(client.cmd(*group, "a", "STREAMS", "s", "0")) == [("s", ["2", "3"])]
    assert streams(client.cmd(*group, "a", "COUNT", 1, "STREAMS", "s", "2-0")) == [("s", ["3"])]
    assert streams(client.cmd(*group, "c", "STREAMS", "s", "0")) == [("s", [])]
    pending = client.cmd("XPENDING", "s", "g", "-", "+", 10)
    assert [(id, name, count) for id, name, _, count in pending] == [
        (b"2-0", b"a", 2), (b"3-0", b"a", 3), (b"5-0", b"b", 1),
    ]  # fmt: skip


def test_read_of_history_what_was_deleted(client):
    fill(client, 2)
    client.cmd("XGROUP", "CREATE", "s", "g", "0")
    client.cmd("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    client.cmd("XDEL", "s", "1")
    null = b"*-1\r\n" if client.protocol == 2 else b"_\r\n"
    reply = b"*1\r\n*2\r\n" if client.protocol == 2 else b"%1\r\n"
    reply += (
        b"$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n" + null + b"*2\r\n$3\r\n2-0\r\n*2\r\n$1\r\nf\r\n$1\r\n2\r\n"
    )
    assert client.raw(b"XREADGROUP GROUP g a STREAMS s 0\r\n") == reply


def test_one_stream_twice(client):
    fill(client, 3)
    client.cmd("XGROUP", "CREATE", "s", "g", "0")
    reply = client.cmd(
        "XREADGROUP", "GROUP", "g", "a", "COUNT", 2, "STREAMS", "s", "s", "s", "s", ">", ">", "2", ">"
    )
    if client.protocol == 2:
        assert streams(reply) == [("s", ["1", "2"]), ("s", ["3"]), ("s", ["3"])]


def test_mistakes_of_xreadgroup(client):
    fill(client, 1)
    client.cmd("XGROUP", "CREATE", "s", "g", "0")
    unbalanced = (
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
    )
    neither = "NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option"
    for words, error in (
        ("GROUP g c STREAMS s 0 1", unbalanced),
        ("GROUP g c STREAMS s x", BAD_ID),
        ("GROUP g c STREAMS s $", MEANINGLESS.format("$", "$")),
        ("GROUP g c STREAMS s +", MEANINGLESS.format("+", "+")),
        ("COUNT 1 BLOCK 1 STREAMS s 0", "ERR Missing GROUP option for XREADGROUP"),
        ("GROUP none c STREAMS s >", neither.format("s", "none")),
        ("GROUP g c STREAMS none >", neither.format("none", "g")),
        ("GROUP g c NOPE STREAMS s >", SYNTAX),
    ):
        assert client.error("XREADGROUP", *words.split()) == error, words
    client.cmd("SET", "str", "v")
    assert client.error("XREADGROUP", "GROUP", "g", "c", "STREAMS", "str", ">") == WRONG_TYPE
    assert client.cmd("XINFO", "CONSUMERS", "s", "g") == []


# ---------------------------------------------------------------- waiting


def test_wait_for_entries(one, other):
    fill(other, 3)
    waits(one, other, "XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", "none", "$", "0")
    other.cmd("XADD", "s", "4", "f", "v")
    assert streams(one.read()) == [("s", ["4"])]
    waits(one, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "none", "$", "$")
    other.all("MULTI", "XADD none 1 f v", "XADD none 2 f v", "EXEC")
    assert streams(one.read()) == [("none", ["1", "2"])]
    waits(one, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "9")
    other.cmd("XADD", "s", "5", "f", "v")
    assert b"blocked_clients:1\r\n" in other.cmd("INFO", "clients")
    other.cmd("XADD", "s", "10", "f", "v")
    assert streams(one.read()) == [("s", ["10"])]


def test_wait_for_the_last_entry(one, other):
    waits(one, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "+")
    other.cmd("XADD", "s", "7", "f", "v")
    assert streams(one.read()) == [("s", ["7"])]


def test_wait_in_vain(one, other):
    null = b"*-1\r\n" if one.protocol == 2 else b"_\r\n"
    assert one.exchange("XREAD", "BLOCK", 10, "STREAMS", "s", "$") == null
    fill(other, 1)
    other.cmd("XGROUP", "CREATE", "s", "g", "$")
    assert one.exchange("XREADGROUP", "GROUP", "g", "c", "BLOCK", 10, "STREAMS", "s", ">") == null
    assert one.all("MULTI", "XREAD BLOCK 0 STREAMS s $", "EXEC")[-1] == [None]


def test_nothing_comes_when_a_key_goes(one, other):
    fill(other, 3)
    waits(one, other, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    other.all("MULTI", "XADD s 4 f v", "DEL s", "EXEC")
    other.cmd("SET", "s", "v")
    other.cmd("DEL", "s")
    other.cmd("XADD", "s", "1-1", "f", "v")
    assert b"blocked_clients:1\r\n" in other.cmd("INFO", "clients")
    other.cmd("XADD", "s", "5", "f", "v")
    assert streams(one.read()) == [("s", ["5"])]


def test_wait_as_a_group(one, other):
    fill(other, 1)
    other.cmd("XGROUP", "CREATE", "s", "g", "$")
    waits(one, other, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    other.cmd("XADD", "s", "2", "f", "v")
    assert streams(one.read()) == [("s", ["2"])]
    assert other.cmd("XPENDING", "s", "g")[0] == 1
    assert streams(one.cmd("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", "0")) == [
        ("s", ["2"])
    ]


@pytest.mark.parametrize(
    ("commands", "error"),
    [
        (["DEL s"], "NOGROUP"),
        (["FLUSHALL"], "NOGROUP"),
        (["XGROUP DESTROY s g"], "NOGROUP"),
        (["RENAME s t"], "NOGROUP"),
        (["XADD t 1 f v", "RENAME t s"], "NOGROUP"),
        (["SET s v"], "WRONGTYPE"),
        (["MULTI", "DEL s", "SET s v", "EXEC"], "WRONGTYPE"),
    ],
)
def test_a_group_goes(one, other, commands, error):
    fill(other, 1)
    other.cmd("XGROUP", "CREATE", "s", "g", "$")
    waits(one, other, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    other.all(*commands)
    assert str(one.read()).startswith(error)


def test_several_readers(connect, other):
    fill(other, 1)
    other.cmd("XGROUP", "CREATE", "s", "g", "$")
    readers = [connect() for _ in range(4)]
    for number, reader in enumerate(readers[:2]):
        reader.send("XREADGROUP", "GROUP", "g", f"c{number}", "BLOCK", 0, "STREAMS", "s", ">")
        until(lambda n=number: b"blocked_clients:%d\r\n" % (n + 1) in other.cmd("INFO", "clients"))
    for number, reader in enumerate(readers[2:]):
        reader.send("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
        until(lambda n=number: b"blocked_clients:%d\r\n" % (n + 3) in other.cmd("INFO", "clients"))
    other.cmd("XADD", "s", "2", "f", "v")
    for reader in (readers[0], readers[2], readers[3]):
        assert streams(reader.read()) == [("s", ["2"])]
    other.cmd("XADD", "s", "3", "f", "v")
    assert streams(readers[1].read()) == [("s", ["3"])]
