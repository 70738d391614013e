"""DUMP and RESTORE: round trips with ourselves and with other servers, in every form of every type."""

import contextlib
import random

import pytest
from connections import Connection
from dump_samples import FAR, FORMS, VALUES, double, u64, words
from peers import newer_redis_binary, redis_binary, running, valkey_binary
from rdb_payloads import footer, intset, length, listpack, payload, string, ziplist

import minikv

BAD_DATA = "ERR Bad data format"
BAD_PAYLOAD = "ERR DUMP payload version or checksum are wrong"
SIZES = {"hash-max-listpack-entries": 128, "set-max-listpack-entries": 128, "zset-max-listpack-entries": 128,
         "set-max-intset-entries": 512, "list-max-listpack-size": -2}  # fmt: skip
EXPIRING = {"expiring hash", "large expiring hash"}


def make(client, name, key):
    client.cmd("DEL", key)
    for line in VALUES[name][1]:
        reply = client.cmd(*words(line, key))
        assert not isinstance(reply, Exception), (line[:80], reply)


def contents(client, key):
    """All that a value tells, in a form that can be compared."""
    kind = client.cmd("TYPE", key)
    if kind == b"string":
        return client.cmd("GET", key)
    if kind == b"list":
        return client.cmd("LRANGE", key, 0, -1)
    if kind == b"set":
        return sorted(client.cmd("SMEMBERS", key))
    if kind == b"zset":
        flat = client.cmd("ZRANGE", key, 0, -1, "WITHSCORES")
        return [(member, float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)]
    if kind == b"hash":
        flat = client.cmd("HGETALL", key)
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        times = client.cmd("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)
        return fields, {} if isinstance(times, Exception) else dict(zip(fields, times, strict=True))
    assert kind == b"stream", kind
    pending = [
        client.cmd("XPENDING", key, group[1], "-", "+", 1000) for group in client.cmd("XINFO", "GROUPS", key)
    ]
    facts = client.cmd("XINFO", "STREAM", key)
    facts = dict(zip(facts[::2], facts[1::2], strict=True))
    for internal in (b"radix-tree-keys", b"radix-tree-nodes"):
        facts.pop(internal)
    return (
        client.cmd("XRANGE", key, "-", "+"), facts, client.cmd("XINFO", "GROUPS", key),
        [[(one[0], one[1], one[3]) for one in group] for group in pending],
        [[tuple(consumer[:4]) for consumer in client.cmd("XINFO", "CONSUMERS", key, group[1])]
         for group in client.cmd("XINFO", "GROUPS", key)],
    )  # fmt: skip


@pytest.fixture
def client(connect):
    return connect()


def restore(client, data, key="copy", *options):
    return client.cmd("RESTORE", key, 0, data, *options)


# ---------------------------------------------------------------- with ourselves


@pytest.mark.parametrize("name", VALUES)
def test_round_trip(client, name):
    make(client, name, "key")
    assert client.cmd("OBJECT", "ENCODING", "key") == VALUES[name][0].encode()
    data = client.cmd("DUMP", "key")
    assert restore(client, data) == b"OK"
    assert contents(client, "copy") == contents(client, "key")
    if "hyperloglog" not in name:  # which is short, but not as SET would write it
        assert client.cmd("OBJECT", "ENCODING", "copy") == VALUES[name][0].encode()
    assert client.cmd("TTL", "copy") == -1
    if "stream" not in name:  # of which deleted entries are gone
        assert len(client.cmd("DUMP", "copy")) == len(data)


def test_missing_keys(connect):
    for protocol, null in ((2, b"$-1\r\n"), (3, b"_\r\n")):
        client = connect(protocol)
        assert client.exchange("DUMP", "missing") == null


def test_known_payload(client):
    data = b"\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"  # of Redis's documentation
    assert restore(client, data) == b"OK"
    assert client.cmd("GET", "copy") == b"10"
    assert client.cmd("DUMP", "copy") == data


# ---------------------------------------------------------------- with other servers

PEERS = {"redis": redis_binary, "newer redis": newer_redis_binary, "valkey": valkey_binary}


@pytest.fixture(scope="module", params=PEERS)
def peer_port(request, tmp_path_factory):
    with running(PEERS[request.param](), tmp_path_factory.mktemp("peer")) as port:
        yield port


@pytest.fixture
def peer(peer_port):
    with Connection(peer_port) as peer:
        peer.cmd("FLUSHALL")
        for name, value in SIZES.items():
            peer.cmd("CONFIG", "SET", name, value)
        yield peer


def has_field_expiry(peer):
    return not isinstance(peer.cmd("HPTTL", "none", "FIELDS", 1, "f"), Exception)


def is_valkey(peer):
    return b"valkey_version" in peer.cmd("INFO", "server")


def knows(peer, data):
    """Whether a payload is of a version that the server reads."""
    return data[-10] <= 10 or not peer.cmd("INFO", "server").startswith(b"# Server\r\nredis_version:7.0")


@pytest.mark.parametrize("name", VALUES)
def test_other_server_reads(client, peer, name):
    make(client, name, "key")
    data = client.cmd("DUMP", "key")
    reply = restore(peer, data, "key")
    refused = is_valkey(peer) or not has_field_expiry(peer) if name in EXPIRING else not knows(peer, data)
    if refused:
        assert str(reply) == BAD_PAYLOAD
    else:
        assert reply == b"OK"
        assert_same(contents(peer, "key"), contents(client, "key"))


def assert_same(one, other):
    """Equal, but for what only one of the servers tells of hashes and consumers."""
    if isinstance(one, tuple) and len(one) == 2 and not (one[1] and other[1]):
        one, other = one[0], other[0]
    if isinstance(one, tuple) and len(one) == 5:
        common = one[1].keys() & other[1].keys()
        one = (one[0], {name: one[1][name] for name in common}, *one[2:])
        other = (other[0], {name: other[1][name] for name in common}, *other[2:])
    assert one == other


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("name", VALUES)
def test_other_server_writes(client, peer, name, small):
    """In the form that it likes, and all in its forms for large values."""
    if name in EXPIRING and not has_field_expiry(peer):
        pytest.skip("it has no such hashes")
    if not small:
        for setting in SIZES:
            peer.cmd("CONFIG", "SET", setting, 1)
    make(peer, name, "key")
    assert restore(client, peer.cmd("DUMP", "key")) == b"OK"
    assert_same(contents(peer, "key"), contents(client, "copy"))
    if "hyperloglog" not in name:
        assert client.cmd("OBJECT", "ENCODING", "copy") == VALUES[name][0].encode()


def test_compressible_values_of_another_server(client, peer):
    """Its long strings are LZF-compressed."""
    rng = random.Random(3)
    for _ in range(200):
        text = b"".join(
            rng.choice([b"abc", b"x", b"hello world ", rng.randbytes(3)]) for _ in range(rng.randrange(300))
        )
        peer.cmd("SET", "key", text)
        assert restore(client, peer.cmd("DUMP", "key"), "copy", "REPLACE") == b"OK"
        assert client.cmd("GET", "copy") == text


# ---------------------------------------------------------------- every type of the format


@pytest.mark.parametrize("form", FORMS)
def test_forms(client, form):
    kind, body, version, expected = FORMS[form]
    assert restore(client, payload(kind, body, version)) == b"OK"
    assert contents(client, "copy") == expected


@pytest.mark.parametrize(("kind", "body", "version"), [
    (1, length(0), 9), (2, length(0), 9), (4, length(0), 9), (5, length(0), 9), (14, length(0), 9),
    (18, length(0), 10),
    (10, string(ziplist([])), 9), (16, string(listpack([])), 10), (11, string(intset([])), 9),
    (9, string(b"\0\xff"), 9),
    (2, length(2) + string(b"a") + string(b"a"), 9),                                    # twice
    (20, string(listpack([b"a", b"a"])), 11),
    (4, length(2) + 4 * string(b"a"), 9),
    (16, string(listpack([b"a", 1, b"a", 2])), 10),
    (5, length(2) + 2 * (string(b"a") + double(1)), 9),
    (16, string(listpack([b"a"])), 10), (13, string(ziplist([b"a", 1, b"b"])), 9),      # without a value
    (17, string(listpack([b"a", b"x"])), 10), (17, string(listpack([b"a"])), 10),       # no score
    (5, length(1) + string(b"a") + double(float("nan")), 9), (3, length(1) + string(b"a") + b"\xfd", 9),
    (25, u64(FAR) + string(listpack([b"a", 1, b"x"])), 12),
    (25, u64(FAR) + string(listpack([b"a", 1, -1])), 12),
    (25, u64(FAR) + string(listpack([b"a", 1])), 12),
    (24, u64(2**64 - 1) + length(1) + length(5) + 2 * string(b"a"), 12),
    (24, u64(FAR) + length(1) + length(2**64 - 1) + 2 * string(b"a"), 12),
    (22, length(1) + 2 * string(b"a") + u64(-2), 80),
    (24, u64(FAR) + length(1) + b"\0" + 2 * string(b"a"), 80),
    (18, length(1) + b"\3" + string(b"a"), 10),
    (18, length(1) + b"\2" + string(b"a"), 10),
    (0, string(b"a") + b"more", 9), (0, b"", 9),
    (6, string(b"a"), 9), (7, string(b"a"), 9), (8, string(b"a"), 9),
    (26, string(b"a"), 12), (250, string(b"a"), 12), (1, length(2**63) + string(b"a"), 9),
])  # fmt: skip
def test_bad_values(client, kind, body, version):
    """None leaves a trace: the old value stays, as does the memory."""
    client.cmd("SET", "copy", "old")
    assert str(restore(client, payload(kind, body, version), "copy", "REPLACE")) == BAD_DATA
    assert client.cmd("GET", "copy") == b"old"
    assert str(restore(client, payload(kind, body, version), "new")) == BAD_DATA
    assert client.cmd("DBSIZE") == 1


def test_bad_payloads(client):
    good = payload(0, string(b"value"))
    for version in (13, 79, 81, 65535):
        assert str(restore(client, payload(0, string(b"value"), version))) == BAD_PAYLOAD
    for bad in (b"", b"...", good[:-1], good + b"x", good[2:], good[-10:], good[:3] + b"X" + good[4:]):
        reply = restore(client, bad)
        assert str(reply) == (BAD_DATA if bad == footer(b"") else BAD_PAYLOAD)
    assert str(restore(client, footer(b""))) == BAD_DATA
    assert client.cmd("DBSIZE") == 0


def test_memory_of_what_is_refused():
    """A half-made value goes whole, tables and blocks included."""
    members = b"".join(string(b"member %d" % i) for i in range(2000))
    bodies = [
        payload(1, length(2001) + members), payload(2, length(2001) + members),
        payload(4, length(1001) + members), payload(5, length(2001) + members.replace(b"member", b"mem")),
        payload(2, length(2001) + members + string(b"member 7")), payload(0, string(b"x" * 100_000) + b"x"),
    ]  # fmt: skip
    with minikv.Store() as store:
        store.execute(b"SET", b"other", b"x")
        before = store.engine.memory()["arena_used"]
        for body in bodies:
            with pytest.raises(minikv.ReplyError, match="Bad data format"):
                store.execute(b"RESTORE", b"key", b"0", body)
        while store.engine.memory()["lazyfree_pending"]:
            store.engine.timers()
        for _ in range(100):
            store.engine.timers()
        assert store.engine.memory()["arena_used"] == before


# ---------------------------------------------------------------- options

GOOD = payload(0, string(b"value"))


@pytest.mark.parametrize(("options", "reply"), [
    (["0", "BOGUS"], "ERR syntax error"), (["0", "IDLETIME"], "ERR syntax error"),
    (["0", "FREQ"], "ERR syntax error"),
    (["0", "IDLETIME", "x"], "ERR value is not an integer or out of range"),
    (["0", "FREQ", "x"], "ERR value is not an integer or out of range"),
    (["0", "IDLETIME", "-1"], "ERR Invalid IDLETIME value, must be >= 0"),
    (["0", "FREQ", "-1"], "ERR Invalid FREQ value, must be >= 0 and <= 255"),
    (["0", "FREQ", "256"], "ERR Invalid FREQ value, must be >= 0 and <= 255"),
    (["0", "FREQ", "1", "IDLETIME", "1"], "ERR syntax error"),
    (["0", "IDLETIME", "1", "FREQ", "1"], "ERR syntax error"),
    (["x"], "ERR value is not an integer or out of range"), (["-1"], "ERR Invalid TTL value, must be >= 0"),
    (["-1", "REPLACE", "ABSTTL"], "ERR Invalid TTL value, must be >= 0"),
])  # fmt: skip
def test_bad_options(client, options, reply):
    ttl, *rest = options
    assert client.error("RESTORE", "key", ttl, GOOD, *rest) == reply
    assert client.cmd("EXISTS", "key") == 0


def test_busy_key(client):
    client.cmd("SET", "key", "old")
    busy = "BUSYKEY Target key name already exists."
    for data in (GOOD, b"..."):
        assert client.error("RESTORE", "key", 0, data) == busy
    assert client.error("RESTORE", "key", "x", GOOD) == busy
    assert client.error("RESTORE", "key", 0, GOOD, "BOGUS") == "ERR syntax error"
    assert client.cmd("RESTORE", "key", 0, GOOD, "REPLACE") == b"OK"
    assert client.cmd("GET", "key") == b"value"


def test_expiry(client):
    assert client.cmd("RESTORE", "key", 5000, GOOD) == b"OK"
    assert 3000 < client.cmd("PTTL", "key") <= 5000
    assert client.cmd("RESTORE", "key", 2_569_591_501, GOOD, "replace") == b"OK"
    assert 2_569_500_000 < client.cmd("PTTL", "key") <= 2_569_591_501
    assert client.cmd("RESTORE", "key", FAR, GOOD, "REPLACE", "ABSTTL") == b"OK"
    assert client.cmd("PEXPIRETIME", "key") == FAR
    assert client.cmd("RESTORE", "key", 0, GOOD, "REPLACE", "ABSTTL") == b"OK"
    assert client.cmd("PTTL", "key") == -1


def test_what_has_expired(client):
    """It is not made, and what was there goes."""
    client.cmd("RPUSH", "key", "old")
    assert client.cmd("RESTORE", "key", 1, GOOD, "ABSTTL", "REPLACE") == b"OK"
    assert client.cmd("EXISTS", "key") == 0
    assert client.cmd("RESTORE", "key", 1, GOOD, "ABSTTL") == b"OK"
    assert client.cmd("DBSIZE") == 0


def test_clocks(client):
    for policy, option, value, kind in (
        ("allkeys-lru", "IDLETIME", 1000, "IDLETIME"),
        ("allkeys-lfu", "FREQ", 100, "FREQ"),
    ):
        with setting(client, "maxmemory-policy", policy):
            assert client.cmd("RESTORE", "key", 0, GOOD, "REPLACE", option, value) == b"OK"
            assert value <= client.cmd("OBJECT", kind, "key") <= value + 10
    assert client.cmd("RESTORE", "key", 0, GOOD, "REPLACE", "IDLETIME", 2**62) == b"OK"
    assert client.cmd("OBJECT", "IDLETIME", "key") == 0x7FFFFF


@contextlib.contextmanager
def setting(client, name, value):
    old = client.cmd("CONFIG", "GET", name)[1]
    client.cmd("CONFIG", "SET", name, value)
    try:
        yield
    finally:
        client.cmd("CONFIG", "SET", name, old)


# ---------------------------------------------------------------- who is told


def test_events(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "EAnoc")
    subscriber.subscribe("__keyevent@0__:*")
    try:
        client.cmd("RESTORE", "key", 0, GOOD)
        client.cmd("RESTORE", "key", 0, payload(2, length(1) + string(b"a")), "REPLACE")
        client.cmd("RESTORE", "key", 1, GOOD, "REPLACE", "ABSTTL")
        client.cmd("RESTORE", "key", 1, GOOD, "REPLACE", "ABSTTL")
        client.cmd("SET", "last", 1)
        told = []
        while told[-1:] != ["set"]:
            told.append(subscriber.next()[0].decode().partition(":")[2])
        assert told == EVENTS
    finally:
        client.cmd("CONFIG", "SET", "notify-keyspace-events", "")


EVENTS = ["new", "restore", "new", "restore", "overwritten", "type_changed", "del", "new", "set"]


def test_watch(client, connect):
    watcher = connect()
    client.cmd("SET", "key", 1)
    watcher.cmd("WATCH", "key")
    watcher.cmd("MULTI")
    client.cmd("RESTORE", "key", 0, GOOD, "REPLACE")
    watcher.cmd("GET", "key")
    assert watcher.cmd("EXEC") is None


def test_wakes_who_waits(client, connect):
    waiter = connect()
    waiter.send("BLPOP", "list", 10)
    other = connect()
    other.cmd("RPUSH", "source", "a", "b")
    data = other.cmd("DUMP", "source")
    while b"cmd=blpop" not in client.cmd("CLIENT", "LIST"):
        pass
    assert str(restore(client, payload(1, length(2) + string(b"a")), "list")) == BAD_DATA
    assert restore(client, data, "list") == b"OK"
    assert waiter.read() == [b"list", b"a"]
    assert client.cmd("LRANGE", "list", 0, -1) == [b"b"]
