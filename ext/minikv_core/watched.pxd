# The descriptors that a poller without a set in the kernel watches: a dense array, and each one's place.
from libc.stdint cimport uint32_t
from minikv_core.reactor cimport Loop
from minikv_core.sockets cimport pollfd

cdef struct Watched:
    pollfd* fds
    void**  data                # of the descriptor at the same index
    int     count
    int     room
    int*    places              # by descriptor: its index + 1; 0 = not watched
    int     descriptors         # length of places
    int     next                # where the next search for ready ones begins, so that all have their turn

# A Poller's functions; Loop.state is the Watched.
cdef bint watched_open(Loop* p) noexcept nogil
cdef void watched_close(Loop* p) noexcept nogil
cdef bint watched_watch(Loop* p, int fd, uint32_t before, uint32_t events, void* data) noexcept nogil
