"""XXH3 against fixed values of each class of lengths and, where it is installed, the xxhash package."""

import random

import pytest

from minikv_core.xxh3 import digest

PATTERN = bytes(i * 131 % 251 for i in range(5000))
FIXED = {
    0: 0x2d06800538d394c2,
    1: 0xc44bdff4074eecdb,
    2: 0x433ce72a5f67ae52,
    3: 0xc3abf7ae2e250b5a,
    4: 0x6e5c9679d43c1e41,
    5: 0x254f5eeab9f69fb1,
    8: 0x2c2127bbb99b325e,
    9: 0x8436430b381f7fd6,
    16: 0xbea42f62eac454d0,
    17: 0xc5bc95c990fc83b4,
    32: 0x270fc40a309c23ad,
    33: 0x4de9193ef7fabcc1,
    64: 0xd0bdb3e3c36a32e8,
    65: 0x60b706ea92d6e22e,
    96: 0xd18d44b631a73073,
    97: 0xa57ef0407c7afe78,
    128: 0x3d41caa0b80a4385,
    129: 0x287795aec899cb57,
    130: 0x1bdad0ebe0d417f8,
    144: 0xb21dac5dd2934dd0,
    239: 0xa6d668f339afb17d,
    240: 0x4da2ab7921d06c5e,
    241: 0x179ead905bf75a05,
    256: 0x4a0bf471528a187b,
    511: 0x268f424e7832dc6f,
    512: 0xe44778267d71d06f,
    1023: 0xcfbe976bff3710fd,
    1024: 0x89afebe614a926d7,
    1025: 0x6d6273cffcf616f7,
    2048: 0x2ef1df256302e71b,
    2049: 0x9618cf895b0a7f08,
    4096: 0x1f0d35f134374e5d,
    5000: 0xaef85543bf6dc334,
}


@pytest.mark.parametrize("length", FIXED)
def test_fixed_values(length):
    assert digest(PATTERN[:length]) == FIXED[length]


def test_same_as_xxhash():
    xxhash = pytest.importorskip("xxhash")
    source = random.Random(3)
    for length in [*range(1300), 2047, 2048, 2049, 65536, 100_001]:
        data = source.randbytes(length)
        assert digest(data) == xxhash.xxh3_64_intdigest(data), length
