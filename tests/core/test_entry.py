import pytest
from hypothesis import given
from hypothesis import strategies as st
from minikv_core.tablehandle import entry_round_trip, int_round_trip

EXPIRIES = [-1, 0, 1, 1_700_000_000_000, (1 << 48) - 1, 1 << 48, (1 << 63) - 1]
LENGTHS = [0, 1, 44, 254, 255, 256, 70_000]


@pytest.mark.parametrize("expiry", EXPIRIES)
@pytest.mark.parametrize("vlen", LENGTHS)
@pytest.mark.parametrize("klen", LENGTHS)
def test_round_trip(klen, vlen, expiry):
    key, value = b"k" * klen, b"v" * vlen
    size = 6 + klen + vlen + 4 * (klen >= 255) + 4 * (vlen >= 255)
    size += 0 if expiry < 0 else 6 if expiry < 1 << 48 else 8
    assert entry_round_trip(key, value, 5, 3, 0xABCDEF, expiry) == {
        "size": size,
        "key": key,
        "same_key": key,
        "value": value,
        "kind": 5,
        "form": 3,
        "clock": 0xABCDEF,
        "expiry": expiry,
    }


@given(
    st.binary(max_size=600),
    st.binary(max_size=600),
    st.integers(0, 7),
    st.integers(0, 7),
    st.integers(0, (1 << 24) - 1),
    st.integers(-1, (1 << 63) - 1),
)
def test_fields_do_not_disturb_each_other(key, value, kind, form, clock, expiry):
    fields = entry_round_trip(key, value, kind, form, clock, expiry)
    assert (fields["key"], fields["same_key"], fields["value"]) == (key, key, value)
    assert (fields["kind"], fields["form"], fields["clock"], fields["expiry"]) == (kind, form, clock, expiry)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_integers_take_their_least_width(width):
    low, high = -(1 << 8 * width - 1), (1 << 8 * width - 1) - 1
    assert int_round_trip(low) == (width, low)
    assert int_round_trip(high) == (width, high)
    if width < 8:
        assert int_round_trip(low - 1) == (width * 2, low - 1)
        assert int_round_trip(high + 1) == (width * 2, high + 1)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_integers_come_back(value):
    assert int_round_trip(value)[1] == value
