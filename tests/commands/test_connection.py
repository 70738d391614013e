"""PING ECHO QUIT RESET TIME HELLO AUTH: texts, both protocols, and who may do what before AUTH."""

import time

import pytest
from client_list import fields
from connections import Connection

import minikv
from minikv.version import REDIS_VERSION

WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
NO_AUTH = "NOAUTH Authentication required."
HELLO_NO_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol version at "
    "the same time"
)
BAD_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
PASSWORD = "pass\x00wörd"


@pytest.fixture(scope="module")
def locked():
    """A server that wants a password."""
    with minikv.Server(port=0, requirepass=PASSWORD) as server:
        yield server


@pytest.fixture
def stranger(locked):
    with Connection(locked.port) as connection:
        yield connection


# ---------------------------------------------------------------- PING ECHO TIME QUIT


def test_ping_and_echo(connect, protocol):
    c = connect(protocol)
    assert c.exchange("PING") == b"+PONG\r\n"
    assert c.exchange("ping", "a\r\nb") == b"$4\r\na\r\nb\r\n"
    assert c.exchange("PING", "") == b"$0\r\n\r\n"
    assert c.error("PING", "a", "b") == "ERR wrong number of arguments for 'ping' command"
    assert c.exchange("ECHO", "x" * 40_000) == b"$40000\r\n" + b"x" * 40_000 + b"\r\n"
    assert c.error("ECHO") == "ERR wrong number of arguments for 'echo' command"


def test_ping_of_a_resp2_subscriber_looks_like_a_message(connect):
    c = connect()
    c.cmd("SUBSCRIBE", "channel")
    c.send("PING")
    assert c.read() == [b"pong", b""]
    assert c.cmd("PING", "text") == [b"pong", b"text"]
    assert c.error("PING", "a", "b") == "ERR wrong number of arguments for 'ping' command"
    assert c.error("ECHO", "a") == (
        "ERR Can't execute 'echo': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
        "allowed in this context"
    )
    c.cmd("UNSUBSCRIBE", "channel")
    assert c.exchange("PING") == b"+PONG\r\n"


def test_ping_of_a_resp3_subscriber(connect):
    c = connect(3)
    c.cmd("SUBSCRIBE", "channel")
    assert c.exchange("PING") == b"+PONG\r\n"
    assert c.cmd("PING", "text") == b"text"


def test_time(connect):
    c = connect()
    seconds, micros = c.cmd("TIME")
    assert abs(int(seconds) - time.time()) < 60
    assert 0 <= int(micros) < 1_000_000
    assert c.error("TIME", "x") == "ERR wrong number of arguments for 'time' command"


def test_quit_answers_and_closes(connect):
    c = connect()
    c.send("SET", "quit-test", "before")
    c.send("QUIT", "ignored")
    c.send("SET", "quit-test", "after")
    assert c.read() == b"OK"
    assert c.read() == b"OK"
    with pytest.raises(EOFError):
        c.read()
    assert connect().cmd("GET", "quit-test") == b"before"


def test_quit_inside_multi(connect):
    c = connect()
    c.cmd("MULTI")
    assert c.cmd("QUIT") == b"OK"
    assert c.is_closed()


# ---------------------------------------------------------------- RESET


def test_reset_makes_a_connection_new(connect):
    c = connect(3)
    c.cmd("SELECT", 3)
    c.cmd("CLIENT", "SETNAME", "someone")
    c.cmd("CLIENT", "SETINFO", "LIB-NAME", "lib")
    c.cmd("CLIENT", "NO-EVICT", "ON")
    c.cmd("CLIENT", "NO-TOUCH", "ON")
    c.cmd("WATCH", "key")
    c.cmd("MULTI")
    c.cmd("SET", "reset-test", 1)
    assert c.exchange("RESET") == b"+RESET\r\n"
    assert c.error("EXEC") == "ERR EXEC without MULTI"
    line = fields(c.cmd("CLIENT", "INFO").decode())
    assert {name: line[name] for name in ("name", "db", "flags", "multi", "watch", "resp", "lib-name")} == {
        "name": "",
        "db": "0",
        "flags": "N",
        "multi": "-1",
        "watch": "0",
        "resp": "2",
        "lib-name": "lib",
    }
    assert c.error("RESET", "x") == "ERR wrong number of arguments for 'reset' command"


