"""KEYS, SCAN and RANDOMKEY."""

import random
import time

import pytest


@pytest.fixture(autouse=True)
def empty_store(client):
    client.cmd("FLUSHALL")


def error(client, *words):
    """The text of the error reply to a command."""
    try:
        reply = client.cmd(*words)
    except Exception as caught:
        reply = caught
    assert isinstance(reply, Exception), reply
    return str(reply)


def fill(client, count, name="key:%d"):
    """Make so many keys, and return their names."""
    names = [name % i for i in range(count)]
    for start in range(0, count, 500):
        client.cmd("MSET", *[word for key in names[start : start + 500] for word in (key, "v")])
    return {key.encode() for key in names}


def scan_all(client, *options, between=lambda: None):
    """All keys that a whole iteration returns, repeated ones repeatedly."""
    cursor, found = b"0", []
    while True:
        cursor, keys = client.cmd("SCAN", cursor, *options)
        found += keys
        if cursor == b"0":
            return found
        between()


def expire_now(client, *keys):
    """Give keys an expiry that has passed."""
    for key in keys:
        client.cmd("PEXPIRE", key, 1)
    time.sleep(0.003)


# ---------------------------------------------------------------- KEYS


def test_keys(client):
    assert client.cmd("KEYS", "*") == []
    names = fill(client, 2000)
    assert sorted(client.cmd("KEYS", "*")) == sorted(names)
    assert sorted(client.cmd("KEYS", "**")) == sorted(names)
    assert sorted(client.cmd("KEYS", "key:1?")) == sorted(b"key:1%d" % i for i in range(10))
    assert sorted(client.cmd("KEYS", "key:[7-9]")) == [b"key:7", b"key:8", b"key:9"]
    assert client.cmd("KEYS", "x*") == []
    assert client.cmd("KEYS", "KEY:1?") == []


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (b"hello", [b"hello"]),
        (b"Hello", []),
        (b"hell", []),
        (b"", [b""]),
        (b"h\\ello", [b"hello"]),
        (b"hello\\", []),
        (b"h\\*llo", [b"h*llo"]),
        (b"h*llo", [b"h*llo", b"hello"]),
        (b"h[^x]llo", [b"h*llo", b"hello"]),
        (b"h[*]llo", [b"h*llo"]),
        (b"\x00\xff", [b"\x00\xff"]),
        (b"?\xff", [b"\x00\xff"]),
    ],
)
def test_keys_patterns(client, pattern, matches):
    for key in [b"hello", b"h*llo", b"", b"\x00\xff"]:
        client.cmd("SET", key, "v")
    assert sorted(client.cmd("KEYS", pattern)) == matches


@pytest.mark.parametrize("pattern", ["*", "?", "a", "[a]"])
def test_keys_skips_expired(client, pattern):
    client.cmd("MSET", "a", 1, "b", 2)
    expire_now(client, "a")
    assert b"a" not in client.cmd("KEYS", pattern)


def test_keys_pattern_of_many_stars(client):
    client.cmd("SET", "a" * 40, 1)
    assert client.cmd("KEYS", "a*" * 20 + "b") == []
    assert client.cmd("KEYS", "*?" * 30) == [b"a" * 40]
    client.cmd("SET", "a" * 2000, 1)
    assert client.cmd("KEYS", "*?" * 1000) == [b"a" * 2000]
    assert client.cmd("KEYS", "*?" * 1001) == []  # Redis gives up


# ---------------------------------------------------------------- SCAN


def test_scan_of_nothing(client):
    assert client.cmd("SCAN", 0) == [b"0", []]
    assert client.cmd("SCAN", 12345) == [b"0", []]


@pytest.mark.parametrize("options", [(), ("COUNT", 1), ("COUNT", 5), ("COUNT", 700), ("count", 2**63 - 1)])
@pytest.mark.parametrize("size", [1, 50, 3000])
def test_scan_returns_each_key_once_while_nothing_changes(client, size, options):
    names = fill(client, size)
    found = scan_all(client, *options)
    assert len(found) == size
    assert set(found) == names


def test_scan_count_is_about_kept(client):
    fill(client, 3000)
    for count in [1, 10, 100, 1000]:
        _, keys = client.cmd("SCAN", 0, "COUNT", count)
        assert count <= len(keys) < count + 108  # a home bucket more than asked for, at most


def test_scan_match(client):
    fill(client, 1000)
    assert sorted(scan_all(client, "MATCH", "key:1??")) == [b"key:%d" % i for i in range(100, 200)]
    assert len(scan_all(client, "MATCH", "*")) == 1000
    assert scan_all(client, "MATCH", "key:77") == [b"key:77"]
    assert len(scan_all(client, "match", "x", "MATCH", "*")) == 1000
    assert scan_all(client, "MATCH", "nothing*") == []


