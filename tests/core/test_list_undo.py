"""The undo log under lists: what any commands on them did is taken back, byte by byte."""

import random

import pytest
from minikv_core.handle import EngineHandle
from minikv_core.undocheck import UndoCheck

import minikv  # noqa: F401  (adds the commands)
from minikv.errors import ReplyError

LIMITS = (-2, -1, 1, 3, 8)
KEYS = ("a", "b", "c")


class Store:
    """An engine with an undo log, and lists in it."""

    def __init__(self, limit):
        self.handle = EngineHandle(2, 1 << 30, False)
        self.handle.configure("list_max_listpack_size", limit)
        self.undo = UndoCheck(self.handle)

    def run(self, *args):
        try:
            return self.handle.execute(0, 2, tuple(str(arg).encode() for arg in args))
        except ReplyError as error:
            return str(error)

    def dump(self):
        return [(self.run("LRANGE", key, 0, -1), self.run("OBJECT", "ENCODING", key)) for key in KEYS]

    def undone(self, commands):
        """Run commands and take them back, before a commit and at its very end; then run them."""
        before = self.dump()
        self.undo.snapshot()
        for commits in (False, True):
            for command in commands:
                self.run(*command)
            if commits:
                self.undo.begin_commit()
            self.undo.rollback()
            self.undo.compare()
            assert self.dump() == before
        for command in commands:
            self.run(*command)
        self.undo.commit()
        self.undo.check()


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
    store = Store(limit)
    for _ in range(150):
        store.undone([command(rnd) for _ in range(rnd.choice([1, 1, 1, 2, 5, 20]))])


@pytest.mark.parametrize("limit", LIMITS)
def test_a_long_list_is_freed_in_slices(limit):
    store = Store(limit)
    store.run("RPUSH", "a", *range(9000))
    store.undo.commit()
    store.undone([["UNLINK", "a"]])
    assert store.run("EXISTS", "a") == 0
