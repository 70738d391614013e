"""A rollback brings back every byte that matters, whatever was done, and wherever the process died."""

import mmap
import os
import random
import signal
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minikv_core.handle import EngineHandle
from minikv_core.inspection import walk
from minikv_core.sessionhandle import SessionHandle
from minikv_core.undocheck import UndoCheck

import minikv  # noqa: F401  (adds the commands)
from minikv.errors import ReplyError

DATABASES = 3
KILLS = int(os.environ.get("UNDO_KILLS", "100"))
VALUES = {
    "int": b"7",
    "int8": b"%d" % -(2**63),
    "embstr": b"short",
    "empty": b"",
    "embstr44": b"e" * 44,
    "raw": b"r" * 45,
    "raw254": b"r" * 254,
    "raw300": b"r" * 300,
    "raw16000": b"R" * 16000,
    "block": b"b" * 16384,
    "block100k": b"B" * 100_000,
    "block1m": b"M" * 1_000_000,
    "sparse": b"HYLL\x01" + bytes(11) + b"\x7f\xff",
    "dense": b"HYLL" + bytes(12_300),
}
KEYS = {form.encode(): value for form, value in VALUES.items()} | {
    b"k" * 300: b"long key",
    b"K" * 300: b"x" * 300,
}


def encoded(args):
    return tuple(arg if isinstance(arg, bytes) else str(arg).encode() for arg in args)


class Store:
    """An engine with an undo log, and what is asked of it."""

    def __init__(self, shared=False, reserve=1 << 30):
        self.handle = EngineHandle(DATABASES, reserve, shared)
        self.undo = UndoCheck(self.handle)

    def run(self, *args, db=0):
        try:
            return self.handle.execute(db, 3, encoded(args))
        except ReplyError as error:
            return error

    def commit(self):
        self.undo.commit()

    def dump(self):
        found = {}
        for db in range(DATABASES):
            walk(self.handle, db, lambda key, *value, db=db: found.__setitem__((db, key), value))
        return found

    def undone(self, *commands):
        """Run commands, (name, arguments...), and take them back: before a commit, and at its very end."""
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

    def done(self, *commands):
        """Run commands and commit them."""
        for command in commands:
            self.run(*command)
        self.commit()
        self.undo.check()


@pytest.fixture
def store():
    """All forms of values, with and without an expiry."""
    store = Store()
    for key, value in KEYS.items():
        store.run("SET", key, value)
        store.run("SET", b"ex:" + key, value, "EX", 1000)
        store.run("COPY", key, b"copy:" + key)
    store.run("APPEND", "grown", b"a" * 20_000)
    store.run("APPEND", "grown", b"a" * 20_000)
    store.run("SET", "other", "1", db=1)
    store.commit()
    return store


# What a command does to a key KEY of every form; `x` does not exist.
COMMANDS = """
SET KEY 1 | SET KEY short | SET KEY 1 KEEPTTL | SET KEY short EX 5 | SET KEY v PXAT 99999999999999999
SETEX KEY 5 v | GETSET KEY v | GETDEL KEY | GETEX KEY EX 10 | GETEX KEY PERSIST | GETEX KEY PX 1
INCR KEY | INCRBY KEY 100000 | DECR KEY | INCRBYFLOAT KEY 0.5
APPEND KEY 1 | APPEND KEY LONG | APPEND KEY HUGE | SETRANGE KEY 0 z | SETRANGE KEY 3 LONG
SETRANGE KEY 5 HUGE | SETRANGE KEY 20000 zz | SETRANGE KEY 90000 LONG | SETRANGE KEY 2000000 z
EXPIRE KEY 10 | EXPIRE KEY -1 | PEXPIREAT KEY 999999999999999 | PERSIST KEY
DEL KEY | UNLINK KEY | DELEX KEY | RENAME KEY x | RENAME KEY other2 | RENAME KEY embstr | RENAMENX KEY x
COPY KEY x | COPY KEY block REPLACE | COPY block KEY REPLACE | COPY KEY y DB 1 | MOVE KEY 2
GET KEY | TOUCH KEY | GETRANGE KEY 0 -1 | SET x SAME | SET KEY LONG | SET KEY HUGE | SET KEY SAME
MSET KEY 1 x 2 y LONG | MSETNX x 1 y HUGE | MSETEX 2 KEY a x b EX 10 | WATCH KEY x
SETBIT KEY 3 1 | SETBIT KEY 3000 1 | SETBIT KEY 200000 1
BITOP NOT x KEY | BITOP OR KEY raw block | BITOP AND KEY x y | BITFIELD KEY SET i64 13 -7 INCRBY u9 90 1
BITFIELD KEY SET u8 200000 1 | BITFIELD KEY OVERFLOW FAIL INCRBY u2 900 9
PFADD KEY | PFADD KEY a b c | PFCOUNT KEY | PFMERGE KEY sparse | PFMERGE KEY dense | PFDEBUG TODENSE KEY
""".replace("\n", "|").split("|")
WORDS = {b"LONG": b"l" * 400, b"HUGE": b"h" * 70_000}


