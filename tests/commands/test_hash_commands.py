"""The commands on hashes, in both forms: small ones, and large ones in a table."""

import random

import pytest

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_INT = "ERR value is not an integer or out of range"
LONG = "x" * 65  # longer than hash-max-listpack-value


@pytest.fixture(params=["listpack", "hashtable"])
def form(request, client):
    client.cmd("CONFIG", "SET", "hash-max-listpack-entries", 0 if request.param == "hashtable" else 512)
    yield request.param
    client.cmd("CONFIG", "SET", "hash-max-listpack-entries", 512, "hash-max-listpack-value", 64)


@pytest.fixture
def usual(client):
    yield client
    client.cmd("CONFIG", "SET", "hash-max-listpack-entries", 512, "hash-max-listpack-value", 64)


def as_dict(reply):
    """HGETALL's reply in either protocol, or HSCAN's pairs."""
    if isinstance(reply, dict):
        return reply
    return dict(zip(reply[::2], reply[1::2], strict=True))


def everything(client, key="h"):
    return as_dict(client.cmd("HGETALL", key))


# ---------------------------------------------------------------- fields


def test_set_and_get(client, form):
    assert client.cmd("HSET", "h", "a", "1", "b", "two") == 2
    assert client.cmd("OBJECT", "ENCODING", "h") == form.encode()
    assert client.cmd("HSET", "h", "b", "zwei", "c", "") == 1
    assert client.cmd("HGET", "h", "a") == b"1"
    assert client.cmd("HGET", "h", "c") == b""
    assert client.cmd("HGET", "h", "x") is None
    assert client.cmd("HGET", "none", "a") is None
    assert client.cmd("HMGET", "h", "b", "x", "a", "b") == [b"zwei", None, b"1", b"zwei"]
    assert client.cmd("HMGET", "none", "a", "b") == [None, None]
    assert everything(client) == {b"a": b"1", b"b": b"zwei", b"c": b""}
    assert sorted(client.cmd("HKEYS", "h")) == [b"a", b"b", b"c"]
    assert sorted(client.cmd("HVALS", "h")) == [b"", b"1", b"zwei"]
    assert client.cmd("HLEN", "h") == 3
    assert client.cmd("HMSET", "h", "a", "3", "d", "4") == b"OK"
    assert client.cmd("HLEN", "h") == 4
    assert client.cmd("HLEN", "none") == 0
    assert [client.cmd("HEXISTS", *words) for words in (("h", "a"), ("h", "x"), ("none", "a"))] == [1, 0, 0]
    asked = (("h", "b"), ("h", "a"), ("h", "x"), ("none", "a"))
    assert [client.cmd("HSTRLEN", *words) for words in asked] == [4, 1, 0, 0]


def test_a_field_given_twice(client, form):
    assert client.cmd("HSET", "h", "a", "1", "a", "2") == 1
    assert client.cmd("HGET", "h", "a") == b"2"


def test_set_if_missing(client, form):
    assert client.cmd("HSETNX", "h", "a", "1") == 1
    assert client.cmd("HSETNX", "h", "a", "2") == 0
    assert client.cmd("HSETNX", "h", "b", "2") == 1
    assert everything(client) == {b"a": b"1", b"b": b"2"}


def test_remove(client, form):
    client.cmd("HSET", "h", "a", "1", "b", "2", "c", "3")
    assert client.cmd("HDEL", "h", "x") == 0
    assert client.cmd("HDEL", "none", "x") == 0
    assert client.cmd("HDEL", "h", "a", "x", "a", "c") == 2
    assert everything(client) == {b"b": b"2"}
    assert client.cmd("HDEL", "h", "b", "b", "c") == 1
    assert client.cmd("EXISTS", "h") == 0


def test_replies_of_a_missing_hash_by_the_byte(client, protocol):
    empty_map = b"*0\r\n" if protocol == 2 else b"%0\r\n"
    assert client.raw(b"HGETALL none\r\n") == empty_map
    assert client.raw(b"HKEYS none\r\nHVALS none\r\nHRANDFIELD none 5\r\n") == b"*0\r\n" * 3
    assert client.raw(b"HRANDFIELD none\r\n") == (b"$-1\r\n" if protocol == 2 else b"_\r\n")
    assert client.raw(b"HSCAN none 0\r\n") == b"*2\r\n$1\r\n0\r\n*0\r\n"


