"""Ranges of sorted sets, by rank, score and bytes: reading, counting, storing and removing them."""

import math
import random

import pytest
from sorted_sets import ENTRIES, NOT_INT, SYNTAX, WRONG_TYPE, ZClient

NOT_BOUND = "ERR min or max is not a float"
NOT_LEX = "ERR min or max not valid string range item"
NO_LIMIT = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
NO_SCORES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
SCORES = [-math.inf, -7.5, -1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 3.25, 100.0, 1e18, math.inf]


@pytest.fixture(params=ENTRIES)
def z(request, client):
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", ENTRIES[request.param])
    yield ZClient(client, request.param)
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 128)


def fill(z, key="z"):
    """Members in order of their scores, the first lowest."""
    pairs = {b"m%02d" % i: score for i, score in enumerate(SCORES)}
    z.make(pairs, key)
    return list(pairs.items())


# ---------------------------------------------------------------- by rank


def test_by_rank(z):
    pairs = fill(z)
    n = len(pairs)
    for start in range(-n - 2, n + 3):
        for stop in range(-n - 2, n + 3):
            low = max(start + n if start < 0 else start, 0)
            high = (stop + n if stop < 0 else stop) + 1
            expected = pairs[low : max(high, 0)]
            members = [member for member, _ in expected]
            assert z("ZRANGE", "z", start, stop) == members
            backwards = pairs[::-1][low : max(high, 0)]
            if (start + stop) % 3 == 0:
                assert z.pairs(z("ZRANGE", "z", start, stop, "WITHSCORES")) == expected
                assert z.pairs(z("ZREVRANGE", "z", start, stop, "withscores")) == backwards
                assert z.pairs(z("ZRANGE", "z", start, stop, "REV", "WITHSCORES")) == backwards


def test_long_walks(z):
    """Over the borders of nodes, and past the places that a walk backwards keeps."""
    z("CONFIG", "SET", "zset-max-listpack-entries", 0 if z.encoding == "skiplist" else 1000)
    for n in (63, 64, 65, 127, 128, 129, 500):
        z("DEL", "z")
        z("ZADD", "z", *[word for i in range(n) for word in (i, i)])
        expected = [b"%d" % i for i in range(n)]
        assert z("ZRANGE", "z", 0, -1) == expected
        assert z("ZREVRANGE", "z", 0, -1) == expected[::-1]
        assert z("ZRANGE", "z", 60, 70) == expected[60:71]
        assert z("ZREVRANGE", "z", 60, 70) == expected[::-1][60:71]
        assert z("ZRANGE", "z", "(3", n - 2, "BYSCORE", "LIMIT", 1, 60) == expected[5 : n - 1][:60]
        assert z("ZRANGE", "z", n - 2, 3, "BYSCORE", "REV", "LIMIT", 1, 60) == expected[3 : n - 1][::-1][1:61]


# ---------------------------------------------------------------- by score


BOUNDS = [
    "-inf",
    "(-inf",
    "-7.5",
    "(-7.5",
    "-1",
    "0",
    "(0",
    "0.5",
    "1",
    "(1",
    "3.25",
    "1e18",
    "inf",
    "(inf",
    "+inf",
]


def within(score, low, high):
    def bound(text):
        return float(text.lstrip("("))

    return (score > bound(low) if low[0] == "(" else score >= bound(low)) and (
        score < bound(high) if high[0] == "(" else score <= bound(high)
    )


@pytest.mark.parametrize("low", BOUNDS)
def test_by_score(z, low):
    pairs = fill(z)
    for high in BOUNDS:
        expected = [pair for pair in pairs if within(pair[1], low, high)]
        members = [member for member, _ in expected]
        assert z("ZRANGEBYSCORE", "z", low, high) == members
        assert z("ZREVRANGEBYSCORE", "z", high, low) == members[::-1]
        assert z("ZRANGE", "z", low, high, "BYSCORE") == members
        assert z.pairs(z("ZRANGE", "z", high, low, "REV", "BYSCORE", "WITHSCORES")) == expected[::-1]
        assert z("ZCOUNT", "z", low, high) == len(expected)
        for offset, count in (0, 1), (1, 2), (2, -1), (0, 0), (100, 1), (-1, 1), (-1, -1), (0, 100):
            there = members[offset : None if count < 0 else offset + count] if offset >= 0 else []
            assert z("ZRANGEBYSCORE", "z", low, high, "LIMIT", offset, count) == there
            there = members[::-1][offset : None if count < 0 else offset + count] if offset >= 0 else []
            assert z("ZREVRANGEBYSCORE", "z", high, low, "LIMIT", offset, count) == there


