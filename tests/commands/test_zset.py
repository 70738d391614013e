"""Sorted sets, member by member: ZADD ZINCRBY ZREM ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK ZSCAN ZRANDMEMBER."""

import math
import random
from collections import Counter

import pytest
from sorted_sets import ENTRIES, NOT_FLOAT, NOT_INT, SYNTAX, WRONG_TYPE, ZClient

RANGE = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
NAN = "ERR resulting score is not a number (NaN)"
SCORES = {  # as given: as shown
    "0": "0",
    "-0": "-0",
    "3": "3",
    "3.0": "3",
    "-1.5": "-1.5",
    "0.1": "0.1",
    "0.30000000000000004": "0.30000000000000004",
    "1e20": "1e+20",
    "1e22": "1e+22",
    "1e-7": "1e-7",
    "5e-324": "5e-324",
    "1.7976931348623157e308": "1.7976931348623157e+308",
    "123456789012345678": "123456789012345680",
    "9007199254740993": "9007199254740992",
    "inf": "inf",
    "+inf": "inf",
    "-INF": "-inf",
    "infinity": "inf",
    "0x10": "16",
}
MEMBERS = [
    "",
    "m",
    "7",
    "-4096",
    "9223372036854775808",
    "007",
    "s" * 63,
    "s" * 64,
    "s" * 65,
    "l" * 300,
    "\0\r\n",
]


@pytest.fixture(params=ENTRIES)
def z(request, client):
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", ENTRIES[request.param])
    yield ZClient(client, request.param)
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 128)


# ---------------------------------------------------------------- ZADD


def test_zadd(z):
    assert z("ZADD", "z", 1, "a", 2, "b") == 2
    assert z("ZADD", "z", 3, "a", 2, "b", 0, "c") == 1
    assert list(z.all().items()) == [(b"c", 0.0), (b"b", 2.0), (b"a", 3.0)]
    assert z("ZADD", "z", 4, "d", 5, "d") == 1 and z.all()[b"d"] == 5


@pytest.mark.parametrize("given", SCORES)
def test_scores(z, given):
    shown = SCORES[given]
    if given == "-0" and z.encoding == "listpack":
        shown = "0"  # as in Redis
    z("ZADD", "z", given, "m")
    score = z("ZSCORE", "z", "m")
    if z.protocol == 2:
        assert score == shown.encode()
    else:
        assert score == float(shown) and math.copysign(1, score) == math.copysign(1, float(shown))


@pytest.mark.parametrize("score", ["", "x", "nan", "NaN", " 1", "1 ", "1e999", "1,5", "--1", "e5", "1e"])
def test_scores_that_are_refused(z, score):
    z.make({"a": 1})
    assert z.error("ZADD", "z", score, "m") == NOT_FLOAT
    assert z.error("ZADD", "z", 2, "a", score, "m") == NOT_FLOAT
    assert z.error("ZINCRBY", "z", score, "a") == NOT_FLOAT
    assert z.all() == {b"a": 1}


@pytest.mark.parametrize("member", MEMBERS)
def test_members(z, member):
    z("CONFIG", "SET", "zset-max-listpack-value", 1000)
    z.make({"before": 1, member: 2, "behind": 3})
    assert z("ZSCORE", "z", member) in (b"2", 2.0)
    assert z("ZRANK", "z", member) == 1
    assert z("ZRANGE", "z", 0, -1) == [b"before", member.encode(), b"behind"]
    assert z("ZADD", "z", 9, member) == 0 and z("ZRANK", "z", member) == 2
    assert z("ZADD", "z", 0, member) == 0 and z("ZRANK", "z", member) == 0
    assert z("ZREM", "z", member) == 1 and z("ZCARD", "z") == 2
    z("CONFIG", "SET", "zset-max-listpack-value", 64)


def test_equal_scores_are_in_order_of_bytes(z):
    members = ["", "10", "9", "B", "a", "a\0", "aa", "b", "ab"]
    z.make(dict.fromkeys(random.Random(1).sample(members, len(members)), 5))
    assert z("ZRANGE", "z", 0, -1) == sorted(member.encode() for member in members)


