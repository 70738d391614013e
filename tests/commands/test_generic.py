"""DEL UNLINK EXISTS TOUCH TYPE RENAME RENAMENX COPY MOVE OBJECT, DBSIZE FLUSHDB FLUSHALL SWAPDB SELECT."""

import time

import dump_samples
import pytest

NOT_INTEGER = "ERR value is not an integer or out of range"
NOT_INT32 = "ERR value is out of range, value must between -2147483648 and 2147483647"
NO_DATABASE = "ERR DB index is out of range"
SAME_OBJECTS = "ERR source and destination objects are the same"
VALUES = ["", "v", "12345", "-7", "x" * 44, "x" * 45, "x" * 300, "x" * 16_383, "x" * 16_384, "x" * 200_000]
BAD_DATABASES = [
    ("x", NOT_INTEGER),
    ("", NOT_INTEGER),
    (2**63, NOT_INTEGER),
    (2**31, NOT_INT32),
    (-(2**31) - 1, NOT_INT32),
    (16, NO_DATABASE),
    (-1, NO_DATABASE),
    (2**31 - 1, NO_DATABASE),
]


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


def in_database(client, index, *words):
    """Run a command in another database, and come back."""
    client.cmd("SELECT", index)
    reply = client.cmd(*words)
    client.cmd("SELECT", 0)
    return reply


# ---------------------------------------------------------------- many keys


@pytest.mark.parametrize("command", ["DEL", "UNLINK"])
def test_delete(client, command):
    client.cmd("MSET", "a", 1, "b", 2, "c", "x" * 100_000)
    assert client.cmd(command, "none") == 0
    assert client.cmd(command, "a") == 1
    assert client.cmd(command, "a", "b", "b", "c", "none") == 2
    assert client.cmd("DBSIZE") == 0


