"""The undo log under hashes and sets: what any commands on them did is taken back, byte by byte."""

import random
import time

import pytest
from undo_store import KEYS, UndoStore


def store_of(entries, read):
    return UndoStore(
        (read,),
        hash_max_listpack_entries=entries,
        hash_max_listpack_value=64,
        set_max_listpack_entries=entries,
        set_max_listpack_value=64,
        set_max_intset_entries=entries,
    )


def pairs(rnd, n, spread):
    return [word for _ in range(n) for word in (rnd.randrange(spread), "v" * rnd.randrange(12))]


def change_hash(rnd):
    key, other = rnd.choice(KEYS), rnd.choice(KEYS)
    some = [rnd.randrange(3000) for _ in range(rnd.choice([1, 5, 300]))]
    return rnd.choice([
        ["HSET", key, *pairs(rnd, rnd.choice([1, 2, 30, 300]), 3000)],
        ["HSET", key, *pairs(rnd, rnd.choice([1, 2, 30]), 40)],
        ["HSET", key, "f" * rnd.choice([3, 70, 300]), "v" * rnd.choice([3, 70, 300, 20_000])],
        ["HINCRBY", key, rnd.randrange(40), rnd.choice([1, 10**12])],
        ["HDEL", key, *some],
        ["HEXPIREAT", key, 9999999999 + rnd.randrange(9), "FIELDS", len(some), *some],
        ["HEXPIRE", key, 0, "FIELDS", len(some), *some],
        ["HPERSIST", key, "FIELDS", len(some), *some],
        ["HGETDEL", key, "FIELDS", len(some), *some],
        ["HGETEX", key, *rnd.choice([["PERSIST"], ["EX", 1000]]), "FIELDS", len(some), *some],
        ["HSETEX", key, "EX", rnd.choice([0, 1000, 2000]), "FIELDS", 30, *pairs(rnd, 30, 60)],
        ["COPY", key, other, "REPLACE"],
        ["RENAME", key, other],
        rnd.choice([["DEL", key], ["UNLINK", key], ["SET", key, "string"]]),
        rnd.choice([["EXPIRE", key, 1000], ["PERSIST", key]]),
    ])  # fmt: skip


def change_set(rnd):
    key, other = rnd.choice(KEYS), rnd.choice(KEYS)
    some = [
        rnd.choice([rnd.randrange(3000), "m" * rnd.randrange(80)]) for _ in range(rnd.choice([1, 5, 300]))
    ]
    return rnd.choice([
        ["SADD", key, *some],
        ["SADD", key, *[rnd.randrange(10**12) for _ in some]],
        ["SREM", key, *some],
        ["SPOP", key, rnd.choice([1, 5, 200])],
        ["SMOVE", key, other, some[0]],
        [rnd.choice(["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"]), key, key, other],
        ["COPY", key, other, "REPLACE"],
        ["RENAME", key, other],
        rnd.choice([["DEL", key], ["UNLINK", key], ["SET", key, "string"], ["EXPIRE", key, 1000]]),
    ])  # fmt: skip


@pytest.mark.parametrize("entries", [0, 8, 512])
@pytest.mark.parametrize(("read", "change"), [("HGETALL", change_hash), ("SMEMBERS", change_set)])
def test_sections_of_any_commands(entries, read, change):
    rnd = random.Random(entries)
    store = store_of(entries, read)
    for _ in range(100):
        store.undone([change(rnd) for _ in range(rnd.choice([1, 1, 1, 2, 5, 20]))])


@pytest.mark.parametrize("entries", [8, 512])
def test_fields_that_expire(entries):
    store = store_of(entries, "HGETALL")
    words = [word for i in range(400) for word in (f"f{i}", "v")]
    store.run("HSETEX", "a", "PX", 1, "FIELDS", 400, *words)
    store.run("HSET", "a", "stays", "v")
    store.run("HSETEX", "b", "PX", 1, "FIELDS", 400, *words)
    store.undo.commit()
    time.sleep(0.005)
    store.handle.refresh_clock()
    store.undone([["HGET", "a", "f1"], ["HMGET", "a", "f2", "f3", "stays"], ["HINCRBY", "a", "f4", 1]])
    store.undone([["HRANDFIELD", "a"], ["HRANDFIELD", "b"]])
    assert store.run("HLEN", "a") == 2
    assert store.run("EXISTS", "b") == 0


@pytest.mark.parametrize("command", ["HSET", "SADD"])
def test_a_large_one_is_freed_in_slices(command):
    store = store_of(8, "TYPE")
    store.run(command, "a", *[f"f{i}" for i in range(18_000)])
    store.undo.commit()
    store.undone([["UNLINK", "a"]])
    assert store.run("EXISTS", "a") == 0
