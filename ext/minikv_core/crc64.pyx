"""CRC-64 as RDB files use it, eight bytes a step ("slicing by 8": Kounavis and Berry, 2005)."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from minikv_core.memory cimport load_u64

cdef uint64_t tables[8][256]        # tables[k][b]: what byte b adds when k others have followed it


cdef void fill_tables() noexcept nogil:
    cdef uint64_t polynomial = <uint64_t>0x95AC9329AC4BC9B5        # bits in reverse
    cdef uint64_t crc
    cdef uint32_t i, k, _
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = (crc >> 1) ^ polynomial if crc & 1 else crc >> 1
        tables[0][i] = crc
    for k in range(1, 8):
        for i in range(256):
            crc = tables[k - 1][i]
            tables[k][i] = tables[0][crc & 255] ^ (crc >> 8)


fill_tables()


cdef uint64_t crc64(uint64_t crc, const char* p, size_t n) noexcept nogil:
    while n >= 8:
        crc ^= load_u64(p)
        crc = (tables[7][crc & 255] ^ tables[6][(crc >> 8) & 255] ^ tables[5][(crc >> 16) & 255]
               ^ tables[4][(crc >> 24) & 255] ^ tables[3][(crc >> 32) & 255] ^ tables[2][(crc >> 40) & 255]
               ^ tables[1][(crc >> 48) & 255] ^ tables[0][crc >> 56])
        p += 8
        n -= 8
    while n:
        crc = tables[0][(crc ^ <uint8_t>p[0]) & 255] ^ (crc >> 8)
        p += 1
        n -= 1
    return crc


# ---------------------------------------------------------------- for the tests

def checksum(bytes data, uint64_t crc=0):
    return crc64(crc, data, len(data))