def words(text, key):
    value = KEYS.get(key.removeprefix(b"ex:").removeprefix(b"copy:"), b"?")
    special = WORDS | {b"KEY": key, b"SAME": value}
    return [special.get(word, word) for word in text.encode().split()]


@pytest.mark.parametrize("text", [text.strip() for text in COMMANDS if text.strip()])
def test_each_command_in_each_form(store, text):
    keys = [prefix + key for key in KEYS for prefix in (b"", b"ex:", b"copy:")] + [b"grown", b"missing"]
    for key in keys:
        store.undone(words(text, key))
    for key in keys:
        store.done(words(text, key))
    store.undone(*(words(text, key) for key in keys))


def test_whole_databases(store):
    for command in ("FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB SYNC", "FLUSHDB ASYNC", "SWAPDB 0 1"):
        store.undone(command.split())
        store.undone(command.split(), ["SET", "a", "b"], command.split(), ["SWAPDB", "1", "2"])
    assert store.dump()
    store.done(["SWAPDB", "0", "1"], ["FLUSHALL"])
    assert store.dump() == {}


def test_freed_memory_is_not_taken_before_the_commit(store):
    """What one command frees, a later one of the section must not write to."""
    store.undone(*[c for i in range(50) for c in (["DEL", *KEYS], *(["SET", k, v] for k, v in KEYS.items()))])


def test_memory_is_the_same_after_the_commit(store):
    for _ in range(3):
        store.done(["MSET", *(word for i in range(5000) for word in (f"n{i}", "v" * (i % 90)))])
        store.done(["SET", "big", b"x" * 3_000_000], ["APPEND", "big", b"y" * 5_000_000], ["SET", "big", "1"])
        store.done(["DEL", *(f"n{i}" for i in range(5000))], ["DEL", "big"])
    assert store.undo.used == store.undo.frees == 0


def many(first, last, length=8):
    return [
        ["MSET", *(w for j in range(i, min(i + 500, last)) for w in (f"n{j}", b"v" * length))]
        for i in range(first, last, 500)
    ]


def test_tables_grow_and_shrink(store):
    store.undone(*many(0, 20_000))
    store.done(*many(0, 3_000))
    store.undone(*many(3_000, 30_000), ["DEL", *(f"n{i}" for i in range(25_000))])
    store.done(*many(3_000, 60_000))
    store.undone(["DEL", *(f"n{i}" for i in range(60_000))])
    store.undone(["DEL", *(f"n{i}" for i in range(58_000))], *many(0, 1_000))
    store.done(["DEL", *(f"n{i}" for i in range(0, 60_000) if i % 50)])
    store.undone(["DEL", *(f"n{i}" for i in range(0, 60_000))], ["SET", "n", "1"])


def turn(store):
    """Let the timers work, but undo it the first time; returns what they say of their next turn."""
    store.undo.snapshot()
    before = store.dump()
    store.handle.timers()
    store.undo.begin_commit()
    store.undo.rollback()
    store.undo.compare()
    assert store.dump() == before
    wait = store.handle.timers()
    store.commit()
    return wait


def test_lazy_freeing():
    store = Store()
    store.done(*many(0, 30_000), ["FLUSHALL"], *many(0, 10_000, 200), ["FLUSHALL", "ASYNC"])
    assert 10_000 <= store.handle.memory()["lazyfree_pending"] <= 40_000
    while store.handle.memory()["lazyfree_pending"]:
        turn(store)
    store.undo.check()


def test_expiry():
    store = Store()
    store.done(
        *(["SET", f"n{i}", "v" * (i % 70), "PX", 1 + i % 40] for i in range(3000)),
        ["SET", "left", "v", "PX", 900_000],
    )
    time.sleep(0.06)
    store.handle.refresh_clock()
    store.undone(*(["GET", f"n{i}"] for i in range(0, 3000, 2)))
    store.undone(*(["SET", f"n{i}", "1"] for i in range(1000)))
    deadline = time.monotonic() + 20
    while len(store.dump()) > 1:
        assert time.monotonic() < deadline
        turn(store)


@pytest.mark.parametrize("policy", [1, 2, 3, 4 | 8, 1 | 8])  # LRU, LFU, random, volatile TTL, volatile LRU
def test_eviction(policy):
    store = Store()
    store.done(*(["SET", f"n{i}", "v" * 200, "EX", 1000 + i] for i in range(5000)))
    store.handle.configure("maxmemory_policy", policy)
    limit = store.handle.memory()["used"] - 100_000
    store.handle.configure("maxmemory", limit)
    count = len(store.dump())
    for i in range(5):
        store.undone(["SET", "new", "v" * 500])
        store.undone(*(["SET", f"new{j}", "v" * 500] for j in range(100)))
        store.done(["SET", f"new{i}", "v" * 500])
    assert store.handle.memory()["used"] <= limit + 1000  # what the last command added
    assert count - 1000 < len(store.dump()) < count  # only as many as it takes, though freed at the commit


