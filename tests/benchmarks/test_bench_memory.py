"""benchmarks/scenarios/memory.py: what the keys look like."""

import pytest

from benchmarks.scenarios.memory import SHAPES, shape_numbers


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_16_byte_keys(shape: str) -> None:
    (number,) = shape_numbers(shape, range(7, 8))
    assert b"\r\n$16\r\nkey:000000000007\r\n" in SHAPES[shape] % number
