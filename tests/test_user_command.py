"""Commands of a user's own."""

import logging
import math
import time

import pytest
from connections import Connection

import minikv
from minikv import ReplyError
from minikv.registry import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    READONLY,
    WRITE,
    KeySpec,
    Push,
    SetReply,
    Simple,
    Verbatim,
)

VALUES = {}  # what TESTUSER.REPLY answers with, by name


@minikv.command("TESTUSER.REPLY")
def reply(session, name):
    value = VALUES[name]
    if isinstance(value, Exception):
        raise value
    return value


@minikv.command("TESTUSER.ADD", arity=-1)
def add(session, *words):
    """Add numbers."""
    if not words:
        raise ReplyError("ERR nothing to add")
    return session.execute(b"INCRBY", b"testuser", b"%d" % sum(map(int, words)))


@minikv.command("TESTUSER.PUT", flags=WRITE, keys=KeySpec(1, 1, 1, "OW update"))
def put(session, key, value):
    return session.execute(b"SET", key, value)


@minikv.command("TESTUSER.SEE", flags=READONLY)
def see(session, key):
    return session.execute(b"GET", key)


@minikv.command("TESTUSER.KEEP")
def keep(session):
    VALUES["session"] = session
    return session.id


@pytest.fixture
def replied(client):
    """The bytes that a value goes out as."""

    def replied(value):
        VALUES[b"it"] = value
        return client.raw(b"TESTUSER.REPLY it\r\n")

    return replied


# ---------------------------------------------------------------- shapes


