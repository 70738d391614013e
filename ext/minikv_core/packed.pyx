"""Packed elements: writing, reading and finding them. See packed.pxd for their bytes."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy
from minikv_core.memory cimport load_i64, load_u16, load_u32, store_u16, store_u32, store_u64
from minikv_core.numbers cimport format_double, format_int, parse_int
from minikv_core.output cimport Output
from minikv_core.reply cimport reply_bulk, reply_bulk_int
from minikv_core.types cimport Slice

cdef enum:
    INT_DIGITS = 20         # longest 64-bit integer as text
    SHORT = 64              # strings of less have one byte of head
    MEDIUM = 4096           # strings of less have two

# ---------------------------------------------------------------- what is to be written

cdef void item_of_bytes(Item* item, const char* p, uint32_t n) noexcept nogil:
    cdef int64_t number
    if 0 < n <= INT_DIGITS and (c'0' <= p[0] <= c'9' or p[0] == c'-') and parse_int(p, n, &number):
        item_of_int(item, number)
        return
    item.kind = ITEM_STRING
    item.ptr = p
    item.len = n
    if n < SHORT:
        item.head[0] = <uint8_t>(0x80 | n)
        item.head_len = 1
    elif n < MEDIUM:
        item.head[0] = <uint8_t>(0xE0 | (n >> 8))
        item.head[1] = <uint8_t>n
        item.head_len = 2
    else:
        item.head[0] = 0xF0
        store_u32(item.head + 1, n)
        item.head_len = 5
    item.bytes = item.head_len + n


cdef void item_of_int(Item* item, int64_t number) noexcept nogil:
    item.kind = ITEM_INT
    item.number = number
    item.ptr = NULL
    item.len = 0
    if 0 <= number < 128:
        item.head[0] = <uint8_t>number
        item.head_len = 1
    elif -4096 <= number < 4096:
        item.head[0] = <uint8_t>(0xC0 | ((number >> 8) & 31))
        item.head[1] = <uint8_t>(number & 255)
        item.head_len = 2
    elif -32768 <= number < 32768:
        item.head[0] = 0xF1
        store_u16(item.head + 1, <unsigned short>(number & 0xFFFF))
        item.head_len = 3
    elif -(1 << 23) <= number < 1 << 23:
        item.head[0] = 0xF2
        store_u32(item.head + 1, <uint32_t>(number & 0xFFFFFF))
        item.head_len = 4
    elif -(<int64_t>1 << 31) <= number < <int64_t>1 << 31:
        item.head[0] = 0xF3
        store_u32(item.head + 1, <uint32_t>(number & <int64_t>0xFFFFFFFF))
        item.head_len = 5
    else:
        item.head[0] = 0xF4
        store_u64(item.head + 1, <unsigned long long>number)
        item.head_len = 9
    item.bytes = item.head_len


cdef void item_of_double(Item* item, double real) noexcept nogil:
    cdef int64_t number
    if -9007199254740992.0 <= real <= 9007199254740992.0:       # 2**53: up to there integers are exact
        number = <int64_t>real
        # not for -0.0, which an integer would lose
        if <double>number == real and (number != 0 or 1.0 / real > 0):
            item_of_int(item, number)
            return
    item.kind = ITEM_DOUBLE
    item.real = real
    item.ptr = NULL
    item.len = 0
    item.head[0] = 0xF5
    memcpy(item.head + 1, &real, 8)
    item.head_len = item.bytes = 9


cdef char* packed_write(char* to, const Item* item) noexcept nogil:
    memcpy(to, item.head, item.head_len)
    if item.kind == ITEM_STRING and item.len:
        memcpy(to + item.head_len, item.ptr, item.len)
    return to + item.bytes

# ---------------------------------------------------------------- reading

cdef inline const char* string_at(const char* p, uint32_t* n) noexcept nogil:
    """The bytes of the string at p; NULL if there is a number."""
    cdef uint8_t head = <uint8_t>p[0]
    if 0x80 <= head < 0xC0:
        n[0] = head & 63
        return p + 1
    if 0xE0 <= head < 0xF0:
        n[0] = (<uint32_t>(head & 15) << 8) | <uint8_t>p[1]
        return p + 2
    if head == 0xF0:
        n[0] = load_u32(p + 1)
        return p + 5
    return NULL


cdef inline int64_t int_at(const char* p) noexcept nogil:
    cdef uint8_t head = <uint8_t>p[0]
    cdef int64_t number
    if head < 0x80:
        return head
    if head < 0xE0:
        number = (<int64_t>(head & 31) << 8) | <uint8_t>p[1]
        return number - 8192 if number >= 4096 else number
    if head == 0xF1:
        number = load_u16(p + 1)
        return number - 65536 if number >= 32768 else number
    if head == 0xF2:
        number = load_u16(p + 1) | (<int64_t><uint8_t>p[3] << 16)
        return number - (1 << 24) if number >= 1 << 23 else number
    if head == 0xF3:
        return <int><uint32_t>load_u32(p + 1)
    return load_i64(p + 1)


cdef char* packed_read(const char* p, Item* item) noexcept nogil:
    cdef const char* text = string_at(p, &item.len)
    item.ptr = text
    if text != NULL:
        item.kind = ITEM_STRING
        item.bytes = <uint32_t>(text - p) + item.len
    else:
        item.len = 0
        item.bytes = <uint32_t>(packed_next(p) - p)
        if <uint8_t>p[0] == 0xF5:
            item.kind = ITEM_DOUBLE
            memcpy(&item.real, p + 1, 8)
        else:
            item.kind = ITEM_INT
            item.number = int_at(p)
    return <char*>p + item.bytes


cdef void item_text(const Item* item, char* digits, Slice* text) noexcept nogil:
    text.block = 0
    if item.kind == ITEM_STRING:
        text.ptr = <char*>item.ptr
        text.len = item.len
    else:
        text.ptr = digits
        text.len = format_int(digits, item.number) if item.kind == ITEM_INT else format_double(digits, item.real)


cdef double item_double(const Item* item) noexcept nogil:
    return item.real if item.kind == ITEM_DOUBLE else <double>item.number


cdef char* packed_find(const char* p, const char* end, const Item* item, uint32_t skip) noexcept nogil:
    cdef uint32_t _
    while p < end:
        if packed_equals(p, item):
            return <char*>p
        p = packed_next(p)
        for _ in range(skip):
            p = packed_next(p)
    return NULL


cdef uint32_t packed_count(const char* p, const char* end) noexcept nogil:
    cdef uint32_t n = 0
    while p < end:
        p = packed_next(p)
        n += 1
    return n


cdef char* packed_at(const char* p, uint32_t n) noexcept nogil:
    cdef uint32_t _
    for _ in range(n):
        p = packed_next(p)
    return <char*>p


cdef char* reply_packed(Output* o, const char* p) noexcept nogil:
    cdef char[64] digits
    cdef double real
    cdef uint32_t n
    cdef const char* text = string_at(p, &n)
    if text != NULL:
        reply_bulk(o, text, n)
        return <char*>text + n
    if <uint8_t>p[0] == 0xF5:
        memcpy(&real, p + 1, 8)
        reply_bulk(o, digits, format_double(digits, real))
    else:
        reply_bulk_int(o, int_at(p))
    return <char*>packed_next(p)

# ---------------------------------------------------------------- for the tests


def pack(list values):
    """Elements for bytes, int and float values."""
    cdef Item item
    cdef bytes packed = b"", text
    cdef bytearray room
    for value in values:
        if isinstance(value, bytes):
            text = value
            item_of_bytes(&item, text, <uint32_t>len(text))
        elif isinstance(value, int):
            item_of_int(&item, value)
        else:
            item_of_double(&item, value)
        room = bytearray(item.bytes)
        packed_write(room, &item)
        packed += room
    return packed


def unpack(bytes packed):
    """What pack() was given, but for bytes that spell an integer and floats that are one."""
    cdef const char* p = packed
    cdef const char* end = p + len(packed)
    cdef Item item
    values = []
    while p < end:
        if packed_next(p) != packed_read(p, &item):
            raise AssertionError("packed_next and packed_read disagree")
        p = packed_next(p)
        values.append(item.number if item.kind == ITEM_INT else item.real if item.kind == ITEM_DOUBLE
                      else item.ptr[:item.len])
    return values


def find(bytes packed, bytes value, uint32_t skip=0):
    """Offset of the first of every (1 + skip)th element that equals value; -1 = none."""
    cdef const char* p = packed
    cdef Item item
    cdef char* found
    item_of_bytes(&item, value, <uint32_t>len(value))
    found = packed_find(p, p + len(packed), &item, skip)
    return -1 if found == NULL else found - p
