"""Hashes in a store whose memory is used up: what needs more is refused, and nothing is lost."""

import random

import pytest
from minikv_core.handle import EngineHandle
from minikv_core.undocheck import UndoCheck

import minikv  # noqa: F401  (adds the commands)
from minikv.errors import ReplyError

REFUSED = "OOM the store's memory is full"


class Store:
    def __init__(self, entries):
        self.handle = EngineHandle(1, 64 << 20, False)
        self.handle.configure("hash_max_listpack_entries", entries)
        self.handle.configure("hash_max_listpack_value", 64)

    def run(self, *args):
        try:
            return self.handle.execute(0, 3, tuple(str(arg).encode() for arg in args))
        except ReplyError as error:
            return str(error)

    def fill(self):
        """Use all memory up with strings, down to the smallest objects."""
        for size in (1_000_000, 60_000, 14_000, 8000, 1000, 100, 10):
            i = 0
            while self.run("SET", f"fill:{size}:{i}", "x" * size) == b"OK":
                i += 1


@pytest.mark.parametrize("entries", [0, 16, 512])
def test_nothing_is_lost(entries):
    rnd = random.Random(entries)
    store = Store(entries)
    keys = [f"hash:{n}" for n in (1, 2, 5, 15, 100, 500, 2000)]
    for key in keys:
        n = int(key.partition(":")[2])
        store.run("HSET", key, *(word for i in range(n) for word in (f"f{i}", "v" * (i % 20))))
    store.fill()
    refused = 0
    for _ in range(3000):
        key = rnd.choice(keys)
        field = f"f{rnd.randrange(2000)}"
        before = store.run("HGETALL", key)
        name, *words = rnd.choice([
            ["HSET", field, "w" * rnd.choice([1, 60, 300, 20_000])],
            ["HSETNX", field, "w" * rnd.choice([1, 60])],
            ["HSETEX", "EX", 1000, "FIELDS", 1, field, "w" * rnd.choice([1, 60])],
            ["HINCRBY", field, 10**12],
            ["HEXPIRE", 1000, "FIELDS", 1, field],
            ["HPERSIST", "FIELDS", 1, field],
            ["HGETEX", "EX", 1000, "FIELDS", 1, field],
        ])  # fmt: skip
        reply = store.run(name, key, *words)
        after = store.run("HGETALL", key)
        if reply == REFUSED:
            refused += 1
            assert after == before
        elif name in ("HSET", "HSETNX", "HSETEX"):
            assert after[field.encode()] == words[-1].encode() or (name == "HSETNX" and reply == 0)
            assert len(after) <= len(before) + 1
    assert refused > 100
    for key in keys:
        fields = list(store.run("HGETALL", key))
        removed = 0
        for i in range(0, len(fields), 7):
            removed += store.run("HDEL", key, *(field.decode() for field in fields[i : i + 7]))
        assert removed == len(fields)
        assert store.run("EXISTS", key) == 0
    UndoCheck(store.handle).check()
