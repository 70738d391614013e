# WATCH: which keys must not change before a session's EXEC.
from libc.stdint cimport uint32_t
from minikv_core.engine cimport Database, Engine, Session
from minikv_core.types cimport Slice

cdef void watch_attach(Engine* e) noexcept nogil        # called when an engine is made

# A key has changed: its watchers' EXEC fails. Called when the change is made.
cdef void touch_key(Engine* e, Database* db, const Slice* key) noexcept nogil
# All keys of a database are about to go, and those of `other` to come in their place (SWAPDB, which
# calls this for both of its databases); NULL = none come (FLUSHDB, FLUSHALL).
cdef void touch_database(Engine* e, Database* db, Database* other) noexcept nogil

# Forget all watched keys: the last process with a session that watches has died.
cdef void watch_forget(Engine* e) noexcept nogil

cdef bint watch_failed(const Session* s) noexcept nogil     # has a watched key changed?
cdef void unwatch_all(Session* s) noexcept nogil
cdef uint32_t watch_count(const Session* s) noexcept nogil
