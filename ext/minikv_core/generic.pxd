# What other modules want to know of an entry's kind and encoding, and tell of one that was replaced.
from libc.stdint cimport uint8_t
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry
from minikv_core.types cimport Slice

cdef const char* kind_name(uint8_t kind) noexcept nogil             # as TYPE says it
cdef const char* encoding_name(const Entry* entry) noexcept nogil   # as OBJECT ENCODING says it
# A value of a kind has taken the place of another one, of kind `old`: send the events.
cdef void notify_overwritten(Engine* e, Database* db, const Slice* key, uint8_t old, uint8_t new) noexcept nogil
