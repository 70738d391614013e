"""Sessions for I/O models written in Python: who serves them calls all of this from one thread."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy
from minikv_core.acceptor cimport admit_peer
from minikv_core.clock cimport monotonic_us
from minikv_core.cron cimport count_turn, engine_timers
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.output cimport output_pending, output_sent, output_vector
from minikv_core.session cimport (
    refresh_clock, session_close, session_feed, session_free, session_resume, session_settle, session_take_pushes,
    session_make_ready, session_take_ready, wants_resume,
)
from minikv_core.sockets cimport *
from minikv_core.worker cimport worker_close, worker_open

cdef enum:
    PIECES = 64
    FEED_BYTES = 65536


cdef class PyWorker:
    """The sessions that one thread serves, and their engine's timers.

    errors   MemoryError
    """
    cdef Worker worker
    cdef EngineHandle handle
    cdef int64_t turn_us        # when the turn began
    cdef uint64_t commands      # that had run by then

    def __cinit__(self, EngineHandle handle not None):
        if not worker_open(&self.worker, &handle.engine):
            raise MemoryError
        self.handle = handle
        handle.engine.active = &self.worker

    def __dealloc__(self):
        worker_close(&self.worker)

    def admit(self, int fd, bint is_unix):
        """The session of a connection that was accepted; None = it was refused, and closed."""
        cdef sockaddr_storage peer
        cdef socklen_t n = sizeof(peer)
        cdef Session* s
        cdef PySession session
        if getpeername(fd, <sockaddr*>&peer, &n) != 0:
            peer.ss_family = AF_UNIX        # it has gone: nobody to be protected from
        s = admit_peer(&self.worker, fd, &peer, is_unix)
        if s == NULL:
            return None
        session = PySession.__new__(PySession)
        session.session = s
        s.model = <void*>session
        return session

    def begin_turn(self):
        """Before sessions are fed: the time is read once for all of them."""
        refresh_clock(&self.handle.engine)
        self.turn_us = monotonic_us()
        self.commands = self.handle.engine.stats.commands

    def end_turn(self):
        """Run the timers; returns (microseconds until they want to run again, or -1; sessions to look at).

        Those sessions have output, or are to be closed.
        """
        cdef Engine* e = &self.handle.engine
        cdef int64_t wait = engine_timers(e)
        cdef Session* s = session_take_ready(&self.worker)
        cdef Session* following
        cdef list ready = []
        while s != NULL:
            following = s.next_ready
            s.next_ready = NULL
            s.flags &= ~<uint32_t>IN_READY
            if wants_resume(s):
                session_resume(s)
                session_settle(s)
            session_take_pushes(s)
            ready.append(<object>s.model)
            s = following
        count_turn(e, <uint64_t>(monotonic_us() - self.turn_us), e.stats.commands - self.commands)
        return 0 if self.worker.ready != NULL else wait, ready

    @property
    def stopping(self):
        """Whether SHUTDOWN has asked for the end."""
        return self.handle.engine.stopping

    @property
    def stop_status(self):
        """The exit status that it asked for."""
        return self.handle.engine.stop_status


cdef class PySession:
    """One client; PyWorker.admit makes it, and it must be freed.

    owner    the I/O model's own
    """
    cdef Session* session
    cdef public object owner

    def feed(self, bytes data):
        """Run the requests that are whole; the session is ready then."""
        cdef Session* s = self.session
        cdef char copy[FEED_BYTES]      # requests are changed where they lie, which bytes must not be
        cdef const char* p = PyBytes_AS_STRING(data)
        cdef size_t left = <size_t>len(data), n
        s.engine.stats.reads += 1
        if s.engine.config.tcp_quickack:
            quick_ack(s.fd)
        while left and s.gate & (CLOSE_AFTER | CLOSE_NOW) == 0:
            n = min(left, <size_t>FEED_BYTES)
            memcpy(copy, p, n)
            session_feed(s, copy, n)
            session_settle(s)
            p += n
            left -= n
        session_make_ready(s)

    def ended(self, bint broken):
        """The peer has closed its end, or the connection is broken."""
        if not broken:
            self.session.flags |= PEER_DONE     # it may still wait for what it is owed
        session_close(self.session, not broken)

    def close(self, bint after_output):
        session_close(self.session, after_output)

    def lend(self, size_t most):
        """At most so many bytes of what is owed; nothing more before sent() has told of them."""
        cdef Session* s = self.session
        cdef iovec pieces[PIECES]
        cdef int i, count = 0
        cdef size_t n = 0
        cdef bytes data
        if s.flags & IS_LENT or s.gate & CLOSE_NOW:
            return b""
        count = output_vector(&s.out, pieces, PIECES)
        for i in range(count):
            if pieces[i].iov_len > most - n:
                pieces[i].iov_len = most - n
            n += pieces[i].iov_len
        data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>n)
        n = 0
        for i in range(count):
            memcpy(PyBytes_AS_STRING(data) + n, pieces[i].iov_base, pieces[i].iov_len)
            n += pieces[i].iov_len
        if n:
            s.flags |= IS_LENT
        return data

    def sent(self, size_t n):
        """All that was lent, n bytes, has been sent."""
        cdef Session* s = self.session
        s.flags &= ~<uint32_t>IS_LENT
        s.engine.stats.writes += 1
        s.engine.stats.net_output += n
        s.net_output += n
        output_sent(&s.out, n)
        session_settle(s)
        session_make_ready(s)

    @property
    def over(self):
        """Whether the connection is to be closed now."""
        cdef Session* s = self.session
        return s.gate & CLOSE_NOW != 0 or (s.gate & CLOSE_AFTER != 0 and output_pending(&s.out) == 0)

    @property
    def broken(self):
        """Whether it is closed without regard to what it is owed."""
        return self.session.gate & CLOSE_NOW != 0

    def free(self):
        """Forget the client; its socket is the model's to close."""
        session_free(self.session)
        self.session = NULL