def test_compaction_and_giving_back():
    store = Store()
    store.done(*many(0, 40_000, 300))
    store.done(*(["SET", f"b{i}", b"B" * 20_000] for i in range(400)))
    store.done(
        ["DEL", *(f"n{i}" for i in range(40_000) if i % 8)], ["DEL", *(f"b{i}" for i in range(400) if i % 4)]
    )
    before = store.handle.memory()["arena_resident"]
    model = store.dump()
    deadline = time.monotonic() + 20
    turns = 0
    while store.handle.memory()["arena_resident"] > before // 2:
        assert time.monotonic() < deadline
        store.handle.configure("hz", 10)  # a tick is due
        turns += 1
        if turns % 5 == 0:  # not always, as the walk over the entries does not come back to what was undone
            turn(store)
        store.handle.timers()
        store.commit()
    assert store.dump() == model
    store.undo.check()


def test_giving_back_in_a_section(store):
    store.undone(["DEL", *KEYS])
    store.undo.snapshot()
    store.run("DEL", *KEYS)
    store.handle.purge()
    store.undo.rollback()
    store.undo.compare()
    store.done(["DEL", *KEYS])
    store.handle.purge()
    store.undo.rollback()
    store.undo.check()
    store.done(["SET", "a", b"x" * 2_000_000])


def test_transactions_and_watches(store):
    store.undone(["WATCH", "int", "x", "block"])
    store.run("UNWATCH")
    store.done(["WATCH", "int", "raw", "x", "block"])
    store.undone(
        ["MULTI"], ["INCR", "int"], ["APPEND", "block", b"x" * 40_000], ["SET", "x", b"y" * 20_000], ["EXEC"]
    )
    store.commit()
    other = ["SET", "int", "1"], ["DEL", "raw"], ["FLUSHALL"], ["SWAPDB", "0", "1"]
    store.done(["WATCH", "int", "raw", "x", "block"])
    for command in other:
        store.undone(command)
    store.done(["UNWATCH"])
    store.done(["MULTI"], ["SET", "int", "41"], ["INCR", "int"], ["EXEC"])
    assert store.run("GET", "int") == b"42"


def test_watches_of_several_sessions(store):
    first, second = SessionHandle(store.handle), SessionHandle(store.handle)
    first.feed(b"WATCH int block\r\n")
    store.commit()
    store.undo.snapshot()
    second.feed(b"WATCH int block x\r\n")  # with a watcher that dies
    store.undo.begin_commit()
    store.undo.rollback()
    store.undo.compare()
    third = SessionHandle(store.handle)
    third.feed(b"WATCH int block\r\n")
    store.commit()
    store.undo.snapshot()
    third.feed(b"UNWATCH\r\n")
    store.undo.begin_commit()
    store.undo.rollback()
    store.undo.compare()
    store.done(["SET", "int", "1"])
    assert first.feed(b"MULTI\r\nSET seen 1\r\nEXEC\r\n").endswith(b"*-1\r\n")


def test_replies_hold_no_block(store):
    """A large value is copied to the reply: no process but the store's owner may hold a block."""
    value = store.run("GET", "block1m")
    assert value == VALUES["block1m"]
    assert store.undo.used == store.undo.frees == 0


key = st.sampled_from([b"a", b"b", b"c" * 300, b"d", b"e"])
value = st.one_of(
    st.sampled_from([*VALUES.values(), *WORDS.values()]),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=60),
)
expiry = st.sampled_from([(), ("EX", 100), ("PX", 1), ("PXAT", 2**60), ("KEEPTTL",)])
command = st.one_of(
    st.builds(lambda k, v, e: ["SET", k, v, *e], key, value, expiry),
    st.builds(lambda k, v: ["APPEND", k, v], key, value),
    st.builds(lambda k, o, v: ["SETRANGE", k, o, v], key, st.sampled_from([0, 1, 40, 300, 17_000]), value),
    st.builds(lambda k: ["INCR", k], key),
    st.builds(lambda k: ["DEL", k], key),
    st.builds(lambda k, o: ["RENAME", k, o], key, key),
    st.builds(lambda k, o: ["COPY", k, o, "REPLACE"], key, key),
    st.builds(lambda k, d: ["MOVE", k, d], key, st.integers(0, 2)),
    st.builds(lambda k, t: ["PEXPIRE", k, t], key, st.sampled_from([1, 100_000, 2**50])),
    st.builds(lambda k: ["PERSIST", k], key),
    st.builds(lambda k: ["WATCH", k], key),
    st.builds(lambda f, n: many(f, f + n)[0], st.integers(0, 3000), st.integers(1, 500)),
    st.builds(
        lambda f, n: ["DEL", *(f"n{i}" for i in range(f, f + n))], st.integers(0, 3000), st.integers(1, 500)
    ),
    st.sampled_from([["FLUSHDB"], ["FLUSHALL", "ASYNC"], ["SWAPDB", 0, 1], ["GETDEL", "a"], ["UNWATCH"]]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.booleans(), st.lists(command, max_size=12)), min_size=1, max_size=8))
