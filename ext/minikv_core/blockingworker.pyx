"""For Python: a process that serves one connection at a time, as in the models `fork` and `prefork`."""

from libc.string cimport memset
from minikv_core.acceptor cimport ACCEPT_EXHAUSTED, accept_session, admit_peer
from minikv_core.clock cimport monotonic_us
from minikv_core.engine cimport PLACE_IDLE, Session
from minikv_core.handle cimport EngineHandle
from minikv_core.io_blocking cimport (
    END_CLOSED, Blocking, End, blocking_close, blocking_open, blocking_serve, need_pipe, take_wake,
)
from minikv_core.sockets cimport *
from minikv_core.worker cimport engine_enter, engine_leave

import os

cdef enum:
    MOST_LISTENERS = 64
    ACCEPT_PAUSE_MS = 100       # without free descriptors: until accepting is tried again

ENDS = ("peer", "closed", "silent", "unread", "stopped")


cdef class BlockingWorker:
    """Serves one connection at a time in this process, which has no other worker.

    handle   the engine
    errors   MemoryError, OSError if the system refuses a descriptor
    """

    cdef Blocking b
    cdef EngineHandle handle

    def __cinit__(self, EngineHandle handle):
        self.b.wake_read = -1
        self.handle = handle
        if not blocking_open(&self.b, &handle.engine):
            raise MemoryError
        self.b.alone = True
        if not need_pipe(&self.b):
            raise OSError(errno, os.strerror(errno))
        if handle.engine.lock == NULL:
            handle.engine.active = &self.b.worker

    def __dealloc__(self):
        blocking_close(&self.b)

    @property
    def wake_fd(self):
        """For signal.set_wakeup_fd: SIGQUIT, SIGTERM and SIGINT end the work, others look around."""
        return self.b.wake_write

    @property
    def stopping(self):
        """Whether it was told to end, or SHUTDOWN has come."""
        return self.b.stopping or bool(self.handle.engine.stopping)

    def serve(self, int fd, bint is_unix):
        """Serve an accepted connection until it ends, and close it.

        returns  why it ended: peer, closed, silent, unread, stopped; None if the client was refused
        """
        cdef sockaddr_storage peer
        cdef socklen_t n = sizeof(peer)
        cdef Session* s
        cdef End end = END_CLOSED
        memset(&peer, 0, sizeof(peer))
        getpeername(fd, <sockaddr*>&peer, &n)
        with nogil:
            s = admit_peer(&self.b.worker, fd, &peer, is_unix)
            if s != NULL:
                end = blocking_serve(&self.b, s)
        return ENDS[<int>end] if s != NULL else None

    def serve_next(self, dict listeners):
        """Wait for a connection, serve it until it ends, and close it.

        listeners  listening, non-blocking sockets -> whether each is a Unix socket
        returns    as serve(); None also if it was woken, or another process took the connection
        """
        cdef pollfd[65] all             # MOST_LISTENERS and the pipe
        cdef int i, count = 0, found = -1, status
        cdef Session* s = NULL
        cdef End end = END_CLOSED
        cdef bint is_unix
        for fd in list(listeners)[:MOST_LISTENERS]:
            count += 1
            all[count].fd = fd
            all[count].events = POLLIN
            all[count].revents = 0
        all[0].fd = self.b.wake_read
        all[0].events = POLLIN
        self.handle.engine.place.state = PLACE_IDLE
        self.handle.engine.place.idle_since_us = monotonic_us()
        with nogil:
            if poll(all, <unsigned long>count + 1, -1) > 0:
                for i in range(1, count + 1):
                    if all[i].revents:
                        found = i
            take_wake(&self.b)
            engine_enter(&self.b.worker)        # to answer what others ask
            engine_leave(&self.b.worker)
        if found < 0 or self.b.stopping:
            return None
        is_unix = listeners[all[found].fd]
        with nogil:
            status = accept_session(&self.b.worker, all[found].fd, is_unix, 0, &s)
            if status == ACCEPT_EXHAUSTED:      # the connection stays in the backlog
                poll(all, 1, ACCEPT_PAUSE_MS)
            if s != NULL:
                end = blocking_serve(&self.b, s)
        return ENDS[<int>end] if s != NULL else None
