"""The structure of streams: blocks against a plain list, groups, copies, freeing; and taking it all back."""

import random

import pytest
from minikv_core.handle import EngineHandle
from minikv_core.undocheck import UndoCheck

import minikv  # noqa: F401  (adds the commands)
from minikv.errors import ReplyError

FIELDS = [
    {b"f": b"v"},
    {b"f": b"12345"},
    {b"f": b"-1", b"g": b""},
    {b"f": b"9223372036854775807", b"g": b"x" * 70},
    {b"1": b"2"},
    {b"long": b"y" * 5000},
]
SIZES = [(4096, 100), (4096, 3), (0, 0), (100, 100), (4096, 1), (0, 1000)]


def text(id):
    return b"%d-%d" % id


def flat(fields):
    return [word for pair in fields.items() for word in pair]


class Store:
    """An engine with an undo log, and a stream `s` beside what it should hold."""

    def __init__(self, max_bytes=4096, max_entries=100):
        self.handle = EngineHandle(2, 1 << 30, False)
        self.handle.configure("stream_node_max_bytes", max_bytes)
        self.handle.configure("stream_node_max_entries", max_entries)
        self.undo = UndoCheck(self.handle)
        self.entries = {}
        self.last = (0, 0)

    def run(self, *args):
        words = tuple(arg if isinstance(arg, bytes) else str(arg).encode() for arg in args)
        try:
            return self.handle.execute(0, 2, words)
        except ReplyError as error:
            return str(error)

    def add(self, random):
        ms, seq = self.last
        self.last = (
            (ms, seq + 1) if random.random() < 0.3 else (ms + random.choice([1, 1, 5, 1000, 10**9]), 0)
        )
        self.entries[self.last] = random.choice(FIELDS[:5] if random.random() < 0.95 else FIELDS)
        assert self.run("XADD", "s", text(self.last), *flat(self.entries[self.last])) == text(self.last)

    def check(self):
        self.undo.commit()
        self.undo.check()
        expected = [[text(id), flat(fields)] for id, fields in sorted(self.entries.items())]
        assert self.run("XRANGE", "s", "-", "+") == expected
        assert self.run("XREVRANGE", "s", "+", "-") == expected[::-1]
        assert self.run("XLEN", "s") == len(expected)

    def state(self, key="s"):
        return self.run("XINFO", "STREAM", key, "FULL", "COUNT", 0)

    def undone(self, *command):
        """Run a command and take it back, before a commit and at its very end; then run it."""
        self.undo.commit()
        before = self.state()
        self.undo.snapshot()
        for commits in (False, True):
            self.run(*command)
            if commits:
                self.undo.begin_commit()
            self.undo.rollback()
            self.undo.compare()
            assert self.state() == before
        reply = self.run(*command)
        self.undo.commit()
        self.undo.check()
        return reply


@pytest.mark.parametrize("sizes", SIZES)
def test_entries_against_a_plain_list(sizes):
    store = Store(*sizes)
    rnd = random.Random(sizes[0] + sizes[1])
    for step in range(3000):
        kind = rnd.random()
        ids = sorted(store.entries)
        if kind < 0.6 or not ids:
            store.add(rnd)
        elif kind < 0.75:
            gone = rnd.sample(ids, min(len(ids), rnd.choice([1, 1, 3])))
            assert store.run("XDEL", "s", *map(text, gone)) == len(gone)
            for id in gone:
                del store.entries[id]
        elif kind < 0.78:
            keep = rnd.randrange(len(ids) + 1)
            assert store.run("XTRIM", "s", "MAXLEN", keep) == len(ids) - keep
            store.entries = {id: store.entries[id] for id in ids[len(ids) - keep :]}
        elif kind < 0.8:
            least = rnd.choice(ids)
            assert store.run("XTRIM", "s", "MINID", text(least)) == ids.index(least)
            store.entries = {id: store.entries[id] for id in ids if id >= least}
        else:
            first, last = sorted((rnd.choice(ids), rnd.choice(ids)))
            found = [text(id) for id in ids if first <= id <= last]
            count = rnd.choice([1, 2, 10, 1000])
            replies = store.run("XRANGE", "s", text(first), text(last), "COUNT", count)
            assert [id for id, _ in replies] == found[:count]
            replies = store.run("XREVRANGE", "s", text(last), text(first), "COUNT", count)
            assert [id for id, _ in replies] == found[::-1][:count]
        if step % 300 == 0:
            store.check()
    store.check()


