"""The poller `poll`: the whole array of descriptors goes to the kernel and back with every wait, and
both sides go through all of it, however few are ready."""

from libc.stdint cimport uint32_t
from minikv_core.reactor cimport EVENTS, Loop, Poller, poller_add
from minikv_core.sockets cimport poll
from minikv_core.watched cimport Watched, watched_close, watched_open, watched_watch

cdef int wait(Loop* p, int timeout_ms) noexcept nogil:
    cdef Watched* w = <Watched*>p.state
    cdef int ready = poll(w.fds, <unsigned long>w.count, timeout_ms)
    cdef int i, k, n = 0
    for k in range(w.count):
        if n == ready or n == EVENTS:
            break
        i = (w.next + k) % w.count
        if w.fds[i].revents:
            p.events[n].events = <uint32_t>w.fds[i].revents     # poll's bits are epoll's
            p.events[n].data.ptr = w.data[i]
            n += 1
            if n == EVENTS:
                w.next = i + 1
    return n

cdef Poller poller = Poller(b"poll", False, 0, watched_open, watched_close, watched_watch, wait)
poller_add(&poller)
