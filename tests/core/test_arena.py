import itertools
import os
import random
import re
import resource
import subprocess
import sys

import pytest
from minikv_core.arena import ArenaHandle

PAGE, CHUNK, SMALL_MAX = 4096, 65536, 32768
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")


def rounded(n, classes):
    if n > SMALL_MAX:
        return -(-n // PAGE) * PAGE
    return next(size for size, *_ in classes if size >= n)


def mapped_rss(arena):
    """Resident bytes of the arena's mapping, as the kernel counts them."""
    rss, inside = 0, False
    start, end = arena.address(0), arena.address(0) + arena.info()["reserved"]
    with open("/proc/self/smaps") as smaps:
        for line in smaps:
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                inside = start <= int(found[1], 16) < end
            elif inside and line.startswith("Rss:"):
                rss += int(line.split()[1]) * 1024
    return rss


def test_size_classes():
    rows = ArenaHandle().classes()
    sizes = [size for size, *_ in rows]
    assert sizes == sorted(set(sizes)) and sizes[-1] == SMALL_MAX
    assert all(size % 8 == 0 for size in sizes)
    assert sizes[:16] == list(range(8, 129, 8))
    for size, capacity, *_ in rows:
        assert capacity == CHUNK // size
        assert CHUNK - capacity * size <= CHUNK // 20
    for small, large in itertools.pairwise(sizes):
        assert large - small <= max(8, small // 8 + 8, (CHUNK // (CHUNK // large) - small))


@pytest.mark.parametrize(
    "n", [1, 7, 8, 9, 64, 128, 129, 1000, 4096, 4097, 21840, 32768, 32769, 65536, 65537, 1 << 20]
)
def test_accounting_is_exact(n):
    arena = ArenaHandle()
    empty = arena.info()["used"]
    size = rounded(n, arena.classes())
    refs = [arena.alloc(n) for _ in range(20)]
    assert all(refs) and len(set(refs)) == 20
    assert {arena.size(ref) for ref in refs} == {size}
    assert arena.info()["used"] == empty + 20 * size
    assert arena.check() == 0
    for ref in refs:
        arena.free(ref)
    info = arena.info()
    assert info["used"] == empty and info["peak"] >= empty + 20 * size * (n > SMALL_MAX)
    arena.trim(1 << 40)
    assert arena.info()["resident"] <= empty + 4 * PAGE
    assert arena.check() == 0


def test_alignment():
    arena = ArenaHandle()
    for size, *_ in arena.classes():
        for ref in [arena.alloc(size) for _ in range(5)]:
            assert arena.address(ref) % (64 if size % 64 == 0 else 8) == 0
    assert arena.address(arena.alloc(4096)) % 4096 == 0
    assert arena.address(arena.alloc(100_000)) % 4096 == 0


def test_objects_do_not_overlap():
    arena = ArenaHandle()
    objects = {}
    for i in range(2000):
        n = random.choice([8, 24, 40, 200, 5000, 40_000])
        ref = arena.alloc(n)
        objects[ref] = bytes([i % 251]) * n
        arena.write(ref, objects[ref])
    assert all(arena.read(ref, len(data)) == data for ref, data in objects.items())


@pytest.mark.parametrize("sizes", ["small", "large", "mixed"])
def test_random_walk(sizes):
    rnd = random.Random(sizes)
    arena = ArenaHandle(128 << 20)
    classes, empty = arena.classes(), arena.info()["used"]
    live, order = {}, []

    def some_size():
        if sizes == "small" or (sizes == "mixed" and rnd.random() < 0.9):
            return rnd.randrange(1, 600)
        return int(2 ** rnd.uniform(14, 21))

    for step in range(30_000 if sizes == "small" else 12_000):
        kind = rnd.random()
        if kind < (0.55 if step // 2000 % 2 else 0.35) or not order:
            n = some_size()
            if ref := arena.alloc(n):
                assert ref not in live
                live[ref] = n, stamp(arena, ref, n, step)
                order.append(ref)
        elif kind < 0.85:
            ref = pop_random(order, rnd)
            n, data = live.pop(ref)
            assert arena.read(ref, len(data)) == data
            arena.free(ref)
        else:
            ref = pop_random(order, rnd)
            n, data = live.pop(ref)
            new = some_size()
            moved = arena.resize(ref, new)
            if moved:
                kept = min(len(data), new)
                assert arena.read(moved, kept) == data[:kept]
                ref, n, data = moved, new, stamp(arena, moved, new, step)
            assert ref not in live
            live[ref] = n, data
            order.append(ref)
        if step % 1000 == 0:
            arena.trim(1 << 20)
            assert arena.check() == 0
            assert arena.info()["used"] == empty + sum(arena.size(ref) for ref in live)
            assert mapped_rss(arena) <= arena.info()["resident"]
    for ref, (n, _) in live.items():
        assert arena.size(ref) >= rounded(n, classes)
        arena.free(ref)
    arena.trim(1 << 40)
    assert arena.check() == 0 and arena.info()["used"] == empty
    assert arena.info()["resident"] - empty < 1 << 17


def pop_random(order, rnd):
    i = rnd.randrange(len(order))
    order[i], order[-1] = order[-1], order[i]
    return order.pop()


def stamp(arena, ref, n, step):
    data = step.to_bytes(4, "little") * 16
    data = data[: min(n, 64)]
    arena.write(ref, data)
    return data


@pytest.mark.parametrize("n", [8, 56, 4096, 32768, 40_000, 1 << 20])
def test_full_arena(n):
    arena = ArenaHandle(8 << 20)
    refs = []
    while ref := arena.alloc(n):
        refs.append(ref)
    assert sum(arena.size(ref) for ref in refs) > arena.info()["room"] * (0.9 if n < 40_000 else 0.5)
    assert arena.check() == 0
    assert arena.alloc(n) == 0
    assert arena.resize(refs[0], 4 << 20) == 0
    arena.free(refs.pop())
    assert arena.alloc(n) != 0
    for ref in refs:
        arena.free(ref)


@pytest.mark.parametrize("n", [1 << 33, 1 << 40, (1 << 64) - 1, (1 << 64) - PAGE])
def test_absurd_sizes(n):
    arena = ArenaHandle()
    ref, large = arena.alloc(100), arena.alloc(100_000)
    assert arena.alloc(n) == 0
    assert arena.resize(ref, n) == 0 and arena.resize(large, n) == 0
    assert arena.check() == 0


def test_resize_in_place():
    arena = ArenaHandle()
    ref = arena.alloc(130)
    assert arena.resize(ref, 144) == ref
    assert arena.resize(ref, 145) != ref
    run = arena.alloc(100_000)
    arena.write(run, b"first", 0)
    assert arena.resize(run, 1_000_000) == run, "nothing lies behind it"
    assert arena.size(run) == rounded(1_000_000, arena.classes())
    assert arena.check() == 0
    assert arena.resize(run, 70_000) == run
    assert arena.check() == 0
    wall = arena.alloc(200_000)
    moved = arena.resize(run, 2_000_000)
    assert moved not in (run, wall) and arena.read(moved, 5) == b"first"
    small = arena.resize(moved, 5)
    assert arena.size(small) == 8 and arena.read(small, 5) == b"first"
    assert arena.check() == 0


def test_shrinking_never_fails():
    arena = ArenaHandle(4 << 20)
    run = arena.alloc(100_000)
    while arena.alloc(CHUNK // 2):
        pass
    assert arena.resize(run, 10) == run


def test_thousands_of_free_runs():
    arena = ArenaHandle(1 << 30)
    rnd = random.Random(3)
    refs = [arena.alloc(rnd.randrange(33_000, 250_000)) for _ in range(6000)]
    for ref in refs[::2]:
        arena.free(ref)
    assert arena.check() == 0
    again = [arena.alloc(rnd.randrange(33_000, 250_000)) for _ in range(3000)]
    assert all(again)
    for ref in again + refs[1::2]:
        arena.free(ref)
    assert arena.check() == 0
    assert arena.alloc(arena.info()["room"]) != 0, "all free runs have become one"


def test_dirty_memory_is_reused_first():
    arena = ArenaHandle()
    refs = [arena.alloc(2 * CHUNK) for _ in range(50)]
    for ref in refs:
        arena.free(ref)
    resident = arena.info()["resident"]
    for _ in range(50):
        arena.alloc(60_000)
    assert arena.info()["resident"] == resident


def test_trim_keeps_to_its_budget():
    arena = ArenaHandle()
    refs = [arena.alloc(1 << 20) for _ in range(20)]
    for ref in refs[::2]:
        arena.free(ref)
    given = []
    while n := arena.trim(100_000):
        given.append(n)
        assert arena.check() == 0
    assert sum(given) == 10 << 20
    assert all(100_000 <= n <= 100_000 + CHUNK for n in given[:-1])


@pytest.mark.parametrize("shared", [False, True])
def test_memory_goes_back_after_a_large_delete(shared):
    arena = ArenaHandle(256 << 20, shared)
    rnd = random.Random(5)
    refs = {}
    for i in range(300_000):
        n = rnd.choice([24, 40, 41, 64, 150, 300])
        refs[i] = arena.alloc(n)
    full = arena.info()
    assert full["resident"] <= 1.02 * full["used"] + (1 << 20)
    for i in rnd.sample(range(300_000), 270_000):
        arena.free(refs.pop(i))
    slack = arena.slack()
    assert slack > full["used"] * 0.7
    moves = 0
    for i, ref in refs.items():
        if arena.sparse(ref):
            n = arena.size(ref)
            moved = arena.alloc(n)
            arena.write(moved, arena.read(ref, n))
            arena.free(ref)
            refs[i] = moved
            moves += 1
    assert moves <= 30_000
    assert arena.slack() <= slack * 0.01
    arena.trim(1 << 40)
    assert arena.check() == 0
    info = arena.info()
    assert info["resident"] < 1.1 * info["used"] + (1 << 20)
    assert mapped_rss(arena) <= info["resident"]
    assert not any(arena.sparse(ref) for ref in refs.values())


def test_no_compaction_without_need():
    arena = ArenaHandle()
    refs = [arena.alloc(100) for _ in range(10_000)]
    assert not any(map(arena.sparse, refs))
    for ref in refs[::20]:
        arena.free(ref)
    assert not any(arena.sparse(ref) for i, ref in enumerate(refs) if i % 20)
    assert not arena.sparse(arena.alloc(100_000))


def test_shared_with_a_child():
    arena = ArenaHandle(64 << 20, True)
    ref = arena.alloc(1000)
    arena.write(ref, b"from the parent")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        reply = arena.alloc(1000)
        arena.write(reply, b"from the child: " + arena.read(ref, 15))
        os.write(write, reply.to_bytes(4, "little"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    reply = int.from_bytes(os.read(read, 4), "little")
    os.close(read)
    os.close(write)
    assert arena.read(reply, 31) == b"from the child: from the parent"
    assert arena.check() == 0
    arena.free(reply)


def test_private_to_this_process():
    arena = ArenaHandle()
    ref = arena.alloc(8)
    arena.write(ref, b"original")
    child = os.fork()
    if child == 0:
        arena.write(ref, b"changed!")
        os._exit(0)
    os.waitpid(child, 0)
    assert arena.read(ref, 8) == b"original"


def test_reservation_is_at_most_what_a_reference_can_name():
    arena = ArenaHandle(1 << 40)
    assert 64 << 20 <= arena.info()["reserved"] <= 32 << 30
    assert arena.info()["resident"] < 1 << 17


def test_all_of_32_gib_can_be_named():
    arena = ArenaHandle(32 << 30)
    if arena.info()["reserved"] < 32 << 30:
        pytest.skip("the system refuses 32 GiB")
    start, large = arena.address(0), [arena.alloc(6 << 30) for _ in range(5)]
    ref = arena.alloc(100)
    assert ref > 30 << 27 and arena.address(ref) - start == ref * 8
    arena.write(ref, b"far away")
    assert mapped_rss(arena) < 32 << 20, "only the rows of the chunk table are resident"
    assert arena.resize(large[-1], 1 << 30) == large[-1]
    while ref := arena.alloc(64 << 20):
        last = ref
    assert last > 31 << 27 and arena.address(last) - start + (64 << 20) <= 32 << 30
    assert arena.check() == 0


@pytest.mark.skipif(SANITIZED, reason="the sanitizer itself reserves terabytes")
def test_refused_reservation_is_halved():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "from minikv_core.arena import ArenaHandle\n"
        "arena = ArenaHandle(32 << 30); print(arena.info()['reserved'], arena.check())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    reserved, fault = map(int, result.stdout.split())
    assert 64 << 20 <= reserved < 1 << 30 and fault == 0


@pytest.mark.parametrize("reserve", [0, 1, CHUNK])
def test_too_small_a_reservation(reserve):
    with pytest.raises(MemoryError):
        ArenaHandle(reserve)


def test_seeds_differ():
    assert len({secret for _ in range(5) for secret in ArenaHandle().info()["seed"]}) == 20


def test_many_arenas_open_and_close():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    for i in range(min(limit, 2000)):
        ArenaHandle(2 << 20, bool(i % 2)).alloc(100)
