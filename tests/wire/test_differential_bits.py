"""Bitmaps, bit fields, HyperLogLogs and geo: on Redis and here the same bytes, in both protocols."""

import pytest
from connections import Connection
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import newer_redis_binary, running

KEYS = st.sampled_from(["a", "b", "c", "string"])
NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "-1", "7", "8", "-8", "63", "1000", str(2**63 - 1), str(-(2**63)), "not"]),
    st.integers(-200, 200).map(str),
)


def words(*parts):
    """Strategies of words, and of lists of words, one behind the other."""
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map(
        lambda found: [w for part in found for w in ([part] if isinstance(part, str) else part)]
    )


def several(strategy, most):
    """Up to `most` lists of words, as one."""
    return st.lists(strategy, max_size=most).map(lambda found: [w for part in found for w in part])


def maybe(*lists):
    return st.sampled_from([[], *lists])


# ---------------------------------------------------------------- bits

UNIT = maybe(["BIT"], ["byte"], ["no"])
RANGE = st.one_of(st.just([]), words(NUMBERS), words(NUMBERS, NUMBERS, UNIT))
FIELD = st.builds(lambda sign, bits: f"{sign}{bits}", st.sampled_from("iu"), st.integers(0, 65))
PLACE = st.builds(lambda hash, n: f"{hash}{n}", st.sampled_from(["", "#"]), st.integers(0, 200))
OPERAND = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-9, 9)).map(str)
OPERATION = st.one_of(
    words("GET", FIELD, PLACE),
    words(st.sampled_from(["SET", "INCRBY"]), FIELD, PLACE, OPERAND),
    words("OVERFLOW", st.sampled_from(["WRAP", "sat", "FAIL", "no"])),
)
BITS = st.one_of(
    words("SETBIT", KEYS, NUMBERS, st.sampled_from(["0", "1", "2"])),
    words("GETBIT", KEYS, NUMBERS),
    words("BITCOUNT", KEYS, RANGE),
    words("BITPOS", KEYS, st.sampled_from(["0", "1", "2"]), RANGE),
    words(
        "BITOP",
        st.sampled_from(["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE", "no"]),
        KEYS,
        st.lists(KEYS, min_size=1, max_size=3),
    ),
    words(st.sampled_from(["BITFIELD", "BITFIELD", "BITFIELD_RO"]), KEYS, several(OPERATION, 4)),
    words("SET", KEYS, st.sampled_from(["", "1", "-77", "abc", "x" * 60, "\xff" * 300])),
    words("SETRANGE", KEYS, "17000", "x"),
    words("OBJECT", "ENCODING", KEYS),
)

# ---------------------------------------------------------------- HyperLogLogs

ITEMS = st.builds(
    lambda first, count, step: [str(first + i * step) for i in range(count)],
    st.integers(0, 100_000),
    st.sampled_from([0, 1, 2, 30, 300]),
    st.integers(1, 1000),
)
SKETCHES = st.one_of(
    words("PFADD", KEYS, ITEMS),
    words("PFCOUNT", st.lists(KEYS, min_size=1, max_size=3)),
    words("PFMERGE", KEYS, st.lists(KEYS, max_size=3)),
    words("PFDEBUG", st.sampled_from(["ENCODING", "DECODE", "TODENSE", "no"]), KEYS),
    words("CONFIG", "SET", "hll-sparse-max-bytes", st.sampled_from(["0", "20", "100", "500", "3000"])),
    words("GET", KEYS),
)

# ---------------------------------------------------------------- geo

