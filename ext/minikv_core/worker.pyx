"""Workers and the engine's lock."""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from minikv_core.board cimport board_post
from minikv_core.engine cimport Engine, IS_INTERNAL, Session, Worker, pthread_mutex_t
from minikv_core.memory cimport unlikely
from minikv_core.output cimport SCRATCH_BYTES
from minikv_core.parser cimport batch_free, batch_init
from minikv_core.undo cimport undo_commit, undo_rollback

cdef extern from "errno.h" nogil:
    enum: EOWNERDEAD

cdef extern from "pthread.h" nogil:
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)
    int pthread_mutex_consistent(pthread_mutex_t* mutex)

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int nanosleep(const timespec* span, timespec* left)

cdef bint worker_open(Worker* w, Engine* e) noexcept nogil:
    memset(w, 0, sizeof(Worker))
    w.engine = e
    w.scratch = <char*>malloc(SCRATCH_BYTES)
    return w.scratch != NULL and batch_init(&w.batch)

cdef void worker_close(Worker* w) noexcept nogil:
    batch_free(&w.batch)
    free(w.scratch)

cdef void engine_share(Engine* e) noexcept nogil:
    e.lock = &e.board.lock

cdef void engine_lock(Worker* w) noexcept nogil:
    cdef Engine* e = w.engine
    if pthread_mutex_lock(e.lock) == EOWNERDEAD:
        # its owner was killed in the middle of something: that never happened
        undo_rollback(&e.arena)
        pthread_mutex_consistent(e.lock)
        e.board.recoveries += 1
    e.active = w
    if unlikely(e.settings_seen != e.board.settings_version):
        e.settings_seen = e.board.settings_version
        e.on_settings(e)
    if unlikely(e.place.answered != e.board.question):
        e.place.answered = e.board.question
        e.on_question(e)

cdef void engine_unlock(Worker* w) noexcept nogil:
    undo_commit(&w.engine.arena)
    board_post(w.engine)
    w.engine.active = NULL
    pthread_mutex_unlock(w.engine.lock)

cdef void engine_rest(Engine* e, int64_t us) noexcept nogil:
    cdef Worker* w = e.active
    cdef Session* current = e.current
    cdef uint32_t depth = e.depth
    cdef timespec span
    span.tv_sec = us // 1000000
    span.tv_nsec = us % 1000000 * 1000
    if current != NULL and current.flags & IS_INTERNAL:     # there is but one: it must not be used meanwhile
        nanosleep(&span, NULL)
        return
    e.current = NULL
    e.depth = 0
    w.resting = True
    engine_leave(w)
    nanosleep(&span, NULL)
    engine_enter(w)
    w.resting = False
    e.current = current
    e.depth = depth
