# Accepting connections: what all I/O models do alike.
from minikv_core.engine cimport Engine, Session, Worker
from minikv_core.sockets cimport sockaddr_storage

cdef enum Accepted:
    ACCEPT_ONE = 0              # session, or NULL if the peer was refused
    ACCEPT_EMPTY = 1            # nobody waits
    ACCEPT_EXHAUSTED = 2        # out of descriptors or memory: the connection stays in the backlog

cdef bint is_loopback(const sockaddr_storage* peer) noexcept nogil     # or a Unix socket
# Accept a connection; fd is -1 without one. flags: SOCK_NONBLOCK or 0.
cdef Accepted accept_peer(int listener, int flags, int* fd, sockaddr_storage* peer) noexcept nogil
# Accept a connection and make its session. flags: SOCK_NONBLOCK or 0.
cdef Accepted accept_session(Worker* w, int listener, bint is_unix, int flags, Session** session) noexcept nogil
# Make the session of a connection that was accepted; NULL = refused, and closed.
cdef Session* admit_peer(Worker* w, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil
# The same for another worker, which finds the session (a NEWCOMER) among those that are ready.
cdef Session* admit_for(Worker* w, Worker* owner, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil
