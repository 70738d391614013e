"""What goes when memory is short, by policy."""

import random
import re
import time

import pytest

import minikv
from minikv import ReplyError

VALUE = b"v" * 1000
OOM = "OOM command not allowed when used memory > 'maxmemory'."


def full_store(policy):
    """A store with 2000 keys (the odd ones volatile) and room for little more."""
    store = minikv.Store(maxmemory_policy=policy)
    for i in range(2000):
        words = ("EX", 1000 + i) if i % 2 else ()
        store.execute("SET", f"k{i}", VALUE, *words)
    store.execute("CONFIG", "SET", "maxmemory", store.engine.memory()["used"] + 100_000)
    return store


def kept(store, remainder):
    return sum(store.execute("EXISTS", f"k{i}") for i in range(2000) if i % 2 == remainder)


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_any_key_goes(policy):
    with full_store(policy) as store:
        for i in range(1000):
            assert store.execute("SET", f"new{i}", VALUE) == b"OK"
        assert kept(store, 0) < 1000
        assert kept(store, 1) < 1000


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"])
def test_only_volatile_keys_go(policy):
    with full_store(policy) as store:
        for i in range(500):
            assert store.execute("SET", f"new{i}", VALUE) == b"OK"
        assert kept(store, 0) == 1000
        assert kept(store, 1) < 1000
        with pytest.raises(ReplyError, match=OOM):
            for i in range(3000):
                store.execute("SET", f"more{i}", VALUE)
        assert (kept(store, 0), kept(store, 1)) == (1000, 0)


def test_volatile_ttl_takes_what_expires_first():
    with full_store("volatile-ttl") as store:
        for i in range(500):
            store.execute("SET", f"new{i}", VALUE)
        early = sum(store.execute("EXISTS", f"k{i}") for i in range(1, 1000, 2))
        late = sum(store.execute("EXISTS", f"k{i}") for i in range(1001, 2000, 2))
        assert early < late


def test_noeviction_refuses_what_needs_memory():
    with full_store("noeviction") as store:
        with pytest.raises(ReplyError, match=OOM):
            for i in range(3000):
                store.execute("SET", f"new{i}", VALUE)
        assert kept(store, 0) + kept(store, 1) == 2000
        assert store.execute("GET", "k0") == VALUE
        assert store.execute("DEL", "k0") == 1


def survivors(policy, use):
    """Which of 4000 keys are left when half of them had to go, after `use` has touched some."""
    with minikv.Store(maxmemory_policy=policy, lfu_decay_time=0) as store:
        for i in range(4000):
            store.execute("SET", f"k{i}", VALUE)
        used = store.engine.memory()["used"]
        use(store)
        store.execute("CONFIG", "SET", "maxmemory", used)
        for i in range(2000):
            assert store.execute("SET", f"new{i}", VALUE) == b"OK"
        store.execute("CONFIG", "SET", "maxmemory", 0)
        return {i for i in range(4000) if store.execute("EXISTS", f"k{i}")}


def test_lru_spares_what_was_used_lately():
    def use(store):
        time.sleep(2.1)  # the clock of LRU counts seconds
        for i in range(0, 4000, 4):
            store.execute("GET", f"k{i}")

    left = survivors("allkeys-lru", use)
    assert 1500 < len(left) < 3000
    assert len([i for i in left if i % 4 == 0]) > 900
    assert len([i for i in left if i % 4]) < 2000


def test_lfu_spares_what_is_used_often():
    def use(store):
        for _ in range(100):
            for i in range(0, 4000, 8):
                store.execute("GET", f"k{i}")

    left = survivors("allkeys-lfu", use)
    assert 1500 < len(left) < 3000
    assert len([i for i in left if i % 8 == 0]) > 450


def test_random_spares_nothing():
    def use(store):
        for i in range(0, 4000, 4):
            store.execute("GET", f"k{i}")

    left = survivors("allkeys-random", use)
    assert 300 < len([i for i in left if i % 4 == 0]) < 900


@pytest.mark.parametrize("samples, share", [(10, 0.85), (64, 0.95)])
def test_volatile_ttl_takes_the_nearest_first(samples, share):
    """More samples, closer to the true order."""
    with minikv.Store(maxmemory_policy="volatile-ttl", maxmemory_samples=samples) as store:
        order = random.Random(3).sample(range(2000), 2000)
        for i in order:
            store.execute("SET", f"k{i}", VALUE, "EX", 1000 + i)
        store.execute("CONFIG", "SET", "maxmemory", store.engine.memory()["used"])
        for i in range(1000):
            store.execute("SET", f"new{i}", VALUE)
        left = [i for i in range(2000) if store.execute("EXISTS", f"k{i}")]
        assert 800 < len(left) < 1200
        assert len([i for i in left if i >= 1000]) > share * 1000


def figure(client, section, name):
    return int(re.search(rf"\b{name}:(\d+)".encode(), client.cmd("INFO", section))[1])


def test_evicted_keys_are_counted_and_told(client, subscriber):
    client.cmd("CONFIG", "SET", "notify-keyspace-events", "Ee")
    subscriber.subscribe("__keyevent@0__:evicted")
    before = figure(client, "stats", "evicted_keys")
    for i in range(100):
        client.cmd("SET", f"k{i}", VALUE)
    limit = figure(client, "memory", "used_memory") - 20_000
    try:
        client.cmd("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", limit)
        client.cmd("PING")
        channel, key = subscriber.next()
        assert channel == b"__keyevent@0__:evicted"
        assert client.cmd("EXISTS", key) == 0
        assert client.cmd("DBSIZE") < 100
    finally:
        client.cmd("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction")
    assert figure(client, "stats", "evicted_keys") - before == 100 - client.cmd("DBSIZE")
