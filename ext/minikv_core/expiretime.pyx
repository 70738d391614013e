# Expiry times as commands take them.
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t
from libc.stdio cimport snprintf
from minikv_core.engine cimport Session
from minikv_core.numbers cimport parse_int
from minikv_core.session cimport fail, fail_bytes, is_word
from minikv_core.types cimport OK, Slice, Status


cdef ExpiryUnit expiry_unit(const Slice* word) noexcept nogil:
    if word.len == 2:
        if is_word(word, b"ex"):
            return SECONDS
        if is_word(word, b"px"):
            return MILLIS
    elif word.len == 4:
        if is_word(word, b"exat"):
            return AT_SECONDS
        if is_word(word, b"pxat"):
            return AT_MILLIS
    return NO_UNIT


cdef Status parse_expiry(Session* s, const Slice* arg, ExpiryUnit unit, bint past_ok, int64_t* at_ms) noexcept nogil:
    """Turn an expiry argument into an absolute time.

    arg      decimal digits, optional leading '-'; not NUL-terminated
    at_ms    Unix time, milliseconds; > 0 unless past_ok
    returns  OK, or FAILED after "value is not an integer" or "invalid expire time in 'x' command"
    source   Redis command reference, SET and EXPIRE
    """
    cdef int64_t n
    if not parse_int(arg.ptr, arg.len, &n):
        return fail(s, b"ERR value is not an integer or out of range")
    if n <= 0 and not past_ok:
        return fail_expiry(s)
    if unit == SECONDS or unit == AT_SECONDS:
        if n > INT64_MAX // 1000 or n < INT64_MIN // 1000:
            return fail_expiry(s)
        n *= 1000
    if unit == SECONDS or unit == MILLIS:
        if n > INT64_MAX - s.engine.now_ms:
            return fail_expiry(s)
        n += s.engine.now_ms
    at_ms[0] = n
    return OK


cdef Status fail_expiry(Session* s) noexcept nogil:
    cdef char text[96]
    cdef int n = snprintf(text, sizeof(text), "ERR invalid expire time in '%s' command", s.command.name)
    return fail_bytes(s, text, <size_t>min(n, <int>sizeof(text) - 1))