def test_reset_ends_subscriptions(connect):
    c = connect()
    c.cmd("SUBSCRIBE", "reset-channel")
    c.cmd("PSUBSCRIBE", "reset-*")
    c.cmd("SSUBSCRIBE", "reset-shard")
    assert c.cmd("RESET") == b"RESET"
    assert c.cmd("PUBLISH", "reset-channel", "x") == 0
    assert c.cmd("SPUBLISH", "reset-shard", "x") == 0
    assert c.exchange("PING") == b"+PONG\r\n"


def test_reset_ends_monitor(connect):
    c = connect()
    assert c.cmd("MONITOR") == b"OK"
    c.send("RESET")
    assert c.read() == b"RESET"
    connect().cmd("ECHO", "unseen")
    assert c.exchange("PING") == b"+PONG\r\n"


def test_reset_turns_replies_on(connect):
    c = connect()
    c.send("CLIENT", "REPLY", "OFF")
    c.send("PING")
    c.send("RESET")
    assert c.read() == b"RESET"
    assert c.cmd("PING") == b"PONG"


def test_reset_logs_out(stranger):
    assert stranger.cmd("AUTH", PASSWORD) == b"OK"
    assert stranger.cmd("RESET") == b"RESET"
    assert stranger.error("PING") == NO_AUTH
    assert stranger.cmd("RESET") == b"RESET"


# ---------------------------------------------------------------- HELLO


def test_hello_describes_the_server(connect, protocol):
    c = connect(protocol)
    version = REDIS_VERSION.encode()
    number = c.cmd("CLIENT", "ID")
    head = b"*14" if protocol == 2 else b"%7"
    expected = head + (
        b"\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$%d\r\n%b\r\n$5\r\nproto\r\n:%d\r\n$2\r\nid\r\n:%d\r\n"
        b"$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
        % (len(version), version, protocol, number)
    )
    assert c.exchange("HELLO") == expected
    assert c.exchange("HELLO", protocol) == expected


def test_hello_switches_protocols(connect):
    c = connect()
    assert c.exchange("GET", "hello-none") == b"$-1\r\n"
    assert c.exchange("HELLO", 3).startswith(b"%7\r\n")
    assert c.exchange("GET", "hello-none") == b"_\r\n"
    assert c.exchange("HELLO", 2).startswith(b"*14\r\n")
    assert c.exchange("GET", "hello-none") == b"$-1\r\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((4,), "NOPROTO unsupported protocol version"),
        ((1,), "NOPROTO unsupported protocol version"),
        ((-3,), "NOPROTO unsupported protocol version"),
        (("abc",), "ERR Protocol version is not an integer or out of range"),
        ((2**64,), "ERR Protocol version is not an integer or out of range"),
        ((3, "AUTH"), "ERR Syntax error in HELLO option 'AUTH'"),
        ((3, "AUTH", "default"), "ERR Syntax error in HELLO option 'AUTH'"),
        ((3, "SETNAME"), "ERR Syntax error in HELLO option 'SETNAME'"),
        ((3, "SETNAME", "new", "what"), "ERR Syntax error in HELLO option 'what'"),
        ((3, "SETNAME", "a b"), BAD_NAME),
        ((3, "AUTH", "nobody", "x", "SETNAME", "new"), WRONG_PASSWORD),
    ],
)
def test_hello_errors_change_nothing(connect, words, text):
    c = connect()
    c.cmd("CLIENT", "SETNAME", "old")
    assert c.error("HELLO", *words) == text
    assert c.exchange("CLIENT", "GETNAME") == b"$3\r\nold\r\n"
    assert c.exchange("GET", "hello-none") == b"$-1\r\n"


def test_hello_setname(connect):
    c = connect()
    c.cmd("HELLO", 3, "setname", "fresh")
    assert c.cmd("CLIENT", "GETNAME") == b"fresh"
    c.cmd("HELLO", 3, "SETNAME", "")
    assert c.cmd("CLIENT", "GETNAME") is None


