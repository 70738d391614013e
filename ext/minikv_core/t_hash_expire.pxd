# Expiry of a hash's fields.
from libc.stdint cimport uint64_t
from minikv_core.engine cimport Database, Engine
from minikv_core.keyspace cimport Found
from minikv_core.types cimport Slice

# KindOps.expire_fields: remove the fields whose time has come, those of a large hash a slice at a time, and
# the key with its last field (then f.entry is NULL); returns how many.
cdef uint64_t expire_fields(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil
