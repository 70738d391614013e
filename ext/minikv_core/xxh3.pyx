# XXH3, 64 bits, as its specification says: one way for each class of lengths up to 240 bytes, and
# beyond them eight accumulators over stripes of 64 bytes. DIGEST and IFDEQ alone use it; the
# keyspace has a keyed hash of its own.
#
# source   XXH3 specification, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
from libc.stdint cimport uint8_t, uint32_t
from minikv_core.hash cimport fold
from minikv_core.memory cimport load_u32, load_u64

cdef extern from * nogil:
    uint64_t bswap64 "__builtin_bswap64"(uint64_t x)

cdef enum:
    STRIPE = 64             # bytes that one round of the accumulators takes
    STRIPES = 16            # rounds until they are scrambled
    SECRET_BYTES = 192

cdef const char* SECRET = (
    b"\xb8\xfe\x6c\x39\x23\xa4\x4b\xbe\x7c\x01\x81\x2c\xf7\x21\xad\x1c\xde\xd4\x6d\xe9\x83\x90\x97\xdb"
    b"\x72\x40\xa4\xa4\xb7\xb3\x67\x1f\xcb\x79\xe6\x4e\xcc\xc0\xe5\x78\x82\x5a\xd0\x7d\xcc\xff\x72\x21"
    b"\xb8\x08\x46\x74\xf7\x43\x24\x8e\xe0\x35\x90\xe6\x81\x3a\x26\x4c\x3c\x28\x52\xbb\x91\xc3\x00\xcb"
    b"\x88\xd0\x65\x8b\x1b\x53\x2e\xa3\x71\x64\x48\x97\xa2\x0d\xf9\x4e\x38\x19\xef\x46\xa9\xde\xac\xd8"
    b"\xa8\xfa\x76\x3f\xe3\x9c\x34\x3f\xf9\xdc\xbb\xc7\xc7\x0b\x4f\x1d\x8a\x51\xe0\x4b\xcd\xb4\x59\x31"
    b"\xc8\x9f\x7e\xc9\xd9\x78\x73\x64\xea\xc5\xac\x83\x34\xd3\xeb\xc3\xc5\x81\xa0\xff\xfa\x13\x63\xeb"
    b"\x17\x0d\xdd\x51\xb7\xf0\xda\x49\xd3\x16\x55\x26\x29\xd4\x68\x9e\x2b\x16\xbe\x58\x7d\x47\xa1\xfc"
    b"\x8f\xf8\xb8\xd1\x7a\xd0\x31\xce\x45\xcb\x3a\x8f\x95\x16\x04\x28\xaf\xd7\xfb\xca\xbb\x4b\x40\x7e"
)

cdef uint64_t P32_1 = <uint64_t>0x9E3779B1
cdef uint64_t P32_2 = <uint64_t>0x85EBCA77
cdef uint64_t P32_3 = <uint64_t>0xC2B2AE3D
cdef uint64_t P64_1 = <uint64_t>0x9E3779B185EBCA87
cdef uint64_t P64_2 = <uint64_t>0xC2B2AE3D27D4EB4F
cdef uint64_t P64_3 = <uint64_t>0x165667B19E3779F9
cdef uint64_t P64_4 = <uint64_t>0x85EBCA77C2B2AE63
cdef uint64_t P64_5 = <uint64_t>0x27D4EB2F165667C5
cdef uint64_t MIX_1 = <uint64_t>0x165667919E3779F9
cdef uint64_t MIX_2 = <uint64_t>0x9FB21C651E98DF25


cdef inline uint64_t rotate(uint64_t x, int bits) noexcept nogil:
    return (x << bits) | (x >> (64 - bits))


cdef inline uint64_t avalanche(uint64_t h) noexcept nogil:
    h ^= h >> 37
    h *= MIX_1
    return h ^ (h >> 32)


cdef inline uint64_t avalanche_short(uint64_t h) noexcept nogil:
    """The older finish (XXH64's), kept for inputs of up to 3 bytes."""
    h ^= h >> 33
    h *= P64_2
    h ^= h >> 29
    h *= P64_3
    return h ^ (h >> 32)


cdef inline uint64_t secret(uint32_t at) noexcept nogil:
    return load_u64(SECRET + at)


