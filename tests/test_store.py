"""Store: replies as Python values, arguments, databases, expiry, threads, and its end."""

import gc
import math
import sys
import threading
import time

import pytest

import minikv
from minikv import ReplyError, SettingError
from minikv.registry import NULL_ARRAY

BIG = 1234567999999999999999999999999999999


@pytest.fixture
def store():
    with minikv.Store(enable_debug_command="yes") as store:
        yield store


@minikv.command("TESTSTORE.NULLARRAY")
def null_array(session):
    return NULL_ARRAY


@minikv.command("TESTSTORE.RUN")
def run(session, *words):
    return session.server.execute(*words)


@minikv.command("TESTSTORE.CLOSE")
def close(session):
    session.server.close()


@minikv.command("TESTSTORE.WAIT")
def wait(session):
    """Give other threads the GIL."""
    time.sleep(0.001)
    return session.server.settings["hz"]


# ---------------------------------------------------------------- replies


@pytest.mark.parametrize(
    "words, in_2, in_3",
    [
        ("SET k v", b"OK", b"OK"),
        ("GET k", b"v", b"v"),
        ("GET none", None, None),
        ("TESTSTORE.NULLARRAY", None, None),
        ("STRLEN k", 1, 1),
        ("DECRBY n 9223372036854775807", -(2**63) + 1, -(2**63) + 1),
        ("MGET k none", [b"v", None], [b"v", None]),
        ("KEYS none", [], []),
        ("DEBUG PROTOCOL double", b"3.141", 3.141),
        ("DEBUG PROTOCOL true", 1, True),
        ("DEBUG PROTOCOL false", 0, False),
        ("DEBUG PROTOCOL bignum", str(BIG).encode(), BIG),
        ("DEBUG PROTOCOL null", None, None),
        ("DEBUG PROTOCOL array", [0, 1, 2], [0, 1, 2]),
        ("DEBUG PROTOCOL set", [0, 1, 2], {0, 1, 2}),
        ("DEBUG PROTOCOL map", [0, 0, 1, 1, 2, 0], {0: False, 1: True, 2: False}),
        ("DEBUG PROTOCOL verbatim", b"This is a verbatim\nstring", b"This is a verbatim\nstring"),
        ("DEBUG PROTOCOL attrib", b"Some real reply following the attribute",
         b"Some real reply following the attribute"),
        ("CONFIG GET hz", [b"hz", b"10"], {b"hz": b"10"}),
    ],
)  # fmt: skip
def test_replies(store, words, in_2, in_3):
    store.execute("SET", "k", "v")
    for protocol, expected in ((2, in_2), (3, in_3)):
        store.execute("DEL", "n")
        reply = store.execute(*words.split(), protocol=protocol)
        assert reply == expected
        assert type(reply) is type(expected)


def test_protocol_3_is_the_default(store):
    assert store.execute("CONFIG", "GET", "hz") == {b"hz": b"10"}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(
    "words, text",
    [
        ("NOPE a", "ERR unknown command 'NOPE', with args beginning with: 'a' "),
        ("GET", "ERR wrong number of arguments for 'get' command"),
        ("INCR k", "ERR value is not an integer or out of range"),
        ("EXEC", "ERR EXEC without MULTI"),
        ("SUBSCRIBE c", "ERR SUBSCRIBE isn't allowed for a DENY BLOCKING client"),
        ("MONITOR", "ERR MONITOR isn't allowed for DENY BLOCKING client"),
        ("CLIENT REPLY OFF", "ERR CLIENT REPLY is for connections; here every command has its reply"),
        ("SELECT 16", "ERR DB index is out of range"),
    ],
)
def test_errors_are_raised(store, words, text, protocol):
    store.execute("SET", "k", "v")
    with pytest.raises(ReplyError) as caught:
        store.execute(*words.split(), protocol=protocol)
    assert str(caught.value) == text
    assert store.execute("GET", "k") == b"v"