def test_hello_auth_without_a_password_set(connect):
    assert connect().cmd("HELLO", 3, "AUTH", "default", "anything")[b"proto"] == 3


# ---------------------------------------------------------------- AUTH


def test_auth_without_a_password_set(connect):
    c = connect()
    assert c.error("AUTH", "x") == NO_PASSWORD
    assert c.cmd("AUTH", "default", "x") == b"OK"
    assert c.error("AUTH", "nobody", "x") == WRONG_PASSWORD
    assert c.error("AUTH", "a", "b", "c") == "ERR syntax error"
    assert c.error("AUTH") == "ERR wrong number of arguments for 'auth' command"


def test_a_stranger_may_only_log_in(stranger):
    for words in [("PING",), ("GET", "k"), ("CLIENT", "ID"), ("COMMAND", "COUNT"), ("MULTI",)]:
        assert stranger.error(*words) == NO_AUTH
    assert stranger.error("HELLO") == HELLO_NO_AUTH
    assert stranger.error("HELLO", 3, "SETNAME", "x") == HELLO_NO_AUTH
    assert stranger.error("NOSUCH").startswith("ERR unknown command 'NOSUCH'")
    assert stranger.cmd("QUIT") == b"OK"
    assert stranger.is_closed()


@pytest.mark.parametrize("words", [("AUTH", PASSWORD), ("AUTH", "default", PASSWORD)])
def test_auth_with_the_password(stranger, words):
    assert stranger.cmd(*words) == b"OK"
    assert stranger.cmd("PING") == b"PONG"
    assert stranger.error("AUTH", "wrong") == WRONG_PASSWORD
    assert stranger.cmd("PING") == b"PONG", "a failed AUTH does not log out"


@pytest.mark.parametrize(
    "words",
    [
        ("wrong",),
        ("",),
        (PASSWORD + "x",),
        (PASSWORD[:-1],),
        ("default", "wrong"),
        ("nobody", PASSWORD),
        ("Default", PASSWORD),
    ],
)
def test_auth_with_anything_else(stranger, words):
    assert stranger.error("AUTH", *words) == WRONG_PASSWORD
    assert stranger.error("PING") == NO_AUTH


def test_hello_logs_in(stranger):
    assert stranger.error("HELLO", 3, "AUTH", "default", "wrong") == WRONG_PASSWORD
    assert stranger.error("HELLO", 3, "AUTH", "default", PASSWORD, "SETNAME", "a b") == BAD_NAME
    assert stranger.error("HELLO", 4, "AUTH", "default", PASSWORD) == "NOPROTO unsupported protocol version"
    assert stranger.error("PING") == NO_AUTH
    assert stranger.cmd("HELLO", 3, "SETNAME", "me", "AUTH", "default", PASSWORD)[b"proto"] == 3
    assert stranger.cmd("CLIENT", "GETNAME") == b"me"


def test_setting_and_unsetting_the_password():
    with minikv.Server(port=0) as server, Connection(server.port) as early:
        assert early.cmd("CONFIG", "SET", "requirepass", "secret") == b"OK"
        assert early.cmd("PING") == b"PONG", "who is in stays in"
        with Connection(server.port) as late:
            assert late.error("PING") == NO_AUTH
            assert early.cmd("CONFIG", "SET", "requirepass", "") == b"OK"
            assert late.cmd("PING") == b"PONG"
            assert late.error("AUTH", "secret") == NO_PASSWORD


def test_a_stranger_may_send_little(stranger):
    stranger.socket.sendall(b"*11\r\n")
    assert str(stranger.read()) == "ERR Protocol error: unauthenticated multibulk length"
    assert stranger.is_closed()


def test_a_stranger_may_not_send_long_arguments(stranger):
    stranger.socket.sendall(b"*1\r\n$16385\r\n")
    assert str(stranger.read()) == "ERR Protocol error: unauthenticated bulk length"
    assert stranger.is_closed()


def test_a_store_needs_no_password():
    with minikv.Store(requirepass="secret") as store:
        assert store.execute("PING") == b"PONG"
        assert store.execute("RESET") == b"RESET"
        assert store.execute("PING") == b"PONG"
