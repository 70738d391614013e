"""What goes when memory is short, by policy."""

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
