# The reply writer: RESP2 and RESP3 into an attached output.
#
# Each function writes what Redis writes for the session's protocol version; where RESP2 lacks a
# type, its RESP2 stand-in.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen
from minikv_core.memory cimport likely, load_u32, load_u64, store_u16, store_u32, store_u64, unlikely
from minikv_core.numbers cimport format_int
from minikv_core.output cimport Output, output_put, output_put_block, output_room
from minikv_core.types cimport Ref

cdef enum:
    CRLF = 0x0a0d               # as a little-endian u16

cdef inline void reply_raw(Output* o, const char* text) noexcept nogil:
    """Bytes that are already RESP, NUL-terminated."""
    output_put(o, text, strlen(text))

cdef inline void reply_ok(Output* o) noexcept nogil:
    memcpy(output_room(o, 5), b"+OK\r\n", 5)
    o.pos += 5

cdef inline char* write_header(char* p, char kind, int64_t n) noexcept nogil:
    """A type byte, a number, CRLF; p has room for 24 bytes, all of which may be written.

    The common cases are one and two digits: one store.
    """
    cdef uint64_t tens
    if likely(<uint64_t>n < 10):
        store_u32(p, <uint32_t>(<uint8_t>kind + (n + 48) * 256) + (<uint32_t>CRLF << 16))
        return p + 4
    if likely(<uint64_t>n < 100):
        tens = <uint64_t>n * 103 >> 10
        store_u64(p, <uint8_t>kind + (tens + 48) * 256 + (<uint64_t>n - 10 * tens + 48) * 65536
                  + (<uint64_t>CRLF << 24))
        return p + 5
    p[0] = kind
    p += 1
    p += format_int(p, n)
    store_u16(p, CRLF)
    return p + 2

cdef inline void reply_header(Output* o, char kind, int64_t n) noexcept nogil:
    """A type byte, a number, CRLF."""
    o.pos = write_header(output_room(o, 32), kind, n)

cdef inline void reply_int(Output* o, int64_t n) noexcept nogil:
    reply_header(o, c':', n)

cdef inline void reply_array(Output* o, int64_t n) noexcept nogil:
    reply_header(o, c'*', n)

cdef inline void reply_map(Output* o, int64_t pairs) noexcept nogil:
    if o.protocol == 2:
        reply_header(o, c'*', pairs * 2)
    else:
        reply_header(o, c'%', pairs)

cdef inline void reply_set(Output* o, int64_t n) noexcept nogil:
    reply_header(o, c'*' if o.protocol == 2 else c'~', n)

cdef inline void reply_push(Output* o, int64_t n) noexcept nogil:
    reply_header(o, c'*' if o.protocol == 2 else c'>', n)

cdef inline void reply_null(Output* o) noexcept nogil:
    """Null in place of a bulk string."""
    if o.protocol == 2:
        memcpy(output_room(o, 5), b"$-1\r\n", 5)
        o.pos += 5
    else:
        memcpy(output_room(o, 3), b"_\r\n", 3)
        o.pos += 3

cdef inline void reply_null_array(Output* o) noexcept nogil:
    """Null in place of an array."""
    if o.protocol == 2:
        memcpy(output_room(o, 5), b"*-1\r\n", 5)
        o.pos += 5
    else:
        memcpy(output_room(o, 3), b"_\r\n", 3)
        o.pos += 3

cdef inline void reply_bulk(Output* o, const char* p, size_t n) noexcept nogil:
    """A bulk string; the common case is a short one that fits into the scratch buffer."""
    cdef char* q = o.pos
    if unlikely(n > 256 or <size_t>(o.end - q) < 300):
        reply_bulk_long(o, p, n)
        return
    q = write_header(q, c'$', <int64_t>n)
    copy_short(q, p, n)
    store_u16(q + n, CRLF)
    o.pos = q + n + 2

cdef inline void copy_short(char* to, const char* p, size_t n) noexcept nogil:
    """memcpy for sizes that are small as a rule: without a call up to 32 bytes."""
    if n > 32:
        memcpy(to, p, n)
    elif n >= 16:
        memcpy(to, p, 16)
        memcpy(to + n - 16, p + n - 16, 16)
    elif n >= 8:
        store_u64(to + n - 8, load_u64(p + n - 8))
        store_u64(to, load_u64(p))
    elif n >= 4:
        store_u32(to + n - 4, load_u32(p + n - 4))
        store_u32(to, load_u32(p))
    elif n:
        to[n >> 1] = p[n >> 1]
        to[n - 1] = p[n - 1]
        to[0] = p[0]

cdef inline void reply_text(Output* o, const char* text) noexcept nogil:
    """A NUL-terminated string as a bulk string."""
    reply_bulk(o, text, strlen(text))

cdef inline void reply_simple(Output* o, const char* text) noexcept nogil:
    output_put(o, b"+", 1)
    output_put(o, text, strlen(text))
    output_put(o, b"\r\n", 2)

cdef inline void reply_bulk_int(Output* o, int64_t n) noexcept nogil:
    """A number as a bulk string."""
    cdef char digits[24]
    cdef uint32_t length = format_int(digits, n)
    cdef char* p = write_header(output_room(o, 64), c'$', length)
    memcpy(p, digits, 24)       # more than there are: a fixed size needs no call
    store_u16(p + length, CRLF)
    o.pos = p + length + 2

cdef inline void reply_bool(Output* o, bint value) noexcept nogil:
    if o.protocol == 2:
        reply_header(o, c':', 1 if value else 0)
    else:
        memcpy(output_room(o, 4), b"#t\r\n" if value else b"#f\r\n", 4)
        o.pos += 4

cdef inline void reply_attribute(Output* o, int64_t pairs) noexcept nogil:
    """Announce pairs that describe the reply behind them; RESP3 only."""
    reply_header(o, c'|', pairs)

# In reply.pyx.
cdef void reply_bulk_long(Output* o, const char* p, size_t n) noexcept nogil
cdef void reply_block(Output* o, Ref block, uint32_t start, uint32_t n) noexcept nogil
cdef void reply_double(Output* o, double value) noexcept nogil
cdef void reply_verbatim(Output* o, const char* p, size_t n, const char* kind) noexcept nogil
cdef void reply_error(Output* o, const char* p, size_t n) noexcept nogil
cdef void reply_big_number(Output* o, const char* digits, size_t n) noexcept nogil
