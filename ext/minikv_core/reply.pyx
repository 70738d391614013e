# The reply writer: replies that are long, rare or floating point.
from minikv_core.arena cimport arena_at
from minikv_core.entry cimport BLOCK_HEADER, BLOCK_MIN
from minikv_core.numbers cimport DOUBLE_CHARS, format_double
from minikv_core.output cimport TestOutput


cdef void reply_bulk_long(Output* o, const char* p, size_t n) noexcept nogil:
    """A bulk string that is long, or for which the scratch buffer may lack room."""
    reply_header(o, c'$', <int64_t>n)
    output_put(o, p, n)
    output_put(o, b"\r\n", 2)


cdef void reply_block(Output* o, Ref block, uint32_t start, uint32_t n) noexcept nogil:
    """A bulk string of n bytes from `start` of a block's data, without a copy if that pays."""
    if n < BLOCK_MIN:
        reply_bulk(o, arena_at(o.arena, block) + BLOCK_HEADER + start, n)
        return
    reply_header(o, c'$', n)
    output_put_block(o, block, start, start + n)
    output_put(o, b"\r\n", 2)


cdef void reply_double(Output* o, double value) noexcept nogil:
    cdef char text[DOUBLE_CHARS]
    cdef uint32_t n = format_double(text, value)
    cdef char* p = output_room(o, 64)
    if o.protocol == 2:
        p = write_header(p, c'$', n)
    else:
        p[0] = c','
        p += 1
    memcpy(p, text, n)
    store_u16(p + n, CRLF)
    o.pos = p + n + 2


cdef void reply_big_number(Output* o, const char* digits, size_t n) noexcept nogil:
    """A whole number of any size, given in decimal."""
    if o.protocol == 2:
        reply_bulk(o, digits, n)
        return
    output_put(o, b"(", 1)
    output_put(o, digits, n)
    output_put(o, b"\r\n", 2)


cdef void reply_verbatim(Output* o, const char* p, size_t n, const char* kind) noexcept nogil:
    """Text for people.

    kind     three letters: "txt" or "mkd"
    """
    if o.protocol == 2:
        reply_bulk(o, p, n)
        return
    reply_header(o, c'=', <int64_t>n + 4)
    output_put(o, kind, 3)
    output_put(o, b":", 1)
    output_put(o, p, n)
    output_put(o, b"\r\n", 2)


cdef void reply_error(Output* o, const char* p, size_t n) noexcept nogil:
    """An error, its code first ("ERR no such key"); line ends in it become spaces, at its end nothing.

    p        text, with or without the leading '-'
    """
    cdef size_t start = 0, i
    while n and (p[n - 1] == c'\r' or p[n - 1] == c'\n'):
        n -= 1
    if n == 0 or p[0] != c'-':
        output_put(o, b"-", 1)
    for i in range(n):
        if p[i] == c'\r' or p[i] == c'\n':
            output_put(o, p + start, i - start)
            output_put(o, b" ", 1)
            start = i + 1
    output_put(o, p + start, n - start)
    output_put(o, b"\r\n", 2)


# For the tests.

def write(TestOutput out, str kind, value=None, extra=None):
    """Call one writer: write(out, "bulk", b"x"), write(out, "verbatim", b"text", b"txt")."""
    cdef Output* o = &out.out
    if kind == "raw":
        reply_raw(o, <bytes>value)
    elif kind == "ok":
        reply_ok(o)
    elif kind == "int":
        reply_int(o, value)
    elif kind == "array":
        reply_array(o, value)
    elif kind == "map":
        reply_map(o, value)
    elif kind == "set":
        reply_set(o, value)
    elif kind == "push":
        reply_push(o, value)
    elif kind == "attribute":
        reply_attribute(o, value)
    elif kind == "null":
        reply_null(o)
    elif kind == "null_array":
        reply_null_array(o)
    elif kind == "bulk":
        reply_bulk(o, <bytes>value, len(value))
    elif kind == "text":
        reply_text(o, <bytes>value)
    elif kind == "simple":
        reply_simple(o, <bytes>value)
    elif kind == "bulk_int":
        reply_bulk_int(o, value)
    elif kind == "bool":
        reply_bool(o, value)
    elif kind == "block":
        reply_block(o, value, extra[0], extra[1])
    elif kind == "double":
        reply_double(o, value)
    elif kind == "verbatim":
        reply_verbatim(o, <bytes>value, len(value), <bytes>extra)
    elif kind == "error":
        reply_error(o, <bytes>value, len(value))
    elif kind == "big_number":
        reply_big_number(o, <bytes>value, len(value))
    else:
        raise ValueError(kind)
