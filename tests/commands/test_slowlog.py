"""SLOWLOG: what is logged, how it is shortened, and what is kept out of it."""

import time

import pytest

import minikv


@pytest.fixture
def server():
    with minikv.Server(port=0, slowlog_log_slower_than=-1, enable_debug_command="yes") as server:
        yield server


@pytest.fixture
def client(connect):
    return connect()


@pytest.fixture
def logged(client):
    """Log all commands from now on, and read the log: a list of argument lists, newest first."""
    client.cmd("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 1000)

    def read():
        client.cmd("CONFIG", "SET", "slowlog-log-slower-than", -1)
        entries = client.cmd("SLOWLOG", "GET", -1)
        return [b" ".join(entry[3]).decode() for entry in entries]

    client.cmd("SLOWLOG", "RESET")
    return read


def test_only_slow_commands(client):
    client.cmd("CONFIG", "SET", "slowlog-log-slower-than", 20_000)
    client.cmd("CLIENT", "SETNAME", "tester")
    client.cmd("PING")
    assert client.cmd("SLOWLOG", "LEN") == 0
    client.cmd("DEBUG", "SLEEP", "0.03")
    [[number, moment, microseconds, arguments, address, name]] = client.cmd("SLOWLOG", "GET")
    assert abs(moment - time.time()) < 60
    assert 30_000 <= microseconds < 10_000_000
    assert arguments == [b"DEBUG", b"SLEEP", b"0.03"]
    assert address == client.address.encode()
    assert name == b"tester"
    client.cmd("DEBUG", "SLEEP", "0.03")
    assert client.cmd("SLOWLOG", "GET", 1)[0][0] == number + 1


def test_counts(client, logged):
    for _ in range(20):
        client.cmd("PING")
    logged()
    assert len(client.cmd("SLOWLOG", "GET")) == 10
    assert len(client.cmd("SLOWLOG", "GET", 3)) == 3
    assert client.cmd("SLOWLOG", "GET", 0) == []
    assert client.cmd("SLOWLOG", "LEN") == len(client.cmd("SLOWLOG", "GET", -1)) == 21
    assert client.cmd("SLOWLOG", "RESET") == b"OK"
    assert client.cmd("SLOWLOG", "LEN") == 0


@pytest.mark.parametrize("count", ["-2", "x", ""])
def test_bad_counts(client, count):
    assert client.error("SLOWLOG", "GET", count) == "ERR count should be greater than or equal to -1"


def test_max_len(client, logged):
    client.cmd("CONFIG", "SET", "slowlog-max-len", 5)
    for _ in range(20):
        client.cmd("PING")
    assert len(logged()) == 5
    client.cmd("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 0)
    client.cmd("SLOWLOG", "RESET")
    client.cmd("PING")
    assert client.cmd("SLOWLOG", "LEN") == 0


def test_long_arguments(client, logged):
    client.cmd("SET", "k", "A" * 129)
    client.cmd("MGET", *range(40))
    many, long = logged()[:2]
    assert long == "SET k " + "A" * 128 + "... (1 more bytes)"
    assert many == "MGET " + " ".join(map(str, range(30))) + " ... (10 more arguments)"


@pytest.mark.parametrize(
    "command, shown",
    [
        ("AUTH secret", "AUTH (redacted)"),
        ("auth name secret", "auth (redacted) (redacted)"),
        ("HELLO 2 AUTH default secret SETNAME me", "HELLO 2 AUTH (redacted) (redacted) SETNAME me"),
        ("hello 3 SETNAME me auth default secret", "hello 3 SETNAME me auth (redacted) (redacted)"),
        ("HELLO 2 SETNAME auth AUTH u p", "HELLO 2 SETNAME auth AUTH (redacted) (redacted)"),
        ("HELLO 2 AUTH default", "HELLO 2 AUTH (redacted)"),
        ("HELLO 2 SETNAME me", "HELLO 2 SETNAME me"),
        (
            "CONFIG SET timeout 0 requirepass secret hz 10",
            "CONFIG SET timeout 0 requirepass (redacted) hz 10",
        ),
        ("CONFIG SET masteruser somebody", "CONFIG SET masteruser (redacted)"),
        ("CONFIG SET requirepass secret", "CONFIG SET requirepass (redacted)"),
        ("config set timeout 0 MASTERAUTH secret", "config set timeout 0 MASTERAUTH (redacted)"),
        ("CONFIG SET requirepas secret", "CONFIG SET requirepas (redacted)"),
        ("CONFIG SET timeout 0", "CONFIG SET timeout 0"),
        ("CONFIG GET requirepass", "CONFIG GET requirepass"),
    ],
)
def test_passwords(client, logged, command, shown):
    client.cmd(*command.split())
    client.cmd("AUTH", "secret")
    client.cmd("CONFIG", "SET", "requirepass", "")
    assert shown in logged()


def test_transactions(client, logged):
    client.all("MULTI", "SET k v", "EXEC")
    lines = logged()
    assert "SET k v" in lines
    assert "EXEC" not in lines


def test_help(client):
    lines = client.cmd("SLOWLOG", "HELP")
    assert lines[0] == b"SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert lines[-2] == b"HELP"
    assert client.exchange("SLOWLOG", "HELP").startswith(b"*%d\r\n+SLOWLOG" % len(lines))
