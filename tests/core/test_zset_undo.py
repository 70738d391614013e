"""The undo log under sorted sets: what any commands on them did is taken back, byte by byte."""

import random

import pytest
from undo_store import KEYS, UndoStore


def zset_store(entries):
    return UndoStore(("ZRANGE", 0, -1, "WITHSCORES"), zset_max_listpack_entries=entries)


def pairs(rnd, n, spread):
    return [
        word
        for _ in range(n)
        for word in (rnd.choice([rnd.randrange(9), rnd.random()]), rnd.randrange(spread))
    ]


def command(rnd):
    key, other = rnd.choice(KEYS), rnd.choice(KEYS)
    low = rnd.randrange(8)
    return rnd.choice([
        ["ZADD", key, *pairs(rnd, rnd.choice([1, 2, 30, 300]), 3000)],
        ["ZADD", key, *pairs(rnd, rnd.choice([1, 2, 30]), 40)],
        ["ZADD", key, "0", "m" * rnd.choice([3, 70, 300, 20_000])],
        ["ZADD", key, rnd.choice(["GT", "LT", "XX", "NX"]), *pairs(rnd, 20, 3000)],
        ["ZADD", key, *[word for i in range(200) for word in (9 + i, f"in order {i}")]],
        ["ZINCRBY", key, rnd.choice([1, -1, 0.25]), rnd.randrange(40)],
        ["ZREM", key, *[rnd.randrange(3000) for _ in range(100)]],
        ["ZREMRANGEBYRANK", key, rnd.randrange(-900, 900), rnd.choice([-1, 5, 700])],
        ["ZREMRANGEBYSCORE", key, low, low + rnd.choice([0, 0.1, 3])],
        [rnd.choice(["ZPOPMIN", "ZPOPMAX"]), key, rnd.choice([1, 2, 500])],
        ["ZUNIONSTORE", key, 2, key, other],
        ["ZINTERSTORE", key, 2, key, other],
        ["ZRANGESTORE", key, other, 0, rnd.choice([5, 50, -1])],
        ["COPY", key, other, "REPLACE"],
        ["RENAME", key, other],
        rnd.choice([["DEL", key], ["UNLINK", key], ["SET", key, "string"], ["EXPIRE", key, 1000]]),
    ])  # fmt: skip


@pytest.mark.parametrize("entries", [0, 8, 128])
def test_sections_of_any_commands(entries):
    rnd = random.Random(entries)
    store = zset_store(entries)
    for _ in range(120):
        store.undone([command(rnd) for _ in range(rnd.choice([1, 1, 1, 2, 5, 20]))])


def test_a_large_set_is_freed_in_slices():
    store = zset_store(8)
    store.run("ZADD", "a", *[word for i in range(9000) for word in (i * 7919 % 9000, i)])
    store.undo.commit()
    store.undone([["UNLINK", "a"]])
    assert store.run("EXISTS", "a") == 0