@pytest.mark.parametrize(
    ("options", "score", "expected", "added", "changed"),
    [
        ([], 1, 1, 0, 1),
        ([], 5, 5, 0, 0),
        (["NX"], 1, 5, 0, 0),
        (["XX"], 1, 1, 0, 1),
        (["GT"], 1, 5, 0, 0),
        (["GT"], 9, 9, 0, 1),
        (["GT"], 5, 5, 0, 0),
        (["LT"], 9, 5, 0, 0),
        (["LT"], 1, 1, 0, 1),
        (["XX", "GT"], 9, 9, 0, 1),
        (["xx", "lt"], 9, 5, 0, 0),
    ],
)
def test_conditions_on_a_member_that_is_there(z, options, score, expected, added, changed):
    z.make({"a": 5})
    assert z("ZADD", "z", *options, score, "a") == added
    assert z.all() == {b"a": expected}
    z.make({"a": 5})
    assert z("ZADD", "z", *options, "CH", score, "a") == added + changed
    z.make({"a": 5})
    reply = z("ZADD", "z", "INCR", *options, score - 5, "a")
    assert reply is None if expected != score or (score == 5 and "GT" in options) else float(reply) == score


def test_conditions_on_a_new_member(z):
    for options, added in ([], 1), (["NX"], 1), (["XX"], 0), (["GT"], 1), (["LT"], 1), (["XX", "GT"], 0):
        z.make({"a": 5})
        assert z("ZADD", "z", *options, 1, "new") == added
        assert z("ZCARD", "z") == 1 + added
        z("DEL", "none")
        assert z("ZADD", "none", *options, 1, "new") == added
        assert z("EXISTS", "none") == added
        z("DEL", "none")
        reply = z("ZADD", "none", *options, "INCR", 1, "new")
        assert float(reply) == 1 if added else reply is None


def test_incr(z):
    assert float(z("ZADD", "z", "INCR", 1.5, "a")) == 1.5
    assert float(z("ZADD", "z", "INCR", -3, "a")) == -1.5
    assert float(z("ZINCRBY", "z", "0.1", "a")) == -1.4
    assert float(z("ZINCRBY", "z", "2", "b")) == 2
    assert float(z("ZINCRBY", "z", "inf", "b")) == math.inf
    assert z.error("ZINCRBY", "z", "-inf", "b") == NAN
    assert z.error("ZADD", "z", "INCR", "-inf", "b") == NAN
    assert z.all() == {b"a": -1.4, b"b": math.inf}


def test_zadd_errors(z):
    z("SET", "string", "x")
    both = "ERR XX and NX options at the same time are not compatible"
    order = "ERR GT, LT, and/or NX options at the same time are not compatible"
    assert z.error("ZADD", "z", 1, "a", 2) == SYNTAX
    assert z.error("ZADD", "z", "NX", 1) == SYNTAX
    assert z.error("ZADD", "z", "NX", "CH") == SYNTAX
    assert z.error("ZADD", "z", "NX", "XX", 1, "a") == both
    assert z.error("ZADD", "z", "NX", "GT", 1, "a") == order
    assert z.error("ZADD", "z", "LT", "NX", 1, "a") == order
    assert z.error("ZADD", "z", "GT", "LT", 1, "a") == order
    assert z.error("ZADD", "z", "INCR", 1, "a", 2, "b") == (
        "ERR INCR option supports a single increment-element pair"
    )
    assert z.error("ZADD", "z", "1") == "ERR wrong number of arguments for 'zadd' command"
    assert z.error("ZADD", "string", 1, "a") == WRONG_TYPE
    assert z.error("ZADD", "string", "x", "a") == NOT_FLOAT
    assert z("EXISTS", "z") == 0


# ---------------------------------------------------------------- encodings


def encoding(client, key="z"):
    return client.cmd("OBJECT", "ENCODING", key)


def test_encodings(client):
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 4)
    for i in range(4):
        client.cmd("ZADD", "z", i, i)
    assert encoding(client) == b"listpack"
    client.cmd("ZADD", "z", 9, 3)
    assert encoding(client) == b"listpack"
    client.cmd("ZADD", "z", 4, 4)
    assert encoding(client) == b"skiplist"
    client.cmd("ZREM", "z", 3, 4)
    assert encoding(client) == b"skiplist"
    assert client.cmd("ZRANGE", "z", 0, -1) == [b"0", b"1", b"2"]
    client.cmd("ZADD", "many", *[word for i in range(5) for word in (i, i % 2)])
    assert encoding(client, "many") == b"skiplist" and client.cmd("ZCARD", "many") == 2
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 128)
    client.cmd("ZADD", "long", 1, "x" * 64)
    assert encoding(client, "long") == b"listpack"
    client.cmd("ZADD", "long", 1, "x" * 65)
    assert encoding(client, "long") == b"skiplist"
    client.cmd("ZADD", "at once", 1, "x" * 65)
    assert encoding(client, "at once") == b"skiplist"


