"""XXH3 against fixed values of each class of lengths and, where it is installed, the xxhash package."""

import random

import pytest
from minikv_core.xxh3 import digest

PATTERN = bytes(i * 131 % 251 for i in range(5000))
FIXED = {
    0: 0x2D06800538D394C2,
    1: 0xC44BDFF4074EECDB,
    2: 0x433CE72A5F67AE52,
    3: 0xC3ABF7AE2E250B5A,
    4: 0x6E5C9679D43C1E41,
    5: 0x254F5EEAB9F69FB1,
    8: 0x2C2127BBB99B325E,
    9: 0x8436430B381F7FD6,
    16: 0xBEA42F62EAC454D0,
    17: 0xC5BC95C990FC83B4,
    32: 0x270FC40A309C23AD,
    33: 0x4DE9193EF7FABCC1,
    64: 0xD0BDB3E3C36A32E8,
    65: 0x60B706EA92D6E22E,
    96: 0xD18D44B631A73073,
    97: 0xA57EF0407C7AFE78,
    128: 0x3D41CAA0B80A4385,
    129: 0x287795AEC899CB57,
    130: 0x1BDAD0EBE0D417F8,
    144: 0xB21DAC5DD2934DD0,
    239: 0xA6D668F339AFB17D,
    240: 0x4DA2AB7921D06C5E,
    241: 0x179EAD905BF75A05,
    256: 0x4A0BF471528A187B,
    511: 0x268F424E7832DC6F,
    512: 0xE44778267D71D06F,
    1023: 0xCFBE976BFF3710FD,
    1024: 0x89AFEBE614A926D7,
    1025: 0x6D6273CFFCF616F7,
    2048: 0x2EF1DF256302E71B,
    2049: 0x9618CF895B0A7F08,
    4096: 0x1F0D35F134374E5D,
    5000: 0xAEF85543BF6DC334,
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
