"""Numbers from and to text; what is accepted and how it is laid out was read off Redis 7.0 and 8.2."""

import locale
import random
import struct
from fractions import Fraction

import pytest
from minikv_core.numbers import double_text, double_value, int_text, int_value, long_double_sum

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


def test_integers_around_every_power_of_ten():
    edges = {sign * 10**power + near for power in range(19) for near in range(-2, 3) for sign in (1, -1)}
    for value in edges | {INT_MIN, INT_MIN + 1, INT_MAX - 1, INT_MAX} | set(range(-1100, 1100)):
        text = str(value).encode()
        assert int_text(value) == text
        assert int_value(text) == value


def test_random_integers():
    rng = random.Random(1)
    for _ in range(20000):
        value = rng.randint(INT_MIN, INT_MAX) >> rng.randrange(64)
        assert int_text(value) == str(value).encode()
        assert int_value(str(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-",
        b"+1",
        b" 1",
        b"1 ",
        b"01",
        b"00",
        b"-0",
        b"-01",
        b"--1",
        b"1.0",
        b"1e3",
        b"0x1",
        b"1\x00",
        b"\xb1",
        str(INT_MAX + 1).encode(),
        str(INT_MIN - 1).encode(),
        b"18446744073709551616",
        b"9" * 19,
        b"9" * 20,
        b"-" + b"9" * 19,
        b"1" * 1000,
    ],
)
def test_texts_that_are_no_integers(text):
    assert int_value(text) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, b"0"),
        (-0.0, b"-0"),
        (3.0, b"3"),
        (-3.5, b"-3.5"),
        (0.1, b"0.1"),
        (1e-5, b"0.00001"),
        (1e-7, b"1e-7"),
        (1.5e-7, b"1.5e-7"),
        (0.001234567891, b"0.001234567891"),
        (0.0001234567891, b"1.234567891e-4"),
        (100.5, b"100.5"),
        (9999.123456789, b"9999.123456789"),
        (-124224.81269885588, b"-1.2422481269885588e+5"),
        (123456.789, b"123456.789"),
        (1e15, b"1000000000000000"),
        (1e18, b"1000000000000000000"),
        (2.0**62, b"4611686018427387904"),
        (-(2.0**62), b"-4611686018427387904"),
        (1e19, b"1e+19"),
        (1e20, b"1e+20"),
        (-123456789012345678901234.0, b"-123456789012345690000000"),
        (1234567890123456789012345.0, b"1.2345678901234568e+24"),
        (12345678901234567890.0, b"12345678901234567000"),
        (1.7976931348623157e308, b"1.7976931348623157e+308"),
        (2.2250738585072014e-308, b"2.2250738585072014e-308"),
        (5e-324, b"5e-324"),
        (float("inf"), b"inf"),
        (float("-inf"), b"-inf"),
        (float("nan"), b"nan"),
    ],
)
def test_how_doubles_are_laid_out(value, text):
    assert double_text(value) == text


def test_doubles_read_back_the_same_and_are_short():
    rng = random.Random(2)
    longer = 0
    rounds = 50000
    for _ in range(rounds):
        value = struct.unpack("d", rng.randbytes(8))[0]
        if value != value:
            continue
        text = double_text(value)
        assert float(text) == value
        assert double_value(text) == value
        digits = len(text.split(b"e")[0].strip(b"-").replace(b".", b"").strip(b"0"))
        longer += digits > len(repr(value).split("e")[0].strip("-").replace(".", "").strip("0"))
    assert longer < rounds / 50


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", 1.0),
        (b"+1", 1.0),
        (b"-.5", -0.5),
        (b"1.", 1.0),
        (b"00012", 12.0),
        (b"1E5", 1e5),
        (b"0x10", 16.0),
        (b"0x1.8p1", 3.0),
        (b"inf", float("inf")),
        (b"+INF", float("inf")),
        (b"-Infinity", float("-inf")),
        (b"5e-324", 5e-324),
        (b"1e-310", 1e-310),
        (b"0e99999999999999999999", 0.0),
        (b"0" * 6000 + b"1", 1.0),
        (b"0." + b"1" * 600, 1 / 9),
        (b"123456789012345", 123456789012345.0),
        (b"1234567890123456", 1234567890123456.0),
        (b"0.00000000000001", 1e-14),
        (b".123456789012345", 0.123456789012345),
        (b"9007199254740993", 9007199254740992.0),
    ],
)
def test_texts_that_are_doubles(text, value):
    assert double_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" 1",
        b"\t1",
        b"1 ",
        b".",
        b"-",
        b"+",
        b"-.",
        b"1e",
        b"1e+",
        b"1,5",
        b"1_0",
        b"1\x00",
        b"1..2",
        b"--1",
        b"0x",
        b"nan",
        b"-NaN",
        b"nan(1)",
        b"infinit",
        b"1e400",
        b"-1e400",
        b"1e-400",
        b"2e-324",
        b"1" * 400,
        b"1p3",
        b"1f",
    ],
)
def test_texts_that_are_no_doubles(text):
    assert double_value(text) is None


def test_minus_zero_keeps_its_sign():
    for text in (b"-0", b"-0.0", b"-0e5"):
        assert double_text(double_value(text)) == b"-0"


def test_plain_decimals_read_like_python_reads_them():
    rng = random.Random(3)
    for _ in range(20000):
        digits = str(rng.randrange(10 ** rng.randint(1, 18)))
        cut = rng.randint(0, len(digits))
        text = rng.choice(("", "-")) + digits[:cut] + "." + digits[cut:]
        assert double_value(text.encode()) == float(text)


@pytest.mark.parametrize(
    ("texts", "result"),
    [
        ([b"10.50", b"0.1"], b"10.6"),
        ([b"5.0e3", b"2.0e2"], b"5200"),
        ([b"0.1", b"0.2"], b"0.3"),
        ([b"3", b"-3"], b"0"),
        ([b"-0"], b"0"),
        ([b"-1e-30"], b"0"),
        ([b"1.00000000000000001"], b"1.00000000000000001"),
        ([b"0x1p3"], b"8"),
        ([b"1e20"], b"100000000000000000000"),
        ([b"17179869184", b"1.5"], b"17179869185.5"),
        ([b"0" * 5118 + b"1"], b"1"),
        ([b"0" * 5119 + b"1"], None),
        ([b""], None),
        ([b" 1"], None),
        ([b"1 "], None),
        ([b"nan"], None),
        ([b"1e5000"], None),
        ([b"1e-5000"], None),
        ([b"1\x00"], None),
    ],
)
def test_long_doubles(texts, result):
    assert long_double_sum(*texts) == result


def test_long_double_of_many_digits():
    text = long_double_sum(b"1e4000")
    assert len(text) == 4000
    assert abs(Fraction(int(text), 10**4000) - 1) < Fraction(1, 2**63)


def test_the_locale_does_not_matter():
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "de_DE"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("no locale with a decimal comma is installed")
    try:
        assert double_value(b"1.5e0") == 1.5
        assert double_value(b"1,5") is None
        assert long_double_sum(b"1.5") == b"1.5"
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
