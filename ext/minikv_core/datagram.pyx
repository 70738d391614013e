"""Requests in datagrams: UDP and Unix datagram sockets.

A datagram holds one or several whole requests, and all their replies go back in one datagram, or an
error if they don't fit into one. There is no connection: each datagram has a session of its own, so
AUTH, SELECT and MULTI reach as far as the datagram. Nothing waits: a reply that the peer's
socket has no room for is lost, as any datagram may be.

Two rules keep the server from being used against others, as a sender's address can be forged:

- To other machines no answer is larger than what it answers; where it would be, an error is sent, or
  nothing if even that is larger.
- A datagram that begins as an error does is dropped: else two servers could answer each other for ever.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint64_t
from libc.string cimport memset, strdup, strlen
from minikv_core.acceptor cimport is_loopback
from minikv_core.engine cimport *
from minikv_core.output cimport output_pending, output_vector
from minikv_core.peer cimport write_address
from minikv_core.session cimport fail, session_feed, session_free, session_new
from minikv_core.sockets cimport *

cdef enum:
    DATAGRAMS_A_TURN = 64       # before connections have their turn
    PIECES = 1024               # iovecs of one sendmsg: the system's limit

cdef struct Datagram:
    int     fd
    char*   bytes
    size_t  n
    sockaddr_storage peer
    socklen_t peer_length       # 0 = the sender has no name: it can't be answered
    bint    is_near             # from this machine: an answer may be larger

cdef void serve_datagrams(Worker* w, int fd, char* buffer, size_t room) noexcept nogil:
    cdef Datagram d
    cdef ssize_t n
    cdef int _
    d.fd = fd
    d.bytes = buffer
    for _ in range(DATAGRAMS_A_TURN):
        memset(&d.peer, 0, sizeof(d.peer))
        d.peer.ss_family = AF_UNIX      # of a sender without a name nothing is written
        d.peer_length = sizeof(d.peer)
        n = recvfrom(fd, buffer, room, MSG_DONTWAIT | MSG_TRUNC, <sockaddr*>&d.peer, &d.peer_length)
        if n < 0:
            return
        w.engine.stats.reads += 1
        d.n = <size_t>n                 # of all of it, whatever the room
        d.is_near = is_loopback(&d.peer)
        if n == 0 or buffer[0] == c'-':
            continue
        if d.n > room:
            answer(w.engine, &d, b"-ERR request too large\r\n")
        elif w.engine.config.protected_mode and not w.engine.config.requires_auth and not d.is_near:
            answer(w.engine, &d, b"-DENIED protected mode\r\n")
        else:
            run_requests(w, &d)

cdef void run_requests(Worker* w, Datagram* d) noexcept nogil:
    """Run what is in a datagram, and send the replies."""
    cdef Engine* e = w.engine
    cdef const char* no_push = e.no_push
    cdef Session* s = session_new(w, d.fd, IS_UNIX if d.peer.ss_family == AF_UNIX else 0)
    cdef char name[128]
    if s == NULL:
        return
    write_address(&d.peer, name, sizeof(name))
    s.peer = strdup(name)               # the socket itself has no peer to ask for
    e.no_push = b"datagrams: there is no connection to send messages on"
    session_feed(s, d.bytes, d.n)
    e.no_push = no_push
    if s.gate & WAITING:
        fail(s, b"ERR clients are paused, and a datagram does not wait")
    elif s.gate & STOP == 0 and (s.inbox_len or s.parser.missing or s.parser.big):
        fail(s, b"ERR Protocol error: the datagram ends in the middle of a request")
    send_replies(d, s)
    session_free(s)

cdef void send_replies(Datagram* d, Session* s) noexcept nogil:
    cdef iovec pieces[PIECES]
    cdef msghdr message
    cdef size_t owed = output_pending(&s.out), found = 0
    cdef ssize_t sent = -1
    cdef int i
    if d.peer_length == 0 or (owed == 0 and s.gate & CLOSE_NOW == 0):
        return
    memset(&message, 0, sizeof(message))
    message.msg_name = &d.peer
    message.msg_namelen = d.peer_length
    message.msg_iov = pieces
    message.msg_iovlen = output_vector(&s.out, pieces, PIECES)
    for i in range(<int>message.msg_iovlen):
        found += pieces[i].iov_len
    (&errno)[0] = EMSGSIZE
    if s.gate & CLOSE_NOW == 0 and found == owed and (d.is_near or owed <= d.n):
        sent = sendmsg(d.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
    if sent >= 0:
        s.engine.stats.writes += 1
        s.engine.stats.net_output += <uint64_t>sent
    elif errno == EMSGSIZE:
        answer(s.engine, d, b"-ERR too large\r\n")

cdef void answer(Engine* e, const Datagram* d, const char* error) noexcept nogil:
    """Send an error, if it is not too large either."""
    cdef size_t n = strlen(error)
    if d.peer_length and (d.is_near or n <= d.n):
        e.stats.errors += 1
        if sendto(d.fd, error, n, MSG_NOSIGNAL | MSG_DONTWAIT, <const sockaddr*>&d.peer, d.peer_length) >= 0:
            e.stats.writes += 1
            e.stats.net_output += n
