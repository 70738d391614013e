# Requests in datagrams, for I/O models of one thread.
from libc.stddef cimport size_t
from minikv_core.engine cimport Worker

# Serve what has come to a socket, some at most, in the model's own buffer.
cdef void serve_datagrams(Worker* w, int fd, char* buffer, size_t room) noexcept nogil