def test_replies_by_the_byte(client, protocol):
    client.cmd("HSET", "h", "a", "1")
    pair = b"$1\r\na\r\n$1\r\n1\r\n"
    assert client.raw(b"HGETALL h\r\n") == (b"*2\r\n" if protocol == 2 else b"%1\r\n") + pair
    assert (
        client.raw(b"HRANDFIELD h 1 WITHVALUES\r\n")
        == (b"*2\r\n" if protocol == 2 else b"*1\r\n*2\r\n") + pair
    )
    assert client.raw(b"HSCAN h 0\r\n") == b"*2\r\n$1\r\n0\r\n*2\r\n" + pair


@pytest.mark.parametrize(
    "value", ["0", "-1", "127", "128", "-4097", "32768", "9223372036854775807", "-9223372036854775808", "01",
              "+1", "9223372036854775808", "1.0", " 1", "", "\0", "x" * 64],
)  # fmt: skip
def test_values_come_back_as_they_were(client, form, value):
    client.cmd("HSET", "h", value, value, "other", "2")
    assert client.cmd("HGET", "h", value) == value.encode()
    assert client.cmd("HSTRLEN", "h", value) == len(value)
    assert everything(client) == {value.encode(): value.encode(), b"other": b"2"}
    assert client.cmd("HDEL", "h", value) == 1
    assert everything(client) == {b"other": b"2"}


def test_against_a_dict(client, form):
    rng = random.Random(1)
    model = {}
    for _ in range(3000):
        field = rng.choice((str(rng.randrange(400)), "f" * rng.randrange(60)))
        if rng.random() < 0.3:
            assert client.cmd("HDEL", "h", field) == (field.encode() in model)
            model.pop(field.encode(), None)
        else:
            value = rng.choice((str(rng.randrange(-(10**12), 10**12)), "v" * rng.randrange(64)))
            assert client.cmd("HSET", "h", field, value) == (field.encode() not in model)
            model[field.encode()] = value.encode()
    assert everything(client) == model
    assert client.cmd("HLEN", "h") == len(model)


# ---------------------------------------------------------------- numbers


def test_add_an_integer(client, form):
    assert client.cmd("HINCRBY", "h", "n", 5) == 5
    assert client.cmd("HINCRBY", "h", "n", -7) == -2
    assert client.cmd("HGET", "h", "n") == b"-2"
    client.cmd("HSET", "h", "n", 2**63 - 1, "text", "x")
    assert client.error("HINCRBY", "h", "n", 1) == "ERR increment or decrement would overflow"
    assert client.error("HINCRBY", "h", "n", "x") == NOT_INT
    assert client.error("HINCRBY", "h", "text", 1) == "ERR hash value is not an integer"


def test_add_a_float(client, form):
    assert client.cmd("HINCRBYFLOAT", "h", "n", "1.23") == b"1.23"
    assert client.cmd("HINCRBYFLOAT", "h", "n", "0.77") == b"2"
    assert client.cmd("HINCRBYFLOAT", "h", "n", "-0.1") == b"1.9"
    assert client.cmd("HGET", "h", "n") == b"1.9"
    client.cmd("HSET", "h", "text", "x")
    assert client.error("HINCRBYFLOAT", "h", "text", 1) == "ERR hash value is not a float"
    assert client.error("HINCRBYFLOAT", "h", "n", "x") == "ERR value is not a valid float"
    assert client.error("HINCRBYFLOAT", "none", "n", "inf") == "ERR value is NaN or Infinity"
    assert client.cmd("EXISTS", "none") == 0


# ---------------------------------------------------------------- random fields


def test_random_field(client, form):
    fields = {str(i).encode(): str(-i).encode() for i in range(40)}
    client.cmd("HSET", "h", *(word for pair in fields.items() for word in pair))
    assert {client.cmd("HRANDFIELD", "h") for _ in range(400)} <= set(fields)
    for count in (1, 5, 20, 39, 40, 100):
        found = client.cmd("HRANDFIELD", "h", count)
        assert len(found) == len(set(found)) == min(count, 40)
        assert set(found) <= set(fields)
    assert client.cmd("HRANDFIELD", "h", 0) == []
    found = client.cmd("HRANDFIELD", "h", -2000)
    assert len(found) == 2000
    assert set(found) == set(fields)


