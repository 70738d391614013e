# Glob-style patterns of KEYS, SCAN, PSUBSCRIBE and CONFIG GET.
from libc.stddef cimport size_t

cdef bint glob_match(const char* pattern, size_t plen, const char* text, size_t tlen,
                     bint ignore_case) noexcept nogil
