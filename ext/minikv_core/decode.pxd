# RESP2 and RESP3 reply bytes to Python objects, for callers in the same process.
from libc.stdint cimport uint32_t

cdef struct Cursor:             # what is left to read; borrowed
    const char* pos
    const char* end
    uint32_t depth              # replies that the next one lies within; 0 to begin with

cdef object decode_value(Cursor* c, object error)
