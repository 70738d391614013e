"""The list commands, on the wire, in both protocols and both encodings: replies, errors, events, waiting."""

import random

import pytest
from connections import until

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_INT = "ERR value is not an integer or out of range"
RANGE = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
SYNTAX = "ERR syntax error"
LIMITS = {"listpack": -2, "blocks of 4 KiB": -1, "blocks of 3": 3, "blocks of 1": 1}
VALUES = {
    "empty": b"",
    "small int": b"7",
    "negative": b"-4096",
    "int of 3 bytes": b"-8388608",
    "int of 8 bytes": b"-9223372036854775808",
    "past int": b"9223372036854775808",
    "not quite int": b"007",
    "63": b"s" * 63,
    "64": b"s" * 64,
    "125": b"t" * 125,
    "binary": b"\x00\r\n\xff$-1\r\n",
    "4095": b"m" * 4095,
    "4096": b"m" * 4096,
    "long": b"l" * 9000,
    "read into a block": bytes(range(256)) * 160,
}


class Client:
    """The client of a test, with an empty server and shorthands."""

    def __init__(self, client):
        self.raw = client.raw
        self.cmd = client.cmd
        self.error = client.error
        self.protocol = client.protocol

    def __call__(self, *args):
        return self.cmd(*args)

    def all(self, key="l"):
        return self.cmd("LRANGE", key, 0, -1)

    def encoding(self, key="l"):
        return self.cmd("OBJECT", "ENCODING", key)

    def make(self, *values, key="l"):
        self.cmd("DEL", key)
        for value in values:
            self.cmd("RPUSH", key, value)


@pytest.fixture
def run(client):
    client.cmd("CONFIG", "SET", "list-max-listpack-size", -2)
    yield Client(client)
    client.cmd("CONFIG", "SET", "list-max-listpack-size", -2)


@pytest.fixture(params=LIMITS.values(), ids=LIMITS)
def each(request, run):
    """A client of a server with blocks of some size."""
    run("CONFIG", "SET", "list-max-listpack-size", request.param)
    return run


def words(text):
    return text.encode().split()


# ---------------------------------------------------------------- the ends


def test_push(each):
    assert each("RPUSH", "l", "a") == 1
    assert each("LPUSH", "l", "b", "c", "d") == 4
    assert each("RPUSH", "l", "1", "2") == 6
    assert each.all() == words("d c b a 1 2")
    assert each("TYPE", "l") == b"list"
    assert each("LLEN", "l") == 6


def test_push_to_what_exists_only(each):
    assert each("LPUSHX", "l", "a") == each("RPUSHX", "l", "a") == each("EXISTS", "l") == 0
    each.make("x")
    assert each("LPUSHX", "l", "a", "b") == 3
    assert each("RPUSHX", "l", "c") == 4
    assert each.all() == words("b a x c")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values(each, value):
    for _ in range(2):
        assert each("LPUSH", "l", "x", value, value) and each("RPUSH", "l", value)
    assert each.all() == [value, value, b"x", value, value, b"x", value, value]
    assert [each("LINDEX", "l", i) for i in (0, -1, 2, 3)] == [value, value, b"x", value]
    assert each("LPOS", "l", value, "COUNT", 0) == [0, 1, 3, 4, 6, 7]
    assert each("LPOP", "l") == each("RPOP", "l") == value
    assert each("LSET", "l", 1, value) == b"OK"
    assert each("LINSERT", "l", "AFTER", "x", value) == 7
    assert each.all() == [value, value, value, value, b"x", value, value]
    assert each("LREM", "l", 0, value) == 6
    assert each.all() == [b"x"]


def test_pop(each):
    each.make(*"abcdefgh")
    assert each("LPOP", "l") == b"a"
    assert each("RPOP", "l") == b"h"
    assert each("LPOP", "l", 2) == words("b c")
    assert each("RPOP", "l", 2) == words("g f")
    assert each("LPOP", "l", 0) == each("RPOP", "l", 0) == []
    assert each("RPOP", "l", 100) == words("e d")
    assert each("EXISTS", "l") == 0
    each.make("a", "b")
    assert each("LPOP", "l", 2) == words("a b")
    assert each("EXISTS", "l") == 0


