"""The board: what the processes of a store share beside the store itself."""

from libc.string cimport memset
from minikv_core.engine cimport Board, Engine, pthread_mutex_t

cdef extern from "sys/mman.h" nogil:
    enum: PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_NORESERVE
    void* MAP_FAILED
    void* mmap(void* address, size_t n, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t n)

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutexattr_t:
        pass
    enum: PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_ROBUST
    int pthread_mutexattr_init(pthread_mutexattr_t* attributes)
    int pthread_mutexattr_setpshared(pthread_mutexattr_t* attributes, int shared)
    int pthread_mutexattr_setrobust(pthread_mutexattr_t* attributes, int robust)
    int pthread_mutex_init(pthread_mutex_t* mutex, pthread_mutexattr_t* attributes)

cdef bint board_open(Engine* e, bint shared) noexcept nogil:
    cdef pthread_mutexattr_t attributes
    cdef void* base = mmap(NULL, sizeof(Board), PROT_READ | PROT_WRITE,
                           (MAP_SHARED if shared else MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if base == MAP_FAILED:
        return False
    e.board = <Board*>base
    e.place = &e.board.place[0]
    e.config = &e.board.config
    e.stats = &e.board.stats
    e.counters = e.board.counters
    pthread_mutexattr_init(&attributes)
    if shared:
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED)
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST)
        e.lock = &e.board.lock
    return pthread_mutex_init(&e.board.lock, &attributes) == 0

cdef void board_close(Engine* e) noexcept nogil:
    if e.board != NULL:
        munmap(e.board, sizeof(Board))
    e.board = NULL
    e.lock = NULL

cdef void board_clear_place(Engine* e, int index) noexcept nogil:
    e.board.sessions -= e.board.place[index].sessions
    e.board.client_bytes -= e.board.place[index].client_bytes
    memset(&e.board.place[index], 0, sizeof(e.board.place[index]))
