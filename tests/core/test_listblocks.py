"""Blocks of elements, compared with a Python list after whatever happens to them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minikv_core.listblocks import BlockList

NO_LIMIT = 2**32 - 1
LIMITS = {
    "8 KiB": (8192, NO_LIMIT),
    "4 KiB": (4096, NO_LIMIT),
    "small": (256, NO_LIMIT),
    "one element": (8192, 1),
    "two": (8192, 2),
    "five": (8192, 5),
}
LENGTHS = (0, 1, 3, 15, 16, 63, 64, 125, 126, 127, 128, 300, 4000, 4096, 16379, 16380, 16384, 70_000)


def value(rnd):
    """Bytes of a random kind: numbers of each width, short strings, and a few long ones."""
    kind = rnd.randrange(10)
    if kind < 4:
        return b"%d" % (rnd.randrange(-(2 ** (8 * kind + 7)), 2 ** (8 * kind + 7)))
    if kind < 9:
        return b"v" * rnd.randrange(40) + b"%d" % rnd.randrange(100)
    return b"w" * rnd.choice(LENGTHS)


def same(blocks, model):
    blocks.blocks()
    assert len(blocks) == len(model)
    assert blocks.values() == model
    assert blocks.values(back=True) == model[::-1]


@pytest.fixture(params=LIMITS.values(), ids=LIMITS)
def limit(request):
    return request.param


@pytest.mark.parametrize("n", LENGTHS)
def test_element_of_each_length_from_both_sides(n):
    blocks = BlockList()
    model = [b"a", b"x" * n, b"12"]
    for element in model:
        assert blocks.push(element)
    same(blocks, model)
    blocks.pop(1)
    blocks.pop(1)
    same(blocks, model[:1])


@pytest.mark.parametrize("seed", range(6))
def test_like_a_list(limit, seed):
    rnd = random.Random(seed)
    blocks, model = BlockList(*limit), []
    empty = blocks.used()
    for phase in range(6):
        grows = (0.9, 0.3, 0.6, 0.2, 0.8, 0.1)[phase]
        for _ in range(400):
            element, at_head = value(rnd), rnd.random() < 0.5
            act = rnd.randrange(4)
            if rnd.random() < grows:
                if act == 0 and model:
                    index = rnd.randrange(len(model) + 1)
                    assert blocks.insert(index, element) == index
                    model.insert(index, element)
                else:
                    assert blocks.push(element, at_head)
                    model.insert(0 if at_head else len(model), element)
            elif act == 0 and model:
                index = rnd.randrange(len(model))
                assert blocks.remove(index) == index
                del model[index]
            elif act == 1 and model:
                index = rnd.randrange(len(model))
                assert blocks.replace(index, element)
                model[index] = element
            else:
                n = rnd.randrange(1, 4)
                blocks.pop(n, at_head)
                del model[slice(None, n) if at_head else slice(max(len(model) - n, 0), None)]
        same(blocks, model)
        for index in range(len(model)):
            assert blocks[index] == model[index]
        assert blocks.clone()
        same(blocks, model)
    blocks.pop(len(model))
    same(blocks, [])
    assert sum(blocks.free(100)) == 0
    assert blocks.used() == empty


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["lpush", "rpush", "lpop", "rpop", "insert", "remove", "replace"]),
        st.integers(0, 1000),
        st.one_of(st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n), st.binary(max_size=100)),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(LIMITS.values())), OPERATIONS)
def test_any_operations(limit, operations):
    blocks, model = BlockList(*limit), []
    for act, at, element in operations:
        if act in ("lpush", "rpush") or not model:
            blocks.push(element, act == "lpush")
            model.insert(0 if act == "lpush" else len(model), element)
        elif act in ("lpop", "rpop"):
            blocks.pop(1, act == "lpop")
            del model[0 if act == "lpop" else -1]
        elif act == "insert":
            at %= len(model) + 1
            assert blocks.insert(at, element) == at
            model.insert(at, element)
        elif act == "remove":
            at %= len(model)
            assert blocks.remove(at) == at
            del model[at]
        else:
            at %= len(model)
            assert blocks.replace(at, element)
            model[at] = element
        blocks.blocks()
    same(blocks, model)


def test_append_cuts_into_blocks(limit):
    blocks = BlockList(*limit)
    model = [b"element %d" % i for i in range(3000)]
    assert blocks.append(model[:1000]) and blocks.append([]) and blocks.append(model[1000:])
    same(blocks, model)
    for n, used, _ in blocks.blocks():
        assert n <= limit[1] and used + 8 <= limit[0]


@pytest.mark.parametrize("at_head", [False, True])
def test_a_long_list_is_full_pages(at_head):
    blocks = BlockList()
    before = blocks.used()
    n = 200_000
    for i in range(n):
        assert blocks.push(b"x%015x" % (i * 7919), at_head)
    rows = blocks.blocks()
    grown = rows[1:] if at_head else rows[:-1]
    assert {room for _, _, room in grown} == {8192}
    assert {count for count, _, _ in grown} == {454}
    assert (blocks.used() - before) / n < 18.2


def test_short_lists_take_little():
    blocks = BlockList()
    blocks.push(b"x" * 16)
    assert blocks.bytes() <= 64 + 24 + 32


@pytest.mark.parametrize("step", [2, 3, 10])
def test_removals_leave_no_sparse_blocks(step):
    blocks = BlockList()
    model = [b"%020d" % i for i in range(20_000)]
    blocks.append(model)
    for index in range(len(model) - 1, -1, -1):
        if index % step:
            blocks.remove(index)
            del model[index]
    same(blocks, model)
    used = sum(used for _, used, _ in blocks.blocks())
    room = sum(room for _, _, room in blocks.blocks())
    assert room < 3 * used


@pytest.mark.parametrize("after", [0, 1])
def test_inserts_at_one_place_leave_no_sparse_blocks(after):
    blocks = BlockList()
    model = [b"%020d" % i for i in range(2000)]
    blocks.append(model)
    for i in range(5000):
        at = 1000 + after * i
        assert blocks.insert(at, b"inserted %d" % i) == at
        model.insert(at, b"inserted %d" % i)
    same(blocks, model)
    rows = blocks.blocks()
    assert sum(room for _, _, room in rows) < 3 * sum(used for _, used, _ in rows)


def test_a_queue_keeps_its_directory_small():
    blocks = BlockList(256)
    for i in range(100):
        blocks.push(b"%030d" % i)
    bytes_then = blocks.bytes()
    for i in range(20_000):
        blocks.push(b"%030d" % i)
        blocks.pop(1, True)
    assert len(blocks) == 100
    assert blocks.bytes() <= bytes_then + 256


def test_a_list_that_shrinks_gives_memory_back():
    blocks = BlockList(256)
    empty = blocks.used()
    for i in range(20_000):
        blocks.push(b"%030d" % i)
    blocks.pop(19_990)
    assert blocks.used() - empty < 2000
    blocks.push(b"x" * 100_000)
    blocks.replace(10, b"y")
    assert blocks.used() - empty < 2500
    assert blocks[10] == b"y"


def test_slices_of_freeing():
    blocks = BlockList()
    empty = blocks.used()
    blocks.append([b"%020d" % i for i in range(10_000)])
    blocks.push(b"x" * 50_000)
    steps = blocks.free(1000)
    assert sum(steps) == 10_001 and max(steps) < 1500 and len(steps) >= 7
    assert blocks.used() == empty


def test_refused_memory_changes_nothing():
    blocks = BlockList(8192, NO_LIMIT, 64 << 20)
    model = []
    while blocks.push(b"%d" % len(model) + b"x" * 5000):
        model.append(b"%d" % len(model) + b"x" * 5000)
    assert not blocks.push(b"y" * 20_000) and not blocks.push(b"y" * 20_000, True)
    assert not blocks.replace(5, b"z" * 100_000)
    assert not blocks.clone()
    while blocks.push(b"%d" % len(model) + b"x" * 100):
        model.append(b"%d" % len(model) + b"x" * 100)
    assert blocks.insert(7, b"i" * 5000) is None
    assert len(blocks) == len(model) and blocks.values() == model
    while model:  # in any order, without memory
        index = len(model) * 2 // 3
        assert blocks.remove(index) == index
        del model[index]
        if len(model) % 1000 == 0:
            assert blocks.values() == model
