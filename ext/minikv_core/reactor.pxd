# The reactor's structures, and what a poller must do.
from libc.stdint cimport int64_t, uint32_t
from minikv_core.engine cimport Engine, Session, Worker
from minikv_core.handle cimport EngineHandle
from minikv_core.lingering cimport Lingering
from minikv_core.sockets cimport epoll_event, sockaddr_storage

cdef enum:
    EVENTS = 256                # events taken with one wait
    MAX_LISTENERS = 64
    WAKE = MAX_LISTENERS        # data below this is a listener's index; sessions are pointers
    RECEIVE_BYTES = 65536       # read from a socket at once
    PIECES = 1024               # iovecs of one sendmsg: the system's limit

# Watches descriptors for EPOLLIN and EPOLLOUT; each has `data` that comes back with its events. The
# events' form is epoll's, whatever the poller asks the system.
cdef struct Poller:
    const char* name
    bint edge                   # says once that a descriptor became ready: watched for all events from the start
    int  limit                  # descriptors from this on can't be watched; 0 = all can
    bint (*open)(Loop* p) noexcept nogil        # False = errno says why
    void (*close)(Loop* p) noexcept nogil
    # Change what a descriptor is watched for, from `before` to `events`; 0 = nothing, before it is closed too.
    # False = it can't be watched.
    bint (*watch)(Loop* p, int fd, uint32_t before, uint32_t events, void* data) noexcept nogil
    int (*wait)(Loop* p, int timeout_ms) noexcept nogil  # fills p.events; returns how many; -1 = no timeout

cdef struct Listener:
    int  fd                     # -1 = free place
    bint is_unix
    bint datagrams              # it does not listen: requests themselves come to it

cdef struct Loop:               # what one reactor owns
    Engine*  engine
    Worker*  worker
    Poller*  poller
    void*    state              # the poller's
    bint     keeps_time         # runs the engine's timers
    int      wake_read          # a byte is a signal's number; one that ends nothing means: look around
    int      wake_write
    Listener listeners[MAX_LISTENERS]
    bint     accepting          # False: out of descriptors, or stopping
    int64_t  accept_again_us
    # What becomes of a connection that was accepted; NULL = this loop serves it.
    void     (*take)(Loop* p, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil
    void*    taker              # take's own
    int      accept_flags       # for accept4
    bint     terminate          # a signal asked for the end
    char*    buffer             # RECEIVE_BYTES
    epoll_event events[EVENTS]  # of the last wait
    Session* held[EVENTS]       # sessions that ran in this turn and whose replies are to be sent
    int      held_count
    Lingering lingering

cdef void poller_add(Poller* poller) noexcept nogil
cdef bint serve_session(Loop* p, Session* s) noexcept nogil     # False = it can't be watched, and is gone
cdef ssize_t send_output(Session* s) noexcept nogil             # one call; what it returned, and errno

cdef class Reactor:
    cdef Loop loop
    cdef Worker worker
    cdef EngineHandle handle
