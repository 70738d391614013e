"""The list commands on Redis and on this server: the same bytes, in both protocols."""

import pytest
from connections import Connection
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import newer_redis_binary, running

LIMITS = st.sampled_from([-2, -1, 1, 3, 10])
KEYS = st.sampled_from(["a", "b", "c", "string"])
ELEMENTS = st.sampled_from(
    ["", "0", "1", "2", "-7", "9223372036854775807", "007", "a", "b", "x" * 70, "y" * 3000, "z" * 9000]
)
INDEXES = st.sampled_from(["0", "1", "2", "5", "-1", "-2", "-5", "100", "-100", "9223372036854775807", "not"])
SIDES = st.sampled_from(["LEFT", "RIGHT", "left", "up"])
WAIT = st.sampled_from(["0.001", "0.002", "-1", "not"])
COUNT = st.one_of(st.just([]), st.builds(lambda n: ["COUNT", n], INDEXES))
LOOKING = st.lists(
    st.builds(lambda word, n: [word, n], st.sampled_from(["RANK", "COUNT", "MAXLEN"]), INDEXES), max_size=2
).map(lambda options: [word for option in options for word in option])


def words(*parts):
    """Strategies of words, and of lists of words, one behind the other."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map(
        lambda found: [w for part in found for w in ([part] if isinstance(part, str) else part)]
    )


COMMANDS = st.one_of(
    words(
        st.sampled_from(["LPUSH", "RPUSH", "LPUSHX", "RPUSHX"]),
        KEYS,
        st.lists(ELEMENTS, min_size=1, max_size=6),
    ),
    words(st.sampled_from(["LPOP", "RPOP"]), KEYS, st.lists(INDEXES, max_size=2)),
    words(st.sampled_from(["LRANGE", "LTRIM"]), KEYS, INDEXES, INDEXES),
    words("LLEN", KEYS),
    words("LINDEX", KEYS, INDEXES),
    words("LSET", KEYS, INDEXES, ELEMENTS),
    words("LREM", KEYS, INDEXES, ELEMENTS),
    words("LINSERT", KEYS, st.sampled_from(["BEFORE", "AFTER", "into"]), ELEMENTS, ELEMENTS),
    words("LPOS", KEYS, ELEMENTS, LOOKING),
    words("LMOVE", KEYS, KEYS, SIDES, SIDES),
    words("RPOPLPUSH", KEYS, KEYS),
    words("LMPOP", st.sampled_from(["0", "1", "2", "x"]), KEYS, KEYS, SIDES, COUNT),
    words("LMPOP", "2", KEYS, KEYS, SIDES, COUNT),
    words("BLMPOP", WAIT, "2", KEYS, KEYS, SIDES, COUNT),
    words(st.sampled_from(["BLPOP", "BRPOP"]), KEYS, KEYS, WAIT),
    words("BLMOVE", KEYS, KEYS, SIDES, SIDES, WAIT),
    words("BRPOPLPUSH", KEYS, KEYS, WAIT),
    words(st.sampled_from(["DEL", "EXISTS", "TYPE"]), KEYS),
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with running(newer_redis_binary(), tmp_path_factory.mktemp("redis")) as port:
        yield port


def play(port, protocol, limit, commands):
    """The bytes of the replies to commands, and what is left in the end."""
    with Connection(port, protocol) as client:
        client.cmd("FLUSHALL")
        client.cmd("CONFIG", "SET", "list-max-listpack-size", limit)
        client.cmd("SET", "string", "x")
        replies = [client.exchange(*command) for command in commands]
        left = [client.cmd("LRANGE", key, 0, -1) for key in "abc"]
        client.cmd("CONFIG", "SET", "list-max-listpack-size", -2)
        return replies, left


@settings(max_examples=60, deadline=None)
@given(limit=LIMITS, commands=st.lists(COMMANDS, min_size=1, max_size=40))
def test_redis(server, redis, limit, commands):
    for protocol in (2, 3):
        ours, left = play(server.port, protocol, limit, commands)
        theirs, their_left = play(redis, protocol, limit, commands)
        for command, our, their in zip(commands, ours, theirs, strict=True):
            assert our == their, (protocol, command)
        assert left == their_left
