"""Taking members from the ends of sorted sets: ZPOPMIN ZPOPMAX ZMPOP BZPOPMIN BZPOPMAX BZMPOP."""

import pytest
from connections import until
from sorted_sets import ENTRIES, SYNTAX, WRONG_TYPE, ZClient

POSITIVE = "ERR value is out of range, must be positive"


@pytest.fixture(params=ENTRIES)
def z(request, client):
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", ENTRIES[request.param])
    yield ZClient(client, request.param)
    client.cmd("CONFIG", "SET", "zset-max-listpack-entries", 128)


def score(z, value):
    """A score as the protocol has it."""
    return value if z.protocol == 3 else b"%g" % value


def test_one(z):
    z.make({"a": 1.0, "b": 2.5, "c": 3.0})
    assert z("ZPOPMIN", "z") == [b"a", score(z, 1.0)]
    assert z("ZPOPMAX", "z") == [b"c", score(z, 3.0)]
    assert z("ZPOPMAX", "z") == [b"b", score(z, 2.5)]
    assert z("EXISTS", "z") == 0 and z("ZPOPMIN", "z") == [] and z("ZPOPMAX", "z", 3) == []


@pytest.mark.parametrize("n", [5, 128, 700])
def test_several(z, n):
    z("ZADD", "z", *[word for i in range(n) for word in (i, f"m{i}")])
    pairs = [(b"m%d" % i, float(i)) for i in range(n)]
    assert z("ZPOPMIN", "z", 0) == []
    assert z.pairs(z("ZPOPMIN", "z", 2)) == pairs[:2]
    assert z.pairs(z("ZPOPMAX", "z", 2)) == pairs[-2:][::-1]
    assert z("ZCARD", "z") == n - 4
    assert z.pairs(z("ZPOPMAX", "z", n)) == pairs[2:-2][::-1]
    assert z("EXISTS", "z") == 0
    z("ZADD", "z", *[word for i in range(n) for word in (i, f"m{i}")])
    assert z.pairs(z("ZPOPMIN", "z", 2**40)) == pairs


def test_errors(z):
    z("SET", "s", "x")
    for command in "ZPOPMIN", "ZPOPMAX":
        assert z.error(command, "z", -1) == POSITIVE
        assert z.error(command, "z", "x") == POSITIVE
        assert z.error(command, "z", 1, 2) == SYNTAX
        assert z.error(command, "s") == WRONG_TYPE and z.error(command, "s", 0) == WRONG_TYPE


def test_zmpop(z):
    z.make({"a": 1.0, "b": 2.0, "c": 3.0})
    assert z("ZMPOP", 1, "none", "MIN") is None
    assert z("ZMPOP", 2, "none", "z", "MIN") == [b"z", [[b"a", score(z, 1.0)]]]
    assert z("ZMPOP", 2, "z", "none", "max", "count", 9) == [
        b"z",
        [[b"c", score(z, 3.0)], [b"b", score(z, 2.0)]],
    ]
    assert z("EXISTS", "z") == 0
    z("SET", "s", "x")
    z.make({"a": 1.0})
    assert z.error("ZMPOP", 2, "none", "s", "MIN") == WRONG_TYPE
    assert z("ZMPOP", 2, "z", "s", "MIN") == [b"z", [[b"a", score(z, 1.0)]]]
    numkeys = "ERR numkeys should be greater than 0"
    count = "ERR count should be greater than 0"
    assert z.error("ZMPOP", 0, "z", "MIN") == numkeys and z.error("ZMPOP", "x", "z", "MIN") == numkeys
    assert z.error("ZMPOP", 2, "z", "MIN") == SYNTAX and z.error("ZMPOP", 3, "z", "MIN") == SYNTAX
    assert z.error("ZMPOP", 1, "z", "MID") == SYNTAX and z.error("ZMPOP", 1, "z", "MIN", "COUNT") == SYNTAX
    assert z.error("ZMPOP", 1, "z", "MIN", "COUNT", 0) == count
    assert z.error("ZMPOP", 1, "z", "MIN", "COUNT", 1, "COUNT", 1) == SYNTAX


# ---------------------------------------------------------------- waiting


def test_blocking_finds_something(z):
    z.make({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0})
    assert z("BZPOPMIN", "none", "z", 0) == [b"z", b"a", score(z, 1.0)]
    assert z("BZPOPMAX", "none", "z", 0) == [b"z", b"d", score(z, 4.0)]
    assert z("BZMPOP", 0, 1, "z", "MIN", "COUNT", 5) == [b"z", [[b"b", score(z, 2.0)], [b"c", score(z, 3.0)]]]
    assert z("EXISTS", "z") == 0


def test_blocking_in_vain(z):
    for command in "BZPOPMIN z 0.01", "BZPOPMAX z y 0.01", "BZMPOP 0.01 2 z y MAX":
        assert z(*command.split()) is None
    z("MULTI")
    z("BZPOPMIN", "z", 0)
    z("BZMPOP", 0, 1, "z", "MIN")
    assert z("EXEC") == [None, None]


def test_blocking_errors(z):
    z("SET", "s", "x")
    assert z.error("BZPOPMIN", "z", "x") == "ERR timeout is not a float or out of range"
    assert z.error("BZPOPMIN", "z", -1) == "ERR timeout is negative"
    assert z.error("BZMPOP", -1, 1, "z", "MIN") == "ERR timeout is negative"
    assert z.error("BZMPOP", -1, 1, "z", "MID") == SYNTAX
    assert z.error("BZPOPMIN", "s", 0) == WRONG_TYPE
    assert z.error("BZMPOP", 0, 1, "s", "MIN") == WRONG_TYPE


@pytest.fixture
def waiting(connect, client):
    """Makes connections that wait: waiting("BZPOPMIN z 0")."""

    def waiting(command):
        connection = connect(client.protocol)
        before = blocked(client)
        connection.send(*command.split())
        until(lambda: blocked(client) == before + 1)
        return connection

    return waiting


def blocked(client):
    return int(client.cmd("INFO", "clients").split(b"blocked_clients:")[1].split()[0])


@pytest.mark.parametrize(
    "command",
    [
        "ZADD z 2 b 1 a",
        "ZADD z INCR 1 a",
        "ZINCRBY z 1 a",
        "ZUNIONSTORE z 1 other",
        "ZRANGESTORE z other 0 -1",
        "RENAME other z",
        "COPY other z",
    ],
)
def test_woken(z, waiting, command):
    z("ZADD", "other", 1, "a")
    one = score(z, 1.0)
    sleeper = waiting("BZPOPMIN y z 0")
    z(*command.split())
    assert sleeper.read() == [b"z", b"a", one]


def test_in_order_of_arrival(z, waiting):
    first, second, third = (
        waiting("BZPOPMIN z 0"),
        waiting("BZPOPMAX z 0"),
        waiting("BZMPOP 0 1 z MIN COUNT 2"),
    )
    z("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert first.read() == [b"z", b"a", score(z, 1.0)]
    assert second.read() == [b"z", b"c", score(z, 3.0)]
    assert third.read() == [b"z", [[b"b", score(z, 2.0)]]]
    assert z("EXISTS", "z") == 0


def test_another_type_wakes_nobody(z, waiting):
    sleeper = waiting("BZPOPMIN z 0")
    z("SET", "z", "x")
    z("DEL", "z")
    z("SADD", "z", "m")
    z("DEL", "z")
    assert blocked(z) == 1
    z("ZADD", "z", 5, "m")
    assert sleeper.read() == [b"z", b"m", score(z, 5.0)]
