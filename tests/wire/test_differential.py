"""The same commands on another server and on this one: equal replies, in both protocols."""

import pytest
from connections import Connection
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import redis_binary, running, valkey_binary

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
    st.sampled_from([["DBSIZE"], ["SELECT", "1"], ["ECHO"], ["NONE"], ["EXEC", "a"]]),
)  # fmt: skip
TRANSACTION = st.sampled_from([["MULTI"], ["EXEC"], ["DISCARD"], ["WATCH", "a", "b"], ["UNWATCH"]])


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    with running(valkey_binary(), tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with running(redis_binary(), tmp_path_factory.mktemp("redis")) as port:
        yield port


def play(port, protocol, commands):
    """The decoded replies to commands on an empty store."""
    with Connection(port, protocol) as client:
        client.cmd("FLUSHALL")
        return [repr(client.cmd(*command)) for command in commands]


def assert_equal_replies(server, other, commands):
    for protocol in (2, 3):
        ours, theirs = play(server.port, protocol, commands), play(other, protocol, commands)
        for command, our, their in zip(commands, ours, theirs, strict=True):
            assert our == their, (protocol, command)


@settings(max_examples=100, deadline=None)
@given(commands=st.lists(COMMANDS, min_size=1, max_size=40), transaction=st.booleans())
def test_valkey(server, valkey, commands, transaction):
    assert_equal_replies(server, valkey, [["MULTI"], *commands, ["EXEC"]] if transaction else commands)


# With transactions anywhere, also inside others, Redis is the judge: Valkey refuses a nested MULTI in
# other words, and then the whole transaction.
@settings(max_examples=100, deadline=None)
@given(commands=st.lists(st.one_of(COMMANDS, TRANSACTION), min_size=1, max_size=40))
def test_redis_with_transactions(server, redis, commands):
    assert_equal_replies(server, redis, commands)


def test_server_that_does_not_start(tmp_path):
    program = tmp_path / "broken-server"
    program.write_text("#!/bin/sh\necho no luck today\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(pytest.fail.Exception, match="no luck today"), running(program, tmp_path):
        pass
