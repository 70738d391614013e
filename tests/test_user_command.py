"""Commands of a user's own."""

import pytest
from connections import Connection

import minikv
from minikv import ReplyError


@minikv.command("TESTUSER.ADD", arity=-1)
def add(session, *words):
    """Add numbers."""
    if not words:
        raise ReplyError("ERR nothing to add")
    return session.execute(b"INCRBY", b"testuser", b"%d" % sum(map(int, words)))


def test_command_that_runs_others():
    with minikv.Server(port=0) as server, Connection(server.port) as client:
        assert client.cmd("TESTUSER.ADD", 1, 2) == 3
        assert client.cmd("testuser.add", 4) == 7
        assert client.cmd("GET", "testuser") == b"7"
        assert client.error("TESTUSER.ADD") == "ERR nothing to add"


def test_exception_is_an_error_reply():
    with minikv.Server(port=0) as server, Connection(server.port) as client:
        assert client.error("TESTUSER.ADD", "not").startswith("ERR")
        assert client.cmd("PING") == b"PONG"


def test_error_in_a_store():
    with minikv.Store() as store, pytest.raises(ReplyError, match="nothing to add"):
        store.execute("TESTUSER.ADD")


def test_commands_added_while_a_server_runs():
    with minikv.Server(port=0) as server, Connection(server.port) as client:
        for i in range(100):
            minikv.command(f"TESTUSER.LATER{i}", arity=1, summary="Later.")(lambda session: 7)
        assert client.cmd("TESTUSER.LATER99") == 7
        assert "wrong number of arguments" in client.error("TESTUSER.LATER99", "x")
        assert b"cmdstat_testuser.later99:calls=1" in client.cmd("INFO", "commandstats")