def test_transaction(store):
    assert store.execute("MULTI") == b"OK"
    assert store.execute("SET", "k", "v") == b"QUEUED"
    assert store.execute("INCR", "k") == b"QUEUED"
    done, failed = store.execute("EXEC")
    assert done == b"OK"
    assert isinstance(failed, ReplyError)
    assert str(failed) == "ERR value is not an integer or out of range"
    assert store.execute("GET", "k") == b"v"


def test_watch(store):
    store.execute("WATCH", "k")
    store.execute("SET", "k", "v")
    store.execute("MULTI")
    store.execute("GET", "k")
    assert store.execute("EXEC") is None


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_command_replies_or_raises(protocol):
    """With no argument, with too many, and with ones that mean nothing."""
    with minikv.Store() as store:
        for name in store.execute("COMMAND", "LIST"):
            for count in (0, 1, 2, 3, 9):
                try:
                    store.execute(name, *[b"1"] * count, protocol=protocol)
                except ReplyError as error:
                    assert str(error).partition(" ")[0].isupper()
                assert store.execute("PING", database=1) in (b"PONG", b"QUEUED")
            if store.execute("ECHO", "x") == b"QUEUED":
                store.execute("DISCARD")


# ---------------------------------------------------------------- arguments


def test_arguments_are_encoded(store):
    for value, expected in [
        (b"\0\xff", b"\0\xff"), ("é", "é".encode()), ("", b""), (-7, b"-7"), (2**80, str(2**80).encode()),
        (1.5, b"1.5"), (math.inf, b"inf"), (1e300, b"1e+300"),
    ]:  # fmt: skip
        store.execute("SET", "k", value)
        assert store.execute(b"get", "k") == expected


@pytest.mark.parametrize("value", [None, True, [1], ("a",), {"a": 1}, bytearray(b"x"), object()])
def test_arguments_of_other_types(store, value):
    with pytest.raises(TypeError, match=f"not {type(value).__name__}$"):
        store.execute("SET", "k", value)
    assert store.execute("EXISTS", "k") == 0


def test_wrong_calls(store):
    with pytest.raises(ValueError, match="no command"):
        store.execute()
    with pytest.raises(ValueError, match="no such database"):
        store.execute("PING", database=16)
    for protocol in (0, 1, 4):
        with pytest.raises(ValueError, match="2 or 3"):
            store.execute("PING", protocol=protocol)
    with pytest.raises(OverflowError):
        store.execute("PING", database=-1)


def test_settings():
    with minikv.Store(maxmemory="1mb", maxmemory_policy="allkeys-lru") as store:
        assert store.execute("CONFIG", "GET", "maxmemory-p*") == {b"maxmemory-policy": b"allkeys-lru"}
        assert store.settings["maxmemory"] == 1 << 20
    with pytest.raises(SettingError, match=r"^nope: "):
        minikv.Store(nope="1")


# ---------------------------------------------------------------- data


def test_databases():
    with minikv.Store(databases=3) as store:
        for database in range(3):
            store.execute("SET", "k", database, database=database)
        assert [store.execute("GET", "k", database=i) for i in range(3)] == [b"0", b"1", b"2"]
        assert store.execute("SELECT", 2) == b"OK"
        assert store.execute("GET", "k") == b"0"  # each command says its own database
        assert store.execute("SWAPDB", 0, 1) == b"OK"
        assert store.execute("GET", "k") == b"1"
        assert store.execute("FLUSHDB", database=2) == b"OK"
        assert [store.execute("DBSIZE", database=i) for i in range(3)] == [1, 1, 0]


@pytest.mark.parametrize("size", [0, 1, 32_768, 32_769, 1_000_000, 64 << 20])
def test_values_of_any_size(store, size):
    value = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    assert store.execute("SET", "k", value) == b"OK"
    assert store.execute("GET", "k") == value
    assert store.execute("APPEND", "k", "!") == size + 1
    assert store.execute("GETRANGE", "k", -5, -1) == value[-4:] + b"!"


