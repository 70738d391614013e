# Workers: the threads that serve an engine's sessions, and the lock by which they take turns.
#
# An engine with one worker has no lock, and entering costs one predictable branch.
from libc.stdint cimport int64_t
from minikv_core.engine cimport Engine, Session, Worker
from minikv_core.memory cimport unlikely

cdef bint worker_open(Worker* w, Engine* e) noexcept nogil      # False = no memory
cdef void worker_close(Worker* w) noexcept nogil
cdef void engine_share(Engine* e) noexcept nogil                # let several threads serve it, from now on
# Sleep in the middle of a command, with the lock given up: other workers go on.
cdef void engine_rest(Engine* e, int64_t us) noexcept nogil

cdef inline Session* own_session(Worker* w, Session* s) noexcept nogil:
    """The worker's first session at or behind s; NULL = none."""
    while s != NULL and s.worker != w:
        s = s.next
    return s

# Slow paths, in worker.pyx.
cdef void engine_lock(Worker* w) noexcept nogil
cdef void engine_unlock(Worker* w) noexcept nogil

cdef inline void engine_enter(Worker* w) noexcept nogil:
    """Begin to use the engine: sessions, store, counters. Must not be nested."""
    if unlikely(w.engine.lock != NULL):
        engine_lock(w)

cdef inline void engine_leave(Worker* w) noexcept nogil:
    if unlikely(w.engine.lock != NULL):
        engine_unlock(w)
