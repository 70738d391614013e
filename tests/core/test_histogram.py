"""ext/minikv_core/histogram.pyx against sorted lists."""

import math

from hypothesis import given
from hypothesis import strategies as st
from minikv_core.histogram import Histogram

ERROR = 1 / 256  # half a bucket, of a value


def exact(values, percent):
    """The smallest value that so many per cent do not exceed."""
    return sorted(values)[max(1, math.ceil(percent / 100 * len(values) - 1e-6)) - 1]


def filled(values):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_empty():
    assert Histogram().percentile(50) is None
    assert Histogram().total == Histogram().largest == 0


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.sampled_from([0, 1, 50, 90, 99, 99.9, 100]))
def test_within_half_a_bucket(values, percent):
    histogram = filled(values)
    want = exact(values, percent)
    assert abs(histogram.percentile(percent) - want) <= want * ERROR + 1
    assert histogram.total == len(values)
    assert histogram.largest == max(values)


@given(st.integers(0, 255))
def test_small_values_are_exact(value):
    assert filled([value]).percentile(50) == value


@given(st.lists(st.integers(0, 2**40), min_size=1))
def test_percentiles_rise_and_end_at_the_largest(values):
    histogram = filled(values)
    steps = [histogram.percentile(percent) for percent in range(0, 101, 5)]
    assert steps == sorted(steps)
    assert steps[-1] <= max(values)


def test_every_power_of_two_and_its_neighbours():
    for bits in range(64):
        for value in (2**bits - 1, 2**bits, 2**bits + 1):
            assert abs(filled([value, 2**64 - 1]).percentile(50) - value) <= value * ERROR + 1


def test_many_at_once_and_clear():
    histogram = Histogram()
    histogram.record(1000, 999)
    histogram.record(5000)
    assert histogram.total == 1000
    assert abs(histogram.percentile(99.9) - 1000) <= 4
    assert histogram.percentile(99.95) == 5000
    histogram.clear()
    assert histogram.total == 0
    assert histogram.percentile(50) is None
