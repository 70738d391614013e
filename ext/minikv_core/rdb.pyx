"""Lengths, strings and numbers of the RDB format, written and read. See rdb.pxd for their bytes."""

from libc.math cimport INFINITY, NAN
from libc.stddef cimport size_t
from libc.stdint cimport INT16_MAX, INT16_MIN, INT32_MAX, INT32_MIN, int8_t, int16_t, int32_t, int64_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy
from minikv_core.memory cimport load_u16, load_u32, load_u64, store_u16, store_u32, store_u64
from minikv_core.numbers cimport format_int, parse_double, parse_int
from minikv_core.types cimport FAILED, NO_MEMORY, OK, Status

cdef enum:
    INT32_CHARS = 11        # longest integer that is written as one
    LZF_RATIO = 88          # most bytes that one packed byte becomes: 3 become 264 at most

cdef extern from * nogil:
    uint32_t swap32 "__builtin_bswap32"(uint32_t n)
    uint64_t swap64 "__builtin_bswap64"(uint64_t n)

# ---------------------------------------------------------------- writing

cdef bint writer_grow(Writer* w, size_t n) noexcept nogil:
    """Make room for n more bytes; False = no memory."""
    cdef size_t room = w.used + n + (w.used >> 1) + 64
    cdef char* base = NULL if w.failed else <char*>realloc(w.base, room)
    if base == NULL:
        w.failed = True
        return False
    w.base = base
    w.room = room
    return True


cdef void writer_end(Writer* w) noexcept nogil:
    free(w.base)


cdef void write_length(Writer* w, uint64_t n) noexcept nogil:
    cdef char[9] head
    if n < 64:
        write_byte(w, <uint8_t>n)
    elif n < 16384:
        write_byte(w, <uint8_t>(0x40 | (n >> 8)))
        write_byte(w, <uint8_t>(n & 255))
    elif n <= <uint64_t>0xFFFFFFFF:
        head[0] = <char>0x80
        store_u32(head + 1, swap32(<uint32_t>n))
        write_bytes(w, head, 5)
    else:
        head[0] = <char>0x81
        store_u64(head + 1, swap64(n))
        write_bytes(w, head, 9)


cdef void write_string(Writer* w, const char* p, size_t n) noexcept nogil:
    cdef char[5] head
    cdef int64_t number
    if 0 < n <= INT32_CHARS and parse_int(p, n, &number) and INT32_MIN <= number <= INT32_MAX:
        if -128 <= number <= 127:
            head[0] = <char>0xC0
            head[1] = <char>number
            write_bytes(w, head, 2)
        elif INT16_MIN <= number <= INT16_MAX:
            head[0] = <char>0xC1
            store_u16(head + 1, <unsigned short>(number & 0xFFFF))
            write_bytes(w, head, 3)
        else:
            head[0] = <char>0xC2
            store_u32(head + 1, <uint32_t>(number & <int64_t>0xFFFFFFFF))
            write_bytes(w, head, 5)
        return
    write_length(w, n)
    write_bytes(w, p, n)

# ---------------------------------------------------------------- reading

cdef bint read_failed(Reader* r, Status status) noexcept nogil:
    if r.status == OK:
        r.status = status
    r.pos = r.end
    return False


cdef bint read_head(Reader* r, uint64_t* n, bint* special) noexcept nogil:
    """A length; or, `special`, which form of a string follows."""
    cdef uint8_t head, low
    cdef const char* p
    special[0] = False
    if not read_byte(r, &head):
        return False
    if head < 0x40:
        n[0] = head
    elif head < 0x80:
        if not read_byte(r, &low):
            return False
        n[0] = (<uint64_t>(head & 63) << 8) | low
    elif head == 0x80:
        p = read_bytes(r, 4)
        if p == NULL:
            return False
        n[0] = swap32(load_u32(p))
    elif head == 0x81:
        p = read_bytes(r, 8)
        if p == NULL:
            return False
        n[0] = swap64(load_u64(p))
    elif head >= 0xC0:
        special[0] = True
        n[0] = head & 63
    else:
        return read_failed(r, FAILED)
    return True


cdef bint read_length(Reader* r, uint64_t* n) noexcept nogil:
    cdef bint special
    return read_head(r, n, &special) and (not special or read_failed(r, FAILED))