@pytest.mark.parametrize(
    "value, in_2, in_3",
    [
        (None, b"$-1\r\n", b"_\r\n"),
        (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
        (0, b":0\r\n", None),
        (-(2**63), b":-9223372036854775808\r\n", None),
        (2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (False, b":0\r\n", b"#f\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (3.0, b"$1\r\n3\r\n", b",3\r\n"),
        (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
        (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
        (b"", b"$0\r\n\r\n", None),
        (b"a\r\nb\0\xff", b"$6\r\na\r\nb\0\xff\r\n", None),
        ("é", b"$2\r\n\xc3\xa9\r\n", None),
        ("a\udcff", b"$2\r\na\xff\r\n", None),
        (OK, b"+OK\r\n", None),
        (Simple("fine"), b"+fine\r\n", None),
        (Verbatim("a b"), b"$3\r\na b\r\n", b"=7\r\ntxt:a b\r\n"),
        ([], b"*0\r\n", None),
        ([1, b"b", "c", None], b"*4\r\n:1\r\n$1\r\nb\r\n$1\r\nc\r\n$-1\r\n",
         b"*4\r\n:1\r\n$1\r\nb\r\n$1\r\nc\r\n_\r\n"),
        ((1, (2, [])), b"*2\r\n:1\r\n*2\r\n:2\r\n*0\r\n", None),
        ({}, b"*0\r\n", b"%0\r\n"),
        ({"a": 1, b"b": [2]}, b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*1\r\n:2\r\n",
         b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n*1\r\n:2\r\n"),
        ({1: {2: {3.5: True}}}, b"*2\r\n:1\r\n*2\r\n:2\r\n*2\r\n$3\r\n3.5\r\n:1\r\n",
         b"%1\r\n:1\r\n%1\r\n:2\r\n%1\r\n,3.5\r\n#t\r\n"),
        ({b"a"}, b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
        (frozenset([7]), b"*1\r\n:7\r\n", b"~1\r\n:7\r\n"),
        (SetReply([[1], [1]]), b"*2\r\n*1\r\n:1\r\n*1\r\n:1\r\n", b"~2\r\n*1\r\n:1\r\n*1\r\n:1\r\n"),
        (Push(["news", 1]), b"*2\r\n$4\r\nnews\r\n:1\r\n", b">2\r\n$4\r\nnews\r\n:1\r\n"),
        ([OK, {"k": {1}}, Verbatim("v")], b"*3\r\n+OK\r\n*2\r\n$1\r\nk\r\n*1\r\n:1\r\n$1\r\nv\r\n",
         b"*3\r\n+OK\r\n%1\r\n$1\r\nk\r\n~1\r\n:1\r\n=5\r\ntxt:v\r\n"),
        (NO_REPLY, b"", None),
        (ReplyError("CODE said"), b"-CODE said\r\n", None),
        ([1, ReplyError("ERR no"), 2], b"*3\r\n:1\r\n-ERR no\r\n:2\r\n", None),
        (ReplyError("ERR a\r\nb\r\n"), b"-ERR a  b\r\n", None),
        (ReplyError("ERR \udcff é"), b"-ERR \xff \xc3\xa9\r\n", None),
        (ReplyError("ERR \ud800"), b"-ERR \\ud800\r\n", None),
        (ValueError("bad"), b"-ERR ValueError: bad\r\n", None),
        (KeyError("k"), b"-ERR KeyError: 'k'\r\n", None),
    ],
    ids=lambda value: repr(value).partition(" object at ")[0],
)  # fmt: skip
def test_shapes(replied, protocol, value, in_2, in_3):
    assert replied(value) == (in_2 if protocol == 2 or in_3 is None else in_3)


def test_long_replies(replied):
    assert replied("x" * 1_000_000) == b"$1000000\r\n%b\r\n" % (b"x" * 1_000_000)
    assert replied(list(range(100_000))) == b"*100000\r\n" + b"".join(b":%d\r\n" % i for i in range(100_000))


@pytest.mark.parametrize(
    "value, expected",
    [
        (object(), b"-ERR TypeError: object is not a reply\r\n"),
        ([object(), 1], b"*2\r\n-ERR TypeError: object is not a reply\r\n:1\r\n"),
        ([1, [NO_REPLY], 2], b"*3\r\n:1\r\n*1\r\n-ERR TypeError: object is not a reply\r\n:2\r\n"),
        (["\ud800", 1], b"*2\r\n-ERR UnicodeEncodeError: "),
        ([1 << 20_000, 1], b"*2\r\n-ERR ValueError: Exceeds the limit "),
    ],
)
def test_what_cannot_be_written_is_an_error_in_its_place(replied, value, expected):
    """What follows is still understood: `replied` reads on to the next reply."""
    answer = replied(value)
    assert answer.startswith(expected)
    assert answer.endswith(b":1\r\n" if isinstance(value, list) and value[-1] == 1 else expected[-4:])


def test_reply_that_holds_itself(replied):
    value = []
    value.append(value)
    answer = replied(value)
    assert answer.startswith(b"*1\r\n*1\r\n")
    assert answer.endswith(b"*1\r\n-ERR ValueError: a reply is nested too deeply\r\n")


def test_exception_goes_to_the_log(replied, caplog):
    with caplog.at_level(logging.ERROR, "minikv"):
        replied(ZeroDivisionError("why"))
        replied(ReplyError("ERR meant"))
        replied([object()])
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError, TypeError]
    assert caplog.messages == ["command testuser.reply failed"] * 2


def test_statistics(client, replied):
    client.cmd("CONFIG", "RESETSTAT")
    replied(1)
    replied(ReplyError("MINE no"))
    replied(ValueError("bad"))
    client.error("TESTUSER.REPLY")
    [line] = [
        x for x in client.cmd("INFO", "commandstats").split() if x.startswith(b"cmdstat_testuser.reply:")
    ]
    assert line.startswith(b"cmdstat_testuser.reply:calls=3,")
    assert line.endswith(b"rejected_calls=1,failed_calls=2")
    assert b"errorstat_MINE:count=1" in client.cmd("INFO", "errorstats")


# ---------------------------------------------------------------- calling


def test_command_that_runs_others(client):
    assert client.cmd("TESTUSER.ADD", 1, 2) == 3
    assert client.cmd("testuser.add", 4) == 7
    assert client.cmd("GET", "testuser") == b"7"
    assert client.error("TESTUSER.ADD") == "ERR nothing to add"
    assert client.error("TESTUSER.ADD", "not").startswith("ERR ValueError: ")
    assert client.cmd("PING") == b"PONG"


def test_arity_is_the_signature(client):
    for words in [("TESTUSER.REPLY",), ("TESTUSER.REPLY", "a", "b"), ("TESTUSER.KEEP", "a")]:
        name = words[0].lower()
        assert client.error(*words) == f"ERR wrong number of arguments for '{name}' command"


def test_inside_a_transaction(client):
    *_, replies = client.all("MULTI", "TESTUSER.PUT k v", "TESTUSER.SEE k", "TESTUSER.ADD x", "EXEC")
    assert replies[:2] == [b"OK", b"v"]
    assert str(replies[2]).startswith("ERR ValueError: ")


def test_session_ends_with_its_command(client):
    number = client.cmd("TESTUSER.KEEP")
    assert number == client.cmd("CLIENT", "ID")
    with pytest.raises(RuntimeError, match="has ended"):
        _ = VALUES.pop("session").id


def test_error_in_a_store():
    with minikv.Store() as store, pytest.raises(ReplyError, match="nothing to add"):
        store.execute("TESTUSER.ADD")


@pytest.mark.parametrize("name", ["GET", "get", "client list", "client", "", "a b c", "é"])
def test_names_that_cannot_be_taken(name):
    with pytest.raises(ValueError):
        minikv.command(name)(lambda session: None)


def test_commands_added_while_a_server_runs():
    with minikv.Server(port=0) as server, Connection(server.port) as client:
        for i in range(100):
            minikv.command(f"TESTUSER.LATER{i}", arity=1, summary="Later.")(lambda session: 7)
        assert client.cmd("TESTUSER.LATER99") == 7
        assert "wrong number of arguments" in client.error("TESTUSER.LATER99", "x")
        assert b"cmdstat_testuser.later99:calls=1" in client.cmd("INFO", "commandstats")


# ---------------------------------------------------------------- CLIENT PAUSE WRITE


def until_held(admin):
    deadline = time.monotonic() + 20
    while b"blocked_clients:1" not in admin.cmd("INFO", "clients").split():
        assert time.monotonic() < deadline


@pytest.mark.parametrize("within", ["", "MULTI"])
def test_pause_holds_writes_back(server, client, within):
    client.cmd("SET", "k", "old")
    with Connection(server.port) as admin:
        admin.cmd("CLIENT", "PAUSE", 60_000, "WRITE")
        try:
            assert client.cmd("TESTUSER.SEE", "k") == b"old"
            if within:
                assert client.all("MULTI", "TESTUSER.PUT k new") == [b"OK", b"QUEUED"]
                client.send("EXEC")
            else:
                client.send("TESTUSER.PUT", "k", "new")
            until_held(admin)
            assert admin.cmd("GET", "k") == b"old"
        finally:
            admin.cmd("CLIENT", "UNPAUSE")
        assert client.read() == ([b"OK"] if within else b"OK")
        assert admin.cmd("GET", "k") == b"new"
        assert b"blocked_clients:0" in admin.cmd("INFO", "clients").split()