@pytest.mark.parametrize("command", ["DEL", "UNLINK", "EXISTS", "TOUCH"])
@pytest.mark.parametrize("count", [1, 31, 32, 33, 64, 100, 1000])
def test_many_keys(client, command, count):
    """Numbers of keys about the size of the groups that are prefetched."""
    keys = [f"k{i}" for i in range(count)]
    client.cmd("MSET", *[word for key in keys[::2] for word in (key, "v")])
    assert client.cmd(command, *keys) == (count + 1) // 2
    assert client.cmd("DBSIZE") == (0 if command in ("DEL", "UNLINK") else (count + 1) // 2)


@pytest.mark.parametrize("command", ["EXISTS", "TOUCH"])
def test_repeated_keys_count_repeatedly(client, command):
    client.cmd("SET", "a", 1)
    assert client.cmd(command, "a", "none", "a", "a") == 3


@pytest.mark.parametrize("command", ["DEL", "UNLINK", "EXISTS", "TOUCH"])
def test_many_keys_arity(client, command):
    assert error(client, command) == f"ERR wrong number of arguments for '{command.lower()}' command"


@pytest.mark.parametrize("setting", ["yes", "no"])
def test_delete_honours_lazyfree_lazy_user_del(client, setting):
    client.cmd("CONFIG", "SET", "lazyfree-lazy-user-del", setting)
    client.cmd("SET", "a", "x" * 1_000_000)
    assert client.cmd("DEL", "a") == 1
    assert client.cmd("EXISTS", "a") == 0
    client.cmd("CONFIG", "SET", "lazyfree-lazy-user-del", "no")


# ---------------------------------------------------------------- TYPE


def test_type(client):
    assert client.cmd("TYPE", "a") == b"none"
    for value in VALUES:
        client.cmd("SET", "a", value)
        assert client.cmd("TYPE", "a") == b"string"
    assert client.raw(b"TYPE a\r\n") == b"+string\r\n"
    assert error(client, "TYPE") == "ERR wrong number of arguments for 'type' command"


# ---------------------------------------------------------------- RENAME


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("command", ["RENAME", "RENAMENX"])
def test_rename(client, command, value):
    done = b"OK" if command == "RENAME" else 1
    client.cmd("SET", "a", value)
    assert client.cmd(command, "a", "a much longer name " * 20) == done
    assert client.cmd(command, "a much longer name " * 20, "b") == done
    assert client.cmd("GET", "b") == value.encode()
    assert client.cmd("KEYS", "*") == [b"b"]


@pytest.mark.parametrize("old", VALUES)
@pytest.mark.parametrize("new", ["short", "x" * 50_000])
def test_rename_overwrites(client, old, new):
    client.cmd("MSET", "a", new, "b", old)
    assert client.cmd("RENAME", "a", "b") == b"OK"
    assert client.cmd("GET", "b") == new.encode()
    assert client.cmd("DBSIZE") == 1


def test_renamenx_keeps_the_target(client):
    client.cmd("MSET", "a", 1, "b", 2)
    assert client.cmd("RENAMENX", "a", "b") == 0
    assert client.cmd("MGET", "a", "b") == [b"1", b"2"]


def test_rename_onto_itself(client):
    assert error(client, "RENAME", "a", "a") == "ERR no such key"
    assert error(client, "RENAMENX", "a", "a") == "ERR no such key"
    client.cmd("SET", "a", 1, "EX", 100)
    assert client.cmd("RENAME", "a", "a") == b"OK"
    assert client.cmd("RENAMENX", "a", "a") == 0
    assert client.cmd("GET", "a") == b"1"
    assert client.cmd("TTL", "a") > 90


def test_rename_moves_the_expiry(client):
    client.cmd("SET", "a", 1, "PXAT", 10**13)
    client.cmd("SET", "b", 2)
    client.cmd("RENAME", "a", "b")
    assert client.cmd("PEXPIRETIME", "b") == 10**13
    client.cmd("SET", "c", 3)
    client.cmd("RENAME", "c", "b")
    assert client.cmd("PEXPIRETIME", "b") == -1


def test_rename_and_expired_keys(client):
    client.cmd("SET", "a", 1, "PX", 1)
    client.cmd("SET", "b", 2)
    time.sleep(0.003)
    assert error(client, "RENAME", "a", "b") == "ERR no such key"
    client.cmd("SET", "a", 1, "PX", 1)
    time.sleep(0.003)
    assert client.cmd("RENAMENX", "b", "a") == 1
    assert client.cmd("GET", "a") == b"2"
    assert client.cmd("DBSIZE") == 1


def test_rename_among_many(client):
    """Removing the target moves nothing that the rename still needs."""
    for i in range(2000):
        client.cmd("SET", f"a{i}", i)
        client.cmd("SET", f"b{i}", "old")
    for i in range(2000):
        assert client.cmd("RENAME", f"a{i}", f"b{i}") == b"OK"
    assert client.cmd("DBSIZE") == 2000
    assert client.cmd("MGET", *[f"b{i}" for i in range(2000)]) == [b"%d" % i for i in range(2000)]


# ---------------------------------------------------------------- COPY


@pytest.mark.parametrize("value", VALUES)
def test_copy(client, value):
    client.cmd("SET", "a", value)
    assert client.cmd("COPY", "a", "b") == 1
    assert client.cmd("MGET", "a", "b") == [value.encode()] * 2
    assert client.cmd("OBJECT", "ENCODING", "a") == client.cmd("OBJECT", "ENCODING", "b")
    assert client.cmd("COPY", "a", "c", "DB", 1) == 1
    assert in_database(client, 1, "GET", "c") == value.encode()


@pytest.mark.parametrize("value", ["x" * 10, "x" * 100_000])
def test_copy_is_independent(client, value):
    client.cmd("SET", "a", value)
    client.cmd("COPY", "a", "b")
    client.cmd("APPEND", "b", "tail")
    client.cmd("SETRANGE", "a", 0, "head")
    assert client.cmd("GET", "a") == b"head" + value.encode()[4:]
    assert client.cmd("GET", "b") == value.encode() + b"tail"
    client.cmd("DEL", "a")
    assert client.cmd("GET", "b") == value.encode() + b"tail"


def test_copy_replaces_only_when_told(client):
    client.cmd("MSET", "a", 1, "b", 2)
    assert client.cmd("COPY", "a", "b") == 0
    assert client.cmd("GET", "b") == b"2"
    assert client.cmd("COPY", "a", "b", "REPLACE") == 1
    assert client.cmd("GET", "b") == b"1"
    in_database(client, 1, "SET", "b", "3")
    assert client.cmd("COPY", "a", "b", "DB", 1) == 0
    assert client.cmd("COPY", "a", "b", "replace", "db", "1") == 1
    assert in_database(client, 1, "GET", "b") == b"1"
    assert client.cmd("COPY", "none", "b", "REPLACE") == 0
    assert client.cmd("GET", "b") == b"1"


def test_copy_takes_the_expiry_along(client):
    client.cmd("SET", "a", 1, "PXAT", 10**13)
    client.cmd("COPY", "a", "b")
    assert client.cmd("PEXPIRETIME", "b") == 10**13
    client.cmd("SET", "c", 1)
    client.cmd("COPY", "c", "b", "REPLACE")
    assert client.cmd("PEXPIRETIME", "b") == -1


def test_copy_and_expired_keys(client):
    client.cmd("SET", "a", 1, "PX", 1)
    client.cmd("SET", "b", 2)
    time.sleep(0.003)
    assert client.cmd("COPY", "b", "a") == 1
    client.cmd("SET", "a", 1, "PX", 1)
    time.sleep(0.003)
    assert client.cmd("COPY", "a", "b", "REPLACE") == 0
    assert client.cmd("GET", "b") == b"2"


def test_copy_errors(client):
    client.cmd("SET", "a", 1)
    assert error(client, "COPY", "a", "a") == SAME_OBJECTS
    assert error(client, "COPY", "none", "none", "DB", 0) == SAME_OBJECTS
    assert error(client, "COPY", "a", "b", "REPLACE", "DB") == "ERR syntax error"
    assert error(client, "COPY", "a", "b", "foo") == "ERR syntax error"
    assert error(client, "COPY", "a") == "ERR wrong number of arguments for 'copy' command"
    for index, text in BAD_DATABASES:
        assert error(client, "COPY", "a", "b", "DB", index) == text
        assert error(client, "COPY", "a", "b", "DB", index, "foo") == text
    assert client.cmd("COPY", "a", "a", "DB", 0, "DB", 1) == 1


# ---------------------------------------------------------------- MOVE


@pytest.mark.parametrize("value", VALUES)
def test_move(client, value):
    client.cmd("SET", "a", value, "PXAT", 10**13)
    assert client.cmd("MOVE", "a", 1) == 1
    assert client.cmd("EXISTS", "a") == 0
    assert in_database(client, 1, "GET", "a") == value.encode()
    assert in_database(client, 1, "PEXPIRETIME", "a") == 10**13


def test_move_many(client):
    for i in range(1000):
        client.cmd("SET", f"k{i}", i, *(["PXAT", 10**13] if i % 2 else []))
    for i in range(1000):
        assert client.cmd("MOVE", f"k{i}", 3) == 1
    assert client.cmd("DBSIZE") == 0
    assert in_database(client, 3, "DBSIZE") == 1000
    assert in_database(client, 3, "PEXPIRETIME", "k1") == 10**13
    assert in_database(client, 3, "PEXPIRETIME", "k2") == -1


def test_move_keeps_what_is_there(client):
    client.cmd("SET", "a", 1)
    in_database(client, 1, "SET", "a", 2)
    assert client.cmd("MOVE", "a", 1) == 0
    assert client.cmd("GET", "a") == b"1"
    assert in_database(client, 1, "GET", "a") == b"2"
    assert client.cmd("MOVE", "none", 1) == 0


def test_move_errors(client):
    client.cmd("SET", "a", 1)
    assert error(client, "MOVE", "a", 0) == SAME_OBJECTS
    assert error(client, "MOVE", "none", 0) == SAME_OBJECTS
    for index, text in BAD_DATABASES:
        assert error(client, "MOVE", "a", index) == text


# ---------------------------------------------------------------- OBJECT


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        ("1", b"int"),
        (str(2**63 - 1), b"int"),
        (str(-(2**63)), b"int"),
        (str(2**63), b"embstr"),
        ("", b"embstr"),
        ("01", b"embstr"),
        ("v", b"embstr"),
        ("x" * 44, b"embstr"),
        ("x" * 45, b"raw"),
        ("x" * 100_000, b"raw"),
    ],
)
def test_object_encoding(client, value, encoding):
    client.cmd("SET", "a", value)
    assert client.cmd("OBJECT", "ENCODING", "a") == encoding
    assert client.cmd("object", "encoding", "a") == encoding


