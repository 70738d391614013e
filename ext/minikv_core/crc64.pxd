# The checksum of RDB files and of DUMP: CRC-64 of the polynomial ad93d23594c935a9 (Jones), reflected.
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

# The checksum of what came before, `crc` (0 = nothing), and these bytes.
cdef uint64_t crc64(uint64_t crc, const char* p, size_t n) noexcept nogil
