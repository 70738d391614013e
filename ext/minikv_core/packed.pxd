# Packed elements: byte strings and numbers one behind the other, the small form of every container.
#
#   0xxxxxxx                    0 to 127
#   10llllll           bytes    string of up to 63 bytes
#   110nnnnn n         -        signed number of 13 bits, high bits first
#   1110llll l         bytes    string of up to 4095 bytes, length high bits first
#   11110000 l l l l   bytes    longer string, length as little-endian u32
#   11110001 to 11110100        signed little-endian number of 2, 3, 4 or 8 bytes
#   11110101                    double, 8 bytes
#
# These are the elements of Redis's listpack without the length behind each, and with the double. A
# string that spells a 64-bit integer is always a number, in its shortest form, so two elements are
# equal when their bytes are. There is no header and no end mark: whoever holds them knows where they end.
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp
from minikv_core.memory cimport load_u32
from minikv_core.output cimport Output
from minikv_core.types cimport Slice

cdef enum:
    PACKED_HEAD = 9             # most bytes of an element beside a string's

cdef enum ItemKind:
    ITEM_STRING = 0
    ITEM_INT = 1
    ITEM_DOUBLE = 2

cdef struct Item:               # an element taken apart, or one to be written
    ItemKind kind
    uint32_t len                # of the string
    const char* ptr
    int64_t  number
    double   real
    uint32_t bytes              # of the whole element
    uint8_t[9] head             # what stands before the string's bytes, or the whole of a number
    uint32_t head_len

# What is to be written: a string (a number if it spells one), an integer, a double (an integer if it is one).
cdef void item_of_bytes(Item* item, const char* p, uint32_t n) noexcept nogil
cdef void item_of_int(Item* item, int64_t number) noexcept nogil
cdef void item_of_double(Item* item, double real) noexcept nogil
# Write item.bytes bytes; returns the place behind them.
cdef char* packed_write(char* to, const Item* item) noexcept nogil

# Take the element at p apart (head and head_len stay unset); returns the place of the next.
cdef char* packed_read(const char* p, Item* item) noexcept nogil
# The text of an item that was read; numbers are formatted into `digits` (32 bytes).
cdef void item_text(const Item* item, char* digits, Slice* text) noexcept nogil
# The value of an element that is a number (a sorted set's score).
cdef double item_double(const Item* item) noexcept nogil

cdef inline const char* packed_next(const char* p) noexcept nogil:
    """The place behind the element at p."""
    cdef uint8_t head = <uint8_t>p[0]
    if head < 0x80:
        return p + 1
    if head < 0xC0:
        return p + 1 + (head & 63)
    if head < 0xE0:
        return p + 2
    if head < 0xF0:
        return p + 2 + (((head & 15) << 8) | <uint8_t>p[1])
    if head == 0xF0:
        return p + 5 + load_u32(p + 1)
    if head == 0xF1:
        return p + 3
    if head == 0xF2:
        return p + 4
    if head == 0xF3:
        return p + 5
    return p + 9

cdef inline bint packed_equals(const char* p, const Item* item) noexcept nogil:
    """Whether the element at p is one that item_of_...() made."""
    if p[0] != <char>item.head[0] or (item.head_len > 1 and memcmp(p, item.head, item.head_len) != 0):
        return False
    return item.kind != ITEM_STRING or memcmp(p + item.head_len, item.ptr, item.len) == 0

# The first of every (1 + skip)th element in [p, end) that equals `item`; NULL = none.
cdef char* packed_find(const char* p, const char* end, const Item* item, uint32_t skip) noexcept nogil
cdef uint32_t packed_count(const char* p, const char* end) noexcept nogil
# The element after `n` others; [p, end) has more than n.
cdef char* packed_at(const char* p, uint32_t n) noexcept nogil
# Reply with the element at p as a bulk string; returns the place of the next.
cdef char* reply_packed(Output* o, const char* p) noexcept nogil
