"""The poller `select`: two bit sets go to the kernel and come back changed with every wait. A set has
1,024 bits, so a descriptor from 1,024 on can't be watched: such a connection gets an error and is closed.
"""

from libc.stdint cimport uint32_t
from minikv_core.reactor cimport EVENTS, Loop, Poller, poller_add
from minikv_core.sockets cimport EPOLLIN, EPOLLOUT
from minikv_core.watched cimport Watched, watched_close, watched_open, watched_watch

cdef extern from "sys/select.h" nogil:
    ctypedef struct fd_set:
        pass
    struct timeval:
        long tv_sec
        long tv_usec
    enum: FD_SETSIZE
    void FD_ZERO(fd_set* fds)
    void FD_SET(int fd, fd_set* fds)
    int FD_ISSET(int fd, fd_set* fds)
    int select(int descriptors, fd_set* readers, fd_set* writers, fd_set* others, timeval* timeout)

cdef bint watch(Loop* p, int fd, uint32_t before, uint32_t events, void* data) noexcept nogil:
    return fd < FD_SETSIZE and watched_watch(p, fd, before, events, data)

cdef int wait(Loop* p, int timeout_ms) noexcept nogil:
    cdef Watched* w = <Watched*>p.state
    cdef fd_set readers, writers
    cdef timeval timeout
    cdef uint32_t events
    cdef int i, k, fd, most = -1, n = 0
    FD_ZERO(&readers)
    FD_ZERO(&writers)
    for i in range(w.count):
        fd = w.fds[i].fd
        if w.fds[i].events & <short>EPOLLIN:
            FD_SET(fd, &readers)
        if w.fds[i].events & <short>EPOLLOUT:
            FD_SET(fd, &writers)
        if fd > most:
            most = fd
    timeout.tv_sec = timeout_ms // 1000
    timeout.tv_usec = timeout_ms % 1000 * 1000
    if select(most + 1, &readers, &writers, NULL, &timeout if timeout_ms >= 0 else NULL) <= 0:
        return 0
    for k in range(w.count):
        i = (w.next + k) % w.count
        events = ((EPOLLIN if FD_ISSET(w.fds[i].fd, &readers) else 0)
                  | (EPOLLOUT if FD_ISSET(w.fds[i].fd, &writers) else 0))
        if events:
            p.events[n].events = events
            p.events[n].data.ptr = w.data[i]
            n += 1
            if n == EVENTS:
                w.next = i + 1
                break
    return n

cdef Poller poller = Poller(b"select", False, FD_SETSIZE, watched_open, watched_close, watch, wait)
poller_add(&poller)