@pytest.mark.parametrize("size", [1, 3, 100, 128, 129, 3000])
def test_like_a_dict(z, size):
    """Any changes, in sets that may grow out of their first form."""
    rnd = random.Random(size)
    model = {}
    for _ in range(min(4 * size, 3000)):
        member = b"%d" % rnd.randrange(size)
        action = rnd.random()
        if action < 0.6:
            score = rnd.choice([rnd.randrange(10), rnd.random(), -rnd.randrange(1 << 40)])
            assert z("ZADD", "z", repr(score), member) == (member not in model)
            model[member] = score
        elif action < 0.7:
            model[member] = model.get(member, 0) + 1
            assert float(z("ZINCRBY", "z", 1, member)) == model[member]
        elif action < 0.9:
            assert z("ZREM", "z", member) == (model.pop(member, None) is not None)
        else:
            rank = sorted(model, key=lambda m: (model[m], m)).index(member) if member in model else None
            assert z("ZRANK", "z", member) == rank
    assert z("ZCARD", "z") == len(model)
    expected = sorted(model.items(), key=lambda pair: (pair[1], pair[0]))
    assert list(z.all().items()) == expected
    if model:
        z("COPY", "z", "copy")
        z("DEL", "z")
        assert list(z.all("copy").items()) == expected
    z("DEL", "copy")


# ---------------------------------------------------------------- the other commands


def test_zrem(z):
    z.make({"a": 1, "b": 2, "c": 3})
    assert z("ZREM", "z", "x") == 0
    assert z("ZREM", "z", "a", "a", "x", "c") == 2
    assert z.all() == {b"b": 2}
    assert z("ZREM", "z", "b", "c") == 1 and z("EXISTS", "z") == 0
    assert z("ZREM", "z", "b") == 0


def test_zscore(z):
    z.make({"a": 1, "b": 2.5})
    one, more = (b"1", b"2.5") if z.protocol == 2 else (1.0, 2.5)
    assert z("ZSCORE", "z", "a") == one and z("ZSCORE", "z", "b") == more
    assert z("ZSCORE", "z", "x") is None and z("ZSCORE", "none", "a") is None
    assert z("ZMSCORE", "z", "b", "x", "a", "b") == [more, None, one, more]
    assert z("ZMSCORE", "none", "a", "b") == [None, None]
    assert z("ZCARD", "z") == 2 and z("ZCARD", "none") == 0


def test_ranks(z):
    z.make({f"m{i}": i * i for i in range(20)})
    for i in range(20):
        assert z("ZRANK", "z", f"m{i}") == i and z("ZREVRANK", "z", f"m{i}") == 19 - i
    score = b"9" if z.protocol == 2 else 9.0
    assert z("ZRANK", "z", "m3", "WITHSCORE") == [3, score]
    assert z("ZREVRANK", "z", "m3", "withscore") == [16, score]
    for key, member in ("z", "x"), ("none", "m3"):
        assert z("ZRANK", key, member) is None and z("ZREVRANK", key, member, "WITHSCORE") is None
    assert z.error("ZRANK", "z", "m3", "x") == SYNTAX
    assert (
        z.error("ZRANK", "z", "m3", "WITHSCORE", "x") == "ERR wrong number of arguments for 'zrank' command"
    )


@pytest.mark.parametrize(
    "command",
    [
        "ZADD s 1 a",
        "ZINCRBY s 1 a",
        "ZREM s a",
        "ZCARD s",
        "ZSCORE s a",
        "ZMSCORE s a",
        "ZRANK s a",
        "ZREVRANK s a",
        "ZSCAN s 0",
        "ZRANDMEMBER s",
        "ZRANDMEMBER s 0",
    ],
)
def test_wrong_type(client, command):
    client.cmd("SET", "s", "x")
    assert client.error(*command.split()) == WRONG_TYPE


def scanned(z, *options, key="z"):
    found, cursor = [], 0
    while True:
        cursor, elements = z("ZSCAN", key, cursor, *options)
        assert all(isinstance(word, bytes) for word in elements)
        found += zip(elements[::2], elements[1::2], strict=True)
        if cursor == b"0":
            return found


def test_zscan(z):
    pairs = {f"m{i}".encode(): i for i in range(100)}
    z.make(pairs)
    expected = {member: b"%d" % score for member, score in pairs.items()}
    for options in [], ["COUNT", 1], ["COUNT", 1000]:
        assert dict(scanned(z, *options)) == expected
    assert dict(scanned(z, "MATCH", "m?")) == {
        member: s for member, s in expected.items() if len(member) == 2
    }
    assert z("ZSCAN", "none", 0) == [b"0", []]
    z.make({"a": 0.1, "b": math.inf, "c": 1e-7})
    tenth, small = (
        (b"0.1", b"1e-7") if z.encoding == "listpack" else (b"0.10000000000000001", b"9.9999999999999995e-08")
    )
    assert dict(scanned(z)) == {b"a": tenth, b"b": b"inf", b"c": small}


