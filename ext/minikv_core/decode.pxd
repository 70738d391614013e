# RESP2 and RESP3 reply bytes to Python objects, for callers in the same process.
from libc.stddef cimport size_t

cdef struct Cursor:             # what is left to read; borrowed
    const char* pos
    const char* end

cdef object decode_value(Cursor* c, object error)
