# The wake-up pipe of a runner: each byte is a signal's number, as signal.set_wakeup_fd writes it, or
# says with any other value: look around. Makes no module.
from minikv_core.sockets cimport read

cdef extern from "signal.h" nogil:
    enum: SIGINT, SIGQUIT, SIGTERM

cdef inline bint wake_ends(char byte) noexcept nogil:
    """Whether a byte asks for the end."""
    return byte == SIGTERM or byte == SIGINT or byte == SIGQUIT

cdef inline bint wake_taken(int fd) noexcept nogil:
    """Take what is in a pipe; whether any of it asks for the end."""
    cdef char bytes[64]
    cdef ssize_t n = read(fd, bytes, sizeof(bytes)), i
    cdef bint ends = False
    for i in range(n):
        ends = ends or wake_ends(bytes[i])
    return ends
