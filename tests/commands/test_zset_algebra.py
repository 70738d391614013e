"""Unions, intersections and differences of sorted sets and sets."""

import math
import random

import pytest
from sorted_sets import ENTRIES, NOT_INT, SYNTAX, WRONG_TYPE, ZClient

FLOAT = "ERR weight value is not a float"


@pytest.fixture(params=ENTRIES)
def z(request, client):
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", ENTRIES[request.param])
    yield ZClient(client, request.param)
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 128)


def ordered(scores):
    return sorted(scores.items(), key=lambda pair: (pair[1], pair[0]))


def expected(operation, sources, weights, aggregate):
    """The result as a dict of scores."""
    if operation == "DIFF":
        return {m: s for m, s in sources[0].items() if not any(m in other for other in sources[1:])}
    together = {"SUM": lambda a, b: a + b, "MIN": min, "MAX": max}[aggregate]
    by_length = sorted(zip(sources, weights, strict=True), key=lambda source: len(source[0]))
    scores = {}
    for source, weight in by_length:
        for member, score in source.items():
            score = 0.0 if math.isnan(score * weight) else score * weight
            if member in scores:
                score = together(scores[member], score)
            scores[member] = 0.0 if math.isnan(score) else score
    if operation == "INTER":
        scores = {member: score for member, score in scores.items() if all(member in s for s in sources)}
    return scores


@pytest.mark.parametrize("operation", ["UNION", "INTER", "DIFF"])
@pytest.mark.parametrize("size", [8, 300])
def test_operations(z, operation, size):
    rnd = random.Random(f"{operation} {size}")
    values = {}
    for i in range(4):
        members = [rnd.choice([b"%d", b"m%d"]) % rnd.randrange(size) for _ in range(rnd.randrange(1, size))]
        values[f"z{i}"] = {
            member: rnd.choice([rnd.random(), float(rnd.randrange(5)), -1.5]) for member in members
        }
        z(
            "ZADD",
            f"z{i}",
            *[word for member, score in values[f"z{i}"].items() for word in (repr(score), member)],
        )
        values[f"s{i}"] = dict.fromkeys(members[::2], 1.0)
        if members[::2]:
            z("SADD", f"s{i}", *members[::2])
    values["none"] = {}
    for _ in range(60):
        keys = [rnd.choice(list(values)) for _ in range(rnd.choice([1, 2, 2, 3, 4]))]
        weights, aggregate, options = [1.0] * len(keys), "SUM", []
        if operation != "DIFF" and rnd.random() < 0.5:
            weights = [rnd.choice([1.0, 2.0, -0.5, 0.0]) for _ in keys]
            options += ["WEIGHTS", *weights]
        if operation != "DIFF" and rnd.random() < 0.5:
            aggregate = rnd.choice(["SUM", "MIN", "MAX"])
            options += ["AGGREGATE", aggregate]
        result = ordered(expected(operation, [values[key] for key in keys], weights, aggregate))
        reply = z(f"Z{operation}", len(keys), *keys, *options, "WITHSCORES")
        assert z.pairs(reply) == result
        assert z(f"Z{operation}", len(keys), *keys, *options) == [member for member, _ in result]
        assert z(f"Z{operation}STORE", "result", len(keys), *keys, *options) == len(result)
        assert list(z.all("result").items()) == result
        assert z("EXISTS", "result") == bool(result)
        if operation == "INTER":
            assert z("ZINTERCARD", len(keys), *keys) == len(result)
            assert z("ZINTERCARD", len(keys), *keys, "LIMIT", 2) == min(len(result), 2)
            assert z("ZINTERCARD", len(keys), *keys, "LIMIT", 0) == len(result)


