"""DEBUG: who may use it, and what its subcommands do."""

import re
import time

import pytest
from dump_samples import VALUES, words

import minikv

SIZES = (
    "hash-max-listpack-entries", "set-max-listpack-entries", "zset-max-listpack-entries",
    "set-max-intset-entries", "list-max-listpack-size",
)  # fmt: skip
NO_KEY = "ERR no such key"
NOT_POSITIVE = "ERR value is out of range, must be positive"


@pytest.fixture(scope="module")
def server():
    with minikv.Server(port=0, enable_debug_command="local") as server:
        yield server


@pytest.fixture
def client(connect):
    return connect()


def wrong_usage(word):
    return f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP."


def test_refused_unless_enabled():
    with minikv.Store() as store, pytest.raises(minikv.ReplyError, match=r"^ERR DEBUG command not allowed"):
        store.execute(b"DEBUG", b"HELP")
    with minikv.Store(enable_debug_command="local") as store:
        assert store.execute(b"DEBUG", b"HELP")


@pytest.mark.parametrize(
    "words", ["bogus", "sleep", "sleep 1 2", "help x", "replybuffer bogus 1", "protocol"]
)
def test_wrong_usage(client, words):
    assert client.error("DEBUG", *words.split()) == wrong_usage(words.split()[0])


def test_sleep(client):
    start = time.monotonic()
    assert client.cmd("DEBUG", "SLEEP", "0.05") == b"OK"
    assert time.monotonic() - start >= 0.05
    assert client.cmd("DEBUG", "SLEEP", "no number") == b"OK"


def test_error_and_log(client, caplog):
    assert client.exchange("DEBUG", "ERROR", "MYERR two words") == b"-MYERR two words\r\n"
    with caplog.at_level("WARNING", "minikv"):
        assert client.cmd("DEBUG", "LOG", "hello") == b"OK"
    assert "DEBUG LOG: hello" in caplog.text


@pytest.mark.parametrize("word", ["SEGFAULT", "PANIC", "ASSERT", "OOM"])
def test_no_crash(client, word):
    assert client.error("DEBUG", word).startswith("ERR")
    assert client.cmd("PING") == b"PONG"


@pytest.mark.parametrize("words", ["RELOAD NOSAVE NOFLUSH", "LOADAOF"])
def test_no_persistence(client, words):
    client.cmd("SET", "k", "v")
    assert "no persistence" in client.error("DEBUG", *words.split())
    assert client.cmd("GET", "k") == b"v"


def test_active_expire(client):
    assert client.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 0) == b"OK"
    client.cmd("SET", "k", "v", "PX", 1)
    time.sleep(0.2)
    assert client.cmd("DBSIZE") == 1
    assert client.cmd("DEBUG", "SET-ACTIVE-EXPIRE", 1) == b"OK"
    deadline = time.monotonic() + 10
    while client.cmd("DBSIZE"):
        assert time.monotonic() < deadline


def cron_time(client):
    return int(re.search(rb"cron_sum:(\d+)", client.cmd("INFO", "debug"))[1])


def test_pause_cron(client):
    assert client.cmd("DEBUG", "PAUSE-CRON", 1) == b"OK"
    before = cron_time(client)
    time.sleep(0.3)
    assert cron_time(client) == before
    assert client.cmd("DEBUG", "PAUSE-CRON", 0) == b"OK"
    deadline = time.monotonic() + 10
    while cron_time(client) == before:
        assert time.monotonic() < deadline


def reply_room(client):
    return int(re.search(rb"rbs=(\d+)", client.cmd("CLIENT", "INFO"))[1])


