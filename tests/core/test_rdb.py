"""The parts of the RDB format: checksum, lengths, strings, and what Redis keeps small values in."""

import math
import random
import struct

import pytest
from minikv_core.crc64 import checksum
from minikv_core.packed import pack
from minikv_core.rdb import Written, read
from minikv_core.rdbpacked import elements
from minikv_core.rdbpacked import listpack as write_listpack
from rdb_payloads import intset, length, listpack, lzf, string, ziplist, zipmap

TEXTS = [
    b"",
    b"a",
    b"x" * 63,
    b"y" * 64,
    b"z" * 253,
    b"z" * 254,
    b"u" * 4095,
    b"v" * 4096,
    b"w" * 16383,
    b"w" * 16384,
]
NUMBERS = [0, 1, 12, 13, 127, 128, -1, -128, -129, 4095, -4096, 4096, 32767, -32768, 32768, 2**23 - 1,
           -(2**23), 2**23, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63)]  # fmt: skip


def as_text(values):
    return [value if isinstance(value, bytes) else b"%d" % value for value in values]


# ---------------------------------------------------------------- checksum


def test_checksum_of_the_catalogue():
    assert checksum(b"123456789") == 0xE9C6D914C4B8D9CA
    assert checksum(b"") == 0


def test_checksum_goes_on():
    data = random.Random(1).randbytes(1000)
    whole = checksum(data)
    for cut in (0, 1, 7, 8, 9, 500, 999, 1000):
        assert checksum(data[cut:], checksum(data[:cut])) == whole


# ---------------------------------------------------------------- lengths and strings


@pytest.mark.parametrize("n", [0, 63, 64, 16383, 16384, 2**32 - 1, 2**32, 2**64 - 1])
def test_length(n):
    assert Written().length(n) == length(n)
    assert read("length", length(n) + b"more") == (n, len(length(n)))


@pytest.mark.parametrize(
    "data", [b"", b"\x40", b"\x80\0\0\0", b"\x81" + bytes(7), b"\x82", b"\xbf", b"\xc0\0"]
)
def test_no_length(data):
    with pytest.raises(ValueError, match="length"):
        read("length", data)


@pytest.mark.parametrize("text", TEXTS)
def test_text(text):
    written = Written().string(text)
    assert written == string(text)
    assert read("string", written + b"more") == (text, len(written))
    with pytest.raises(ValueError, match="string"):
        read("string", written[:-1])


@pytest.mark.parametrize(("number", "data"), [
    (0, b"\xc0\0"), (-128, b"\xc0\x80"), (127, b"\xc0\x7f"), (128, b"\xc1\x80\0"), (-32768, b"\xc1\0\x80"),
    (32768, b"\xc2\0\x80\0\0"), (2**31 - 1, b"\xc2\xff\xff\xff\x7f"), (-(2**31), b"\xc2\0\0\0\x80"),
])  # fmt: skip
def test_integer(number, data):
    text = b"%d" % number
    assert Written().string(text) == data
    assert read("string", data) == (text, len(data))
    with pytest.raises(ValueError, match="string"):
        read("string", data[:-1])


@pytest.mark.parametrize("text", [b"2147483648", b"-2147483649", b"01", b"+1", b"-0", b" 1", b"1.0"])
def test_what_is_no_short_integer_is_written_as_it_is(text):
    assert Written().string(text) == string(text)


def packed(data, size):
    return b"\xc3" + length(len(data)) + length(size) + data


@pytest.mark.parametrize(("data", "text"), [
    (b"\x00a", b"a"),
    (b"\x02abc\x20\x02", b"abcabc"),
    (b"\x00a\xe0\xff\x00", b"a" * 265),                     # a run that repeats itself
    (b"\x01ab\xe0\x03\x01\x00c", b"ab" * 7 + b"c"),
])  # fmt: skip
def test_compressed(data, text):
    assert read("string", packed(data, len(text))) == (text, len(packed(data, len(text))))
    for size in (0, 1, len(text) - 1, len(text) + 1):
        if size != len(text):
            with pytest.raises(ValueError, match="string"):
                read("string", packed(data, size))


@pytest.mark.parametrize("data", [
    b"", b"\x00", b"\x05abc", b"\x20\x00", b"\x00a\x20\x01", b"\x00a\x20", b"\x00a\xe0", b"\x00a\xe0\x01",
])  # fmt: skip
def test_badly_compressed(data):
    for size in range(1, 12):
        with pytest.raises(ValueError, match="string"):
            read("string", packed(data, size))


