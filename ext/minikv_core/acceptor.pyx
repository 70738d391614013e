"""Accepting connections: maxclients, protected mode, and a session for who is let in."""

from libc.stdint cimport int64_t
from libc.string cimport strlen
from minikv_core.board cimport sessions_of
from minikv_core.engine cimport *
from minikv_core.session cimport session_make_ready, session_new
from minikv_core.sockets cimport *
from minikv_core.worker cimport engine_enter, engine_leave

cdef Accepted accept_peer(int listener, int flags, int* fd, sockaddr_storage* peer) noexcept nogil:
    cdef socklen_t n = sizeof(sockaddr_storage)
    fd[0] = accept4(listener, <sockaddr*>peer, &n, flags | SOCK_CLOEXEC)
    if fd[0] >= 0 or errno == EINTR or errno == ECONNABORTED:
        return ACCEPT_ONE
    if errno == EMFILE or errno == ENFILE or errno == ENOBUFS or errno == ENOMEM:
        return ACCEPT_EXHAUSTED
    return ACCEPT_EMPTY

cdef Accepted accept_session(Worker* w, int listener, bint is_unix, int flags, Session** session) noexcept nogil:
    cdef sockaddr_storage peer
    cdef int fd
    cdef Accepted status = accept_peer(listener, flags, &fd, &peer)
    session[0] = admit_peer(w, fd, &peer, is_unix) if fd >= 0 else NULL
    return status

cdef bint is_loopback(const sockaddr_storage* peer) noexcept nogil:
    cdef unsigned char* six
    cdef int i
    if peer.ss_family == AF_INET:
        return ntohl((<const sockaddr_in*>peer).sin_addr.s_addr) >> 24 == 127
    if peer.ss_family == AF_INET6:
        six = (<sockaddr_in6*>peer).sin6_addr.s6_addr
        for i in range(10):
            if six[i]:
                return False
        if six[10] == 255 and six[11] == 255:
            return six[12] == 127           # IPv4 inside IPv6
        return six[10] == 0 and six[11] == 0 and six[12] == 0 and six[13] == 0 and six[14] == 0 and six[15] == 1
    return True

cdef Session* refuse(Engine* e, int fd, const char* text) noexcept nogil:
    e.stats.rejected_connections += 1
    send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT)
    close(fd)
    return NULL

cdef Session* admit_peer(Worker* w, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil:
    return admit_for(w, w, fd, peer, is_unix)

cdef Session* admit_for(Worker* w, Worker* owner, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil:
    cdef Engine* e = w.engine
    cdef Session* s = NULL
    cdef const char* denied = (
        b"-DENIED minikv runs in protected mode because protected mode is enabled and no password is set. In this "
        b"mode connections are only accepted from the loopback interface. Set a password (requirepass), or turn "
        b"protected-mode off, to accept others.\r\n")
    cdef const char* full = b"-ERR max number of clients reached\r\n"
    engine_enter(w)
    if <int64_t>sessions_of(e) >= e.config.maxclients:
        refuse(e, fd, full)
    elif e.config.protected_mode and not e.config.requires_auth and not is_loopback(peer):
        refuse(e, fd, denied)
    else:
        s = session_new(owner, fd, IS_UNIX if is_unix else 0)
        if s == NULL:
            close(fd)
        else:
            e.stats.connections += 1
            if owner != w:
                s.flags |= NEWCOMER
                session_make_ready(s)
    engine_leave(w)
    return s