def test_inexact_trimming_takes_whole_blocks():
    store = Store(4096, 10)
    for i in range(1, 96):
        store.run("XADD", "s", f"{i}-0", "f", "v")
    assert store.run("XTRIM", "s", "MAXLEN", "~", 61) == 30
    assert store.run("XTRIM", "s", "MINID", "~", 55) == 20
    assert store.run("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 15) == 10
    assert store.run("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 0) == 35
    store.undo.commit()
    store.check()


def test_a_long_walk_backwards_in_one_block():
    store = Store(0, 0)
    for i in range(1, 1001):
        store.run("XADD", "s", f"{i}-0", "f", i)
        store.entries[i, 0] = {b"f": b"%d" % i}
    store.run("XDEL", "s", "1-0", "500-0", "1000-0")
    for i in (1, 500, 1000):
        del store.entries[i, 0]
    store.check()


def with_groups(store, entries=250):
    """A stream with two groups, one of which has pending entries with three consumers."""
    for i in range(1, entries + 1):
        store.run("XADD", "s", f"{i}-0", "f", i)
    store.run("XGROUP", "CREATE", "s", "g", "0")
    store.run("XGROUP", "CREATE", "s", "empty", "$")
    for consumer in "abc":
        store.run("XREADGROUP", "GROUP", "g", consumer, "COUNT", entries // 4, "STREAMS", "s", ">")
    store.undo.commit()
    return store


COMMANDS = """
XADD s * f v | XADD s 1000-1 other v | XADD s MAXLEN 0 * f v | XADD s MAXLEN ~ 30 * f v | XADD new * f v
XADD s DELREF MAXLEN 3 * f v | XADD s ACKED MINID 200 * f v
XDEL s 1-0 2-0 100-0 | XTRIM s MAXLEN 0 | XTRIM s MINID 111 | XTRIM s MINID ~ 111 | XTRIM s MAXLEN 5 DELREF
XDELEX s IDS 2 1-0 2-0 | XDELEX s DELREF IDS 2 1-0 150-0 | XDELEX s ACKED IDS 2 1-0 250-0
XACKDEL s g IDS 2 1-0 100-0 | XACKDEL s g DELREF IDS 2 1-0 2-0 | XACKDEL s g ACKED IDS 2 1-0 2-0
XSETID s 5000-0 | XSETID s 5000-0 ENTRIESADDED 900 MAXDELETEDID 4-0
XGROUP CREATE s new 0 | XGROUP CREATE s aaa $ ENTRIESREAD 3 | XGROUP CREATE new g 0 MKSTREAM
XGROUP SETID s g 3-0 | XGROUP DESTROY s g | XGROUP DESTROY s empty
XGROUP CREATECONSUMER s g new | XGROUP DELCONSUMER s g a | XGROUP DELCONSUMER s g c
XREADGROUP GROUP g a STREAMS s > | XREADGROUP GROUP g new COUNT 3 STREAMS s >
XREADGROUP GROUP empty x STREAMS s >
XREADGROUP GROUP g a STREAMS s 0 | XREADGROUP GROUP g a NOACK STREAMS s >
XACK s g 1-0 2-0 3-0 100-0 | XACK s g 1-0 | XCLAIM s g c 0 1-0 2-0 100-0 | XCLAIM s g new 0 200-0 FORCE
XCLAIM s g c 0 1-0 JUSTID LASTID 240-0 | XAUTOCLAIM s g b 0 0 COUNT 20 | XAUTOCLAIM s g new 0 30 JUSTID
COPY s copy | RENAME s other | DEL s | UNLINK s | SET s v | FLUSHALL | EXPIRE s 100
""".replace("\n", "|").split("|")


@pytest.mark.parametrize("sizes", [(4096, 100), (4096, 3)])
@pytest.mark.parametrize("command", [command.strip() for command in COMMANDS if command.strip()])
def test_each_command_is_taken_back(sizes, command):
    store = with_groups(Store(*sizes))
    store.undone(*command.split())
    store.undone("XDEL", "s", *(f"{i}-0" for i in range(1, 251)))
    store.undone(*command.split())


def test_a_copy_is_equal_and_of_its_own():
    store = with_groups(Store())
    store.run("XDEL", "s", "7-0")
    store.run("COPY", "s", "t")
    assert store.state("t") == store.state("s")
    store.undo.commit()
    store.undo.check()
    before = store.state("t")
    store.run("XTRIM", "s", "MAXLEN", 0)
    store.run("XGROUP", "DESTROY", "s", "g")
    assert store.state("t") == before
    assert store.run("MEMORY", "USAGE", "t") > store.run("MEMORY", "USAGE", "s")


@pytest.mark.parametrize("command", ["DEL s", "UNLINK s", "FLUSHALL ASYNC"])
def test_a_long_stream_is_freed_in_slices(command):
    store = Store()
    used = store.handle.memory()["used"]
    with_groups(store, 20_000)
    store.undone(*command.split())
    for _ in range(1000):
        if not store.handle.memory()["lazyfree_pending"] and store.handle.memory()["used"] == used:
            break
        store.undo.snapshot()
        store.handle.timers()
        store.undo.rollback()
        store.undo.compare()
        store.handle.timers()
        store.undo.commit()
    store.undo.check()


def test_many_groups_and_consumers():
    store = Store()
    store.run("XADD", "s", "1-0", "f", "v")
    names = [f"n{i}" for i in range(300)]
    random.Random(1).shuffle(names)
    for name in names:
        assert store.run("XGROUP", "CREATE", "s", name, "0") == b"OK"
    for name in names:
        assert store.run("XGROUP", "CREATECONSUMER", "s", "n7", name) == 1
    groups = [row[1].decode() for row in store.run("XINFO", "GROUPS", "s")]
    assert groups == sorted(names)
    consumers = [row[1].decode() for row in store.run("XINFO", "CONSUMERS", "s", "n7")]
    assert consumers == sorted(names)
    for name in names[:150]:
        assert store.run("XGROUP", "DESTROY", "s", name) == 1
        assert store.run("XGROUP", "DESTROY", "s", name) == 0
    store.undo.commit()
    store.undo.check()
    groups = [row[1].decode() for row in store.run("XINFO", "GROUPS", "s")]
    assert groups == sorted(names[150:])