def test_scan_type(client):
    fill(client, 100)
    assert len(scan_all(client, "TYPE", "string")) == 100
    assert len(scan_all(client, "type", "STRING", "MATCH", "key:*", "COUNT", 7)) == 100
    for kind in ["list", "hash", "set", "zset", "stream", "nonsense", "str", ""]:
        assert scan_all(client, "TYPE", kind) == []


def test_scan_finds_each_type(client):
    fill(client, 50)
    for kind, words in {
        "list": ("RPUSH", "k:list", 1),
        "hash": ("HSET", "k:hash", 1, 2),
        "set": ("SADD", "k:set", 1),
        "zset": ("ZADD", "k:zset", 1, 2),
        "stream": ("XADD", "k:stream", "*", 1, 2),
    }.items():
        client.cmd(*words)
        assert scan_all(client, "TYPE", kind.upper()) == [b"k:" + kind.encode()]
    assert len(scan_all(client, "MATCH", "k:*")) == 5
    assert len(scan_all(client)) == 55


def test_scan_removes_expired_keys(client):
    fill(client, 200)
    expired = [f"key:{i}" for i in range(0, 200, 2)]
    expire_now(client, *expired)
    found = scan_all(client, "MATCH", "*")
    assert sorted(found) == sorted(b"key:%d" % i for i in range(1, 200, 2))
    assert client.cmd("DBSIZE") == 100


@pytest.mark.parametrize("options", [("MATCH", "x*"), ("TYPE", "list")])
def test_scan_removes_expired_keys_that_it_does_not_ask_for(client, options):
    fill(client, 20)
    expire_now(client, *[f"key:{i}" for i in range(20)])
    assert scan_all(client, *options) == []
    assert client.cmd("DBSIZE") == 0


@pytest.mark.parametrize("seed", range(3))
def test_scan_guarantee_under_inserts_and_deletes(client, seed):
    """Keys there from the first call to the last are returned, whatever splits and merges meanwhile."""
    rng = random.Random(seed)
    lasting = fill(client, 300, "lasting:%d")
    fill(client, 1500, "going:%d")
    going = list(range(1500))
    rng.shuffle(going)

    def change():
        for _ in range(20):
            if going and rng.random() < 0.7:
                client.cmd("DEL", f"going:{going.pop()}")
            else:
                client.cmd("SET", f"coming:{rng.randrange(10**6)}", "v")

    assert lasting <= set(scan_all(client, "COUNT", 5, between=change))


@pytest.mark.parametrize(
    "cursor", [1, 2**31, 2**32 - 1, 2**32, 2**40 + 12345, 2**63, 2**64 - 1, "007", "+1", " 1"]
)
def test_scan_takes_any_cursor(client, cursor):
    names = fill(client, 500)
    following, keys = client.cmd("SCAN", cursor)
    assert following.isdigit()
    assert set(keys) <= names


@pytest.mark.parametrize("cursor", ["x", "", "-1", "1x", "1.0", 2**64, 10**40, "1 ", "\0"])
def test_scan_invalid_cursor(client, cursor):
    assert error(client, "SCAN", cursor) == "ERR invalid cursor"
    assert error(client, "SCAN", cursor, "COUNT", 0) == "ERR invalid cursor"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["COUNT", 0], "syntax error"),
        (["COUNT", -1], "syntax error"),
        (["COUNT", "x"], "value is not an integer or out of range"),
        (["COUNT", ""], "value is not an integer or out of range"),
        (["COUNT", 2**63], "value is not an integer or out of range"),
        (["COUNT"], "syntax error"),
        (["MATCH"], "syntax error"),
        (["TYPE"], "syntax error"),
        (["foo", "bar"], "syntax error"),
        (["MATCH", "*", "COUNT"], "syntax error"),
        (["TYPE", "nonsense", "COUNT", "x"], "value is not an integer or out of range"),
        (["NOVALUES"], "NOVALUES option can only be used in HSCAN"),
    ],
)
def test_scan_option_errors(client, options, text):
    assert error(client, "SCAN", 0, *options) == "ERR " + text


def test_scan_arity(client):
    assert error(client, "SCAN") == "ERR wrong number of arguments for 'scan' command"


# ---------------------------------------------------------------- RANDOMKEY


def test_randomkey(client):
    assert client.cmd("RANDOMKEY") is None
    names = fill(client, 3)
    assert {client.cmd("RANDOMKEY") for _ in range(200)} == names
    client.cmd("DEL", *names)
    assert client.cmd("RANDOMKEY") is None


def test_randomkey_skips_expired(client):
    fill(client, 20)
    expire_now(client, *[f"key:{i}" for i in range(1, 20)])
    for _ in range(50):
        assert client.cmd("RANDOMKEY") == b"key:0"
    expire_now(client, "key:0")
    assert client.cmd("RANDOMKEY") is None
    assert client.cmd("DBSIZE") == 0


def test_randomkey_is_spread(client):
    names = fill(client, 2000)
    drawn = {client.cmd("RANDOMKEY") for _ in range(1000)}
    assert drawn <= names
    assert len(drawn) > 600  # 787 expected for a uniform draw
