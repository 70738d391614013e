"""The undo log under lists: what any commands on them did is taken back, byte by byte."""

import random

import pytest
from undo_store import KEYS, UndoStore

LIMITS = (-2, -1, 1, 3, 8)


def list_store(limit):
    return UndoStore(("LRANGE", 0, -1), list_max_listpack_size=limit)


def command(rnd):
    key, other = rnd.choice(KEYS), rnd.choice(KEYS)
    value = rnd.choice(
        ["1", "-70000", "v", "w" * 20, "x" * 70, "y" * 2000, "z" * rnd.choice([5000, 9000, 40_000])]
    )
    side = rnd.choice(["LEFT", "RIGHT"])
    index = rnd.randrange(-40, 40)
    return rnd.choice([
        ["RPUSH", key, *[value[:20]] * rnd.choice([1, 2, 30, 500])],
        ["LPUSH", key, *[value[:20]] * rnd.choice([1, 2, 30, 500])],
        ["RPUSH", key, value, *map(str, range(rnd.randrange(50)))],
        ["LPUSH", key, value],
        ["LPOP", key],
        ["RPOP", key],
        ["LPOP", key, rnd.choice([2, 40, 600])],
        ["RPOP", key, rnd.choice([2, 40, 600])],
        ["LSET", key, index, value],
        ["LINSERT", key, rnd.choice(["BEFORE", "AFTER"]), rnd.randrange(50), value],
        ["LREM", key, rnd.choice([0, 1, -1, 5, -5]), rnd.choice(["1", "v", "30"])],
        ["LTRIM", key, rnd.randrange(-900, 5), rnd.randrange(-5, 900)],
        ["LMOVE", key, other, side, rnd.choice(["LEFT", "RIGHT"])],
        ["COPY", key, other, "REPLACE"],
        ["RENAME", key, other],
        rnd.choice([["DEL", key], ["UNLINK", key], ["SET", key, "string"], ["EXPIRE", key, 1000]]),
    ])  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS)
def test_sections_of_any_commands(limit):
    rnd = random.Random(limit)
    store = list_store(limit)
    for _ in range(150):
        store.undone([command(rnd) for _ in range(rnd.choice([1, 1, 1, 2, 5, 20]))])


@pytest.mark.parametrize("limit", LIMITS)
def test_a_long_list_is_freed_in_slices(limit):
    store = list_store(limit)
    store.run("RPUSH", "a", *range(9000))
    store.undo.commit()
    store.undone([["UNLINK", "a"]])
    assert store.run("EXISTS", "a") == 0