cdef inline uint64_t mix_16(const char* p, uint32_t at) noexcept nogil:
    return fold(load_u64(p) ^ secret(at), load_u64(p + 8) ^ secret(at + 8))


cdef uint64_t hash_to_16(const char* p, size_t n) noexcept nogil:
    cdef uint64_t h, low, high
    if n > 8:
        low = load_u64(p) ^ secret(24) ^ secret(32)
        high = load_u64(p + n - 8) ^ secret(40) ^ secret(48)
        return avalanche(n + bswap64(low) + high + fold(low, high))
    if n >= 4:
        h = (load_u32(p + n - 4) + (<uint64_t>load_u32(p) << 32)) ^ secret(8) ^ secret(16)
        h ^= rotate(h, 49) ^ rotate(h, 24)
        h *= MIX_2
        h ^= (h >> 35) + n
        h *= MIX_2
        return h ^ (h >> 28)
    if n > 0:
        h = (<uint64_t><uint8_t>p[0] << 16) | (<uint64_t><uint8_t>p[n >> 1] << 24)
        h |= <uint8_t>p[n - 1] | (n << 8)
        return avalanche_short(h ^ load_u32(SECRET) ^ load_u32(SECRET + 4))
    return avalanche_short(secret(56) ^ secret(64))


cdef uint64_t hash_to_240(const char* p, size_t n) noexcept nogil:
    cdef uint64_t h = n * P64_1
    cdef uint32_t i
    if n <= 128:
        i = <uint32_t>((n - 1) >> 5) + 1
        while i > 0:        # pairs of 16 bytes from both ends, the innermost first
            i -= 1
            h += mix_16(p + 16 * i, 32 * i)
            h += mix_16(p + n - 16 * (i + 1), 32 * i + 16)
        return avalanche(h)
    for i in range(8):
        h += mix_16(p + 16 * i, 16 * i)
    h = avalanche(h)
    for i in range(8, <uint32_t>(n >> 4)):
        h += mix_16(p + 16 * i, 16 * (i - 8) + 3)
    return avalanche(h + mix_16(p + n - 16, 136 - 17))


cdef inline void accumulate(uint64_t* lanes, const char* p, uint32_t at) noexcept nogil:
    cdef uint64_t value, key
    cdef uint32_t i
    for i in range(8):
        value = load_u64(p + 8 * i)
        key = value ^ secret(at + 8 * i)
        lanes[i ^ 1] += value
        lanes[i] += (key & <uint64_t>0xFFFFFFFF) * (key >> 32)


cdef uint64_t hash_long(const char* p, size_t n) noexcept nogil:
    cdef uint64_t[8] lanes
    cdef uint64_t h = n * P64_1
    cdef size_t left = n
    cdef int i
    lanes[0] = P32_3
    lanes[1] = P64_1
    lanes[2] = P64_2
    lanes[3] = P64_3
    lanes[4] = P64_4
    lanes[5] = P32_2
    lanes[6] = P64_5
    lanes[7] = P32_1
    while left > STRIPE * STRIPES:
        for i in range(STRIPES):
            accumulate(lanes, p + STRIPE * i, 8 * i)
        for i in range(8):
            lanes[i] = (lanes[i] ^ (lanes[i] >> 47) ^ secret(SECRET_BYTES - STRIPE + 8 * i)) * P32_1
        p += STRIPE * STRIPES
        left -= STRIPE * STRIPES
    for i in range(<int>((left - 1) // STRIPE)):
        accumulate(lanes, p + STRIPE * i, 8 * i)
    accumulate(lanes, p + left - STRIPE, SECRET_BYTES - STRIPE - 7)     # the last 64 bytes, overlapping
    for i in range(4):
        h += fold(lanes[2 * i] ^ secret(11 + 16 * i), lanes[2 * i + 1] ^ secret(19 + 16 * i))
    return avalanche(h)


cdef uint64_t xxh3(const char* p, size_t n) noexcept nogil:
    """Hash n bytes."""
    if n <= 16:
        return hash_to_16(p, n)
    if n <= 240:
        return hash_to_240(p, n)
    return hash_long(p, n)


# For the tests.

def digest(bytes data):
    return xxh3(data, len(data))
