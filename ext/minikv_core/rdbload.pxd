# Values of every kind read from the RDB format.
from libc.stdint cimport int64_t, uint64_t
from minikv_core.engine cimport Engine
from minikv_core.rdb cimport Reader
from minikv_core.types cimport Ref, Slice, Status

# Make the entry that a value, with its RdbType in front, asks for; it is linked nowhere.
# All of what the reader holds must be that value.
# at_ms     when it expires, Unix ms; -1 = never
# returns   OK; MISSING = every field of a hash has expired; FAILED = it is no such value; NO_MEMORY
cdef Status load_entry(Engine* e, const Slice* key, uint64_t hash, Reader* r, int64_t at_ms,
                       Ref* entry) noexcept nogil
