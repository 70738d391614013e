"""The commands of sorted sets on Redis and on this server: the same bytes, in both protocols."""

import pytest
from connections import Connection
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import newer_redis_binary, running

LIMITS = st.sampled_from([0, 2, 4, 128])  # zset-max-listpack-entries
KEYS = st.sampled_from(["a", "b", "c", "string", "set"])
SAME = st.sampled_from(["equal", "equals"])  # keys in which all scores are 0: ranges of bytes
SCORES = st.one_of(
    st.sampled_from(["0", "1", "2", "3", "-1", "1.5"]),
    st.sampled_from([
        "inf", "-inf", "nan", "0.1", "-0", "1e20", "1e22", "1e-7", "5e-324", "123456789012345678", "0x10",
        "+5", "", "x", " 3", "1e999", "0.30000000000000004",
    ]),
)  # fmt: skip
MEMBERS = st.sampled_from(
    ["m1", "m2", "m3", "10", "-5", "", "x" * 70, "z", "aa", "9999999999999999999", "007"]
)
NUMBERS = st.sampled_from(["0", "1", "2", "-1", "-2", "100", "-100", "x", "9223372036854775807"])
BOUNDS = st.one_of(SCORES, SCORES.map("({}".format), st.sampled_from(["+inf", "(", "((1"]))
LEX = st.sampled_from(["-", "+", "[aa", "(aa", "[m1", "(m2", "[", "(", "[z", "a", "", "++"])
WAIT = st.sampled_from(["0.001", "-1", "not"])


def words(*parts):
    """Strategies of words, and of lists of words, one behind the other."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map(
        lambda found: [w for part in found for w in ([part] if isinstance(part, str) else part)]
    )


def maybe(*parts):
    return st.one_of(st.just([]), words(*parts))


def some(strategy, most=3):
    return st.lists(strategy, min_size=1, max_size=most).map(
        lambda lists: [word for one in lists for word in one]
    )


PAIRS = some(words(SCORES, MEMBERS), 4)
LIMIT = maybe("LIMIT", NUMBERS, NUMBERS)
MANY_KEYS = st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: [str(len(keys)), *keys])
WEIGHTS = maybe("WEIGHTS", st.lists(SCORES, min_size=1, max_size=3))
AGGREGATE = maybe("AGGREGATE", st.sampled_from(["SUM", "MIN", "max", "AVG"]))
SCORES_TOO = maybe("WITHSCORES")
ENDS = st.sampled_from(["MIN", "MAX", "mid"])
COUNT = maybe("COUNT", NUMBERS)

COMMANDS = st.one_of(
    words("ZADD", KEYS, PAIRS),
    words("ZADD", KEYS, st.lists(st.sampled_from(["NX", "XX", "GT", "LT", "CH", "INCR"]), max_size=3), PAIRS),
    words("ZADD", SAME, "0", MEMBERS, "0", MEMBERS),
    words("ZINCRBY", KEYS, SCORES, MEMBERS),
    words(st.sampled_from(["ZREM", "ZMSCORE"]), KEYS, st.lists(MEMBERS, min_size=1, max_size=3)),
    words(st.sampled_from(["ZCARD", "TYPE"]), KEYS),
    words("OBJECT", "ENCODING", KEYS),
    words("ZSCORE", KEYS, MEMBERS),
    words(st.sampled_from(["ZRANK", "ZREVRANK"]), KEYS, MEMBERS, maybe("WITHSCORE")),
    words("ZRANDMEMBER", KEYS, st.sampled_from(["0", "x", "-9223372036854775808"]), SCORES_TOO),
    words("ZRANGE", KEYS, NUMBERS, NUMBERS, maybe("REV"), LIMIT, SCORES_TOO),
    words("ZRANGE", KEYS, BOUNDS, BOUNDS, "BYSCORE", maybe("REV"), LIMIT, SCORES_TOO),
    words("ZRANGE", SAME, LEX, LEX, "BYLEX", maybe("REV"), LIMIT, SCORES_TOO),
    words("ZRANGESTORE", KEYS, KEYS, NUMBERS, NUMBERS, maybe("REV"), LIMIT),
    words("ZRANGESTORE", KEYS, KEYS, BOUNDS, BOUNDS, "BYSCORE", maybe("REV"), LIMIT),
    words("ZRANGESTORE", KEYS, SAME, LEX, LEX, "BYLEX", LIMIT, maybe("REV")),
    words("ZREVRANGE", KEYS, NUMBERS, NUMBERS, SCORES_TOO, LIMIT),
    words(st.sampled_from(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), KEYS, BOUNDS, BOUNDS, SCORES_TOO, LIMIT),
    words(st.sampled_from(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), SAME, LEX, LEX, LIMIT, SCORES_TOO),
    words(st.sampled_from(["ZCOUNT", "ZREMRANGEBYSCORE"]), KEYS, BOUNDS, BOUNDS),
    words(st.sampled_from(["ZLEXCOUNT", "ZREMRANGEBYLEX"]), SAME, LEX, LEX),
    words("ZREMRANGEBYRANK", KEYS, NUMBERS, NUMBERS),
    words(st.sampled_from(["ZPOPMIN", "ZPOPMAX"]), KEYS, st.lists(NUMBERS, max_size=2)),
    words("ZMPOP", MANY_KEYS, ENDS, COUNT),
    words("BZMPOP", WAIT, MANY_KEYS, ENDS, COUNT),
    words(st.sampled_from(["BZPOPMIN", "BZPOPMAX"]), KEYS, KEYS, WAIT),
    words(st.sampled_from(["ZUNION", "ZINTER"]), MANY_KEYS, WEIGHTS, AGGREGATE, SCORES_TOO),
    words(st.sampled_from(["ZUNIONSTORE", "ZINTERSTORE"]), KEYS, MANY_KEYS, WEIGHTS, AGGREGATE, SCORES_TOO),
    words("ZDIFF", MANY_KEYS, SCORES_TOO),
    words("ZDIFFSTORE", KEYS, MANY_KEYS),
    words("ZINTERCARD", MANY_KEYS, maybe("LIMIT", NUMBERS)),
    words(st.sampled_from(["DEL", "EXISTS"]), KEYS),
    words("COPY", KEYS, KEYS, "REPLACE"),
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with running(newer_redis_binary(), tmp_path_factory.mktemp("redis")) as port:
        yield port


def play(port, protocol, limit, commands):
    """The bytes of the replies to commands, and what is left in the end."""
    with Connection(port, protocol) as client:
        client.cmd("FLUSHALL")
        client.cmd("CONFIG", "SET", "zset-max-listpack-entries", limit)
        client.cmd("SET", "string", "x")
        client.cmd("SADD", "set", "m1", "10", "x" * 70)
        replies = [client.exchange(*command) for command in commands]
        left = [client.cmd("ZRANGE", key, 0, -1, "WITHSCORES") for key in ("a", "b", "c", "equal", "equals")]
        client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 128)
        return replies, [repr(reply) for reply in left]


@settings(max_examples=100, deadline=None)
@given(limit=LIMITS, commands=st.lists(COMMANDS, min_size=1, max_size=40))
def test_redis(server, redis, limit, commands):
    for protocol in (2, 3):
        ours, left = play(server.port, protocol, limit, commands)
        theirs, their_left = play(redis, protocol, limit, commands)
        for command, our, their in zip(commands, ours, theirs, strict=True):
            assert our == their, (protocol, command)
        assert left == their_left