@pytest.mark.parametrize(
    ("bound", "score"),
    [("", 0), ("(", 0), ("1e999", math.inf), ("-1e999", -math.inf), ("1e-999", 0), ("9" * 400, math.inf),
     ("0." + "0" * 400 + "1", 0), ("+5", 5), (".5", 0.5), ("Infinity", math.inf), ("5\0x", 5)],
)  # fmt: skip
def test_bounds_that_are_no_scores(z, bound, score):
    fill(z)
    low = f"({score}" if bound == "(" else score
    assert z("ZCOUNT", "z", bound, "inf") == z("ZCOUNT", "z", low, "inf")


@pytest.mark.parametrize(
    "bound", ["x", "nan", "(nan", " 1", "1 ", "((1", "0x10", "(0X1", "1e", "--1", "+", "1_0"]
)
def test_bounds_that_are_refused(z, bound):
    fill(z)
    for command in "ZCOUNT", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZREMRANGEBYSCORE":
        assert z.error(command, "z", bound, 1) == NOT_BOUND
        assert z.error(command, "z", 1, bound) == NOT_BOUND
    assert z.error("ZRANGE", "z", 1, bound, "BYSCORE") == NOT_BOUND


# ---------------------------------------------------------------- by bytes


WORDS = [b"", b"0", b"10", b"9", b"a", b"a\0", b"aa", b"ab", b"b", b"foo", b"z" * 70, b"\xff"]
LEX = ["-", "+", "[", "(", "[a", "(a", "[aa", "(aa", "[c", "(10", "[1", "[zz"]


def lex_within(word, low, high):
    if low == "+" or high == "-":
        return False
    above = low == "-" or word > low[1:].encode() or (low[0] == "[" and word == low[1:].encode())
    below = high == "+" or word < high[1:].encode() or (high[0] == "[" and word == high[1:].encode())
    return above and below


@pytest.mark.parametrize("low", LEX)
def test_by_lex(z, low):
    z("CONFIG", "SET", "zset-max-listpack-value", 100)
    z.make(dict.fromkeys(random.Random(1).sample(WORDS, len(WORDS)), 0))
    z("CONFIG", "SET", "zset-max-listpack-value", 64)
    for high in LEX:
        expected = [word for word in WORDS if lex_within(word, low, high)]
        assert z("ZRANGEBYLEX", "z", low, high) == expected
        assert z("ZREVRANGEBYLEX", "z", high, low) == expected[::-1]
        assert z("ZRANGE", "z", low, high, "BYLEX", "LIMIT", 1, 3) == expected[1:4]
        assert z("ZRANGE", "z", high, low, "BYLEX", "REV", "LIMIT", 1, 3) == expected[::-1][1:4]
        assert z("ZLEXCOUNT", "z", low, high) == len(expected)


@pytest.mark.parametrize("bound", ["", "a", "--", "++", "1", "{a"])
def test_lex_bounds_that_are_refused(z, bound):
    for command in "ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZLEXCOUNT", "ZREMRANGEBYLEX":
        assert z.error(command, "none", bound, "+") == NOT_LEX
        assert z.error(command, "none", "-", bound) == NOT_LEX


# ---------------------------------------------------------------- errors


def test_errors(z):
    z("SET", "s", "x")
    assert z("ZRANGE", "none", 0, -1) == [] and z("ZCOUNT", "none", 0, 1) == 0
    assert z("ZREMRANGEBYRANK", "none", 0, -1) == 0
    assert z.error("ZRANGE", "none", "x", 1) == NOT_INT
    assert z.error("ZRANGE", "none", 0, 1, "LIMIT", 0, 1) == NO_LIMIT
    assert z("ZRANGE", "none", 0, 1, "LIMIT", 0, -1) == []
    assert z.error("ZRANGE", "none", "-", "+", "BYLEX", "WITHSCORES") == NO_SCORES
    assert z.error("ZRANGEBYLEX", "none", "-", "+", "WITHSCORES") == NO_SCORES
    assert z.error("ZRANGE", "none", 0, 1, "BYSCORE", "BYLEX") == SYNTAX
    assert z.error("ZRANGE", "none", 0, 1, "BYSCORE", "LIMIT", 0) == SYNTAX
    assert z.error("ZRANGE", "none", 0, 1, "BYSCORE", "LIMIT", 0, "x") == NOT_INT
    assert z.error("ZREVRANGE", "none", 0, 1, "REV") == SYNTAX
    assert z.error("ZRANGEBYSCORE", "none", 0, 1, "BYSCORE") == SYNTAX
    assert z.error("ZRANGESTORE", "d", "none", 0, 1, "WITHSCORES") == SYNTAX
    for command in (
        "ZRANGE s 0 1", "ZREVRANGE s 0 1", "ZRANGEBYSCORE s 0 1", "ZREVRANGEBYSCORE s 1 0",
        "ZRANGEBYLEX s - +", "ZREVRANGEBYLEX s + -", "ZCOUNT s 0 1",
        "ZLEXCOUNT s - +", "ZREMRANGEBYRANK s 0 1",
        "ZREMRANGEBYSCORE s 0 1", "ZREMRANGEBYLEX s - +", "ZRANGESTORE d s 0 1",
    ):  # fmt: skip
        assert z.error(*command.split()) == WRONG_TYPE


