# Members: the elements of large hashes, sets and sorted sets, each one arena object. Makes no module.
#
#   set          [klen]                                        [key]
#   sorted set   [klen | score x8]                  [u32 klen] [key]
#   hash         [klen | vlen and "has an expiry"]  [u32 klen] [key] [u32 vlen] [expiry x8] [value]
#
# The key comes first in a table's eyes: it begins key_at bytes from the start, or 4 bytes later where a
# klen of 255 says that the real length follows as u32. Nothing is aligned.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from minikv_core.memory cimport load_i64, load_u32, store_u32, store_u64

cdef enum KeyAt:            # Table.key_at
    ENTRY_KEYS = 0          # the elements are entries
    SET_KEY = 1
    HASH_KEY = 2
    SCORED_KEY = 9

cdef enum:
    LONG_KEY = 255          # klen: a u32 follows
    LONG_VALUE = 127        # vlen: a u32 follows the key
    HAS_EXPIRY = 128        # bit of vlen

cdef inline char* member_key(char* m, uint32_t key_at, uint32_t* len) noexcept nogil:
    len[0] = <uint8_t>m[0]
    if len[0] != LONG_KEY:
        return m + key_at
    len[0] = load_u32(m + key_at)
    return m + key_at + 4

cdef inline size_t member_bytes(uint32_t klen, uint32_t key_at) noexcept nogil:
    """Bytes of a member of a set or a sorted set."""
    return key_at + <size_t>klen + (4 if klen >= LONG_KEY else 0)

cdef inline void member_write(char* m, uint32_t key_at, const char* key, uint32_t klen) noexcept nogil:
    """Write a member of a set or a sorted set, but for the score."""
    if klen < LONG_KEY:
        m[0] = <char>klen
        memcpy(m + key_at, key, klen)
    else:
        m[0] = <char>LONG_KEY
        store_u32(m + key_at, klen)
        memcpy(m + key_at + 4, key, klen)

cdef inline double member_score(const char* m) noexcept nogil:
    cdef double score
    memcpy(&score, m + 1, 8)
    return score

cdef inline void member_set_score(char* m, double score) noexcept nogil:
    memcpy(m + 1, &score, 8)

cdef struct Field:          # a hash's member taken apart; pointers into the arena
    char*    key
    uint32_t klen
    uint32_t vlen
    char*    value
    char*    expiry         # int64, Unix ms; NULL = never expires

cdef inline void field_view(char* m, Field* f) noexcept nogil:
    cdef uint8_t vlen = <uint8_t>m[1]
    cdef char* p
    f.key = member_key(m, HASH_KEY, &f.klen)
    p = f.key + f.klen
    f.vlen = vlen & LONG_VALUE
    if f.vlen == LONG_VALUE:
        f.vlen = load_u32(p)
        p += 4
    f.expiry = NULL
    if vlen & HAS_EXPIRY:
        f.expiry = p
        p += 8
    f.value = p

cdef inline int64_t field_expiry(char* m) noexcept nogil:
    """Unix time in ms at which a hash's field expires; -1 = never."""
    cdef Field f
    if <uint8_t>m[1] & HAS_EXPIRY == 0:
        return -1
    field_view(m, &f)
    return load_i64(f.expiry)

cdef inline size_t field_bytes(uint32_t klen, uint32_t vlen, bint expires) noexcept nogil:
    """Bytes of a hash's member."""
    return member_bytes(klen, HASH_KEY) + vlen + (4 if vlen >= LONG_VALUE else 0) + (8 if expires else 0)

cdef inline char* field_write(char* m, const char* key, uint32_t klen, uint32_t vlen, int64_t at_ms) noexcept nogil:
    """Write all but the value into field_bytes() bytes; returns where the value goes.

    at_ms    -1 = never expires
    """
    cdef char* p = m + member_bytes(klen, HASH_KEY)
    member_write(m, HASH_KEY, key, klen)
    m[1] = <char>((vlen if vlen < LONG_VALUE else <uint32_t>LONG_VALUE) | (HAS_EXPIRY if at_ms >= 0 else 0))
    if vlen >= LONG_VALUE:
        store_u32(p, vlen)
        p += 4
    if at_ms >= 0:
        store_u64(p, <uint64_t>at_ms)
        p += 8
    return p