def test_pop_of_nothing_byte_by_byte(run):
    null = b"$-1\r\n" if run.protocol == 2 else b"_\r\n"
    null_array = b"*-1\r\n" if run.protocol == 2 else b"_\r\n"
    assert run.raw(b"LPOP l\r\nRPOP l\r\n") == null * 2
    assert run.raw(b"LPOP l 0\r\nRPOP l 3\r\n") == null_array * 2
    assert run.raw(b"LMPOP 1 l LEFT\r\n") == null_array
    assert run.raw(b"LMOVE l m LEFT LEFT\r\nRPOPLPUSH l m\r\n") == null * 2
    assert run.raw(b"LRANGE l 0 -1\r\n") == b"*0\r\n"
    assert run.raw(b"LINDEX l 0\r\nLPOS l a\r\n") == null * 2
    assert run.raw(b"LPOS l a COUNT 0\r\n") == b"*0\r\n"
    assert run.raw(b"LLEN l\r\nLREM l 0 a\r\nLINSERT l BEFORE a b\r\n") == b":0\r\n" * 3
    assert run.raw(b"LTRIM l 0 1\r\n") == b"+OK\r\n"
    assert run.raw(b"LSET l 0 a\r\n") == b"-ERR no such key\r\n"


# ---------------------------------------------------------------- by index


