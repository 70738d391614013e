"""The poller `spin`: asks nobody. Every descriptor is said to be ready, in turn, and the reading finds out:
one system call for each connection and turn, most of them for nothing, and a core that never rests.
What this costs more than the others is what multiplexing saves."""

from libc.stdint cimport uint32_t
from minikv_core.reactor cimport EVENTS, Loop, Poller, poller_add
from minikv_core.watched cimport Watched, watched_close, watched_open, watched_watch

cdef int wait(Loop* p, int timeout_ms) noexcept nogil:
    cdef Watched* w = <Watched*>p.state
    cdef int i, n = w.count if w.count < EVENTS else EVENTS
    for i in range(n):
        w.next = w.next + 1 if w.next + 1 < w.count else 0
        p.events[i].events = <uint32_t>w.fds[w.next].events
        p.events[i].data.ptr = w.data[w.next]
    return n

cdef Poller poller = Poller(b"spin", False, 0, watched_open, watched_close, watched_watch, wait)
poller_add(&poller)
