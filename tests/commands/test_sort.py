"""SORT and SORT_RO, on lists, sets and sorted sets."""

import random

import pytest

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_NUMBER = "ERR One or more scores can't be converted into double"
NO_INT = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"

FILL = {
    "list": lambda client, key, items: client.cmd("RPUSH", key, *items),
    "set": lambda client, key, items: client.cmd("SADD", key, *items),
    "zset": lambda client, key, items: client.cmd("ZADD", key, *[w for i in enumerate(items) for w in i]),
}


@pytest.fixture(params=FILL)
def kind(request):
    return request.param


@pytest.fixture(params=[7, 1000])
def numbers(client, kind, request):
    """Distinct numbers under "k", in each type and in small and large forms."""
    numbers = list(range(request.param))
    random.Random(1).shuffle(numbers)
    FILL[kind](client, "k", numbers)
    return numbers


def texts(items):
    return [str(item).encode() for item in items]


def error(client, *words):
    reply = client.cmd(*words)
    assert isinstance(reply, Exception), reply
    return str(reply)


@pytest.mark.parametrize("command", ["SORT", "SORT_RO"])
def test_numbers(client, numbers, command):
    assert client.cmd(command, "k") == texts(sorted(numbers))
    assert client.cmd(command, "k", "DESC") == texts(sorted(numbers, reverse=True))
    assert client.cmd(command, "k", "desc", "ASC") == texts(sorted(numbers))
    assert client.cmd(command, "k", "ALPHA") == sorted(texts(numbers))
    assert client.cmd(command, "k", "ALPHA", "DESC") == sorted(texts(numbers), reverse=True)


@pytest.mark.parametrize(
    ("start", "count"),
    [(0, 3), (2, 2), (-5, 2), (5, 100), (6, 1), (7, 1), (1000, 5), (0, 0), (3, -1), (-1, -1)],
)
def test_limit(client, numbers, start, count):
    for direction in ("ASC", "DESC"):
        expected = sorted(numbers, reverse=direction == "DESC")[max(start, 0) :]
        if count >= 0:
            expected = expected[:count]
        assert client.cmd("SORT", "k", "LIMIT", start, count, direction) == texts(expected)


def test_order_of_its_own(client, kind, numbers):
    own = client.cmd("SORT", "k", "BY", "nosort")
    assert sorted(own) == sorted(texts(numbers))
    if kind != "set":
        assert own == texts(numbers)
        assert client.cmd("SORT", "k", "BY", "nosort", "DESC") == own[::-1]
        assert client.cmd("SORT", "k", "BY", "nosort", "DESC", "LIMIT", 1, 3) == own[::-1][1:4]
    assert client.cmd("SORT", "k", "BY", "nosort", "LIMIT", 2, 3) == own[2:5]
    assert client.cmd("SORT", "k", "BY", "nosort", "LIMIT", len(own), 3) == []
    assert client.cmd("SORT", "k", "BY", "nosort", "GET", "#", "LIMIT", 0, 2) == own[:2]


def test_a_set_is_sorted_before_it_is_stored(client):
    client.cmd("SADD", "k", "c", "a", "b")
    assert client.cmd("SORT", "k", "BY", "nosort", "STORE", "to") == 3
    assert client.cmd("LRANGE", "to", 0, -1) == [b"a", b"b", b"c"]


def test_by_and_get(client, numbers):
    numbers = numbers[:50]
    client.cmd("DEL", "k")
    client.cmd("RPUSH", "k", *numbers)
    weights = {n: random.Random(n).randrange(10) for n in numbers}
    for n in numbers:
        client.cmd("SET", f"w:{n}", weights[n])
        client.cmd("HSET", f"h:{n}:x", "weight", weights[n], "name", f"name{n}")
    # equal weights are ordered by the elements, as texts
    expected = sorted(numbers, key=lambda n: (weights[n], str(n)))
    assert client.cmd("SORT", "k", "BY", "w:*") == texts(expected)
    assert client.cmd("SORT", "k", "BY", "w:*", "DESC") == texts(expected[::-1])
    assert client.cmd("SORT", "k", "BY", "h:*:x->weight") == texts(expected)
    assert client.cmd("SORT", "k", "BY", "h:*:x->weight", "GET", "h:*:x->name", "GET", "#", "GET", "w:*") == [
        reply for n in expected for reply in texts([f"name{n}", n, weights[n]])
    ]
    by_text = sorted(numbers, key=lambda n: f"name{n}")
    assert client.cmd("SORT", "k", "BY", "h:*:x->name", "ALPHA") == texts(by_text)
    assert client.cmd("SORT", "k", "BY", "h:*:x->name", "ALPHA", "DESC", "LIMIT", 0, 5) == texts(
        by_text[::-1][:5]
    )


