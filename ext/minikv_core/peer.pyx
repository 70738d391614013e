"""Where a session's client is: asked of the system once, when somebody wants to know.

An I/O model without a file descriptor sets Session.peer itself.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint16_t
from libc.stdio cimport snprintf
from libc.string cimport memset, strdup
from minikv_core.engine cimport IS_UNIX, Session

cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    ctypedef unsigned short sa_family_t
    int AF_INET, AF_INET6
    cdef struct sockaddr:
        sa_family_t sa_family
    int getpeername(int fd, sockaddr* address, socklen_t* size)
    int getsockname(int fd, sockaddr* address, socklen_t* size)

cdef extern from "<netinet/in.h>" nogil:
    cdef struct in_addr:
        pass
    cdef struct in6_addr:
        pass
    cdef struct sockaddr_in:
        uint16_t sin_port
        in_addr sin_addr
    cdef struct sockaddr_in6:
        uint16_t sin6_port
        in6_addr sin6_addr

cdef extern from "<sys/un.h>" nogil:
    cdef struct sockaddr_un:
        char sun_path[108]

cdef extern from "<arpa/inet.h>" nogil:
    uint16_t ntohs(uint16_t port)
    const char* inet_ntop(int family, const void* address, char* text, socklen_t room)

cdef union Address:
    sockaddr     any
    sockaddr_in  v4
    sockaddr_in6 v6
    sockaddr_un  local

cdef bint ask_address(Session* s, bint local, char* text, size_t room) noexcept nogil:
    """Write the address of one end of the connection; False without one."""
    cdef Address a
    cdef socklen_t size = sizeof(a)
    memset(&a, 0, sizeof(a))
    if s.fd < 0:
        return False
    if local or s.flags & IS_UNIX:
        if getsockname(s.fd, &a.any, &size) != 0:
            return False
    elif getpeername(s.fd, &a.any, &size) != 0:
        return False
    write_address(&a, text, room)
    return True

cdef void write_address(const void* address, char* text, size_t room) noexcept nogil:
    cdef const Address* a = <const Address*>address
    cdef char[64] ip
    if a.any.sa_family == AF_INET:
        inet_ntop(AF_INET, &a.v4.sin_addr, ip, sizeof(ip))
        snprintf(text, room, b"%s:%u", ip, <unsigned int>ntohs(a.v4.sin_port))
    elif a.any.sa_family == AF_INET6:
        inet_ntop(AF_INET6, &a.v6.sin6_addr, ip, sizeof(ip))
        snprintf(text, room, b"[%s]:%u", ip, <unsigned int>ntohs(a.v6.sin6_port))
    else:
        snprintf(text, room, b"%.107s", a.local.sun_path)

cdef const char* peer_name(Session* s) noexcept nogil:
    cdef char[128] text
    if s.peer == NULL and ask_address(s, False, text, sizeof(text)):
        s.peer = strdup(text)
    if s.peer == NULL:
        return b"?:0"
    return s.peer

cdef void local_name(Session* s, char* text, size_t room) noexcept nogil:
    if not ask_address(s, True, text, room):
        snprintf(text, room, b"?:0")
