"""The model `thread`: a thread for each connection, which does nothing but wait for its client.

The main thread accepts, runs the engine's timers, and makes a thread for each connection; from then on
that thread sleeps in recv until its client asks, and in send until the reply is taken: the loop is
io_blocking.pyx. The kernel's scheduler decides who runs. All threads use one store, so each takes
the engine's lock to run what it has received; it never waits for a socket with the lock in its hand.

Costs     a stack (STACK_BYTES of addresses, of which a few pages are touched), a scheduler's entry and
          the buffers of a worker for each connection; two system calls and two context switches for
          each request that is not pipelined; the lock, for which threads on other cores wait
Choose    when handling a request may block, clients are hundreds, and straight code is worth more than
          memory: the shape of classic Java servers, MySQL, and Apache's worker MPM
"""

from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport strlen
from minikv_core.acceptor cimport admit_peer
from minikv_core.clock cimport monotonic_us
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.io_blocking cimport Blocking, blocking_close, blocking_open, blocking_serve
from minikv_core.reactor cimport Loop, Reactor
from minikv_core.session cimport session_close, session_free
from minikv_core.sockets cimport *
from minikv_core.threads cimport *
from minikv_core.worker cimport engine_enter, engine_leave, engine_share

from minikv_core import io_epoll  # no-cython-lint (its import adds the poller)

cdef extern from *:
    int __sync_add_and_fetch(int* p, int n) nogil

cdef enum:
    STACK_BYTES = 1 << 20       # commands written in Python need more than the engine's
    LAST_CALL_US = 1000000      # at the end, for peers to take what they are owed

cdef struct Crew:               # all threads of a server
    Loop* loop                  # the main thread's
    pthread_attr_t attributes
    int   count                 # threads that have not ended; changed atomically

cdef struct Connection:         # one thread; malloc'd, freed by itself
    Blocking blocking
    Session* session
    Crew*    crew

# ---------------------------------------------------------------- a connection's thread

cdef void* serve_connection(void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef Crew* crew = c.crew
    blocking_serve(&c.blocking, c.session)
    free_connection(c)
    __sync_add_and_fetch(&crew.count, -1)
    return NULL

cdef void free_connection(Connection* c) noexcept nogil:
    blocking_close(&c.blocking)
    free(c)

# ---------------------------------------------------------------- the main thread

cdef void take_connection(Loop* p, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil:
    """Make a session and a thread for a connection."""
    cdef Connection* c = <Connection*>malloc(sizeof(Connection))
    cdef pthread_t thread
    if c == NULL or not blocking_open(&c.blocking, p.engine):
        free(c)
        refuse(p, fd, b"-ERR no memory for another connection\r\n")
        return
    c.crew = <Crew*>p.taker
    c.session = admit_peer(&c.blocking.worker, fd, peer, is_unix)
    if c.session == NULL:
        free_connection(c)
        return
    __sync_add_and_fetch(&c.crew.count, 1)
    if pthread_create(&thread, &c.crew.attributes, serve_connection, c) != 0:
        __sync_add_and_fetch(&c.crew.count, -1)
        engine_enter(p.worker)
        session_free(c.session)
        engine_leave(p.worker)
        free_connection(c)
        refuse(p, fd, b"-ERR the system makes no thread for another connection\r\n")

cdef void refuse(Loop* p, int fd, const char* text) noexcept nogil:
    send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT)
    close(fd)
    engine_enter(p.worker)
    p.engine.stats.rejected_connections += 1
    engine_leave(p.worker)

cdef void close_all(Loop* p, bint after_output) noexcept nogil:
    cdef Session* s
    engine_enter(p.worker)
    s = p.engine.sessions
    while s != NULL:
        if s.flags & IS_INTERNAL == 0:
            session_close(s, after_output)
        s = s.next
    engine_leave(p.worker)

cdef bint all_ended(Crew* crew, int64_t deadline) noexcept nogil:
    while __sync_add_and_fetch(&crew.count, 0):
        if monotonic_us() >= deadline:
            return False
        poll(NULL, 0, 1)
    return True

cdef void end_threads(Crew* crew) noexcept nogil:
    """Have all threads send what they owe, for at most LAST_CALL_US, and wait until they have ended."""
    close_all(crew.loop, True)
    if not all_ended(crew, monotonic_us() + LAST_CALL_US):
        close_all(crew.loop, False)
        all_ended(crew, INT64_MAX)


cdef class Threads:
    """Serve an engine with a thread for each connection.

    server   whose engine it is
    errors   OSError if the system refuses a descriptor, MemoryError
    """

    cdef Reactor acceptor
    cdef Crew crew

    def __cinit__(self, server):
        engine_share(&(<EngineHandle?>server.engine).engine)
        self.acceptor = Reactor(server.engine, "epoll")
        self.crew.loop = &self.acceptor.loop
        self.acceptor.loop.take = take_connection
        self.acceptor.loop.taker = &self.crew
        self.acceptor.loop.accept_flags = 0
        pthread_attr_init(&self.crew.attributes)
        pthread_attr_setdetachstate(&self.crew.attributes, PTHREAD_CREATE_DETACHED)
        pthread_attr_setstacksize(&self.crew.attributes, STACK_BYTES)

    def __dealloc__(self):
        pthread_attr_destroy(&self.crew.attributes)

    def add_listener(self, int fd, bint is_unix):
        self.acceptor.add_listener(fd, is_unix)

    def remove_listener(self, int fd):
        self.acceptor.remove_listener(fd)

    @property
    def wake_fd(self):
        return self.acceptor.wake_fd

    def stop(self):
        """End run() soon; from any thread."""
        self.acceptor.stop()

    def run(self):
        """Serve until stop(), a signal or SHUTDOWN; returns the exit status."""
        status = self.acceptor.run()
        with nogil:
            end_threads(&self.crew)
        return status
