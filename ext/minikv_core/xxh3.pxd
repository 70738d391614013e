# XXH3, the 64-bit hash that DIGEST shows, with seed 0 and the default secret.
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

cdef uint64_t xxh3(const char* p, size_t n) noexcept nogil
