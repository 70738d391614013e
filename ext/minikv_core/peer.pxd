# Where a session's client is.
from libc.stddef cimport size_t
from minikv_core.engine cimport Session

# "ip:port", "[ip]:port" or, of a Unix socket, the server's socket path; kept in Session.peer.
cdef const char* peer_name(Session* s) noexcept nogil
# The same of an address, a struct sockaddr of any family.
cdef void write_address(const void* address, char* text, size_t room) noexcept nogil
# The same of the server's end; at least 128 bytes of room.
cdef void local_name(Session* s, char* text, size_t room) noexcept nogil
