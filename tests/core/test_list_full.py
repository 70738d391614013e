"""Lists in a store whose memory is used up: what needs more is refused whole, what needs none goes on."""

import random

import pytest
from minikv_core.handle import EngineHandle

import minikv  # noqa: F401  (adds the commands)
from minikv.errors import ReplyError

REFUSED = "OOM the store's memory is full"
LIMITS = (-2, 3)


class Store:
    def __init__(self, limit):
        self.handle = EngineHandle(1, 64 << 20, False)
        self.handle.configure("list_max_listpack_size", limit)

    def run(self, *args):
        try:
            return self.handle.execute(0, 2, tuple(str(arg).encode() for arg in args))
        except ReplyError as error:
            return str(error)

    def fill(self):
        """Use all memory up with strings, down to the smallest objects."""
        for size in (1_000_000, 60_000, 14_000, 8000, 1000, 100, 10):
            i = 0
            while self.run("SET", f"fill:{size}:{i}", "x" * size) == b"OK":
                i += 1


@pytest.mark.parametrize("limit", LIMITS)
def test_nothing_is_lost(limit):
    rnd = random.Random(limit)
    store = Store(limit)
    keys = [f"list:{n}" for n in (1, 2, 5, 20, 100, 300, 1000, 5000)]
    for key in keys:
        n = int(key.partition(":")[2])
        for at in range(0, n, 100):
            store.run("RPUSH", key, *(f"{i % 7} element" for i in range(at, min(n, at + 100))))
    store.fill()
    refused = 0
    for _ in range(3000):
        key, other = rnd.choice(keys), rnd.choice(keys)
        value = rnd.choice(["v", "w" * 200, "x" * 9000, "y" * 100_000])
        before = store.run("LRANGE", key, 0, -1), store.run("LRANGE", other, 0, -1)
        grows = rnd.choice([
            ["RPUSH", key, *[value] * rnd.choice([1, 3, 50])],
            ["LPUSH", key, *[value] * rnd.choice([1, 3, 50])],
            ["LSET", key, rnd.randrange(-3, 3), value],
            ["LINSERT", key, "AFTER", "3 element", value],
            ["LMOVE", key, other, "LEFT", rnd.choice(["LEFT", "RIGHT"])],
            ["COPY", key, "copy", "REPLACE"],
        ])  # fmt: skip
        if store.run(*grows) == REFUSED:
            refused += 1
            assert (store.run("LRANGE", key, 0, -1), store.run("LRANGE", other, 0, -1)) == before, grows[:3]
        model = store.run("LRANGE", key, 0, -1)
        shrinks = rnd.choice(["LPOP", "RPOP", "LREM", "LTRIM"])
        if shrinks == "LPOP" and model:
            assert store.run("LPOP", key) == model.pop(0)
        elif shrinks == "RPOP" and model:
            assert store.run("RPOP", key) == model.pop()
        elif shrinks == "LREM" and rnd.random() < 0.1:
            removed = model.count(b"5 element")
            assert store.run("LREM", key, 0, "5 element") == removed
            model = [element for element in model if element != b"5 element"]
        elif shrinks == "LTRIM":
            assert store.run("LTRIM", key, 1, -2) == b"OK"
            model = model[1:-1]
        assert store.run("LRANGE", key, 0, -1) == model
    assert refused > 100
    for key in keys:
        while store.run("LLEN", key):
            assert store.run("RPOP", key) is not None
