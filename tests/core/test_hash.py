import random

import pytest
from minikv_core.tablehandle import hash_with

MASK = (1 << 64) - 1
SEED = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0x8CB92BA72F3D8DD7, 0xABC98388FB8FAC03)


def fold(a, b):
    r = a * b
    return (r & MASK) ^ (r >> 64)


def reference(seed, key):
    """The same hash, written for reading."""
    n = len(key)
    word = lambda at: int.from_bytes(key[at : at + 8], "little")  # noqa: E731
    h = seed[0] ^ n
    if n > 16:
        at = 0
        while n - at > 16:
            h = fold(word(at) ^ seed[1] ^ h, word(at + 8) ^ seed[2])
            at += 16
        a, b = word(n - 16), word(n - 8)
    elif n >= 8:
        a, b = word(0), word(n - 8)
    elif n >= 4:
        a, b = int.from_bytes(key[:4], "little"), int.from_bytes(key[-4:], "little")
    elif n:
        a, b = key[0] << 16 | key[n >> 1] << 8 | key[-1], 0
    else:
        a = b = 0
    h = fold(a ^ seed[1] ^ h, b ^ seed[3])
    return fold(h ^ seed[2], seed[3] ^ n)


def test_matches_the_reference():
    rnd = random.Random(1)
    for n in [*range(100), 255, 256, 1000, 4096]:
        key = rnd.randbytes(n)
        assert hash_with(SEED, key) == reference(SEED, key)


def random_seed(rnd):
    return tuple(rnd.getrandbits(64) for _ in range(4))


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 100])
def test_every_bit_of_the_key_flips_half_of_the_hash(n):
    rnd = random.Random(n)
    for bit in rnd.sample(range(n * 8), min(n * 8, 16)):
        flips = [0] * 64
        for _ in range(200):
            seed, key = random_seed(rnd), bytearray(rnd.randbytes(n))
            before = hash_with(seed, bytes(key))
            key[bit // 8] ^= 1 << bit % 8
            change = before ^ hash_with(seed, bytes(key))
            for i in range(64):
                flips[i] += change >> i & 1
        assert 0.45 < sum(flips) / 200 / 64 < 0.55
        assert all(50 < f < 150 for f in flips)


FAMILIES = {
    "decimal": lambda i: b"%d" % i,
    "padded": lambda i: b"key:%012d" % i,
    "prefix": lambda i: b"%d:a-long-common-ending-of-all-the-keys" % i,
    "suffix": lambda i: b"a-long-common-beginning-of-all-the-keys:%d" % i,
    "binary": lambda i: i.to_bytes(8, "little"),
    "high bits": lambda i: (i << 44).to_bytes(8, "little"),
    "both ends": lambda i: i.to_bytes(8, "little") + (i * 7).to_bytes(8, "big"),
    "zeros": lambda i: bytes(i // 16) + bytes([i % 16]) if i < 16384 else b"%d" % i,
    "middle": lambda i: b"0123456789abcdef" + i.to_bytes(8, "little") + b"0123456789abcdef0123456789abcdef",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_spreads_alike_keys(family):
    seed = random_seed(random.Random())
    hashes = [hash_with(seed, FAMILIES[family](i)) for i in range(50_000)]
    assert len(set(hashes)) == 50_000
    for shift in (0, 8, 16, 24, 40, 54):  # ten bits from each part: home, tag, segment
        counts = [0] * 1024
        for h in hashes:
            counts[h >> shift & 1023] += 1
        chi2 = sum((c - 50_000 / 1024) ** 2 for c in counts) / (50_000 / 1024)
        assert 1023 - 6 * 45.2 < chi2 < 1023 + 6 * 45.2, "six standard deviations"


def test_depends_on_every_secret():
    rnd = random.Random(2)
    for key in (b"", b"abc", b"abcdefgh", b"abcdefghijklmnopqrstuvwxyz"):
        seed = random_seed(rnd)
        for i in range(4):
            other = tuple(secret ^ (i == j) for j, secret in enumerate(seed))
            assert hash_with(seed, key) != hash_with(other, key)


def test_keys_made_to_collide_need_the_secrets():
    rnd = random.Random(3)
    seed = random_seed(rnd)
    hostile = [rnd.randbytes(8) + seed[3].to_bytes(8, "little") for _ in range(1000)]
    assert len({hash_with(seed, key) for key in hostile}) == 1, "whoever knows the secrets can do it"
    for _ in range(5):
        other = random_seed(rnd)
        assert len({hash_with(other, key) for key in hostile}) == 1000