LONGITUDE = st.one_of(st.sampled_from(["180", "-180", "0", "181"]), st.floats(-180, 180).map(repr))
LATITUDE = st.one_of(
    st.sampled_from(["85.05112878", "-85.05112878", "0", "86"]), st.floats(-85, 85).map(repr)
)
NEAR_LONGITUDE, NEAR_LATITUDE = st.floats(10, 12).map(repr), st.floats(40, 42).map(repr)
POINT = st.one_of(words(LONGITUDE, LATITUDE), words(NEAR_LONGITUDE, NEAR_LATITUDE))
MEMBER = st.integers(0, 30).map(lambda n: f"m{n}" if n % 2 else str(n))
LENGTH = st.one_of(st.sampled_from(["0", "1", "50", "5000", "30000", "-1", "x"]), st.floats(0, 300).map(repr))
UNITS = st.sampled_from(["m", "km", "ft", "mi", "KM", "x"])
CIRCLE = words("BYRADIUS", LENGTH, UNITS)
BOX = words("BYBOX", LENGTH, LENGTH, UNITS)
CENTRE = st.one_of(words("FROMMEMBER", MEMBER), words("FROMLONLAT", POINT))
ORDER = st.sampled_from(
    [[], ["ASC"], ["DESC"], ["COUNT", "2", "ANY"], ["ANY"], ["COUNT", "0"], ["ASC", "COUNT", "3", "ANY"]]
)
WITH = several(st.sampled_from([["WITHDIST"], ["WITHCOORD"], ["WITHHASH"]]), 3)
STORE = st.one_of(st.just([]), words(st.sampled_from(["STORE", "STOREDIST"]), KEYS))
PLACES = st.one_of(
    words(
        "GEOADD",
        KEYS,
        maybe(["NX"], ["XX"], ["CH"], ["CH", "NX"]),
        several(words(POINT, MEMBER), 8),
    ),
    words(st.sampled_from(["GEOPOS", "GEOHASH"]), KEYS, st.lists(MEMBER, max_size=3)),
    words("GEODIST", KEYS, MEMBER, MEMBER, maybe(["km"], ["x"])),
    words("GEOSEARCH", KEYS, CENTRE, st.one_of(CIRCLE, BOX), ORDER, WITH),
    words("GEOSEARCHSTORE", KEYS, KEYS, CENTRE, st.one_of(CIRCLE, BOX), ORDER, maybe(["STOREDIST"])),
    words("GEORADIUS", KEYS, POINT, LENGTH, UNITS, ORDER, WITH, STORE),
    words("GEORADIUSBYMEMBER", KEYS, MEMBER, LENGTH, UNITS, ORDER, WITH, STORE),
    words("GEORADIUS_RO", KEYS, POINT, LENGTH, UNITS, ORDER, WITH),
    words("ZADD", KEYS, st.sampled_from(["1", "-5", "1.5", "9e15", "1e19", "inf", "-inf"]), MEMBER),
    words("ZRANGE", KEYS, "0", "-1", "WITHSCORES"),
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redis")
    with running(newer_redis_binary(), folder, "--enable-debug-command", "yes") as port:
        yield port


def play(port, protocol, commands):
    """The bytes of the replies to commands."""
    with Connection(port, protocol) as client:
        client.cmd("FLUSHALL")
        client.cmd("CONFIG", "SET", "hll-sparse-max-bytes", 3000)
        client.cmd("SET", "string", "x")
        replies = [client.exchange(*command) for command in commands]
        client.cmd("CONFIG", "SET", "hll-sparse-max-bytes", 3000)
        return replies


def assert_equal_replies(server, redis, commands):
    for protocol in (2, 3):
        ours, theirs = play(server.port, protocol, commands), play(redis, protocol, commands)
        for command, our, their in zip(commands, ours, theirs, strict=True):
            assert our == their, (protocol, command)


@settings(max_examples=100, deadline=None)
@given(commands=st.lists(BITS, min_size=1, max_size=40))
def test_bits(server, redis, commands):
    assert_equal_replies(server, redis, [*commands, *(["GET", key] for key in "abc")])


@settings(max_examples=60, deadline=None)
@given(commands=st.lists(SKETCHES, min_size=1, max_size=30))
def test_hyperloglogs(server, redis, commands):
    assert_equal_replies(server, redis, [*commands, *(["GET", key] for key in "abc")])


@settings(max_examples=100, deadline=None)
@given(commands=st.lists(PLACES, min_size=1, max_size=40))
def test_geo(server, redis, commands):
    assert_equal_replies(server, redis, commands)