def test_missing_weights_and_values(client):
    client.cmd("RPUSH", "k", "b", "a", "c", "d")
    client.cmd("MSET", "w:a", 3, "w:c", -1, "x:a->", "arrow", "-*", "no pattern")
    client.cmd("SADD", "w:d", 1)  # has no weight
    assert client.cmd("SORT", "k", "BY", "w:*") == [b"c", b"b", b"d", b"a"]
    assert client.cmd("SORT", "k", "BY", "w:*", "ALPHA") == [b"b", b"d", b"c", b"a"]  # none comes first
    assert client.cmd("SORT", "k", "BY", "w:*", "ALPHA", "DESC") == [b"a", b"c", b"b", b"d"]
    assert client.cmd("SORT", "k", "BY", "w:*", "GET", "w:*", "GET", "const") == [
        *[b"-1", None, None, None],
        *[None, None, b"3", None],
    ]
    assert client.cmd("SORT", "k", "ALPHA", "GET", "x:*->", "LIMIT", 0, 1) == [b"arrow"]
    assert client.cmd("SORT", "k", "ALPHA", "GET", "w:*->field", "LIMIT", 0, 1) == [None]


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("", 0),
        ("-0", 0),
        ("inf", 2),
        ("-inf", -1),
        ("1e400", 2),
        ("1e-400", 0),
        ("+5", 2),
        ("1e3", 2),
        ("\0x", 0),
    ],
)
def test_odd_numbers(client, number, place):
    client.cmd("RPUSH", "k", -1, number, 1)
    expected = [b"-1", b"1"]
    expected.insert(place if place >= 0 else 0, number.encode())
    if place == 0:
        expected = [b"-1", number.encode(), b"1"]
    assert client.cmd("SORT", "k") == expected


@pytest.mark.parametrize("number", ["x", " 1", "1 ", "0x10", "-0x1", "nan", "1_0", "1e", "1.5.5", "1" * 2000])
def test_what_is_no_number(client, number):
    client.cmd("RPUSH", "k", 1, number)
    client.cmd("SET", "w:1", number)
    client.cmd("SET", "to", "kept")
    assert error(client, "SORT", "k") == NO_NUMBER
    assert error(client, "SORT", "k", "STORE", "to") == NO_NUMBER
    assert error(client, "SORT", "k", "BY", "w:*") == NO_NUMBER
    assert client.cmd("GET", "to") == b"kept"


def test_floats(client):
    floats = [1.1, 5.10, 3.10, 7.44, 2.1, 5.75, 6.12, 0.25, 1.15, -3.5]
    client.cmd("RPUSH", "k", *floats)
    assert client.cmd("SORT", "k") == texts(sorted(floats))


def test_repeated_elements(client):
    client.cmd("RPUSH", "k", 3, 1, 3, 2, 1)
    assert client.cmd("SORT", "k") == [b"1", b"1", b"2", b"3", b"3"]
    client.cmd("RPUSH", "t", b"\xff", b"a\0b", b"a", b"", b"a")
    assert client.cmd("SORT", "t", "ALPHA") == [b"", b"a\0b", b"a", b"a", b"\xff"]  # up to the zero byte
    client.cmd("SORT", "t", "ALPHA", "STORE", "to")
    assert client.cmd("LRANGE", "to", 0, -1) == [b"", b"a", b"a", b"a\0b", b"\xff"]  # whole


def test_store(client, numbers):
    expected = texts(sorted(numbers))
    client.cmd("SET", "to", "text", "EX", 100)
    assert client.cmd("SORT", "k", "STORE", "to") == len(numbers)
    assert client.cmd("LRANGE", "to", 0, -1) == expected
    assert client.cmd("TTL", "to") == -1
    assert client.cmd("SORT", "k", "DESC", "LIMIT", 0, 3, "GET", "#", "GET", "no*", "STORE", "to") == 6
    assert client.cmd("LRANGE", "to", 0, -1) == [w for n in expected[::-1][:3] for w in (n, b"")]
    assert client.cmd("SORT", "k", "STORE", "k") == len(numbers)  # in its own place
    assert client.cmd("LRANGE", "k", 0, -1) == expected
    assert client.cmd("SORT", "k", "LIMIT", 0, 0, "STORE", "to") == 0
    assert client.cmd("EXISTS", "to") == 0
    assert client.cmd("SORT", "missing", "STORE", "k") == 0
    assert client.cmd("EXISTS", "k") == 0
    assert client.cmd("SORT", "missing") == []