def test_any_commands(sections):
    store = Store()
    for undone, commands in sections:
        if undone:
            store.undone(*commands)
        else:
            store.done(*commands)
            store.handle.timers()
            store.commit()


# ---------------------------------------------------------------- dying


def fork(work):
    """Run work() in a child that ends without a word, whatever happens."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        work()
    finally:
        os._exit(0)


def test_death_at_every_record():
    """The log is made so small that the child dies at a certain record; each of them in turn."""
    store = Store(shared=True, reserve=1 << 28)
    store.done(*many(0, 756), *(["SET", key, value] for key, value in KEYS.items()), *many(756, 790))

    def work():
        store.run("SET", "embstr", "other")
        store.run("SET", "raw", "1")
        store.run("APPEND", "block", b"x" * 40_000)
        store.run("COPY", "block100k", "raw300", "REPLACE")
        store.run("RENAME", "raw16000", "int", "EX", 5)
        store.run("EXPIRE", "int8", "7")
        for command in many(790, 900):
            store.run(*command)
        store.run("DEL", *(f"n{i}" for i in range(700)))
        store.commit()

    room = store.undo.room
    store.undo.snapshot()
    died = 0
    at = 8
    while True:
        store.undo.room = at - at % 8
        _, status = os.waitpid(fork(work), 0)
        store.undo.room = room
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGABRT
        died += 1
        store.undo.rollback()
        store.undo.compare()
        at += 8 + at // 30
    assert died > 80
    assert store.run("EXISTS", "n0", "n699") == 0
    store.undo.check()


def random_command(rng):
    name = b"k%d" % rng.randrange(300)
    value = rng.choice(
        [
            b"%d" % rng.randrange(10**6),
            rng.randbytes(rng.choice([5, 40, 100, 500, 3000])),
            b"x" * rng.choice([17_000, 60_000]),
        ]
    )
    other = b"k%d" % rng.randrange(300)
    first = rng.randrange(1500)
    numbers = range(first, first + 400)
    choices = [
        ("SET", name, value),
        ("SET", name, value, "EX", 100_000),
        ("APPEND", name, value[:500]),
        ("SETRANGE", name, rng.choice([0, 30, 400, 18_000]), value),
        ("INCR", name),
        ("DEL", name, other),
        ("RENAME", name, other),
        ("COPY", name, other, "REPLACE"),
        ("EXPIRE", name, 100_000),
        ("PERSIST", name),
        ("GETDEL", name),
        ("MSET", *(word for i in numbers for word in (f"n{i}", b"v" * (i % 30)))),
        ("DEL", *(f"n{i}" for i in numbers)),
        ("FLUSHDB",) if rng.random() < 0.02 else ("SWAPDB", 0, 1),
    ]
    return encoded(rng.choice(choices))


def test_random_kills():
    """A child is killed anywhere; then the store is as after its last commit or the one before that."""
    rng = random.Random(11)
    store = Store(shared=True)
    model = Store()  # runs the same commands, undisturbed
    board = mmap.mmap(-1, 4096)
    undone = 0
    for kill in range(KILLS):
        commands = [random_command(rng) for _ in range(150)]
        board[:8] = bytes(8)

        def work(commands=commands):
            for i, command in enumerate(commands):
                store.run(*command)
                store.commit()
                board[:8] = struct.pack("<Q", i + 1)

        pid = fork(work)
        time.sleep(rng.random() * 0.015)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        undone += store.undo.used > 0
        for _ in range(rng.randrange(3)):  # whoever rolls back may be killed as well
            healer = fork(store.undo.rollback)
            time.sleep(rng.random() * 0.0005)
            os.kill(healer, signal.SIGKILL)
            os.waitpid(healer, 0)
        store.undo.rollback()
        store.undo.check()
        done = struct.unpack("<Q", board[:8])[0]
        model.done(*commands[:done])
        if store.dump() != model.dump():
            model.done(*commands[done : done + 1])
            assert store.dump() == model.dump(), f"kill {kill} after {done} commands"
        store.handle.timers()
        store.commit()
    assert undone > KILLS // 20
