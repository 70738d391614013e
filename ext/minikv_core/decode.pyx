# RESP2 and RESP3 reply bytes to Python objects, for callers in the same process.
#
#   bulk, simple, verbatim string   bytes         null, null array   None
#   integer, big number             int           double             float
#   boolean                         bool          array, push        list
#   map                             dict, or a list of pairs if a key is unhashable
#   set                             set, or a list if a member is unhashable
#   error                           an instance of the caller's class, not raised
#   attribute                       left out
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
from libc.string cimport memchr
from minikv_core.numbers cimport parse_double, parse_int

cdef enum:
    DEPTH_MAX = 1000            # replies within replies; each takes some of the C stack


def decode(const unsigned char[::1] data not None, error=RuntimeError, Py_ssize_t offset=0):
    """Decode the first reply in `data`.

    error    class made of an error reply's text, a str without the '-'
    offset   where the reply starts
    returns  value, offset behind it
    errors   EOFError the reply goes on behind the end of data; ValueError it is not RESP, or too deep
    """
    cdef Py_ssize_t length = data.shape[0]
    cdef Cursor c
    if not 0 <= offset < length:
        raise EOFError("reply is cut short")
    c.pos = <const char*>&data[offset]
    c.end = <const char*>&data[0] + length
    c.depth = 0
    value = decode_value(&c, error)
    return value, c.pos - <const char*>&data[0]


cdef object decode_value(Cursor* c, object error):
    """Decode the reply at the cursor, and move the cursor behind it."""
    if c.depth == DEPTH_MAX:
        raise ValueError("replies are nested too deeply")
    c.depth += 1
    value = decode_one(c, error)
    c.depth -= 1
    return value


cdef object decode_one(Cursor* c, object error):
    cdef const char* line
    cdef Py_ssize_t n
    cdef int64_t size
    cdef char kind
    cdef double number
    while True:
        line = read_line(c, &n)
        if n == 0:
            raise ValueError("a reply is empty")
        kind = line[0]
        line += 1
        n -= 1
        if kind == c'$':
            size = read_int(line, n)
            return None if size == -1 else read_bulk(c, size)
        if kind == c':':
            return read_int(line, n)
        if kind == c'+':
            return line[:n]
        if kind == c'-':
            return error(line[:n].decode("utf-8", "surrogateescape"))
        if kind == c'*' or kind == c'>':
            return read_list(c, read_int(line, n), error)
        if kind == c'%':
            return read_map(c, read_int(line, n), error)
        if kind == c'~':
            return read_set(c, read_int(line, n), error)
        if kind == c'_' and n == 0:
            return None
        if kind == c'#' and n == 1 and (line[0] == c't' or line[0] == c'f'):
            return line[0] == c't'
        if kind == c',':
            if n == 3 and line[:3] == b"nan":
                return float("nan")
            if parse_double(line, n, &number):
                return number
            raise ValueError(f"not a double: {line[:n]!r}")
        if kind == c'(':
            return int(line[:n])
        if kind == c'=':
            return read_bulk(c, read_int(line, n))[4:]
        if kind == c'!':
            return error(read_bulk(c, read_int(line, n)).decode("utf-8", "surrogateescape"))
        if kind == c'|':
            read_map(c, read_int(line, n), error)
            continue
        raise ValueError(f"not a reply type: {(<char*>&kind)[:1]!r}")


cdef const char* read_line(Cursor* c, Py_ssize_t* n) except NULL:
    """Take a line off the cursor.

    n        set to its bytes, CRLF not counted
    """
    cdef const char* line = c.pos
    cdef const char* cr = NULL
    if line < c.end:
        cr = <const char*>memchr(line, c'\r', c.end - line)
    if cr == NULL or cr + 1 == c.end:
        raise EOFError("reply is cut short")
    if cr[1] != c'\n':
        raise ValueError("a line has CR without LF")
    n[0] = cr - line
    c.pos = cr + 2
    return line


cdef int64_t read_int(const char* p, Py_ssize_t n) except? -1:
    cdef int64_t value
    if not parse_int(p, n, &value):
        raise ValueError(f"not an integer: {p[:n]!r}")
    return value


cdef object read_bulk(Cursor* c, int64_t n):
    """Take n bytes and CRLF off the cursor."""
    cdef const char* p = c.pos
    if n < 0:
        raise ValueError("a length is negative")
    if c.end - p < 2 or n > c.end - p - 2:
        raise EOFError("reply is cut short")
    if p[n] != c'\r' or p[n + 1] != c'\n':
        raise ValueError("a bulk string does not end where it should")
    c.pos = p + n + 2
    return PyBytes_FromStringAndSize(p, n)


cdef object read_list(Cursor* c, int64_t n, object error):
    cdef list items = []
    if n == -1:
        return None
    if n < 0:
        raise ValueError("a length is negative")
    while n:
        items.append(decode_value(c, error))
        n -= 1
    return items


cdef object read_set(Cursor* c, int64_t n, object error):
    items = read_list(c, n, error)
    try:
        return set(items)
    except TypeError:
        return items


cdef object read_map(Cursor* c, int64_t n, object error):
    cdef list pairs = []
    if n < 0:
        raise ValueError("a length is negative")
    while n:
        key = decode_value(c, error)
        pairs.append((key, decode_value(c, error)))
        n -= 1
    try:
        return dict(pairs)
    except TypeError:
        return pairs
