# Keyed hash of byte strings: folded 64 x 64 -> 128 multiplications (the wyhash / rapidhash family)
# whose multiplicands are all masked with random secrets, so that no input is known to cancel one
# and keys that collide cannot be built without the secrets. Makes no module.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t
from minikv_core.memory cimport load_u32, load_u64

cdef extern from *:
    ctypedef unsigned long long uint128_t "unsigned __int128"

cdef struct HashSeed:
    uint64_t secret[4]      # random, set once when an arena is made

cdef inline uint64_t fold(uint64_t a, uint64_t b) noexcept nogil:
    cdef uint128_t r = <uint128_t>a * b
    return <uint64_t>r ^ <uint64_t>(r >> 64)

cdef inline uint64_t hash_bytes(const HashSeed* seed, const char* p, size_t n) noexcept nogil:
    """Hash n bytes; every bit of the result depends on all of them and on the secrets."""
    cdef uint64_t a, b, h = seed.secret[0] ^ n
    cdef size_t left = n
    if n <= 16:
        if n >= 8:
            a = load_u64(p)
            b = load_u64(p + n - 8)
        elif n >= 4:
            a = load_u32(p)
            b = load_u32(p + n - 4)
        elif n > 0:
            a = (<uint64_t><uint8_t>p[0] << 16) | (<uint64_t><uint8_t>p[n >> 1] << 8) | <uint8_t>p[n - 1]
            b = 0
        else:
            a = b = 0
    else:
        while left > 16:
            h = fold(load_u64(p) ^ seed.secret[1] ^ h, load_u64(p + 8) ^ seed.secret[2])
            p += 16
            left -= 16
        a = load_u64(p + left - 16)
        b = load_u64(p + left - 8)
    h = fold(a ^ seed.secret[1] ^ h, b ^ seed.secret[3])
    return fold(h ^ seed.secret[2], seed.secret[3] ^ n)