def test_large_values(client):
    client.cmd("RPUSH", "k", 2, 1)
    client.cmd("MSET", "v:1", "x" * 100_000, "v:2", "y" * 20_000)
    assert client.cmd("SORT", "k", "GET", "v:*") == [b"x" * 100_000, b"y" * 20_000]
    assert client.cmd("SORT", "k", "GET", "v:*", "STORE", "to") == 2
    assert client.cmd("LRANGE", "to", 0, -1) == [b"x" * 100_000, b"y" * 20_000]
    client.cmd("RPUSH", "long", "b" * 70_000, "a" * 70_000)
    assert client.cmd("SORT", "long", "ALPHA") == [b"a" * 70_000, b"b" * 70_000]


def test_expired_weights(client):
    client.cmd("RPUSH", "k", 1, 2, 3)
    client.cmd("MSET", "w:1", 30, "w:2", 20, "w:3", 10)
    client.cmd("PEXPIRE", "w:1", 1)
    client.cmd("DEBUG", "SLEEP", 0.003)
    assert client.cmd("SORT", "k", "BY", "w:*", "GET", "#", "GET", "w:*") == [
        *[b"1", None],
        *[b"3", b"10", b"2", b"20"],
    ]


def test_errors(client):
    client.cmd("SET", "str", 1)
    client.cmd("HSET", "hash", "f", "v")
    client.cmd("RPUSH", "k", 1)
    for key in ("str", "hash"):
        assert error(client, "SORT", key) == WRONG_TYPE
        assert error(client, "SORT_RO", key, "BY", "nosort") == WRONG_TYPE
    for words in [("LIMIT",), ("LIMIT", 1), ("BY",), ("GET",), ("STORE",), ("FOO",), ("ASC", "x")]:
        assert error(client, "SORT", "k", *words) == SYNTAX
    assert error(client, "SORT", "str", "FOO") == SYNTAX
    assert error(client, "SORT", "k", "LIMIT", "x", 1) == NO_INT
    assert error(client, "SORT", "k", "LIMIT", 1, "x") == NO_INT
    assert error(client, "SORT_RO", "k", "STORE", "to") == SYNTAX


def test_events(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "EAnoc")
    client.cmd("RPUSH", "k", 1, 2)
    subscriber.subscribe("__keyevent@0__:*")

    def events(*words):
        client.cmd(*words)
        client.cmd("PUBLISH", "__keyevent@0__:end", "")
        told = []
        while (message := subscriber.next())[0] != b"__keyevent@0__:end":
            told.append(f"{message[0].decode().partition(':')[2]} {message[1].decode()}")
        return told

    assert events("SORT", "k") == []
    assert events("SORT", "k", "STORE", "to") == ["new to", "sortstore to"]
    assert events("SORT", "k", "STORE", "to") == ["overwritten to", "sortstore to"]
    assert events("SET", "to", "x") == ["overwritten to", "type_changed to", "set to"]
    assert events("SORT", "k", "STORE", "to") == ["overwritten to", "type_changed to", "sortstore to"]
    assert events("SORT", "no", "STORE", "to") == ["del to"]
    assert events("SORT", "no", "STORE", "to") == []


def test_keys(client):
    assert client.cmd("COMMAND", "GETKEYS", "SORT", "abc", "STORE", "def") == [b"abc", b"def"]
    assert client.cmd("COMMAND", "GETKEYS", "SORT", "abc", "STORE", "x", "STORE", "y", "STORE", "def") == [
        b"abc",
        b"def",
    ]
    assert client.cmd("COMMAND", "GETKEYS", "SORT_RO", "abc", "BY", "x*") == [b"abc"]


def test_store_wakes_who_waits(client, connect):
    other = connect()
    client.cmd("RPUSH", "k", 2, 1)
    other.send("BLPOP", "to", 20)
    while client.cmd("INFO", "clients").count(b"blocked_clients:1") == 0:
        pass
    assert client.cmd("SORT", "k", "STORE", "to") == 2
    assert other.read() == [b"to", b"1"]