def test_infinities(z):
    z.make({"a": math.inf, "b": -math.inf, "c": 1.0}, "x")
    z.make({"a": -math.inf, "b": math.inf, "c": 2.0}, "y")
    assert z.pairs(z("ZUNION", 2, "x", "y", "WITHSCORES")) == [(b"a", 0.0), (b"b", 0.0), (b"c", 3.0)]
    assert z.pairs(z("ZINTER", 2, "x", "y", "WITHSCORES")) == [(b"a", 0.0), (b"b", 0.0), (b"c", 3.0)]
    assert z.pairs(z("ZUNION", 1, "x", "WEIGHTS", 0, "WITHSCORES")) == [(b"a", 0.0), (b"b", 0.0), (b"c", 0.0)]
    assert z.pairs(z("ZUNION", 1, "x", "WEIGHTS", "-inf", "WITHSCORES")) == [
        (b"a", -math.inf), (b"c", -math.inf), (b"b", math.inf),
    ]  # fmt: skip


def test_the_destination_may_be_a_source(z):
    z.make({"a": 1.0, "b": 2.0}, "x")
    z.make({"b": 3.0, "c": 4.0}, "y")
    assert z("ZUNIONSTORE", "x", 2, "x", "y") == 3 and z.all("x") == {b"a": 1.0, b"c": 4.0, b"b": 5.0}
    assert z("ZINTERSTORE", "y", 2, "y", "x") == 2 and z.all("y") == {b"c": 8.0, b"b": 8.0}
    assert z("ZDIFFSTORE", "x", 2, "x", "y") == 1 and z.all("x") == {b"a": 1.0}
    assert z("ZDIFFSTORE", "x", 2, "x", "x") == 0 and z("EXISTS", "x") == 0


def test_what_the_result_replaces(z):
    z.make({"a": 1.0}, "x")
    z("SET", "d", "string", "EX", 100)
    assert z("ZUNIONSTORE", "d", 1, "x") == 1 and z("TTL", "d") == -1 and z("TYPE", "d") == b"zset"
    z("SET", "d", "string")
    assert z("ZUNIONSTORE", "d", 1, "none") == 0 and z("EXISTS", "d") == 0


def test_encoding_of_the_result(client):
    for count, longest, encoding in (128, 64, b"listpack"), (129, 64, b"skiplist"), (3, 65, b"skiplist"):
        client.cmd("DEL", "s")
        client.cmd("SADD", "s", *range(count - 1), "x" * longest)
        client.cmd("ZUNIONSTORE", "d", 1, "s")
        assert client.cmd("OBJECT", "ENCODING", "d") == encoding


def test_errors(z):
    z("SET", "s", "x")
    for command in (
        "ZUNION",
        "ZINTER",
        "ZDIFF",
        "ZINTERCARD",
        "ZUNIONSTORE d",
        "ZINTERSTORE d",
        "ZDIFFSTORE d",
    ):
        words = command.split()
        name = words[0].lower()
        assert z.error(*words, "x", "k") == NOT_INT
        assert z.error(*words, 0, "k") == f"ERR at least 1 input key is needed for '{name}' command"
        assert z.error(*words, 2, "k") == SYNTAX
        assert z.error(*words, 2, "k", "s") == WRONG_TYPE
        assert z.error(*words, 2, "k", "s", "x") == WRONG_TYPE
        assert z.error(*words, 1, "k", "x") == SYNTAX
        if "CARD" in command:
            negative = "ERR LIMIT can't be negative"
            assert z.error(*words, 1, "k", "LIMIT", -1) == negative
            assert z.error(*words, 1, "k", "LIMIT", "x") == negative
            assert z.error(*words, 1, "k", "LIMIT") == SYNTAX
        if "DIFF" in command or "CARD" in command:
            assert z.error(*words, 1, "k", "WEIGHTS", 1) == SYNTAX
            assert z.error(*words, 1, "k", "AGGREGATE", "SUM") == SYNTAX
        else:
            assert z.error(*words, 1, "k", "WEIGHTS", "x") == FLOAT
            assert z.error(*words, 2, "k", "k", "WEIGHTS", 1) == SYNTAX
            assert z.error(*words, 1, "k", "AGGREGATE", "AVG") == SYNTAX
        if "STORE" in command:
            assert z.error(*words, 1, "k", "WITHSCORES") == SYNTAX
