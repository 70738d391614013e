# What other modules want to know of an entry's kind and encoding.
from libc.stdint cimport uint8_t
from minikv_core.entry cimport Entry

cdef const char* kind_name(uint8_t kind) noexcept nogil             # as TYPE says it
cdef const char* encoding_name(const Entry* entry) noexcept nogil   # as OBJECT ENCODING says it
