# Streams in the RDB format.
from libc.stdint cimport uint8_t
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry
from minikv_core.keyspace cimport Found
from minikv_core.rdb cimport Reader, Writer
from minikv_core.types cimport Slice, Status

# As save_value (rdbsave.pxd).
cdef int stream_save(Engine* e, Entry* entry, Writer* w) noexcept nogil
# Make a stream under a key that is not there, of what follows its RdbType. OK, FAILED, NO_MEMORY; what has been
# made stays.
cdef Status stream_load(Engine* e, Database* db, const Slice* key, Found* f, Reader* r, uint8_t type) noexcept nogil