def test_many_large_replies(store):
    value = bytes(range(256)) * 4000
    for i in range(50):
        store.execute("SET", i, value)
    assert store.execute("MGET", *range(50)) == [value] * 50


def test_limit_of_a_string():
    with (
        minikv.Store(proto_max_bulk_len="1mb") as store,
        pytest.raises(ReplyError, match="string exceeds maximum allowed size"),
    ):
        store.execute("SETRANGE", "k", 1 << 20, "x")


# ---------------------------------------------------------------- expiry, with no loop that runs


def test_expired_keys_are_gone(store):
    store.execute("SET", "k", "v", "PX", 1)
    store.execute("SET", "stays", "v", "EX", 1000)
    time.sleep(0.01)
    assert store.execute("GET", "k") is None
    assert store.execute("EXISTS", "k", "stays") == 1
    assert store.execute("TTL", "k") == -2
    assert 0 < store.execute("TTL", "stays") <= 1000


def test_expired_memory_comes_back_as_commands_run(store):
    before = store.engine.memory()["arena_used"]
    for i in range(10_000):
        store.execute("SET", f"k{i}", "v" * 100, "PX", 1)
    deadline = time.monotonic() + 20
    while store.execute("DBSIZE"):
        assert time.monotonic() < deadline
    assert store.engine.memory()["arena_used"] < before + 200_000
    assert store.engine.stats()["expired"] == 10_000


# ---------------------------------------------------------------- threads


def test_threads_share_a_store(store):
    """With the GIL passed on as often as can be, and commands that give it away themselves."""
    errors = []

    def work(number):
        try:
            for i in range(200):
                store.execute("INCR", "n")
                store.execute("SET", f"{number}:{i}", i)
                assert store.execute("GET", f"{number}:{i}") == b"%d" % i
                assert store.execute("CONFIG", "GET", "hz") == {b"hz": b"10"}
                if i % 20 == 0:
                    assert store.execute("TESTSTORE.WAIT") == 10
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert errors == []
    assert store.execute("GET", "n") == b"800"


def test_command_cannot_run_another_on_its_own_session(store):
    with pytest.raises(ReplyError, match=r"ERR RuntimeError: .* can't use execute"):
        store.execute("TESTSTORE.RUN", "PING")
    assert store.execute("PING") == b"PONG"


# ---------------------------------------------------------------- the end


def test_use_after_close(store):
    store.execute("SET", "k", "v")
    store.close()
    store.close()
    for use in (
        lambda: store.execute("GET", "k"),
        store.engine.timers,
        store.engine.memory,
        store.engine.keyspace,
        store.engine.reset_stats,
        store.engine.command_stats,
        store.engine.error_stats,
        store.engine.clients,
        store.engine.purge,
        store.engine.refresh_clock,
        lambda: store.engine.facts,
    ):
        with pytest.raises(RuntimeError, match="the store is closed"):
            use()


def test_close_in_a_transaction():
    with minikv.Store() as store:
        store.execute("WATCH", "k")
        store.execute("MULTI")
        store.execute("SET", "k", "v" * 100_000)


def test_command_cannot_close_its_store(store):
    with pytest.raises(ReplyError, match="can't close"):
        store.execute("TESTSTORE.CLOSE")
    assert store.execute("PING") == b"PONG"


def test_many_stores():
    stores = [minikv.Store(databases=1) for _ in range(50)]
    for i, store in enumerate(stores):
        store.execute("SET", "who", i)
    for store in stores[::2]:
        store.close()
    assert [store.execute("GET", "who") for store in stores[1::2]] == [b"%d" % i for i in range(1, 50, 2)]
    for store in stores:
        store.close()


def address_space():
    """GiB of addresses that this process has mapped."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) >> 20 for line in status if line.startswith("VmSize"))


@pytest.mark.parametrize("ends", [True, False])
def test_memory_goes_with_the_store(ends):
    before = address_space()
    for _ in range(100):
        store = minikv.Store()
        store.execute("SET", "k", "v" * 1000)
        if ends:
            store.close()
    del store
    gc.collect()
    assert address_space() < before + 100
