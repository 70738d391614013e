"""The tree: a sorted list with ranks, whatever is done to it."""

import bisect
import math
import random

import pytest
from minikv_core.btree import TreeHandle

ROOM = 63  # entries of a node


class Model:
    """A tree and the sorted list that it must equal."""

    def __init__(self, ids=False):
        self.tree = TreeHandle(1 << 30, ids)
        self.pairs = []
        self.empty = self.tree.used

    def insert(self, pair):
        assert self.tree.insert(pair)
        bisect.insort(self.pairs, pair)

    def remove(self, pair):
        assert self.tree.remove(pair)
        del self.pairs[bisect.bisect_left(self.pairs, pair)]

    def check(self):
        assert self.tree.check() == 0
        assert len(self.tree) == len(self.pairs)
        assert self.tree.walk() == self.pairs

    def clear(self):
        self.tree.clear()
        self.pairs = []
        self.check()
        assert self.tree.used == self.empty and self.tree.bytes == 0


def test_empty():
    model = Model()
    model.check()
    tree = model.tree
    assert not tree.remove((1.0, b"x")) and (1.0, b"x") not in tree
    assert tree.rank((1.0, b"x")) == 0 and tree.seek((1.0, b"x")) == (0, None)
    assert tree.take_run(0, 5) == [] and tree.walk(3) == [] and tree.walk_back(3) == []
    model.clear()


SCORES = {
    "distinct": lambda rnd: rnd.random() * 1e6,
    "few": lambda rnd: float(rnd.randrange(5)),
    "one": lambda rnd: 0.0,
    "close": lambda rnd: 1e15 + rnd.randrange(1000),
    "any": lambda rnd: rnd.choice(
        [-math.inf, math.inf, -1.5, 1e-300, -1e-300, 1e300, 0.0, rnd.gauss(0, 1e9)]
    ),
}


@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("size", [5, 60, 500, 6000])
def test_like_a_sorted_list(scores, size):
    rnd = random.Random(f"{scores} {size}")
    model = Model()
    there = {}
    for phase in range(6):
        grow = (0.8, 0.3, 0.5, 0.1, 0.9, 0.02)[phase]
        for _ in range(4000):
            member = b"m%d" % rnd.randrange(size)
            if member in there and rnd.random() > grow:
                model.remove((there.pop(member), member))
            elif member in there:
                score = SCORES[scores](rnd)
                model.pairs.remove((there[member], member))
                assert model.tree.rescore((there[member], member), score)
                there[member] = score
                bisect.insort(model.pairs, (score, member))
            elif rnd.random() < grow:
                there[member] = SCORES[scores](rnd)
                model.insert((there[member], member))
        model.check()
        for _ in range(50):
            probe = (SCORES[scores](rnd), b"m%d" % rnd.randrange(size))
            rank = bisect.bisect_left(model.pairs, probe)
            assert model.tree.rank(probe) == rank
            assert model.tree.seek(probe) == (rank, model.pairs[rank] if rank < len(model.pairs) else None)
            assert (probe in model.tree) == (probe in model.pairs)
            assert model.tree.score_rank(probe[0], False) == bisect.bisect_left(model.pairs, (probe[0], b""))
            assert model.tree.score_rank(probe[0], True) == bisect.bisect_left(model.pairs, (probe[0], b"~"))
            at = rnd.randrange(len(model.pairs) + 2)
            assert model.tree.walk(at, 70) == model.pairs[at : at + 70]
            assert model.tree.walk_back(at) == model.pairs[:at][::-1]
    model.clear()


@pytest.mark.parametrize("size", [40, 3000])
def test_ids(size):
    rnd = random.Random(size)
    model = Model(ids=True)
    times = [0, 1, 5, 1 << 20, 1_700_000_000_000, 1_700_000_000_001, (1 << 42) - 1, 1 << 42, (1 << 64) - 1]
    there = set()
    for _ in range(20_000):
        pair = (rnd.choice(times) + 0, rnd.randrange(size) if rnd.random() < 0.9 else (1 << 64) - 1)
        if pair in there:
            there.remove(pair)
            model.remove(pair)
        elif len(there) < size:
            there.add(pair)
            model.insert(pair)
    model.check()
    for pair in [(0, 0), (3, 7), (1 << 42, 1), ((1 << 64) - 1, (1 << 64) - 1)]:
        assert model.tree.rank(pair) == bisect.bisect_left(model.pairs, pair)
    model.clear()


