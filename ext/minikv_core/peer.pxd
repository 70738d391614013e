# Where a session's client is.
from minikv_core.engine cimport Session

# "ip:port", "[ip]:port" or, of a Unix socket, the server's socket path; kept in Session.peer.
cdef const char* peer_name(Session* s) noexcept nogil
