"""ROLE, LOLWUT and SHUTDOWN."""

import pytest

import minikv
from minikv.commands.server import automaton


@pytest.fixture
def server():
    with minikv.Server(port=0) as server:
        yield server


def test_role(connect):
    assert connect().exchange("ROLE") == b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"


@pytest.mark.parametrize("words", [(), ("VERSION", "5"), ("VERSION", "6", "1", "2"), ("anything",)])
def test_lolwut(connect, words):
    assert b"Redis ver. 8.2.3" in connect().cmd("LOLWUT", *words)


def test_lolwut_is_verbatim(connect):
    assert connect(3).exchange("LOLWUT").startswith(b"=")


def test_lolwut_version_is_a_number(connect):
    assert connect().error("LOLWUT", "VERSION", "x") == "ERR value is not an integer or out of range"


def test_automaton():
    rows = automaton(90).split("\n")
    assert [len(row) for row in rows] == [36] * 12
    assert all(0x2800 <= ord(char) <= 0x28FF for row in rows for char in row)


@pytest.mark.parametrize("words", ["bogus", "SAVE NOSAVE", "ABORT NOW", "NOW bogus"])
def test_shutdown_syntax(connect, words):
    assert connect().error("SHUTDOWN", *words.split()) == "ERR syntax error"


def test_shutdown_refused(connect):
    client = connect()
    assert client.error("SHUTDOWN", "ABORT") == "ERR No shutdown in progress."
    assert client.error("SHUTDOWN", "SAVE") == "ERR Errors trying to SHUTDOWN. Check logs."
    client.cmd("MULTI")
    assert client.error("SHUTDOWN") == "ERR Command not allowed inside a transaction"
    assert client.cmd("DISCARD") == b"OK"


@pytest.mark.parametrize("words", ["", "nosave", "NOW FORCE", "SAVE FORCE"])
def test_shutdown(connect, server, words):
    client, other = connect(), connect()
    client.send("SHUTDOWN", *words.split())
    assert client.is_closed()
    assert other.is_closed()
    server.stop()


def test_shutdown_of_a_store():
    with minikv.Store() as store, pytest.raises(minikv.ReplyError, match="no server"):
        store.execute(b"SHUTDOWN")