def test_compressed_sizes_are_not_believed():
    for size in (2**32 - 1, 2**40, 2**63):
        with pytest.raises(ValueError, match="string"):
            read("string", packed(b"\x00a", size))
    assert read("string", lzf(b"abc" * 100))[0] == b"abc" * 100


@pytest.mark.parametrize("data", [b"\xc4", b"\xff\0", length(2**40), length(2**64 - 1), b"\xc3\xff"])
def test_no_string(data):
    with pytest.raises(ValueError, match="string"):
        read("string", data + b"abc")


def test_old_doubles():
    assert read("double", b"\x031.5") == (1.5, 4)
    assert read("double", b"\xfe")[0] == math.inf
    assert read("double", b"\xff")[0] == -math.inf
    assert math.isnan(read("double", b"\xfd")[0])
    for data in (b"", b"\x03ab", b"\x00", b"\x041.5", b"\x03abc"):
        with pytest.raises(ValueError, match="double"):
            read("double", data)


# ---------------------------------------------------------------- listpack, ziplist, intset, zipmap


@pytest.mark.parametrize("make", [listpack, ziplist])
def test_lists(make):
    for values in ([], NUMBERS, TEXTS, NUMBERS + TEXTS + NUMBERS):
        assert elements(make.__name__, make(values)) == as_text(values)
        assert elements(make.__name__, make(values, 65535)) == as_text(values)
        for count in (len(values) + 1, max(len(values) - 1, 1)):
            if count != len(values):
                with pytest.raises(ValueError, match=make.__name__):
                    elements(make.__name__, make(values, count))


def test_written_listpack():
    for values in ([], [b"a"], NUMBERS, TEXTS, [b"x"] * 70_000):
        made = write_listpack([pack([v]) for v in values])
        assert made == string(listpack(values, min(len(values), 65535)))


@pytest.mark.parametrize(("width", "numbers"), [
    (2, [-32768, 0, 32767]), (4, [-(2**31), 5, 2**31 - 1]), (8, [-(2**63), -1, 2**63 - 1]), (8, []),
])  # fmt: skip
def test_intset(width, numbers):
    assert elements("intset", intset(numbers, width)) == as_text(numbers)


@pytest.mark.parametrize("data", [
    b"", bytes(7), struct.pack("<II", 3, 0), struct.pack("<II", 2, 1),
    struct.pack("<II", 2, 2**31) + bytes(4),
    struct.pack("<IIhh", 2, 2, 1, 1), struct.pack("<IIhh", 2, 2, 2, 1), struct.pack("<IIh", 2, 2, 2),
])  # fmt: skip
def test_bad_intset(data):
    with pytest.raises(ValueError, match="intset"):
        elements("intset", data)


@pytest.mark.parametrize("spare", [0, 1, 7])
def test_zipmap(spare):
    pairs = [(b"a", b"1"), (b"", b""), (b"k" * 253, b"v" * 254), (b"k" * 300, b"v" * 5000)]
    assert elements("zipmap", zipmap(pairs, spare)) == [text for pair in pairs for text in pair]
    many = [(b"%d" % i, b"v") for i in range(300)]
    assert elements("zipmap", zipmap(many, spare)) == [text for pair in many for text in pair]


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\1\xff", b"\1\1a\xff", b"\1\1a\1\0\xff", b"\1\1a\1\5v\xff", b"\1\xfe\xff"]
)
def test_bad_zipmap(data):
    with pytest.raises(ValueError, match="zipmap"):
        elements("zipmap", data)


@pytest.mark.parametrize(("name", "data"), [
    ("listpack", listpack([1, b"two", b"x" * 200, -70_000])),
    ("ziplist", ziplist([1, b"two", b"x" * 300, -70_000, b"end"])),
    ("intset", intset([1, 2, 3, 1000], 4)),
    ("zipmap", zipmap([(b"a", b"1"), (b"bb", b"x" * 260)], 2)),
])  # fmt: skip
def test_damage(name, data):
    """Each byte changed, each cut: other elements or a refusal, and nothing else."""
    for cut in range(len(data)):
        with pytest.raises(ValueError, match=name):
            elements(name, data[:cut])
    for at in range(len(data)):
        for change in (1, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= change
            try:
                found = elements(name, bytes(changed))
            except ValueError:
                continue
            assert all(isinstance(text, bytes) for text in found)
