# Sets of integers: sorted little-endian integers, all of as many bytes as the widest needs.
#
#   [width] [integer] [integer] ...
#
# The width is 2, 4 or 8 bytes. Nothing is aligned. Whoever holds them knows how many bytes there are.
from libc.stdint cimport int64_t, uint8_t, uint32_t
from minikv_core.entry cimport load_int

cdef inline uint32_t intset_width(const char* p) noexcept nogil:
    return <uint8_t>p[0]

cdef inline uint32_t intset_count(const char* p, uint32_t bytes) noexcept nogil:
    return (bytes - 1) // intset_width(p)

cdef inline int64_t intset_at(const char* p, uint32_t i) noexcept nogil:
    return load_int(p + 1 + <size_t>i * intset_width(p), intset_width(p))

cdef inline uint32_t width_needed(int64_t number) noexcept nogil:
    if -32768 <= number <= 32767:
        return 2
    return 4 if -(<int64_t>1 << 31) <= number < (<int64_t>1 << 31) else 8

# Whether a number is there; `at` becomes its place, or the one where it belongs.
cdef bint intset_find(const char* p, uint32_t bytes, int64_t number, uint32_t* at) noexcept nogil
# Give `count` integers more bytes each, in their place; `gap`: and leave room for one in front of them.
cdef void intset_widen(char* p, uint32_t count, uint32_t width, bint gap) noexcept nogil
# Write count > 0 sorted numbers into the bytes that intset_bytes() says.
cdef uint32_t intset_bytes(const int64_t* numbers, uint32_t count) noexcept nogil
cdef void intset_write(char* p, const int64_t* numbers, uint32_t count) noexcept nogil
