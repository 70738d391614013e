# MULTI and EXEC: commands that are queued and then run as one. Imported by whoever makes an engine,
# so that the commands exist.
from libc.stdint cimport int64_t
from minikv_core.engine cimport Session

cdef int64_t queued_count(const Session* s) noexcept nogil  # commands queued; -1 = not inside MULTI (CLIENT LIST)
