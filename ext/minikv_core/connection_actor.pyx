"""The actor of a connection: a reader, which waits in recv() or for a free buffer, and a writer, which
waits for an order or in send()."""

from libc.stddef cimport size_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from minikv_core.mailbox cimport *
from minikv_core.sockets cimport *
from minikv_core.threads cimport *

cdef enum:
    LINGER_US = 1000000         # longest wait for the peer to close too

cdef Connection* connection_new(Mailbox* store, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil:
    cdef Connection* c = <Connection*>malloc(sizeof(Connection))
    cdef int i
    if c == NULL:
        return NULL
    memset(c, 0, sizeof(Connection) - BUFFERS * BUFFER_BYTES)   # a page that no byte came to is never touched
    c.store = store
    c.fd = fd
    c.is_unix = is_unix
    c.peer = peer[0]
    for i in range(BUFFERS):
        c.received[i].sender = c
        c.received[i].kind = RECEIVED
    c.report.sender = c
    c.quit.kind = QUIT
    c.report.kind = CONNECTED
    sem_init(&c.free_buffers, 0, BUFFERS)
    mailbox_open(&c.orders)
    return c

cdef void connection_free(Connection* c) noexcept nogil:
    mailbox_close(&c.orders)
    sem_destroy(&c.free_buffers)
    free(c)

cdef bint connection_start(Connection* c, const pthread_attr_t* attributes) noexcept nogil:
    cdef pthread_t thread
    c.report.kind = SENT
    if pthread_create(&thread, attributes, write_peer, c) != 0:
        return False
    c.threads = 1
    if pthread_create(&thread, attributes, read_peer, c) != 0:
        return False
    c.threads = 2
    return True

cdef void connection_quit(Connection* c) noexcept nogil:
    c.hung_up = True
    shutdown(c.fd, SHUT_RDWR)           # who waits in recv or send goes on
    mailbox_post(&c.orders, &c.quit)

cdef char* received_bytes(Connection* c, const Message* m) noexcept nogil:
    return c.buffers + (m - c.received) * BUFFER_BYTES

cdef void give_back(Connection* c, Message* m) noexcept nogil:
    if c.hung_up:
        m.kind = QUIT
    sem_post(&c.free_buffers)

cdef void* read_peer(void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef Message* m
    cdef int turn = 0
    while True:
        sem_take(&c.free_buffers)
        m = &c.received[turn]
        if m.kind != QUIT:
            m.n = recv(c.fd, received_bytes(c, m), BUFFER_BYTES, 0)
            while m.n < 0 and errno == EINTR:
                m.n = recv(c.fd, received_bytes(c, m), BUFFER_BYTES, 0)
        if m.kind == QUIT or m.n <= 0:
            m.kind = ENDED
            mailbox_post(c.store, m)    # from here on the connection may be gone
            return NULL
        mailbox_post(c.store, m)
        turn = (turn + 1) % BUFFERS

cdef ssize_t send_pieces(Connection* c) noexcept nogil:
    """Send all pieces, however long it takes; bytes, or -1."""
    cdef msghdr message
    cdef iovec* piece = c.pieces
    cdef ssize_t sent, total = 0
    memset(&message, 0, sizeof(message))
    while True:
        message.msg_iov = piece
        message.msg_iovlen = <size_t>(c.pieces + c.piece_count - piece)
        sent = sendmsg(c.fd, &message, MSG_NOSIGNAL)
        if sent < 0:
            if errno == EINTR:
                continue
            return -1
        total += sent
        while <size_t>sent >= piece.iov_len:
            sent -= <ssize_t>piece.iov_len
            piece += 1
            if piece == c.pieces + c.piece_count:
                return total
        piece.iov_base = <char*>piece.iov_base + sent
        piece.iov_len -= <size_t>sent

cdef void* write_peer(void* data) noexcept nogil:
    cdef Connection* c = <Connection*>data
    cdef Message* m = mailbox_take(&c.orders, -1)
    while m.kind == SEND:
        c.report.n = send_pieces(c)
        mailbox_post(c.store, &c.report)
        m = mailbox_take(&c.orders, -1)
    if m.kind == GOODBYE:
        # Bytes that come after a close are answered with a reset, which may overtake the last reply.
        shutdown(c.fd, SHUT_WR)
        if m.next == NULL:
            mailbox_take(&c.orders, LINGER_US)
    c.report.kind = DONE
    c.report.quiet = False
    mailbox_post(c.store, &c.report)    # as above
    return NULL
