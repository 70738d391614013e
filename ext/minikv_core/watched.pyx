"""The descriptors that poll, select and spin go through."""

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

cdef bint watched_open(Loop* p) noexcept nogil:
    p.state = calloc(1, sizeof(Watched))
    return p.state != NULL

cdef void watched_close(Loop* p) noexcept nogil:
    cdef Watched* w = <Watched*>p.state
    if w != NULL:
        free(w.fds)
        free(w.data)
        free(w.places)
        free(w)

cdef bint reserve(Watched* w, int fd) noexcept nogil:
    """Make room for one more descriptor."""
    cdef int room
    cdef void* grown
    if fd >= w.descriptors:
        room = fd * 2 + 64
        grown = realloc(w.places, <size_t>room * sizeof(int))
        if grown == NULL:
            return False
        w.places = <int*>grown
        memset(w.places + w.descriptors, 0, <size_t>(room - w.descriptors) * sizeof(int))
        w.descriptors = room
    if w.count == w.room:
        room = w.room * 2 + 64
        grown = realloc(w.fds, <size_t>room * sizeof(pollfd))
        if grown == NULL:
            return False
        w.fds = <pollfd*>grown
        grown = realloc(w.data, <size_t>room * sizeof(void*))
        if grown == NULL:
            return False
        w.data = <void**>grown
        w.room = room
    return True

cdef bint watched_watch(Loop* p, int fd, uint32_t before, uint32_t events, void* data) noexcept nogil:
    cdef Watched* w = <Watched*>p.state
    cdef int i = w.places[fd] - 1 if fd < w.descriptors else -1
    if events == 0:
        if i >= 0:              # the last one takes its place
            w.count -= 1
            w.fds[i] = w.fds[w.count]
            w.data[i] = w.data[w.count]
            w.places[w.fds[i].fd] = i + 1
            w.places[fd] = 0
        return True
    if i < 0:
        if not reserve(w, fd):
            return False
        i = w.count
        w.count += 1
        w.places[fd] = i + 1
    w.fds[i].fd = fd
    w.fds[i].events = <short>events
    w.data[i] = data
    return True