def test_zrandmember(z):
    assert z("ZRANDMEMBER", "none") is None and z("ZRANDMEMBER", "none", 3) == []
    pairs = {f"m{i}".encode(): float(i) for i in range(100)}
    z.make(pairs)
    assert z("ZRANDMEMBER", "z") in pairs
    assert z("ZRANDMEMBER", "z", 0) == []
    for count in 1, 5, 40, 99, 100, 1000:
        found = z("ZRANDMEMBER", "z", count)
        assert len(found) == len(set(found)) == min(count, 100) and set(found) <= set(pairs)
        found = z.pairs(z("ZRANDMEMBER", "z", count, "WITHSCORES"))
        assert len(found) == min(count, 100) and set(found) <= set(pairs.items())
    found = z("ZRANDMEMBER", "z", -300)
    assert len(found) == 300 and set(found) <= set(pairs)
    assert len(z.pairs(z("ZRANDMEMBER", "z", -7, "WITHSCORES"))) == 7


@pytest.mark.parametrize("count", [1, 3, 9, -4, None])
def test_zrandmember_is_fair(z, count):
    """Each of ten members comes about as often; 4 sigma are exceeded once in 1600 runs for one member."""
    z.make({str(i): i for i in range(10)})
    rounds, seen = 3000, Counter()
    for _ in range(rounds):
        found = z("ZRANDMEMBER", "z", *([] if count is None else [count]))
        seen.update([found] if count is None else found)
    p = abs(count or 1) / 10
    for member in range(10):
        assert abs(seen[b"%d" % member] - rounds * p) < 6 * math.sqrt(rounds * max(p * (1 - p), 0.09)) + 1


def test_zrandmember_errors(z):
    z.make({"a": 1})
    assert z.error("ZRANDMEMBER", "z", "x") == NOT_INT
    assert z.error("ZRANDMEMBER", "z", -(2**63)) == RANGE
    assert z.error("ZRANDMEMBER", "z", 1, "x") == SYNTAX
    assert z.error("ZRANDMEMBER", "z", 1, "WITHSCORES", "x") == SYNTAX
    assert z.error("ZRANDMEMBER", "z", 2**62 + 5, "WITHSCORES") == "ERR value is out of range"


# ---------------------------------------------------------------- events


@pytest.mark.parametrize("entries", ENTRIES.values())
def test_events(client, subscriber, entries):
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", entries)
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "KEAno")
    subscriber.subscribe("__keyevent@0__:*")
    for command, events in {
        "ZADD z 1 a 2 b": "new zadd",
        "ZADD z 1 a": "",
        "ZADD z 2 a": "zadd",
        "ZADD z XX 2 c": "",
        "ZADD z GT 9 c 1 a": "zadd",
        "ZINCRBY z 1 a": "zincr",
        "ZINCRBY z 0 a": "",
        "ZADD new INCR 1 a": "new zincr",
        "ZREM z x": "",
        "ZREM z a b": "zrem",
        "ZREM z c": "zrem del",
        "ZRANGESTORE new new 0 -1": "overwritten zrangestore",
        "ZPOPMIN new": "zpopmin del",
        "ZADD z 1 a 2 b 3 c": "new zadd",
        "ZREMRANGEBYRANK z 0 0": "zremrangebyrank",
        "ZREMRANGEBYSCORE z 2 2": "zremrangebyscore",
        "ZREMRANGEBYLEX z - +": "zremrangebylex del",
    }.items():
        client.cmd(*command.split())
        client.cmd("PUBLISH", "__keyevent@0__:end", "")
        seen = []
        while (event := subscriber.next()[0].decode().rpartition(":")[2]) != "end":
            seen.append(event)
        assert seen == events.split(), command
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 128)


def test_watch_and_dirty(client, connect):
    other = connect()
    for command in "ZADD z 1 a", "ZADD z 2 a", "ZREM z a":
        client.cmd("WATCH", "z")
        other.cmd(*command.split())
        client.cmd("MULTI")
        client.cmd("PING")
        assert client.cmd("EXEC") is None
    other.cmd("ZADD", "z", 1, "a")
    for command in "ZADD z 1 a", "ZADD z NX 5 a", "ZREM z x":
        client.cmd("WATCH", "z")
        other.cmd(*command.split())
        client.cmd("MULTI")
        client.cmd("PING")
        assert client.cmd("EXEC") is not None
