# What bit commands share: offsets as they are given, and strings that are made for them.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.engine cimport Session
from minikv_core.keyspace cimport Found
from minikv_core.types cimport Slice

# Read the place of a bit; False after an error reply. With bits > 0 it may be given as "#n": n fields of
# as many bits further on.
cdef bint parse_bit_offset(Session* s, const Slice* arg, uint32_t bits, uint64_t* offset) noexcept nogil
