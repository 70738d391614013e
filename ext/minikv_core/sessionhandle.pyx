"""Sessions without a socket, for the tests: bytes in, bytes out, turn by turn as a reactor does it.

What a session is owed waits in its output until it takes part in a turn again, as behind a peer that
does not read. A session that must close is freed at the end of a turn; its handle finds that out by
looking for its number.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stddef cimport size_t
from libc.stdint cimport SIZE_MAX, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from minikv_core.arena cimport arena_check
from minikv_core.cron cimport engine_timers
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.output cimport output_pending, output_sent, output_vector
from minikv_core.session cimport (
    refresh_clock, session_close, session_feed, session_free, session_hold, session_new, session_receive_room,
    session_received, session_resume, session_settle, session_take_pushes, session_take_ready, wants_resume,
)
from minikv_core.table cimport table_check
from posix.uio cimport iovec

cdef enum:
    PIECES = 64                 # iovecs of one call of output_vector


cdef class SessionHandle:
    """A client of an engine that has no socket.

    copying   whether bytes are always received into a buffer, and never where the session would like them
    """

    cdef EngineHandle handle
    cdef bint copying
    cdef readonly uint64_t id

    def __cinit__(self, EngineHandle handle not None, bint copying=False):
        cdef Session* s = session_new(&handle.engine.inner, -1, 0) if handle.is_open else NULL
        if s == NULL:
            raise MemoryError
        self.handle = handle
        self.copying = copying
        self.id = s.id

    cdef Session* find(self) noexcept:
        """The session; NULL = it was closed."""
        cdef Session* s = self.handle.engine.sessions if self.handle.is_open else NULL
        while s != NULL and s.id != self.id:
            s = s.next
        return s

    @property
    def closed(self):
        return self.find() == NULL

    def feed(self, bytes data, size_t most=SIZE_MAX):
        """Take part in a turn alone; see take_turn."""
        return take_turn(self.handle, [(self, data)], most)[0]

    def close(self):
        """End the session as when its peer is gone."""
        cdef Session* s = self.find()
        if s != NULL:
            session_close(s, False)
            drain_ready(&self.handle.engine)


def take_turn(EngineHandle handle not None, list reads, size_t most=SIZE_MAX):
    """One turn of an I/O model: all receive and run, then all send, then the timers and who else is ready.

    reads    [(session, bytes that it receives), ...]
    most     bytes that each peer takes of what it is owed
    returns  the bytes that each peer takes, in the same order; none from a closed session
    """
    cdef Engine* e = &handle.engine
    cdef SessionHandle client
    cdef Session* s
    cdef bytes data
    cdef list held = [], sent = []
    if not handle.is_open or e.depth:
        raise RuntimeError("the engine is closed, or runs a command")
    refresh_clock(e)
    for client, data in reads:
        held.append(client)
        s = client.find()
        if s != NULL:
            receive(s, PyBytes_AS_STRING(data), <size_t>len(data), client.copying)
            if not session_hold(s):
                sent += send_held(e, held, most)
    sent += send_held(e, held, most)
    engine_timers(e)
    drain_ready(e)
    return sent


cdef void receive(Session* s, const char* p, size_t n, bint copying) noexcept nogil:
    """Receive n bytes, where the session wants them or in a buffer that ends with them."""
    cdef size_t room
    cdef char* to
    while n and s.gate & (CLOSE_AFTER | CLOSE_NOW) == 0:
        to = NULL if copying else session_receive_room(s, &room)
        if to != NULL:
            room = min(room, n)
            memcpy(to, p, room)
            session_received(s, room)
        else:
            room = n
            to = <char*>malloc(n)
            if to == NULL:
                session_close(s, False)
                return
            memcpy(to, p, n)
            session_feed(s, to, n)
            free(to)
        p += room
        n -= room


cdef list send_held(Engine* e, list held, size_t most):
    """Let the peers of the sessions that ran take what they are owed."""
    cdef SessionHandle client
    cdef Session* s
    sent = []
    for client in held:
        s = client.find()
        sent.append(send(s, most) if s != NULL else b"")
    held.clear()
    e.inner.scratch_used = 0
    return sent


cdef bytes send(Session* s, size_t most):
    """Let a session's peer take at most so many bytes."""
    cdef iovec pieces[PIECES]
    cdef size_t n, taken
    cdef int i, count
    parts = []
    while most and s.gate & CLOSE_NOW == 0:
        count = output_vector(&s.out, pieces, PIECES)
        if count == 0:
            break
        taken = 0
        for i in range(count):
            n = min(pieces[i].iov_len, most)
            parts.append(PyBytes_FromStringAndSize(<char*>pieces[i].iov_base, <Py_ssize_t>n))
            taken += n
            most -= n
        s.net_output += taken
        s.engine.stats.net_output += taken
        output_sent(&s.out, taken)
    session_settle(s)
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        session_close(s, s.gate & CLOSE_NOW == 0)
    return b"".join(parts)


cdef void drain_ready(Engine* e) noexcept nogil:
    """Let those go on that may, and free those that must close and owe nothing."""
    cdef Session* s
    cdef Session* following
    while e.inner.ready != NULL:
        s = session_take_ready(&e.inner)
        while s != NULL:
            following = s.next_ready
            s.next_ready = NULL
            s.flags &= ~<uint32_t>IN_READY
            if wants_resume(s):
                session_resume(s)
                session_settle(s)
            session_take_pushes(s)
            if s.gate & CLOSE_NOW or (s.gate & CLOSE_AFTER and output_pending(&s.out) == 0):
                session_free(s)
            s = following


def check(EngineHandle handle not None):
    """Walk the arena, the tables and the sessions; AssertionError if they are not as they should be."""
    cdef Engine* e = &handle.engine
    cdef Session* s = e.sessions
    cdef uint64_t bytes_held = 0, sessions = 0, waiting = 0, monitors = 0, subscribers = 0, trackers = 0
    cdef uint32_t i
    assert arena_check(&e.arena) == 0, arena_check(&e.arena)
    for i in range(e.database_count):
        assert table_check(&e.arena, &e.databases[i].keys) == 0, (i, table_check(&e.arena, &e.databases[i].keys))
    while s != NULL:
        bytes_held += s.counted
        sessions += s.flags & IS_INTERNAL == 0
        waiting += s.flags & (IS_PAUSED | IS_BLOCKED) != 0
        trackers += s.gate & TRACKING != 0
        monitors += s.flags & IS_MONITOR != 0
        subscribers += s.flags & IS_PUBSUB != 0
        assert s.out.base == NULL, "an output is still attached"
        s = s.next
    assert bytes_held == e.client_bytes, (bytes_held, e.client_bytes)
    assert sessions == e.session_count, (sessions, e.session_count)
    assert (waiting, monitors, subscribers, trackers) == (e.blocked, e.monitors, e.subscribers, e.trackers)
    assert e.inner.scratch_used == e.depth == 0