def test_reply_buffer(client):
    client.cmd("SET", "big", "x" * 30_000)
    assert reply_room(client) == 1024
    assert client.cmd("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "NEVER") == b"OK"
    deadline = time.monotonic() + 10
    while reply_room(client) < 16384:
        client.cmd("GET", "big")
        assert time.monotonic() < deadline
    assert client.cmd("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", 1) == b"OK"
    while reply_room(client) == 16384:
        time.sleep(0.05)
        assert time.monotonic() < deadline
    assert client.cmd("DEBUG", "REPLYBUFFER", "RESIZING", 1) == b"OK"
    assert client.cmd("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "RESET") == b"OK"
    assert (
        client.error("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "x")
        == "ERR value is not an integer or out of range"
    )


@pytest.mark.parametrize(
    "value, encoding, saved",
    [
        ("bar", "embstr", 4),
        ("12", "int", 2),
        ("1234567", "int", 5),
        ("x" * 60, "raw", 61),
        ("y" * 99, "raw", 101),
    ],
)
def test_object(client, value, encoding, saved):
    client.cmd("SET", "k", value)
    assert re.fullmatch(
        rf"Value at:0x[0-9a-f]+ refcount:1 encoding:{encoding} serializedlength:{saved} "
        r"lru:\d+ lru_seconds_idle:0",
        client.cmd("DEBUG", "OBJECT", "k").decode(),
    )
    assert client.error("DEBUG", "OBJECT", "missing") == NO_KEY


def test_sdslen(client):
    client.cmd("SET", "key", "value")
    assert client.cmd("DEBUG", "SDSLEN", "key").startswith(b"key_sds_len:3, key_sds_avail:0, key_zmalloc: ")
    client.cmd("SET", "key", "1")
    assert client.error("DEBUG", "SDSLEN", "key") == "ERR Not an sds encoded string."
    assert client.error("DEBUG", "SDSLEN", "missing") == NO_KEY


# The figures come from a Redis 8.2.3 with the same data.
DIGESTS = {
    "int": "e1cf90774e995ae03de66e8109dc5cb9d9c2dc83",
    "int64": "4191566616a6d8b974bba999f8e82b3f2c8dcce0",
    "text": "36b23a1456b2dce2c3ed252c456761301dba8060",
    "like a number": "8e00a8fb3b4e9d75e4004709d98cda64c3823457",
    "list": "f53deb83b4ca2adeaecaa68104e519ced6a26afc",
    "long list": "691c71c919593878bb7de2dd8c055a429bae93a5",
    "list of a long element": "0451f85d5d13183685740c660801c40b2989034e",
    "intset": "cdfe10d85c4433afacfddecbf8846605a3270916",
    "set": "db467894a6fdb92ea762d32b9e95dbc834222b97",
    "large set": "f5401a32d41b6fa2f5a0571ee25ca4ab542215e7",
    "large set of integers": "5186c0098165609490ce2f95aaae103174bc9497",
    "set of a long member": "f7a18b5e7e3cff5cc4108005cde405aa7a06f866",
    "hash": "49fec1ebd93a7b58d7ad0849bfaf9383d7c3990e",
    "large hash": "0d888b592db77678a7cc12019e29d3af1601c69a",
    "hash of a long value": "cfe4e90cc689c7a3a27b9f471a96c810c3cf9eeb",
    "expiring hash": "ff975c3c0792601a02cacb1f7b77e5cd43f71b6f",
    "large expiring hash": "b313f21d50446953902c05049b0038dff9fb6a1f",
    "zset": "27a82465da6a77a5c3dfb4e7f1f83d14a8d3950e",
    "large zset": "13e6202a075255cff4f69f020a06db42be19f48a",
    "zset of a long member": "7ba616c08e6c220c14ebe24ae51e8b9009fa76e0",
    "stream": "d007dc67f761f11fe932f619fbd981b0a09c1f25",
    "long stream": "3a0b8de3ab613d298d34a007ce542e1cdbf45491",
    "stream with groups": "d441bc34c920b1640af0c092bc59610133f9f117",
    "idle consumer": "e63bcb852a375e66ef47d37f2575bc03f71e7ecd",
    "geo": "41dd76d7119220dfec4a768a751d2e763e5a078a",
    "sparse hyperloglog": "a61ef36fb55157cec5dcca13134c5b43ff9ba221",
    "bitmap": "6d62b5f5c20de78efc5343a066b91c3896fa61d5",
}


def make(client, name, key):
    for line in VALUES[name][1]:
        client.cmd(*words(line, key))


@pytest.mark.parametrize("name", DIGESTS)
def test_digest_of_a_value(client, name):
    make(client, name, "key")
    client.cmd("COPY", "key", "copy")
    assert client.cmd("DEBUG", "DIGEST-VALUE", "key", "copy") == [DIGESTS[name].encode()] * 2


@pytest.mark.parametrize("settings", [{}, dict.fromkeys(SIZES, 1)])
def test_digest_does_not_tell_of_forms(client, settings):
    """Nor of the order in which elements have come."""
    usual = {name: client.cmd("CONFIG", "GET", name)[1] for name in SIZES}
    try:
        for name, value in settings.items():
            client.cmd("CONFIG", "SET", name, value)
        client.cmd("SADD", "set", "b", "1", "a")
        client.cmd("HSET", "hash", "g", "2", "f", "1")
        client.cmd("ZADD", "zset", "2", "b", "1", "a", "0.1", "c")
        client.cmd("RPUSH", "list", "b", "1", "a")
        digest = client.cmd("DEBUG", "DIGEST")
        assert digest == b"57ab490865123b12079c44309f3b5e42eee2353f"
    finally:
        for name, value in usual.items():
            client.cmd("CONFIG", "SET", name, value)


def test_reload(client):
    for name in VALUES:
        make(client, name, name)
    client.cmd("PEXPIREAT", "text", 99999999999999)
    client.cmd("SELECT", 5)
    make(client, "large set", "in another database")
    client.cmd("SELECT", 0)
    before = client.cmd("DEBUG", "DIGEST")
    encodings = [client.cmd("OBJECT", "ENCODING", name) for name in VALUES if "hyperloglog" not in name]
    groups = client.cmd("XINFO", "STREAM", "stream with groups", "FULL")
    for line in (["RELOAD"], ["RELOAD", "NOFLUSH", "MERGE"]):
        assert client.cmd("DEBUG", *line) == b"OK"
        assert client.cmd("DEBUG", "DIGEST") == before
    assert [
        client.cmd("OBJECT", "ENCODING", name) for name in VALUES if "hyperloglog" not in name
    ] == encodings
    assert client.cmd("XINFO", "STREAM", "stream with groups", "FULL") == groups
    assert client.cmd("PEXPIRETIME", "text") == 99999999999999


def test_digest_is_that_of_redis(client):
    """The figures come from a Redis 7.0.15 with the same data."""
    assert client.cmd("DEBUG", "DIGEST") == b"0" * 40
    client.cmd("DEBUG", "POPULATE", 3)
    client.cmd("MSET", "foo", "bar", "num", "12")
    client.cmd("SELECT", 3)
    client.cmd("SET", "a", "b", "EXAT", 99999999999)
    client.cmd("SELECT", 0)
    assert client.cmd("DEBUG", "DIGEST") == b"8d4982203ebb58d3a8241099b01d72f496c8fce4"
    assert client.cmd("DEBUG", "DIGEST-VALUE", "foo", "num", "missing") == [
        b"68467c70ae30376e7ce005bcc8827f5ba7fd67dc",
        b"655ac46b180ad2f61a3cee25f0b1780fa2ec879a",
        b"0" * 40,
    ]


def test_populate(client):
    client.cmd("SET", "key:1", "mine")
    assert client.cmd("DEBUG", "POPULATE", 3) == b"OK"
    assert client.cmd("MGET", "key:0", "key:1", "key:2") == [b"value:0", b"mine", b"value:2"]
    assert client.cmd("DEBUG", "POPULATE", 2, "p", 10) == b"OK"
    assert client.cmd("MGET", "p:0", "p:1") == [b"value:0\0\0\0", b"value:1\0\0\0"]
    assert client.cmd("DEBUG", "POPULATE", 1, "big", 50_000) == b"OK"
    assert client.cmd("STRLEN", "big:0") == 50_000
    assert client.cmd("DEBUG", "POPULATE", 1, "cut", 3) == b"OK"
    assert client.cmd("GET", "cut:0") == b"val"
    assert client.error("DEBUG", "POPULATE", "x") == NOT_POSITIVE
    assert client.error("DEBUG", "POPULATE", 1, "p", -1) == NOT_POSITIVE


def test_htstats(client):
    head = b"[Dictionary HT]\nHash table 0 stats (main hash table):\n"
    empty = head + b"No stats available for empty dictionaries\n[Expires HT]\n"
    assert client.cmd("DEBUG", "HTSTATS", 0) == empty
    client.cmd("SET", "k", "v", "EX", 100)
    text = client.cmd("DEBUG", "HTSTATS", 0, "full")
    assert text.startswith(head + b" table size: 756\n number of elements: 1\n")
    assert text.endswith(b"that expire: 1\n")
    assert client.error("DEBUG", "HTSTATS", 99) == "ERR Out of range database"
    assert "not represented using an hash table" in client.error("DEBUG", "HTSTATS-KEY", "k")
    assert client.error("DEBUG", "HTSTATS-KEY", "missing") == NO_KEY


@pytest.mark.parametrize("command", ["HSET key {0} v", "SADD key m{0}", "ZADD key {0} m{0}"])
def test_htstats_of_a_value(client, command):
    for i in range(1000):
        client.send(*command.format(i).split())
    for _ in range(1000):
        client.read()
    text = client.cmd("DEBUG", "HTSTATS-KEY", "key").decode()
    assert text.startswith("Hash table 0 stats (main hash table):\n table size: ")
    assert "\n number of elements: 1000\n" in text


@pytest.mark.parametrize(
    ("command", "elements"),
    [("RPUSH key a 1", 2), ("HSET key f v", 1), ("SADD key a b c", 3), ("ZADD key 1 a", 1)],
)
def test_listpack(client, command, elements):
    client.cmd(*command.split())
    assert re.fullmatch(rf"elements:{elements} bytes:\d+", client.cmd("DEBUG", "LISTPACK", "key").decode())


def test_object_of_a_long_list(client):
    client.cmd("RPUSH", "key", *["x" * 100] * 1000)
    shown = client.cmd("DEBUG", "OBJECT", "key")
    assert b" encoding:quicklist serializedlength:102002 " in shown
    assert shown.endswith(b" ql_listpack_max:-2 ql_compressed:0")


def test_small_ones(client):
    assert client.cmd("DEBUG", "STRINGMATCH-LEN", "a*c", "abc") == 1
    assert client.cmd("DEBUG", "STRINGMATCH-LEN", "a*d", "abc") == 0
    assert client.cmd("DEBUG", "STRUCTSIZE").startswith(b"bits:64 ")
    assert client.cmd("DEBUG", "DICT-RESIZING", 1) == b"OK"
    assert client.cmd("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "1b") == b"OK"
    assert "memory value" in client.error("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "xx")
    assert client.error("DEBUG", "LISTPACK", "missing") == NO_KEY
    client.cmd("SET", "k", "v")
    assert client.error("DEBUG", "LISTPACK", "k") == "ERR Not a listpack encoded object."


def test_change_repl_id(client):
    def replication_id():
        return re.search(rb"master_replid:(\w{40})", client.cmd("INFO", "replication"))[1]

    before = replication_id()
    assert client.cmd("DEBUG", "CHANGE-REPL-ID") == b"OK"
    assert replication_id() != before


REPLIES = {
    "string": b"$11\r\nHello World\r\n",
    "integer": b":12345\r\n",
    "double": (b"$5\r\n3.141\r\n", b",3.141\r\n"),
    "bignum": (
        b"$37\r\n1234567999999999999999999999999999999\r\n",
        b"(1234567999999999999999999999999999999\r\n",
    ),
    "null": (b"$-1\r\n", b"_\r\n"),
    "array": b"*3\r\n:0\r\n:1\r\n:2\r\n",
    "set": (b"*3\r\n:0\r\n:1\r\n:2\r\n", b"~3\r\n:0\r\n:1\r\n:2\r\n"),
    "map": (b"*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n", b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
    "attrib": (
        b"$39\r\nSome real reply following the attribute\r\n",
        b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
        b"$39\r\nSome real reply following the attribute\r\n",
    ),
    "push": (
        b"-ERR RESP2 is not supported by this command\r\n",
        b"$40\r\nSome real reply following the push reply\r\n>2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n",
    ),
    "verbatim": (b"$25\r\nThis is a verbatim\nstring\r\n", b"=29\r\ntxt:This is a verbatim\nstring\r\n"),
    "true": (b":1\r\n", b"#t\r\n"),
    "false": (b":0\r\n", b"#f\r\n"),
}


@pytest.mark.parametrize("kind", REPLIES)
def test_protocol(connect, protocol, kind):
    reply = REPLIES[kind]
    expected = reply if isinstance(reply, bytes) else reply[protocol - 2]
    assert connect(protocol).exchange("DEBUG", "PROTOCOL", kind) == expected


def test_protocol_of_no_type(client):
    assert client.error("DEBUG", "PROTOCOL", "bogus").endswith("push|verbatim|true|false")
