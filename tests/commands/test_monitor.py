"""MONITOR: the lines, their order, and what they hide."""

import re

import pytest

LINE = re.compile(rb"(\d{10})\.(\d{6}) \[(\d+) ([^\]]+)\] (.*)", re.DOTALL)


@pytest.fixture
def monitor(connect, protocol):
    connection = connect(protocol)
    assert connection.cmd("MONITOR") == b"OK"
    return connection


@pytest.fixture
def client(connect):
    return connect()


def arguments(monitor):
    """The arguments part of the next line."""
    return LINE.fullmatch(monitor.read()).group(5).decode()


def test_a_line(monitor, client):
    client.cmd("SELECT", 9)
    client.cmd("SET", "foo", "bar")
    ip, port = client.socket.getsockname()
    assert LINE.fullmatch(monitor.read()).groups()[2:] == (b"9", f"{ip}:{port}".encode(), b'"SELECT" "9"')
    seconds, _, database, peer, words = LINE.fullmatch(monitor.read()).groups()
    now = client.cmd("TIME")[0]
    assert 0 <= int(now) - int(seconds) <= 5
    assert (database, peer, words) == (b"9", f"{ip}:{port}".encode(), b'"SET" "foo" "bar"')


@pytest.mark.parametrize("argument, shown", [
    (b"", ""), (b"it's \xc3\xa9", r"it's \xc3\xa9"), (b'say "hi"', r"say \"hi\""), (b"a\\b", r"a\\b"),
    (b"\n\r\t\a\b", r"\n\r\t\a\b"), (b"\x00\x1b\x7f\xff~", r"\x00\x1b\x7f\xff~"), (b"\x0b\x0c", r"\x0b\x0c"),
])  # fmt: skip
def test_quoting(monitor, client, argument, shown):
    client.cmd("echo", argument)
    assert arguments(monitor) == f'"echo" "{shown}"'


@pytest.mark.parametrize("size", [4000, 4096, 70_000, 2_000_000])
def test_long_lines(monitor, client, size):
    client.cmd("SET", "k", b"v\x00" * (size // 2))
    assert arguments(monitor) == '"SET" "k" "' + r"v\x00" * (size // 2) + '"'
    client.cmd("PING")
    assert arguments(monitor) == '"PING"'


def test_transactions_show_in_the_order_of_effects(monitor, client):
    client.all("MULTI", "SET foo bar", "SELECT 3", "EXEC")
    assert [arguments(monitor) for _ in range(4)] == [
        '"MULTI"',
        '"SET" "foo" "bar"',
        '"SELECT" "3"',
        '"EXEC"',
    ]
    client.all("MULTI", "GET", "EXEC", "WATCH a", "MULTI", "SET a 1", "DISCARD")
    shown = [arguments(monitor) for _ in range(5)]
    assert shown == ['"MULTI"', '"EXEC"', '"WATCH" "a"', '"MULTI"', '"DISCARD"']


def test_what_is_not_shown(monitor, client):
    client.all("CONFIG GET save", "NOSUCH a", "GET", "CLIENT LIST", "MONITOR", "PING")
    assert arguments(monitor) == '"PING"'


@pytest.mark.parametrize("request_, shown", [
    ("AUTH secret", '"AUTH" "(redacted)"'),
    ("auth user secret", '"auth" "(redacted)" "(redacted)"'),
    ("HELLO 3 AUTH user secret SETNAME me", '"HELLO" "3" "AUTH" "(redacted)" "(redacted)" "SETNAME" "me"'),
    ("HELLO 2 SETNAME auth AUTH u p", '"HELLO" "2" "SETNAME" "auth" "AUTH" "(redacted)" "(redacted)"'),
    ("HELLO 2 SETNAME AUTH", '"HELLO" "2" "SETNAME" "AUTH"'),
])  # fmt: skip
def test_secrets(monitor, client, request_, shown):
    client.cmd(*request_.split())
    assert arguments(monitor) == shown


def test_monitors_may_not_touch_keys(monitor, client):
    for command in ("GET a", "SET a 1", "PUBLISH a b"):
        assert monitor.error(*command.split()) == "ERR Replica can't interact with the keyspace"
    assert monitor.cmd("PING") == b"PONG"
    assert arguments(monitor) == '"PING"'  # its own line, behind the reply
    monitor.send("MONITOR")  # again: no reply
    client.cmd("ECHO", "x")
    assert arguments(monitor) == '"ECHO" "x"'


def test_end_of_monitoring(server, monitor, client, connect):
    assert server.engine.facts["monitors"] == 1
    assert monitor.cmd("RESET") == b"RESET"
    client.cmd("ECHO", "x")
    assert monitor.cmd("PING") == b"PONG"
    assert server.engine.facts["monitors"] == 0
    several = [connect(2 + i % 2) for i in range(5)]
    for one in several:
        assert one.cmd("MONITOR") == b"OK"
    several.pop(2).close()
    several.pop(0).cmd("RESET")
    while server.engine.facts["monitors"] > 3:
        client.cmd("TIME")
    client.cmd("ECHO", "last")
    for one in several:
        while arguments(one) != '"ECHO" "last"':
            pass


def test_not_in_a_transaction(client):
    client.all("MULTI", "MONITOR")
    assert str(client.cmd("EXEC")[0]) == "ERR MONITOR isn't allowed for DENY BLOCKING client"


def test_silence(server, connect, client):
    monitor = connect()
    monitor.send("CLIENT", "REPLY", "OFF")
    monitor.send("MONITOR")
    while server.engine.facts["monitors"] == 0:
        client.cmd("TIME")
    client.cmd("ECHO", "unseen")
    assert monitor.cmd("CLIENT", "REPLY", "ON") == b"OK"
    assert arguments(monitor) == '"CLIENT" "REPLY" "ON"'
