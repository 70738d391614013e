"""Workers and the engine's lock."""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset
from minikv_core.engine cimport Engine, Worker, pthread_mutex_t
from minikv_core.output cimport SCRATCH_BYTES
from minikv_core.parser cimport batch_free, batch_init

cdef extern from "pthread.h" nogil:
    int pthread_mutex_init(pthread_mutex_t* mutex, void* attributes)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)

cdef bint worker_open(Worker* w, Engine* e) noexcept nogil:
    memset(w, 0, sizeof(Worker))
    w.engine = e
    w.scratch = <char*>malloc(SCRATCH_BYTES)
    return w.scratch != NULL and batch_init(&w.batch)

cdef void worker_close(Worker* w) noexcept nogil:
    batch_free(&w.batch)
    free(w.scratch)

cdef bint engine_share(Engine* e) noexcept nogil:
    e.lock = <pthread_mutex_t*>calloc(1, sizeof(pthread_mutex_t))
    return e.lock != NULL and pthread_mutex_init(e.lock, NULL) == 0

cdef void engine_lock(Worker* w) noexcept nogil:
    pthread_mutex_lock(w.engine.lock)
    w.engine.active = w

cdef void engine_unlock(Worker* w) noexcept nogil:
    w.engine.active = NULL
    pthread_mutex_unlock(w.engine.lock)
