# The descriptors that a poller without a set in the kernel watches: a dense array, and each one's place.
from libc.stdint cimport uint32_t

cdef extern from "poll.h" nogil:
    struct pollfd:
        int   fd
        short events
        short revents

cdef struct Watched:
    pollfd* fds
    void**  data                # of the descriptor at the same index
    int     count
    int     room
    int*    places              # by descriptor: its index + 1; 0 = not watched
    int     descriptors         # length of places
    int     next                # where the next search for ready ones begins, so that all have their turn

cdef Watched* watched_new() noexcept nogil
cdef void watched_free(Watched* w) noexcept nogil
# Set what a descriptor is watched for; 0 = nothing. False = no memory.
cdef bint watched_set(Watched* w, int fd, uint32_t events, void* data) noexcept nogil
