# Numbers from and to text, exactly as Redis reads and writes them. No text is NUL-terminated.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t

cdef enum:
    INT_CHARS = 20              # longest int64: "-9223372036854775808"
    DOUBLE_CHARS = 25           # longest double: '-', 17 digits, 7 zeros
    LONG_DOUBLE_CHARS = 5120    # longest long double that is read or written, and a byte over

cdef uint32_t format_int(char* p, int64_t n) noexcept nogil
cdef bint parse_int(const char* p, size_t n, int64_t* value) noexcept nogil
cdef bint parse_double(const char* p, size_t n, double* value) noexcept nogil
cdef bint parse_long_double(const char* p, size_t n, long double* value) noexcept nogil
cdef uint32_t format_double(char* p, double value) noexcept nogil
cdef uint32_t format_long_double(char* p, long double value) noexcept nogil
