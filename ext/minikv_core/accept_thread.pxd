# A thread that accepts, for models in which the thread that owns the store waits elsewhere.
from minikv_core.sockets cimport sockaddr_storage
from minikv_core.threads cimport pthread_t, sem_t

cdef enum:
    MAX_LISTENERS = 64

cdef struct AcceptThread:
    void*     owner
    # called in the thread; False = no room for the connection, which is closed then
    bint      (*accepted)(void* owner, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil
    void      (*signalled)(void* owner) noexcept nogil      # called in the thread: somebody asked for the end
    pthread_t thread
    bint      running
    int       wake_read         # a byte is a signal's number, or 0: hold still
    int       wake_write
    int       listeners[MAX_LISTENERS]      # the thread's, but while it holds still; -1 = free place
    bint      is_unix[MAX_LISTENERS]
    sem_t     still
    sem_t     go_on
    sem_t     places            # for connections that were accepted and that the owner has not taken

cdef void accept_thread_open(AcceptThread* a, int wake_read, int wake_write) noexcept nogil
cdef void accept_thread_close(AcceptThread* a) noexcept nogil
cdef bint accept_thread_start(AcceptThread* a) noexcept nogil       # False = the system has no thread left
cdef void accept_thread_stop(AcceptThread* a) noexcept nogil        # returns when it has ended
# Put a listening, non-blocking socket in the place of another; -1 = none. False = `old` is not there.
cdef bint accept_thread_change(AcceptThread* a, int old, int fd, bint is_unix) noexcept nogil

# The part of a runner that is the same for all models with such a thread.
cdef class AcceptingRunner:
    cdef AcceptThread acceptor