@pytest.mark.parametrize("ascending", [True, False])
def test_what_comes_in_order_fills_the_leaves(ascending):
    model = Model()
    numbers = range(50_000) if ascending else range(50_000, 0, -1)
    for i in numbers:
        assert model.tree.insert((float(i), b"x"))
    model.pairs = [(float(i), b"x") for i in sorted(numbers)]
    model.check()
    assert model.tree.bytes <= 8.8 * 50_000
    model.clear()


def test_append():
    model = Model()
    for i in range(10_000):
        model.pairs.append((float(i // 10), b"%05d" % i))
        assert model.tree.insert(model.pairs[-1], at_end=True)
    model.check()
    assert model.tree.bytes <= 8.8 * 10_000


def test_fill_under_random_inserts():
    rnd = random.Random(1)
    tree = TreeHandle()
    for i in range(200_000):
        tree.insert((rnd.random(), b"%d" % i))
    assert tree.check() == 0
    assert tree.bytes <= 8 / 0.75 * 200_000


def test_a_small_tree_is_small():
    model = Model(ids=True)
    sizes = []
    for i in range(64):
        model.insert((i, 0))
        sizes.append(model.tree.bytes)
    assert (
        sizes[0] == sizes[6] == 64 and sizes[7] == 128 and sizes[15] == 256 and sizes[31] == sizes[62] == 512
    )
    model.check()


@pytest.mark.parametrize("size", [1, 63, 64, 1000, 20_000])
def test_take_run(size):
    rnd = random.Random(size)
    model = Model()
    for i in range(size):
        model.insert((float(i), b"x"))
    while model.pairs:
        rank = rnd.choice([0, len(model.pairs) - 1, rnd.randrange(len(model.pairs))])
        most = rnd.choice([1, 5, ROOM])
        taken = model.tree.take_run(rank, most)
        assert 1 <= len(taken) <= most and taken == model.pairs[rank : rank + len(taken)]
        del model.pairs[rank : rank + len(taken)]
        if rnd.random() < 0.05:
            model.check()
    model.clear()


def test_nodes_go_with_their_entries():
    """Nine of ten entries removed, at random: the tree shrinks."""
    rnd = random.Random(3)
    model = Model()
    for i in range(20_000):
        model.insert((float(i), b"x"))
    full = model.tree.bytes
    for pair in rnd.sample(model.pairs, 18_000):
        model.remove(pair)
    model.check()
    assert model.tree.bytes < full / 4
    model.clear()


def test_both_zeros_are_equal():
    tree = TreeHandle()
    tree.insert((-0.0, b"a"))
    tree.insert((0.0, b"b"))
    tree.insert((-0.0, b"c"))
    assert [pair[1] for pair in tree.walk()] == [b"a", b"b", b"c"]
    assert (0.0, b"a") in tree and (-0.0, b"b") in tree
    assert tree.score_rank(-0.0, False) == 0 and tree.score_rank(0.0, True) == 3


def test_no_memory_changes_nothing():
    """An arena that is full refuses, and what the tree held is there; a score still changes."""
    rnd = random.Random(5)
    model = Model.__new__(Model)
    model.tree = TreeHandle(16 << 20)
    model.pairs = []
    model.empty = model.tree.used
    refused = 0
    while refused < 50:
        pair = (rnd.random(), b"%d" % len(model.pairs))
        if model.tree.insert(pair):
            model.pairs.append(pair)
        else:
            refused += 1
    model.pairs.sort()
    model.check()
    for _ in range(2000):
        at = rnd.randrange(len(model.pairs))
        pair = model.pairs[at]
        score = rnd.random()
        if model.tree.rescore(pair, score):
            del model.pairs[at]
            bisect.insort(model.pairs, (score, pair[1]))
    model.check()
    while model.pairs:
        taken = model.tree.take_run(0, ROOM)
        del model.pairs[: len(taken)]
    model.check()


def test_rescore_to_any_place():
    """Every entry to every place, in trees of one and of several leaves."""
    for size in (1, 2, 3, 20, 70, 200):
        model = Model()
        for i in range(size):
            model.insert((float(2 * i), b"x"))
        for i in range(size):
            for target in range(-1, 2 * size, 2 if size < 50 else 14):
                pair = model.pairs[i]
                if (float(target), b"x") in model.pairs:
                    continue
                assert model.tree.rescore(pair, float(target))
                del model.pairs[i]
                bisect.insort(model.pairs, (float(target), b"x"))
                assert model.tree.check() == 0 and model.tree.walk() == model.pairs
                i = model.pairs.index((float(target), b"x"))
                assert model.tree.rescore((float(target), b"x"), pair[0])
                del model.pairs[i]
                bisect.insort(model.pairs, pair)
                i = model.pairs.index(pair)
        model.check()
