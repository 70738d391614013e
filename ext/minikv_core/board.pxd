# The board: settings, counters and sums that all processes of a store share, and a row for each of
# them. One process has a board of its own; several share one mapping, made before they are forked.
from libc.stdint cimport uint64_t
from minikv_core.engine cimport Engine

cdef enum:
    MAX_PLACES = 1024           # the master's, 0, included

cdef bint board_open(Engine* e, bint shared) noexcept nogil     # False = no memory
cdef void board_close(Engine* e) noexcept nogil
# Take a process's share out of the sums: it has ended.
cdef void board_clear_place(Engine* e, int index) noexcept nogil

cdef inline uint64_t sessions_of(const Engine* e) noexcept nogil:
    """Sessions of the whole server."""
    return e.board.sessions - e.place.sessions + e.session_count

cdef inline uint64_t client_bytes_of(const Engine* e) noexcept nogil:
    return e.board.client_bytes - e.place.client_bytes + e.client_bytes

cdef inline void board_post(Engine* e) noexcept nogil:
    """Leave this process's sums for the others, before the lock is given up."""
    e.board.sessions = sessions_of(e)
    e.place.sessions = e.session_count
    e.board.client_bytes = client_bytes_of(e)
    e.place.client_bytes = e.client_bytes