# ---------------------------------------------------------------- storing and removing


def test_zrangestore(z):
    pairs = fill(z)
    assert z("ZRANGESTORE", "d", "z", 2, 4) == 3 and list(z.all("d").items()) == pairs[2:5]
    assert z("ZRANGESTORE", "d", "z", 2, 4, "REV") == 3 and list(z.all("d").items()) == pairs[-5:-2]
    assert z("ZRANGESTORE", "d", "z", "(0", "+inf", "BYSCORE", "LIMIT", 1, 2) == 2
    assert list(z.all("d").items()) == pairs[7:9]
    assert z("ZRANGESTORE", "z", "z", 5, 99) == len(pairs) - 5 and list(z.all().items()) == pairs[5:]
    assert z("ZRANGESTORE", "d", "z", 50, 99) == 0 and z("EXISTS", "d") == 0
    z("SET", "d", "x", "EX", 100)
    assert z("ZRANGESTORE", "d", "z", 0, 0) == 1 and z("TTL", "d") == -1
    assert z("ZRANGESTORE", "d", "none", 0, 0) == 0 and z("EXISTS", "d") == 0


def test_zrangestore_of_many(z):
    """Numbers, whose text is copied, among them; the result has the form that its size asks for."""
    z("ZADD", "z", *[word for i in range(3000) for word in (i, i if i % 2 else f"m{i}")])
    assert z("ZRANGESTORE", "d", "z", 0, -1) == 3000
    assert z("ZRANGE", "d", 0, -1) == z("ZRANGE", "z", 0, -1)
    z("CONFIG", "SET", "zset-max-listpack-entries", 128)
    z("ZRANGESTORE", "d", "z", 0, 127)
    assert z("OBJECT", "ENCODING", "d") == b"listpack"
    z("ZRANGESTORE", "d", "z", 0, 128)
    assert z("OBJECT", "ENCODING", "d") == b"skiplist"


def test_removing(z):
    pairs = fill(z)
    assert z("ZREMRANGEBYRANK", "z", 1, 2) == 2 and z("ZREMRANGEBYRANK", "z", -1, -1) == 1
    del pairs[1:3], pairs[-1]
    assert list(z.all().items()) == pairs
    assert z("ZREMRANGEBYSCORE", "z", "(0", 1) == 2 and z("ZREMRANGEBYSCORE", "z", 5, 1) == 0
    pairs = [pair for pair in pairs if pair[1] != 1]
    assert list(z.all().items()) == pairs
    assert z("ZREMRANGEBYRANK", "z", 0, -1) == len(pairs) and z("EXISTS", "z") == 0
    z.make(dict.fromkeys("abcdef", 0))
    assert z("ZREMRANGEBYLEX", "z", "[b", "(e") == 3 and list(z.all()) == [b"a", b"e", b"f"]


def test_removing_many(z):
    rnd = random.Random(1)
    model = [b"%d" % i for i in range(5000)]
    z("ZADD", "z", *[word for i in range(5000) for word in (i, i)])
    while model:
        start = rnd.randrange(len(model))
        stop = rnd.choice([start, start + 5, start + 700])
        assert z("ZREMRANGEBYRANK", "z", start, stop) == len(model[start : stop + 1])
        del model[start : stop + 1]
        assert z("ZCARD", "z") == len(model) and z("ZRANGE", "z", 0, 20) == model[:21]
    assert z("EXISTS", "z") == 0