def test_random_field_with_its_value(client, form, protocol):
    client.cmd("HSET", "h", "a", "1", "b", "2")
    for count, length in ((2, 2), (1, 1), (-50, 50)):
        found = client.cmd("HRANDFIELD", "h", count, "WITHVALUES")
        pairs = found if protocol == 3 else [found[i : i + 2] for i in range(0, len(found), 2)]
        assert len(pairs) == length
        assert all(pair in ([b"a", b"1"], [b"b", b"2"]) for pair in pairs)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("x",), NOT_INT),
        (("1", "y"), SYNTAX),
        (("1", "WITHVALUES", "y"), SYNTAX),
        ((-(2**63),), f"ERR value is out of range, value must between {-(2**63) + 1} and {2**63 - 1}"),
        ((2**62, "WITHVALUES"), "ERR value is out of range"),
    ],
)
def test_random_field_errors(client, words, text):
    client.cmd("HSET", "h", "a", "1")
    assert client.error("HRANDFIELD", "h", *words) == text


# ---------------------------------------------------------------- iteration


def scan(client, *options):
    cursor, found, calls = b"0", [], 0
    while True:
        cursor, some = client.cmd("HSCAN", "h", cursor, *options)
        found += some
        calls += 1
        if cursor == b"0":
            return found, calls


def test_scan(client, form):
    fields = {b"f%d" % i: b"v%d" % i for i in range(300)}
    client.cmd("HSET", "h", *(word for pair in fields.items() for word in pair))
    found, calls = scan(client)
    assert as_dict(found) == fields
    assert (calls > 1) == (form == "hashtable")
    found, _ = scan(client, "MATCH", "f1?", "COUNT", 1000)
    assert as_dict(found) == {b"f1%d" % i: b"v1%d" % i for i in range(10)}
    found, _ = scan(client, "NOVALUES", "COUNT", 50)
    assert sorted(found) == sorted(fields)


def test_scan_errors(client):
    client.cmd("HSET", "h", "a", "1")
    assert client.error("HSCAN", "h", "x") == "ERR invalid cursor"
    assert client.error("HSCAN", "h", 0, "NOSUCH") == SYNTAX
    assert client.error("HSCAN", "h", 0, "COUNT", 0) == SYNTAX
    assert client.error("HSCAN", "h", 0, "COUNT", "x") == NOT_INT


# ---------------------------------------------------------------- forms


def test_a_hash_grows_out_of_its_small_form(usual):
    client = usual
    client.cmd("CONFIG", "SET", "hash-max-listpack-entries", 3, "hash-max-listpack-value", 10)
    for words in (("a", 1, "b", 2, "c", 3), ("a", 4), ("a", "x" * 10)):
        client.cmd("HSET", "h", *words)
        assert client.cmd("OBJECT", "ENCODING", "h") == b"listpack"
    client.cmd("HSET", "h", "d", 4)
    assert client.cmd("OBJECT", "ENCODING", "h") == b"hashtable"
    assert everything(client) == {b"a": b"x" * 10, b"b": b"2", b"c": b"3", b"d": b"4"}
    client.cmd("HDEL", "h", "a", "b", "c")
    assert client.cmd("OBJECT", "ENCODING", "h") == b"hashtable"
    for key, words in (
        ("value", ("a", LONG)),
        ("field", (LONG, 1)),
        ("many", ("a", 1, "a", 2, "a", 3, "a", 4)),
    ):
        client.cmd("HSET", key, *words)
        assert client.cmd("OBJECT", "ENCODING", key) == b"hashtable"
        assert client.cmd("HLEN", key) == 1
    client.cmd("HINCRBYFLOAT", "float", "n", "0.000000005")
    assert client.cmd("OBJECT", "ENCODING", "float") == b"hashtable"


