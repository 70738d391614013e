"""The pollers `epoll` and `epoll-et`: the kernel keeps the set of watched descriptors, and a wait costs
what became ready, however many there are.

Level-triggered, a descriptor is reported as long as it is ready: read once, and the rest comes again.
Edge-triggered, it is reported when it becomes ready: everything is watched for from the start and no
call ever changes that, but who is told must read, or write, until there is no more.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from minikv_core.reactor cimport EVENTS, WAKE, Loop, Poller, poller_add
from minikv_core.sockets cimport *

cdef inline int epoll_of(Loop* p) noexcept nogil:
    return <int><long>p.state

cdef bint open_epoll(Loop* p) noexcept nogil:
    cdef int fd = epoll_create1(EPOLL_CLOEXEC)
    p.state = <void*><long>fd
    return fd >= 0

cdef void close_epoll(Loop* p) noexcept nogil:
    if epoll_of(p) >= 0:
        close(epoll_of(p))

cdef bint change(Loop* p, int fd, uint32_t before, uint32_t events, void* data) noexcept nogil:
    cdef epoll_event event
    event.events = events
    event.data.ptr = data
    return epoll_ctl(epoll_of(p), EPOLL_CTL_ADD if before == 0 else EPOLL_CTL_MOD if events else EPOLL_CTL_DEL,
                     fd, &event) == 0

cdef bint watch_edge(Loop* p, int fd, uint32_t before, uint32_t events, void* data) noexcept nogil:
    if <size_t>data <= WAKE:          # listeners and the wake-up pipe stay level-triggered
        return change(p, fd, before, events, data)
    return change(p, fd, before, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, data)

cdef int wait(Loop* p, int timeout_ms) noexcept nogil:
    return epoll_wait(epoll_of(p), p.events, EVENTS, timeout_ms)

cdef Poller level = Poller(b"epoll", False, 0, open_epoll, close_epoll, change, wait)
cdef Poller edge = Poller(b"epoll-et", True, 0, open_epoll, close_epoll, watch_edge, wait)
poller_add(&level)
poller_add(&edge)
