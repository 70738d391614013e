"""The poller `spin`: asks nobody. Every descriptor is said to be ready, in turn, and the reading finds out:
one system call for each connection and turn, most of them for nothing, and a core that never rests.
What this costs more than the others is what multiplexing saves."""

from libc.stdint cimport uint32_t
from minikv_core.reactor cimport EVENTS, Loop, Poller, poller_add
from minikv_core.watched cimport Watched, watched_free, watched_new, watched_set

cdef bint open_spin(Loop* p) noexcept nogil:
    p.state = watched_new()
    return p.state != NULL

cdef void close_spin(Loop* p) noexcept nogil:
    watched_free(<Watched*>p.state)

cdef bint watch(Loop* p, int fd, uint32_t before, uint32_t events, void* data) noexcept nogil:
    return watched_set(<Watched*>p.state, fd, events, data)

cdef void forget(Loop* p, int fd) noexcept nogil:
    watched_set(<Watched*>p.state, fd, 0, NULL)

cdef int wait(Loop* p, int timeout_ms) noexcept nogil:
    cdef Watched* w = <Watched*>p.state
    cdef int i, n = w.count if w.count < EVENTS else EVENTS
    for i in range(n):
        w.next = w.next + 1 if w.next + 1 < w.count else 0
        p.events[i].events = <uint32_t>w.fds[w.next].events
        p.events[i].data.ptr = w.data[w.next]
    return n

cdef Poller poller = Poller(b"spin", False, 0, open_spin, close_spin, watch, forget, wait)
poller_add(&poller)