@pytest.mark.parametrize("length", [126, 127, 128, 254, 255, 256, 20_000, 300_000])
def test_long_fields_and_values(client, length):
    for field, value in (("f" * length, "v"), ("g", "w" * length), ("h" * length, "x" * length)):
        assert client.cmd("HSET", "h", field, value) == 1
        assert client.cmd("HSET", "h", field, value + "+") == 0
        assert client.cmd("HGET", "h", field) == (value + "+").encode()
    assert sorted(map(len, client.cmd("HKEYS", "h"))) == sorted((1, length, length))
    assert client.cmd("HDEL", "h", "f" * length, "g", "h" * length) == 3


def test_a_long_list_of_fields(client):
    client.cmd("HSET", "h", *(word for i in range(5000) for word in (f"f{i}", i)))
    assert client.cmd("HLEN", "h") == 5000
    assert everything(client) == {b"f%d" % i: b"%d" % i for i in range(5000)}
    assert client.cmd("HDEL", "h", *(f"f{i}" for i in range(4999))) == 4999
    assert everything(client) == {b"f4999": b"4999"}


def test_copies_and_new_names(client, form):
    client.cmd("HSET", "h", "a", "1", "b", "2")
    client.cmd("COPY", "h", "copy")
    client.cmd("HSET", "h", "a", "3")
    assert everything(client, "copy") == {b"a": b"1", b"b": b"2"}
    client.cmd("RENAME", "copy", "other")
    assert everything(client, "other") == {b"a": b"1", b"b": b"2"}
    client.cmd("SET", "h", "text")
    assert client.cmd("GET", "h") == b"text"
    assert client.cmd("TYPE", "other") == b"hash"
    assert client.cmd("MEMORY", "USAGE", "other") > 20


# ---------------------------------------------------------------- errors and events


@pytest.mark.parametrize(
    "command",
    ["HSET a 1", "HSETNX a 1", "HGET a", "HMSET a 1", "HMGET a", "HGETALL", "HKEYS", "HVALS", "HLEN",
     "HDEL a", "HEXISTS a", "HSTRLEN a", "HINCRBY a 1", "HINCRBYFLOAT a 1", "HRANDFIELD", "HRANDFIELD 1",
     "HSCAN 0", "HEXPIRE 1 FIELDS 1 a", "HTTL FIELDS 1 a", "HPERSIST FIELDS 1 a", "HGETDEL FIELDS 1 a",
     "HGETEX FIELDS 1 a", "HSETEX FIELDS 1 a 1"],
)  # fmt: skip
def test_wrong_type(client, command):
    name, *words = command.split()
    client.cmd("SET", "s", "text")
    assert client.error(name, "s", *words) == WRONG_TYPE


@pytest.mark.parametrize("words", ["HSET h a", "HSET h a 1 b", "HMSET h a 1 b", "HGET h", "HDEL h"])
def test_wrong_number_of_arguments(client, words):
    name = words.split()[0].lower()
    assert client.error(*words.split()) == f"ERR wrong number of arguments for '{name}' command"


def events(client, subscriber, *commands):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "KEAn")
    subscriber.subscribe("__keyspace@0__:*")
    for command in commands:
        client.cmd(*command.split())
    client.cmd("SET", "end", "")
    found = []
    while True:
        channel, event = subscriber.next()
        if channel.endswith(b":end"):
            return found
        found.append(event.decode())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("HSET h b 2 c 3", ["hset"]),
        ("HSET new b 2 c 3", ["new", "hset"]),
        ("HMSET h a 1", ["hset"]),
        ("HSETNX h a 1", []),
        ("HSETNX h b 1", ["hset"]),
        ("HINCRBY h a 1", ["hincrby"]),
        ("HINCRBY new a 1", ["new", "hincrby"]),
        ("HINCRBYFLOAT h a 1", ["hincrbyfloat"]),
        ("HDEL h x", []),
        ("HDEL h a", ["hdel", "del"]),
        ("HGET h a", []),
    ],
)
def test_events(client, subscriber, command, expected):
    client.cmd("HSET", "h", "a", "1")
    assert events(client, subscriber, command) == expected


def test_a_watched_hash(client, connect):
    other = connect()
    client.cmd("HSET", "h", "a", "1")
    for change in ("HSET h a 2", "HINCRBY h a 1", "HDEL h a"):
        other.cmd("WATCH", "h")
        client.cmd(*change.split())
        other.cmd("MULTI")
        assert other.cmd("EXEC") is None
