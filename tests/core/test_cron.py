"""What the engine does by itself: expiry, freeing in slices, memory given back, its rounds."""

import random
import time

import pytest
from connections import Connection

import minikv


@pytest.fixture
def store():
    with minikv.Store(enable_debug_command="yes") as store:
        yield store


def timers_until(store, condition):
    """Run the timers, as a loop would, until something holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        store.engine.timers()


def resident_ratio(store):
    memory = store.engine.memory()
    return memory["arena_resident"] / memory["arena_used"]


# ---------------------------------------------------------------- memory is given back


@pytest.mark.parametrize("lengths", [(500, 501), (1, 500), (33_000, 70_000)], ids=str)
def test_memory_comes_back_after_a_large_delete(store, lengths):
    """90 % of the keys go, at random, so that what stays lies scattered."""
    rng = random.Random(1)
    count = 100_000_000 // (sum(lengths) // 2 + 60)
    values = {i: rng.randrange(*lengths) for i in range(count)}
    for i, length in values.items():
        store.execute("SET", i, b"%d" % i + b"v" * length)
    full = store.engine.memory()["arena_resident"]
    gone = rng.sample(range(count), count * 9 // 10)
    for i in gone:
        assert store.execute("DEL", i) == 1
        del values[i]
    timers_until(store, lambda: resident_ratio(store) <= 1.3)
    assert store.engine.memory()["arena_resident"] < full / 5
    for i, length in values.items():
        assert store.execute("GET", i) == b"%d" % i + b"v" * length
    assert store.execute("DBSIZE") == len(values)


def test_purge_gives_all_free_memory_back(store):
    for i in range(1000):
        store.execute("SET", i, "v" * 10_000)
    store.execute("FLUSHALL")
    before = store.engine.memory()
    assert store.execute("MEMORY", "PURGE") == b"OK"
    after = store.engine.memory()
    assert after["arena_used"] == before["arena_used"]
    assert before["arena_resident"] - after["arena_resident"] > 9_000_000
    assert after["arena_resident"] < after["arena_used"] + 1_000_000


# ---------------------------------------------------------------- freeing in slices


@pytest.mark.parametrize(
    "words, setting",
    [
        (("FLUSHALL", "ASYNC"), "no"),
        (("FLUSHDB", "ASYNC"), "no"),
        (("FLUSHALL",), "yes"),
        (("FLUSHDB",), "yes"),
    ],
)
def test_flush_frees_in_slices(store, words, setting):
    store.execute("CONFIG", "SET", "lazyfree-lazy-user-flush", setting)
    used = store.engine.memory()["arena_used"]
    store.execute("DEBUG", "POPULATE", 100_000, "key", 100)
    assert store.execute(*words) == b"OK"
    assert store.execute("DBSIZE") == 0
    assert store.execute("GET", "key:1") is None
    timers_until(store, lambda: store.engine.memory()["lazyfree_pending"] == 0)
    assert store.engine.stats()["lazyfreed"] == 100_000
    assert b"lazyfreed_objects:100000" in store.execute("INFO", "memory")
    assert store.engine.memory()["arena_used"] < used + 10_000


def test_pending_objects_are_counted(store):
    store.execute("DEBUG", "POPULATE", 100_000)
    store.execute("FLUSHALL", "ASYNC")
    assert store.engine.memory()["lazyfree_pending"] == 100_000
    seen = [100_000]
    while seen[-1]:
        store.engine.timers()
        seen.append(store.engine.memory()["lazyfree_pending"])
    assert seen == sorted(seen, reverse=True)
    assert store.engine.timers() != 0  # nothing is left to do at once


def test_keys_written_while_old_ones_are_freed(store):
    for round in range(5):
        store.execute("DEBUG", "POPULATE", 20_000, "key", 50)
        store.execute("FLUSHALL", "ASYNC")
        for i in range(100):
            store.execute("SET", f"key:{i}", f"{round}.{i}")
        assert store.execute("DBSIZE") == 100
        assert [store.execute("GET", f"key:{i}") for i in range(100)] == [
            b"%d.%d" % (round, i) for i in range(100)
        ]
    timers_until(store, lambda: store.engine.memory()["lazyfree_pending"] == 0)
    assert store.engine.stats()["lazyfreed"] == 100_000
    assert store.execute("DBSIZE") == 100


def test_flush_sync_frees_some_and_leaves_the_rest_to_the_timers(store):
    store.execute("DEBUG", "POPULATE", 10_000)
    assert store.execute("FLUSHALL", "SYNC") == b"OK"
    freed = store.engine.stats()["lazyfreed"]
    assert freed > 0
    assert freed + store.engine.memory()["lazyfree_pending"] == 10_000


def test_unlink_of_a_large_string_frees_at_once(store):
    used = store.engine.memory()["arena_used"]
    store.execute("SET", "k", "v" * 100_000_000)
    assert store.execute("UNLINK", "k", "none") == 1
    assert store.engine.memory()["arena_used"] < used + 10_000


def test_store_closes_with_objects_pending(store):
    store.execute("DEBUG", "POPULATE", 100_000)
    store.execute("FLUSHALL", "ASYNC")
    store.close()


# ---------------------------------------------------------------- expiry


def test_many_keys_expire(store):
    """In all databases, among keys that stay."""
    for database in (0, 3):
        for i in range(20_000):
            store.execute("SET", f"short{i}", "v", "PX", 1 + i % 50, database=database)
            store.execute("SET", f"long{i % 1000}", "v", "EX", 1000, database=database)
            store.execute("SET", f"stays{i % 1000}", "v", database=database)
    timers_until(
        store, lambda: store.engine.keyspace()[0][:2] == store.engine.keyspace()[3][:2] == (2000, 1000)
    )
    stats = store.engine.stats()
    assert stats["expired"] == 40_000
    assert 0 < stats["expired_in_cron"] <= 40_000
    assert store.execute("EXISTS", *(f"long{i}" for i in range(1000))) == 1000


def test_expiry_that_was_moved_or_dropped(store):
    store.execute("MULTI")  # no time passes in it
    for i in range(3000):
        store.execute("SET", i, "v", "PX", 5)
    for i in range(1000):
        store.execute("PERSIST", i)
        store.execute("PEXPIRE", 1000 + i, 1_000_000)
    store.execute("EXEC")
    timers_until(store, lambda: store.execute("DBSIZE") <= 2000)
    assert store.engine.keyspace()[0][:2] == (2000, 1000)


def test_expiry_that_was_brought_forward(store):
    for i in range(1000):
        store.execute("SET", i, "v", "EX", 1000)
    store.engine.timers()
    for i in range(1000):
        store.execute("PEXPIRE", i, 5)
    timers_until(store, lambda: store.engine.keyspace() == {})


def test_active_expiry_can_be_turned_off(store):
    store.execute("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    for i in range(100):
        store.execute("SET", i, "v", "PX", 1)
    time.sleep(0.05)
    for _ in range(100):
        store.engine.timers()
    assert store.engine.keyspace()[0][0] == 100
    assert store.execute("GET", 7) is None  # asking for a key still finds it gone
    assert store.engine.keyspace()[0][0] == 99
    store.execute("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    timers_until(store, lambda: store.engine.keyspace() == {})


def test_wake_up_is_asked_for_when_a_key_expires(store):
    store.execute("DEBUG", "PAUSE-CRON", 1)  # leaves one look a second
    store.engine.timers()
    store.execute("SET", "k", "v", "PX", 500)
    assert 0 <= store.engine.timers() <= 501_000


# ---------------------------------------------------------------- rounds


@pytest.mark.parametrize("hz", [1, 20, 100, 500])
def test_hz(store, hz):
    store.execute("CONFIG", "SET", "hz", hz)
    ticks = store.engine.facts["ticks"]
    store.execute("PING")  # starts with a round, as a setting has changed
    assert store.engine.facts["ticks"] == ticks + 1
    assert store.engine.timers() <= 1_000_000 // hz


def rounds_a_second(client):
    rows = dict(row.split(b":", 1) for row in client.cmd("INFO", "server").split() if b":" in row)
    return int(rows[b"hz"]), int(rows[b"configured_hz"])


@pytest.mark.parametrize("dynamic, hz", [("yes", 4), ("no", 1)])
def test_dynamic_hz(dynamic, hz):
    """More clients, more rounds: no round is to look after more than 200."""
    with minikv.Server(port=0, hz=1, dynamic_hz=dynamic) as server:
        clients = [Connection(server.port) for _ in range(450)]
        try:
            assert clients[-1].cmd("PING") == b"PONG"
            assert rounds_a_second(clients[0]) == (hz, 1)
        finally:
            for client in clients:
                client.close()