cdef bint read_string(Reader* r, Text* t) noexcept nogil:
    cdef uint64_t n
    cdef bint special
    cdef const char* p
    cdef int64_t number
    t.text.block = 0
    if not read_head(r, &n, &special):
        return False
    if not special:
        if n > STRING_MAX:
            return read_failed(r, FAILED)
        t.text.ptr = <char*>read_bytes(r, n)
        t.text.len = <uint32_t>n
        return t.text.ptr != NULL
    if n == 3:
        return read_packed(r, t)
    if n > 3:
        return read_failed(r, FAILED)
    p = read_bytes(r, <size_t>1 << n)
    if p == NULL:
        return False
    if n == 0:
        number = <int8_t>p[0]
    elif n == 1:
        number = <int16_t>load_u16(p)
    else:
        number = <int32_t>load_u32(p)
    t.text.ptr = t.digits
    t.text.len = format_int(t.digits, number)
    return True


cdef bint read_packed(Reader* r, Text* t) noexcept nogil:
    """A string that LZF has compressed."""
    cdef uint64_t packed, length
    cdef const char* p
    cdef char* room
    if not read_length(r, &packed) or not read_length(r, &length):
        return False
    p = read_bytes(r, packed)
    if p == NULL:
        return False
    if length == 0 or length > STRING_MAX or length > packed * LZF_RATIO:
        return read_failed(r, FAILED)
    if length > t.room:
        room = <char*>realloc(t.unpacked, length)
        if room == NULL:
            return read_failed(r, NO_MEMORY)
        t.unpacked = room
        t.room = length
    if not lzf_unpack(p, packed, t.unpacked, length):
        return read_failed(r, FAILED)
    t.text.ptr = t.unpacked
    t.text.len = <uint32_t>length
    return True


cdef void text_end(Text* t) noexcept nogil:
    free(t.unpacked)


cdef bint lzf_unpack(const char* p, size_t n, char* to, size_t length) noexcept nogil:
    """Undo LZF: literal runs, and copies of what lies up to 8 KiB back; False if it does not give `length` bytes."""
    cdef const char* end = p + n
    cdef char* start = to
    cdef char* stop = to + length
    cdef size_t count, back
    cdef uint8_t head
    while p < end:
        head = <uint8_t>p[0]
        p += 1
        if head < 32:
            count = head + 1
            if <size_t>(end - p) < count or <size_t>(stop - to) < count:
                return False
            memcpy(to, p, count)
            p += count
            to += count
            continue
        count = head >> 5
        if count == 7:
            if p == end:
                return False
            count += <uint8_t>p[0]
            p += 1
        count += 2
        if p == end:
            return False
        back = (<size_t>(head & 31) << 8 | <uint8_t>p[0]) + 1
        p += 1
        if <size_t>(to - start) < back or <size_t>(stop - to) < count:
            return False
        while count:                # one by one: a run may repeat itself
            to[0] = (to - back)[0]
            to += 1
            count -= 1
    return to == stop


cdef bint read_old_double(Reader* r, double* value) noexcept nogil:
    """A number as text behind its length; 253, 254 and 255 stand for NaN, +inf and -inf."""
    cdef uint8_t n
    cdef const char* p
    if not read_byte(r, &n):
        return False
    if n >= 253:
        value[0] = NAN if n == 253 else INFINITY if n == 254 else -INFINITY
        return True
    p = read_bytes(r, n)
    return p != NULL and (parse_double(p, n, value) or read_failed(r, FAILED))

# ---------------------------------------------------------------- for the tests

cdef class Written:
    """What the write functions make."""
    cdef Writer w

    def __dealloc__(self):
        writer_end(&self.w)

    def length(self, uint64_t n):
        write_length(&self.w, n)
        return self.value()

    def string(self, bytes text):
        write_string(&self.w, text, len(text))
        return self.value()

    def value(self):
        return self.w.base[:self.w.used] if self.w.used else b""


def read(str what, bytes data):
    """What a length, string or double (of the old kind) at the start of data is, and how many bytes it takes.

    errors   ValueError, MemoryError
    """
    cdef Reader r
    cdef Text t
    cdef uint64_t n = 0
    cdef double value = 0
    cdef bint good
    r.pos = data
    r.end = r.pos + len(data)
    r.status = OK
    t.unpacked = NULL
    t.room = 0
    try:
        if what == "length":
            good = read_length(&r, &n)
            found = n
        elif what == "string":
            good = read_string(&r, &t)
            found = t.text.ptr[:t.text.len] if good else None
        else:
            good = read_old_double(&r, &value)
            found = value
        if not good:
            raise MemoryError if r.status == NO_MEMORY else ValueError(what)
        return found, len(data) - (r.end - r.pos)
    finally:
        text_end(&t)
