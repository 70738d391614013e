"""Sets of integers as bytes."""

import random
import struct

import pytest
from minikv_core import intset

EDGES = [
    0,
    1,
    -1,
    2**15 - 1,
    2**15,
    -(2**15),
    -(2**15) - 1,
    2**31 - 1,
    2**31,
    -(2**31),
    -(2**31) - 1,
    2**63 - 1,
    -(2**63),
]


def width_of(numbers):
    for width in (2, 4):
        if all(-(1 << (8 * width - 1)) <= n < 1 << (8 * width - 1) for n in numbers):
            return width
    return 8


@pytest.mark.parametrize("number", EDGES)
def test_one_number(number):
    packed = intset.build([number])
    width = width_of([number])
    assert packed == bytes([width]) + struct.pack({2: "<h", 4: "<i", 8: "<q"}[width], number)
    assert intset.numbers_of(packed) == [number]
    assert intset.find(packed, number) == (True, 0)


@pytest.mark.parametrize("seed", range(20))
def test_inserts_keep_the_numbers_sorted(seed):
    rng = random.Random(seed)
    bits = rng.choice([4, 15, 31, 63])
    numbers = [rng.randrange(-(1 << bits), 1 << bits)]
    packed = intset.build(numbers)
    for _ in range(60):
        number = rng.choice([rng.randrange(-(1 << bits), 1 << bits), rng.choice(EDGES)])
        found, at = intset.find(packed, number)
        assert found == (number in numbers)
        if found:
            assert numbers[at] == number
            continue
        assert at == sum(n < number for n in numbers)
        packed = intset.insert(packed, number)
        numbers = sorted([*numbers, number])
        assert intset.numbers_of(packed) == numbers
        assert packed == intset.build(numbers)
        assert packed[0] == width_of(numbers)


def test_numbers_outside_of_the_width_are_not_found():
    packed = intset.build([-5, 3, 9])
    for number, place in [(2**40, 3), (-(2**40), 0), (4, 2), (65536 + 3, 3)]:
        assert intset.find(packed, number) == (False, place)