def test_object_encoding_after_changes(client):
    client.cmd("SET", "a", "v")
    client.cmd("APPEND", "a", "w")
    assert client.cmd("OBJECT", "ENCODING", "a") == b"raw"
    client.cmd("SET", "a", "1")
    client.cmd("INCR", "a")
    assert client.cmd("OBJECT", "ENCODING", "a") == b"int"


@pytest.mark.parametrize("value", VALUES)
def test_object_refcount(client, value):
    client.cmd("SET", "a", value)
    assert client.cmd("OBJECT", "REFCOUNT", "a") == 1


def test_object_idletime_and_freq(client):
    client.cmd("SET", "a", 1)
    assert client.cmd("OBJECT", "IDLETIME", "a") in (0, 1)
    adjust = (
        "Please note that when switching between policies at runtime LRU and LFU data "
        "will take some time to adjust."
    )
    assert error(client, "OBJECT", "FREQ", "a") == (
        f"ERR An LFU maxmemory policy is not selected, access frequency not tracked. {adjust}"
    )
    client.cmd("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    try:
        client.cmd("SET", "b", 1)
        assert client.cmd("OBJECT", "FREQ", "b") == 5
        client.cmd("GET", "b")
        assert client.cmd("OBJECT", "FREQ", "b") == 6  # a counter of 5 always grows
        for _ in range(500):
            client.cmd("GET", "b")
        assert 6 < client.cmd("OBJECT", "FREQ", "b") < 60
        assert error(client, "OBJECT", "IDLETIME", "b") == (
            f"ERR An LFU maxmemory policy is selected, idle time not tracked. {adjust}"
        )
        assert client.cmd("OBJECT", "IDLETIME", "none") is None
        assert client.cmd("OBJECT", "FREQ", "none") is None
    finally:
        client.cmd("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.mark.parametrize("word", ["ENCODING", "REFCOUNT", "IDLETIME", "FREQ"])
def test_object_of_a_missing_key(client, protocol, word):
    assert client.cmd("OBJECT", word, "none") is None
    assert client.raw(b"OBJECT %s none\r\n" % word.encode()) == (b"$-1\r\n" if protocol == 2 else b"_\r\n")
    name = f"object|{word.lower()}"
    assert error(client, "OBJECT", word) == f"ERR wrong number of arguments for '{name}' command"
    assert error(client, "OBJECT", word, "a", "b") == f"ERR wrong number of arguments for '{name}' command"


def test_object_help(client):
    lines = client.cmd("OBJECT", "HELP")
    assert lines[0] == b"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert lines[1::1][:1] == [b"ENCODING <key>"]
    assert lines[-2:] == [b"HELP", b"    Print this help."]
    assert len(lines) == 15
    assert client.raw(b"OBJECT HELP\r\n").startswith(b"*15\r\n+OBJECT ")
    assert error(client, "OBJECT", "HELP", "x") == "ERR wrong number of arguments for 'object|help' command"


def test_object_errors(client):
    assert error(client, "OBJECT") == "ERR wrong number of arguments for 'object' command"
    assert error(client, "OBJECT", "foo", "x") == "ERR unknown subcommand 'foo'. Try OBJECT HELP."


def test_touch_moves_the_clock_even_with_no_touch(client):
    client.cmd("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    try:
        client.cmd("SET", "a", 1)
        client.cmd("CLIENT", "NO-TOUCH", "ON")
        client.cmd("GET", "a")
        assert client.cmd("OBJECT", "FREQ", "a") == 5
        assert client.cmd("TOUCH", "a") == 1
        assert client.cmd("OBJECT", "FREQ", "a") == 6
        client.cmd("GET", "a")
        assert client.cmd("OBJECT", "FREQ", "a") == 6
    finally:
        client.cmd("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    "command",
    [
        ("TTL", "a"),
        ("PEXPIRETIME", "a"),
        ("EXISTS", "a"),
        ("TYPE", "a"),
        ("OBJECT", "ENCODING", "a"),
        ("KEYS", "*"),
        ("SCAN", "0"),
    ],
)
def test_looking_does_not_touch(client, command):
    client.cmd("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    try:
        client.cmd("SET", "a", 1)
        client.cmd(*command)
        assert client.cmd("OBJECT", "FREQ", "a") == 5
    finally:
        client.cmd("CONFIG", "SET", "maxmemory-policy", "noeviction")


# ---------------------------------------------------------------- databases


def test_select(client):
    assert client.cmd("SELECT", 1) == b"OK"
    client.cmd("SET", "a", 1)
    assert client.cmd("SELECT", "0") == b"OK"
    assert client.cmd("EXISTS", "a") == 0
    assert in_database(client, 1, "GET", "a") == b"1"
    for index, text in BAD_DATABASES:
        assert error(client, "SELECT", index) == text
    assert client.cmd("EXISTS", "a") == 0


def test_dbsize(client):
    assert client.cmd("DBSIZE") == 0
    for i in range(1000):
        client.cmd("SET", i, i)
        assert client.cmd("DBSIZE") == i + 1
    assert error(client, "DBSIZE", "x") == "ERR wrong number of arguments for 'dbsize' command"


@pytest.mark.parametrize("words", [(), ("ASYNC",), ("sync",)])
@pytest.mark.parametrize("setting", ["no", "yes"])
@pytest.mark.parametrize("command", ["FLUSHDB", "FLUSHALL"])
def test_flush(client, command, setting, words):
    client.cmd("CONFIG", "SET", "lazyfree-lazy-user-flush", setting)
    for i in range(1000):
        client.cmd("SET", f"k{i}", "v" * (i % 50), *(["EX", 1000] if i % 3 else []))
    client.cmd("SET", "large", "x" * 100_000)
    in_database(client, 1, "SET", "a", 1)
    assert client.cmd(command, *words) == b"OK"
    assert client.cmd("DBSIZE") == 0
    assert client.cmd("KEYS", "*") == []
    assert in_database(client, 1, "DBSIZE") == (1 if command == "FLUSHDB" else 0)
    client.cmd("SET", "k1", "again")
    assert client.cmd("GET", "k1") == b"again"
    assert client.cmd("TTL", "k1") == -1
    client.cmd("CONFIG", "SET", "lazyfree-lazy-user-flush", "no")


@pytest.mark.parametrize("command", ["FLUSHDB", "FLUSHALL"])
def test_flush_errors(client, command):
    client.cmd("SET", "a", 1)
    for words in [("foo",), ("ASYNC", "SYNC"), ("ASYNC", "x"), ("",)]:
        assert error(client, command, *words) == "ERR syntax error"
    assert client.cmd("EXISTS", "a") == 1


def test_swapdb(client):
    client.cmd("SET", "a", 0, "PXAT", 10**13)
    in_database(client, 1, "MSET", "b", 1, "c", 2)
    assert client.cmd("SWAPDB", 0, 1) == b"OK"
    assert client.cmd("DBSIZE") == 2
    assert in_database(client, 1, "PEXPIRETIME", "a") == 10**13
    assert client.cmd("SWAPDB", 1, 1) == b"OK"
    assert client.cmd("SWAPDB", 1, 0) == b"OK"
    assert client.cmd("GET", "a") == b"0"


def test_swapdb_swaps_expiry(client):
    """A key that expires goes on expiring in its new database, and is counted there."""
    client.cmd("SET", "a", 0, "PX", 30)
    client.cmd("SWAPDB", 0, 1)
    deadline = time.monotonic() + 5
    while in_database(client, 1, "DBSIZE") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert in_database(client, 1, "DBSIZE") == 0


def test_swapdb_errors(client):
    assert error(client, "SWAPDB", "x", 1) == "ERR invalid first DB index"
    assert error(client, "SWAPDB", "x", "y") == "ERR invalid first DB index"
    assert error(client, "SWAPDB", 0, "y") == "ERR invalid second DB index"
    assert error(client, "SWAPDB", 2**31, 0) == "ERR invalid first DB index"
    assert error(client, "SWAPDB", 99, 2**31) == "ERR invalid second DB index"
    assert error(client, "SWAPDB", 0, 16) == NO_DATABASE
    assert error(client, "SWAPDB", -1, 0) == NO_DATABASE
    assert error(client, "SWAPDB", 0) == "ERR wrong number of arguments for 'swapdb' command"


@pytest.mark.parametrize(
    ("change", "aborts"),
    [
        (("DEL", "a"), True),
        (("UNLINK", "a"), True),
        (("EXPIRE", "a", 100), True),
        (("EXPIRE", "a", -1), True),
        (("RENAME", "a", "z"), True),
        (("RENAME", "z", "a"), True),
        (("COPY", "z", "a", "REPLACE"), True),
        (("MOVE", "a", 1), True),
        (("FLUSHDB",), True),
        (("FLUSHALL",), True),
        (("SWAPDB", 0, 1), True),
        (("TOUCH", "a"), False),
        (("DEL", "z"), False),
        (("EXPIRE", "a", 1, "XX"), False),
        (("PERSIST", "a"), False),
        (("COPY", "a", "y"), False),
        (("RENAME", "a", "a"), False),
        (("SWAPDB", 2, 3), False),
        (("SELECT", 0), False),
    ],
)
def test_watchers_are_told(client, change, aborts):
    client.cmd("MSET", "a", 1, "z", 2)
    client.cmd("WATCH", "a")
    client.cmd(*change)
    client.cmd("MULTI")
    client.cmd("PING")
    assert client.cmd("EXEC") == (None if aborts else [b"PONG"])


# ---------------------------------------------------------------- values of every type


@pytest.mark.parametrize("name", dump_samples.VALUES)
def test_every_type(client, name):
    """A value is the same after COPY, RENAME and MOVE, and a copy is one of its own."""
    for line in dump_samples.VALUES[name][1]:
        client.cmd(*dump_samples.words(line, "key"))
    kind, encoding = client.cmd("TYPE", "key"), client.cmd("OBJECT", "ENCODING", "key")
    assert client.cmd("OBJECT", "REFCOUNT", "key") == 1
    assert client.cmd("OBJECT", "IDLETIME", "key") <= 1
    assert client.cmd("SCAN", 0, "TYPE", kind, "COUNT", 1000)[1] == [b"key"]
    client.cmd("PEXPIREAT", "key", 4_000_000_000_000)
    digest = client.cmd("DEBUG", "DIGEST-VALUE", "key")
    assert client.cmd("COPY", "key", "copy") == 1
    client.cmd("RPUSH", "old", "value")
    assert client.cmd("RENAME", "key", "old") in ("OK", b"OK")
    assert client.cmd("MOVE", "old", 3) == 1
    for database, key in ((0, "copy"), (3, "old")):
        assert in_database(client, database, "TYPE", key) == kind
        assert in_database(client, database, "OBJECT", "ENCODING", key) == encoding
        assert in_database(client, database, "PEXPIRETIME", key) == 4_000_000_000_000
        assert in_database(client, database, "DEBUG", "DIGEST-VALUE", key) == digest
    in_database(client, 3, "DEL", "old")
    assert client.cmd("DEBUG", "DIGEST-VALUE", "copy") == digest
    assert client.cmd("COPY", "copy", "other", "DB", 3) == 1
    client.cmd("DEL", "copy")
    assert in_database(client, 3, "DEBUG", "DIGEST-VALUE", "other") == digest