@pytest.mark.parametrize("n", [1, 5, 100, 1000])
def test_ranges(each, n):
    model = [b"%d" % i if i % 3 else b"value %d" % i for i in range(n)]
    each("RPUSH", "l", *model)
    assert each.all() == model
    edges = {0, 1, n // 2, n - 1, n, n + 5}
    for start in edges | {-i for i in edges}:
        assert each("LINDEX", "l", start) == (model[start] if -n <= start < n else None)
        for stop in edges | {-i for i in edges}:
            first = max(start + n, 0) if start < 0 else start
            last = stop + n if stop < 0 else stop
            assert each("LRANGE", "l", start, stop) == (model[first : last + 1] if last >= 0 else [])
    assert each("LRANGE", "l", -(2**63), 2**63 - 1) == model


@pytest.mark.parametrize(
    ("start", "stop"), [(0, -1), (1, -2), (3, 5), (0, 0), (-3, -1), (5, 2), (100, 200), (-100, 2)]
)
def test_trim(each, start, stop):
    model = [b"%d" % i for i in range(12)]
    each("RPUSH", "l", *model)
    assert each("LTRIM", "l", start, stop) == b"OK"
    kept = model[max(start + 12, 0) if start < 0 else start : (stop + 12 if stop < 0 else stop) + 1]
    assert each.all() == kept
    assert each("EXISTS", "l") == bool(kept)


def test_set(each):
    each.make(*"abcde")
    long = b"x" * 10_000
    assert each("LSET", "l", 0, "A") == each("LSET", "l", -1, "E") == each("LSET", "l", 2, long) == b"OK"
    assert each.all() == [b"A", b"b", long, b"d", b"E"]
    assert each("LSET", "l", 2, "3") == b"OK"
    assert each.all() == words("A b 3 d E")
    for index in (5, -6, 2**63 - 1, -(2**63)):
        assert each.error("LSET", "l", index, "x") == "ERR index out of range"


def test_insert(each):
    each.make(*"abcb")
    assert each("LINSERT", "l", "before", "a", "1") == 5
    assert each("LINSERT", "l", "AFTER", "b", "2") == 6
    assert each("LINSERT", "l", "AFTER", "c", "x" * 9000) == 7
    assert each("LINSERT", "l", "BEFORE", "none", "3") == -1
    assert each.all() == [b"1", b"a", b"b", b"2", b"c", b"x" * 9000, b"b"]


# ---------------------------------------------------------------- by value


@pytest.mark.parametrize(
    ("count", "removed", "left"),
    [
        (0, 4, "b c 5"),
        (1, 1, "b a c a 5 a"),
        (3, 3, "b c 5 a"),
        (9, 4, "b c 5"),
        (-1, 1, "a b a c a 5"),
        (-2, 2, "a b a c 5"),
        (-9, 4, "b c 5"),
    ],
)
def test_remove(each, count, removed, left):
    each.make(*"abaca5a")
    assert each("LREM", "l", count, "none") == 0
    assert each("LREM", "l", count, "a") == removed
    assert each.all() == words(left)
    assert each("LREM", "l", count, "5") == 1


def test_remove_everything(each):
    each.make(*["same"] * 20)
    assert each("LREM", "l", 0, "same") == 20
    assert each("EXISTS", "l") == 0
    each.make(*["same"] * 20)
    assert each("LREM", "l", -20, "same") == 20
    assert each("EXISTS", "l") == 0


def test_positions(each):
    each.make(*"abc123cc")
    assert each("LPOS", "l", "c") == 2
    assert each("LPOS", "l", "3") == 5
    assert each("LPOS", "l", "c", "RANK", 2) == 6
    assert each("LPOS", "l", "c", "RANK", 4) is None
    assert each("LPOS", "l", "c", "RANK", -1) == 7
    assert each("LPOS", "l", "c", "COUNT", 0) == [2, 6, 7]
    assert each("LPOS", "l", "c", "COUNT", 2, "RANK", -1) == [7, 6]
    assert each("LPOS", "l", "c", "count", 0, "rank", -2) == [6, 2]
    assert each("LPOS", "l", "none", "COUNT", 0) == []
    assert each("LPOS", "l", "c", "MAXLEN", 2) is None
    assert each("LPOS", "l", "c", "MAXLEN", 3) == 2
    assert each("LPOS", "l", "c", "COUNT", 0, "MAXLEN", 7, "RANK", 2) == [6]
    assert each("LPOS", "l", "c", "COUNT", 0, "MAXLEN", 3, "RANK", -1) == [7, 6]
    assert each("LPOS", "l", "c", "RANK", 1, "RANK", 2) == 6


# ---------------------------------------------------------------- moves


@pytest.mark.parametrize("source", ["LEFT", "right"])
@pytest.mark.parametrize("target", ["left", "RIGHT"])
@pytest.mark.parametrize("command", ["LMOVE", "BLMOVE"])
def test_move(each, source, target, command):
    wait = [0] if command == "BLMOVE" else []
    each.make(*"abc")
    for length in (1, 2):
        moved = each("LINDEX", "l", 0 if source == "LEFT" else -1)
        assert each(command, "l", "m", source, target, *wait) == moved
        assert each("LINDEX", "m", 0 if target == "left" else -1) == moved
        assert each("LLEN", "m") == length
    each(command, "l", "m", source, target, *wait)
    assert each("EXISTS", "l") == 0 and sorted(each.all("m")) == words("a b c")


@pytest.mark.parametrize("values", ["a", "a b", "a 2 c", "0 1 2 3 4 5 6 7 8 9"])
@pytest.mark.parametrize("long", [b"", b"x" * 5000])
def test_move_within_a_list(each, values, long):
    model = [value + long for value in words(values)]
    each.make(*model)
    encoding = each.encoding()
    assert each("RPOPLPUSH", "l", "l") == model[-1]
    assert each.all() == [model[-1], *model[:-1]]
    assert each("LMOVE", "l", "l", "LEFT", "RIGHT") == model[-1]
    assert each.all() == model
    assert each("LMOVE", "l", "l", "LEFT", "LEFT") == model[0]
    assert each("LMOVE", "l", "l", "RIGHT", "RIGHT") == model[-1]
    assert each.all() == model
    assert each.encoding() == encoding


def test_move_long(each):
    each.make("a", "x" * 70_000)
    each.make("b", key="m")
    assert each("RPOPLPUSH", "l", "m") == b"x" * 70_000
    assert each.all("m") == [b"x" * 70_000, b"b"]
    assert each.encoding("m") == b"quicklist"


def test_pop_from_the_first_list(each):
    each.make(*"abcde", key="m")
    assert each("LMPOP", 2, "l", "m", "LEFT") == [b"m", [b"a"]]
    assert each("LMPOP", 2, "l", "m", "RIGHT", "COUNT", 2) == [b"m", words("e d")]
    assert each("BLMPOP", 0, 3, "l", "m", "n", "left", "count", 9) == [b"m", words("b c")]
    assert each("LMPOP", 2, "l", "m", "LEFT") is None
    each.make("x", key="m")
    assert each("BLPOP", "l", "m", 0) == [b"m", b"x"]
    each.make("x", "y", key="m")
    assert each("BRPOP", "m", "l", "0.5") == [b"m", b"y"]
    assert each("BRPOPLPUSH", "m", "l", 0) == b"x"
    assert each.all() == [b"x"]


# ---------------------------------------------------------------- encodings


def test_growing_past_the_limit(run):
    for i in range(455):  # elements of 18 bytes, then a listpack's head of 7
        run("RPUSH", "l", b"x%015x" % (i * 7919))
        assert run.encoding() == (b"listpack" if 18 * i + 7 + 16 <= 8192 else b"quicklist")
    assert run("LLEN", "l") == 455
    for size, most in ((-1, 4096), (-5, 65536), (-9, 65536)):
        run("CONFIG", "SET", "list-max-listpack-size", size)
        for n, encoding in ((most - 7, b"listpack"), (most - 6, b"quicklist")):
            run("DEL", "l")
            run("RPUSH", "l", b"x" * n)
            assert run.encoding() == encoding
    for size, most in ((0, 1), (1, 1), (3, 3), (5, 5)):
        run("CONFIG", "SET", "list-max-listpack-size", size)
        run("DEL", "l")
        for i in range(most + 1):
            run("RPUSH", "l", "x")
            assert run.encoding() == (b"listpack" if i < most else b"quicklist")
    run("DEL", "l")
    run("RPUSH", "l", b"x" * 8186)
    assert run.encoding() == b"quicklist", "a number of elements has a limit of 8 KiB as well"


def test_growing_by_each_command(run):
    long = b"x" * 9000
    for command in (
        ["LPUSH", "l", long],
        ["RPUSH", "l", "1", long],
        ["LPUSHX", "l", long],
        ["LSET", "l", 1, long],
        ["LINSERT", "l", "BEFORE", "b", long],
        ["LINSERT", "l", "BEFORE", "none", long],
        ["LMOVE", "source", "l", "LEFT", "RIGHT"],
    ):
        run.make(long, key="source")
        run.make(*"abc")
        assert run.encoding() == b"listpack"
        run(*command)
        assert run.encoding() == b"quicklist", command


@pytest.mark.parametrize(
    "command",
    [["RPOP", "l", 3], ["LREM", "l", 3, "a"], ["LTRIM", "l", 3, 3], ["LTRIM", "l", 0, 0], ["LPOP", "l", 3]],
)
def test_shrinking_by_count(run, command):
    run("CONFIG", "SET", "list-max-listpack-size", 3)
    run.make(*"aaad")
    assert run.encoding() == b"quicklist"
    run(*command)
    assert run.encoding() == b"listpack"
    run.make(*"aaad")
    run("RPOP", "l")
    assert run.encoding() == b"quicklist", "one block, but more than half full"
    assert run.all() == words("a a a")


def test_shrinking_by_bytes(run):
    long = b"x" * 8192
    run.make("a", "b", long)
    assert run("LTRIM", "l", 0, 1) == b"OK"
    assert (run.encoding(), run.all()) == (b"listpack", words("a b"))
    run.make(long, "a", "b")
    run("RPOP", "l", 2)
    assert run.encoding() == b"quicklist"
    run("LSET", "l", -1, "c")
    assert (run.encoding(), run.all()) == (b"listpack", [b"c"])


def test_expiry_and_copy_survive_conversions(run):
    run.make(*"ab")
    run("EXPIRE", "l", 1000)
    run("RPUSH", "l", b"x" * 9000)
    assert run.encoding() == b"quicklist" and 0 < run("TTL", "l") <= 1000
    assert run("COPY", "l", "m") == 1
    run("RPOP", "l")
    assert run.encoding() == b"listpack" and 0 < run("TTL", "l") <= 1000
    assert run.all("m") == [b"a", b"b", b"x" * 9000] and run.encoding("m") == b"quicklist"
    run("RPUSH", "m", "y")
    assert run("RENAME", "m", "n") == b"OK" and run("LLEN", "n") == 4
    assert run("MEMORY", "USAGE", "n") > 9000
    assert run("SET", "n", "string") == b"OK" and run("DEL", "l") == 1


def test_a_long_list(run):
    model = [b"%d" % i for i in range(30_000)]
    for at in range(0, len(model), 1000):
        run("RPUSH", "l", *model[at : at + 1000])
    assert run.all() == model
    for i in range(0, len(model), 777):
        assert run("LINDEX", "l", i) == model[i] and run("LPOS", "l", model[i]) == i
    assert run("LREM", "l", 0, "15000") == 1
    run("LTRIM", "l", 10_000, 20_000)
    assert run.all() == model[10_000:15_000] + model[15_001:20_002]
    assert run("UNLINK", "l") == 1


@pytest.mark.parametrize("seed", range(4))
def test_like_a_list(each, seed):
    rnd = random.Random(seed)
    model = []
    for _ in range(500):
        value = rnd.choice(
            [b"%d" % rnd.randrange(10), b"v%d" % rnd.randrange(10**6), b"x" * rnd.choice([70, 900, 9000])]
        )
        index = rnd.randrange(len(model)) if model else 0
        act = rnd.randrange(10) if model else 0
        if act < 3:
            assert each("RPUSH", "l", value) == len(model) + 1
            model.append(value)
        elif act < 5:
            assert each("LPUSH", "l", value, b"1") == len(model) + 2
            model[:0] = [b"1", value]
        elif act == 5:
            assert each("LSET", "l", index, value) == b"OK"
            model[index] = value
        elif act == 6:
            at = model.index(model[index])
            assert each("LINSERT", "l", "BEFORE", model[at], value) == len(model) + 1
            model.insert(at, value)
        elif act == 7:
            at = model.index(model[index])
            assert each("LREM", "l", 1, model[at]) == 1
            del model[at]
        elif act == 8:
            assert each("LPOP", "l") == model.pop(0)
        else:
            assert each("RPOP", "l") == model.pop()
    assert each.all() == model
    assert each("LLEN", "l") == len(model)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("LPOP l x", "ERR value is out of range, must be positive"),
        ("RPOP l -1", "ERR value is out of range, must be positive"),
        ("LPOP l 1 1", "ERR wrong number of arguments for 'lpop' command"),
        ("LRANGE l x 1", NOT_INT),
        ("LRANGE l 1 1.5", NOT_INT),
        ("LTRIM l 1 x", NOT_INT),
        ("LINDEX l x", NOT_INT),
        ("LSET l x a", NOT_INT),
        ("LREM l x a", NOT_INT),
        ("LREM l -9223372036854775808 a", RANGE),
        ("LINSERT l BETWEEN a b", SYNTAX),
        ("LPOS l a RANK", SYNTAX),
        ("LPOS l a WHAT 1", SYNTAX),
        ("LPOS l a RANK x", NOT_INT),
        ("LPOS l a RANK -9223372036854775808", RANGE),
        ("LPOS l a RANK 0", "ERR RANK can't be zero: use 1 to start from the first match, "
                            "2 from the second ... or use negative to start from the end of the list"),
        ("LPOS l a COUNT -1", "ERR COUNT can't be negative"),
        ("LPOS l a COUNT x", "ERR COUNT can't be negative"),
        ("LPOS l a MAXLEN -1", "ERR MAXLEN can't be negative"),
        ("LMOVE l m UP LEFT", SYNTAX),
        ("LMOVE l m LEFT UP", SYNTAX),
        ("LMPOP 0 l LEFT", "ERR numkeys should be greater than 0"),
        ("LMPOP x l LEFT", "ERR numkeys should be greater than 0"),
        ("LMPOP 9223372036854775807 l LEFT", SYNTAX),
        ("LMPOP 2 l LEFT", SYNTAX),
        ("LMPOP 1 l UP", SYNTAX),
        ("LMPOP 1 l LEFT COUNT", SYNTAX),
        ("LMPOP 1 l LEFT COUNT 1 COUNT 1", SYNTAX),
        ("LMPOP 1 l LEFT COUNT 0", "ERR count should be greater than 0"),
        ("LMPOP 1 l LEFT COUNT x", "ERR count should be greater than 0"),
        ("BLPOP l x", "ERR timeout is not a float or out of range"),
        ("BRPOP l -1", "ERR timeout is negative"),
        ("BLMOVE l m LEFT LEFT x", "ERR timeout is not a float or out of range"),
        ("BLMPOP x 1 l LEFT", "ERR timeout is not a float or out of range"),
        ("BLMPOP x 1 l UP", SYNTAX),
        ("BRPOPLPUSH l m -1", "ERR timeout is negative"),
    ],
)  # fmt: skip
def test_errors(run, command, text):
    run.make("a")
    assert run.error(*command.split()) == text


@pytest.mark.parametrize(
    "command",
    [
        "LPUSH s a", "RPUSH s a", "LPUSHX s a", "RPUSHX s a", "LPOP s", "RPOP s", "LPOP s 1", "LLEN s",
        "LRANGE s 0 1", "LINDEX s 0", "LSET s 0 a", "LREM s 0 a", "LTRIM s 0 1", "LINSERT s BEFORE a b",
        "LPOS s a", "RPOPLPUSH s l", "RPOPLPUSH l s", "LMOVE l s LEFT LEFT", "LMPOP 2 none s LEFT",
        "BLPOP none s 1", "BRPOP s l 1", "BLMOVE s l LEFT LEFT 1", "BLMOVE l s LEFT LEFT 1",
        "BRPOPLPUSH l s 1", "BLMPOP 1 1 s LEFT",
    ],
)  # fmt: skip
def test_wrong_type(run, command):
    run("SET", "s", "string")
    run.make("a")
    assert run.error(*command.split()) == WRONG_TYPE
    assert run.all() == [b"a"]
    assert run.error("GET", "l") == WRONG_TYPE


# ---------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("commands", "events"),
    [
        ("LPUSH l a b", "new:l lpush:l"),
        ("LPUSH l a|RPUSH l b", "new:l lpush:l rpush:l"),
        ("RPUSH l a|LPUSHX l b|RPUSHX l b", "new:l rpush:l lpush:l rpush:l"),
        ("RPUSH l a b|LPOP l|RPOP l", "new:l rpush:l lpop:l rpop:l del:l"),
        ("RPUSH l a b|LPOP l 5", "new:l rpush:l lpop:l del:l"),
        ("RPUSH l a b|LPOP l 0", "new:l rpush:l"),
        ("RPUSH l a b|LTRIM l 0 0|LTRIM l 0 -1|LTRIM l 5 6", "new:l rpush:l ltrim:l ltrim:l ltrim:l del:l"),
        ("RPUSH l a b|LSET l 0 c|LINSERT l AFTER c d|LINSERT l AFTER x d", "new:l rpush:l lset:l linsert:l"),
        ("RPUSH l a b|LREM l 0 a|LREM l 0 x|LREM l 0 b", "new:l rpush:l lrem:l lrem:l del:l"),
        ("RPUSH l a|LMOVE l m LEFT RIGHT", "new:l rpush:l new:m rpush:m lpop:l del:l"),
        ("RPUSH l a|RPOPLPUSH l l", "new:l rpush:l lpush:l rpop:l"),
        ("RPUSH l a b|LMPOP 2 x l RIGHT|BLMPOP 0 1 l LEFT", "new:l rpush:l rpop:l lpop:l del:l"),
        ("RPUSH l a b|BLPOP l 0|BRPOP l 0", "new:l rpush:l lpop:l rpop:l del:l"),
    ],
)
def test_events(run, subscriber, commands, events):
    run("CONFIG", "SET", "notify-keyspace-events", "EAn")
    subscriber.subscribe("__keyevent@0__:*")
    for command in commands.split("|"):
        run(*command.split())
    for event in events.split():
        name, key = event.encode().split(b":")
        assert subscriber.next() == (b"__keyevent@0__:" + name, key)
    assert subscriber.next(0.05) is None


def changes(run):
    info = run("INFO", "persistence").decode()
    return int(info.split("rdb_changes_since_last_save:")[1].split()[0])


@pytest.mark.parametrize(
    ("command", "n"),
    [
        ("RPUSH l x y z", 3), ("LPOP l", 1), ("LPOP l 2", 2), ("LTRIM l 1 -2", 2), ("LTRIM l 0 -1", 0),
        ("LREM l 0 a", 2), ("LSET l 0 x", 1), ("RPOPLPUSH l m", 1), ("RPOPLPUSH l l", 1),
        ("LINSERT l AFTER a x", 1), ("LMPOP 1 l LEFT", 1),
    ],
)  # fmt: skip
def test_changes_are_counted(run, command, n):
    run.make(*"abcda")
    before = changes(run)
    run(*command.split())
    assert changes(run) == before + n


# ---------------------------------------------------------------- waiting


def waiting(run, n):
    return lambda: b"blocked_clients:%d\r\n" % n in run("INFO", "clients")


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("BLPOP none l 0", [b"l", b"a"]),
        ("BRPOP l none 0", [b"l", b"b"]),
        ("BLMPOP 0 2 none l LEFT COUNT 5", [b"l", [b"a", b"b"]]),
        ("BLMPOP 0 1 l RIGHT", [b"l", [b"b"]]),
        ("BLMOVE l m LEFT LEFT 0", b"a"),
        ("BRPOPLPUSH l m 0", b"b"),
    ],
)
def test_wait(run, connect, protocol, command, reply):
    waiter = connect(protocol)
    waiter.send(*command.split())
    until(waiting(run, 1))
    run("RPUSH", "l", "a", "b")
    assert waiter.read() == reply
    assert run("LLEN", "l") + run("LLEN", "m") == {list: 1, bytes: 2}[type(reply)] - (
        reply == [b"l", [b"a", b"b"]]
    )
    assert waiting(run, 0)()


@pytest.mark.parametrize(
    "command", ["BLPOP l 0.01", "BRPOP l m 0.01", "BLMPOP 0.01 1 l LEFT", "BLMOVE l m LEFT LEFT 0.01"]
)
def test_wait_in_vain(run, command):
    assert run.raw(" ".join(command.split()).encode() + b"\r\n") == (
        b"*-1\r\n" if run.protocol == 2 else b"_\r\n"
    )


def test_no_waiting_inside_of_a_transaction(run):
    null, null_array = (b"$-1\r\n", b"*-1\r\n") if run.protocol == 2 else (b"_\r\n", b"_\r\n")
    replies = run.raw(
        b"MULTI\r\nBLPOP l 0\r\nBLMPOP 0 1 l LEFT\r\nBLMOVE l m LEFT LEFT 0\r\nBRPOPLPUSH l m 0\r\nEXEC\r\n"
    )
    assert replies == b"+OK\r\n" + b"+QUEUED\r\n" * 4 + b"*4\r\n" + null_array * 2 + null * 2


def test_a_chain_of_moves(run, connect):
    first, second = connect(), connect()
    first.send("BLMOVE", "a", "b", "LEFT", "RIGHT", 0)
    until(waiting(run, 1))
    second.send("BLPOP", "b", 0)
    until(waiting(run, 2))
    assert run("RPUSH", "a", "x") == 1
    assert first.read() == b"x" and second.read() == [b"b", b"x"]
    assert run("EXISTS", "a", "b") == 0


def test_a_wrong_target_keeps_the_element(run, connect):
    run("SET", "s", "string")
    waiter = connect()
    waiter.send("BRPOPLPUSH", "l", "s", 0)
    until(waiting(run, 1))
    run("RPUSH", "l", "a", "b")
    assert str(waiter.read()) == WRONG_TYPE
    assert run.all() == words("a b")
