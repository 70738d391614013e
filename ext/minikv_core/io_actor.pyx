"""The model `actor`: every connection is an actor, the store is an actor, and all they share is messages.

A connection's reader waits in recv() and tells the store "these bytes came"; its writer waits at its
mailbox for "send these" and then in send(), and tells the store "sent". The acceptor waits in poll()
for those who want in. The store waits nowhere but at its mailbox: it takes all messages that have
come, runs the requests in them, and then tells the writers. It alone touches sessions and data, so
there is no lock, but the mailboxes' own, held for a few instructions.

Bytes are not copied into messages: whoever posts them leaves them alone until they come back. A reader
has two buffers, so that it receives into one while the store has the other, and waits when the store
has both: that is the back-pressure on a client that floods. A writer has one order at a time; what
is owed beyond it stays with the session, where the output limits see it.

Costs     two threads a connection, and three hand-overs of a request, each of which may wake a
          thread on another core; under load mailboxes are full when somebody looks, and few wake
Choose    when one owner of all state is wanted without a loop that must never block: the shape of
          Erlang, and of a store behind queues
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport strlen
from minikv_core.accept_thread cimport *
from minikv_core.acceptor cimport admit_peer
from minikv_core.clock cimport monotonic_us
from minikv_core.connection_actor cimport *
from minikv_core.cron cimport count_turn, engine_timers
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.mailbox cimport *
from minikv_core.output cimport output_pending, output_sent, output_vector
from minikv_core.session cimport (
    refresh_clock, session_close, session_feed, session_free, session_make_ready, session_resume, session_settle,
    session_take_pushes, session_take_ready, wants_resume,
)
from minikv_core.sockets cimport *
from minikv_core.threads cimport *
from minikv_core.worker cimport own_session, worker_close, worker_open

cdef enum:
    LEND_BYTES = 262144         # in one order: how much of a slow peer's progress the store does not see
    STACK_BYTES = 65536         # of a reader or writer
    LAST_CALL_US = 1000000      # at the end, for peers to take what they are owed

cdef struct Store:              # the store actor
    Engine*   engine
    Worker    worker
    Mailbox   mailbox
    uint64_t  connections
    bint      terminate
    bint      stopped           # nobody is admitted any more
    pthread_attr_t attributes   # of readers and writers
    AcceptThread* acceptor
    Message   signal
    bint      signalled         # it was posted

# ---------------------------------------------------------------- what the acceptor tells

cdef bint accepted(void* owner, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil:
    cdef Store* p = <Store*>owner
    cdef Connection* c = connection_new(&p.mailbox, fd, peer, is_unix)
    if c != NULL:
        mailbox_post(&p.mailbox, &c.report)
    return c != NULL

cdef void signalled(void* owner) noexcept nogil:
    cdef Store* p = <Store*>owner
    if not p.signalled:
        p.signalled = True
        p.signal.kind = TERMINATE
        mailbox_post(&p.mailbox, &p.signal)

# ---------------------------------------------------------------- the store

cdef void admit(Store* p, Connection* c) noexcept nogil:
    """Give a new connection its session and its threads, or refuse it."""
    cdef const char* reason = b"-ERR no thread left for another client\r\n"
    cdef Session* s = NULL
    sem_post(&p.acceptor.places)
    if not p.stopped:
        s = admit_peer(&p.worker, c.fd, &c.peer, c.is_unix)
    else:
        close(c.fd)
    if s == NULL:
        connection_free(c)
        return
    p.connections += 1
    c.session = s
    s.model = c
    if connection_start(c, &p.attributes):
        return
    p.engine.stats.rejected_connections += 1
    send(c.fd, reason, strlen(reason), MSG_NOSIGNAL | MSG_DONTWAIT)
    session_close(s, False)

cdef void take_message(Store* p, Message* m) noexcept nogil:
    cdef Connection* c = <Connection*>m.sender
    cdef Session* s
    if m.kind == TERMINATE:
        p.terminate = True
        return
    if m.kind == CONNECTED:
        admit(p, c)
        return
    s = c.session
    if m.kind == ENDED or m.kind == DONE:
        c.threads -= 1
    if s == NULL:
        if m.kind == RECEIVED:
            give_back(c, m)             # said behind the end
        elif c.threads == 0:
            end_connection(p, c)
        elif not c.hung_up:
            connection_quit(c)          # it has lingered, until one of the two has enough
        return
    session_make_ready(s)
    if m.kind == RECEIVED:
        if s.gate & (CLOSE_AFTER | CLOSE_NOW) == 0:
            p.engine.stats.reads += 1
            if p.engine.config.tcp_quickack:
                quick_ack(c.fd)
            session_feed(s, received_bytes(c, m), <size_t>m.n)
            session_settle(s)
        give_back(c, m)
    elif m.kind == ENDED:
        if m.n == 0:
            s.flags |= PEER_DONE        # it may still wait for what it is owed
        session_close(s, m.n == 0)
    elif m.kind == SENT:
        s.flags &= ~<uint32_t>IS_LENT
        if m.n < 0:
            session_close(s, False)
        else:
            p.engine.stats.writes += 1
            p.engine.stats.net_output += <uint64_t>m.n
            s.net_output += <uint64_t>m.n
            output_sent(&s.out, <size_t>m.n)
        session_settle(s)

cdef void order_send(Connection* c) noexcept nogil:
    """Lend the writer the front of the output."""
    cdef int i
    c.piece_count = output_vector(&c.session.out, c.pieces, PIECES)
    c.order.n = 0
    for i in range(c.piece_count):
        if c.order.n + <ssize_t>c.pieces[i].iov_len >= LEND_BYTES:
            c.pieces[i].iov_len = <size_t>(LEND_BYTES - c.order.n)
            c.piece_count = i + 1
        c.order.n += <ssize_t>c.pieces[i].iov_len
        if i + 1 == c.piece_count:
            break
    if c.piece_count:
        c.session.flags |= IS_LENT
        c.report.quiet = True
        c.order.kind = SEND
        mailbox_post(&c.orders, &c.order)

cdef void look_after(Store* p, Session* s) noexcept nogil:
    """A session that something happened to: go on, have its output sent, or close it."""
    cdef Connection* c = <Connection*>s.model
    s.flags &= ~<uint32_t>IN_READY
    s.next_ready = NULL
    if wants_resume(s):
        session_resume(s)
        session_settle(s)
    session_take_pushes(s)
    if s.flags & IS_LENT == 0 and s.gate & CLOSE_NOW == 0 and output_pending(&s.out):
        order_send(c)
    if s.flags & IS_LENT:
        if s.gate & CLOSE_NOW:
            shutdown(c.fd, SHUT_RDWR)   # the writer gives up
        if s.gate & STOP or output_pending(&s.out) > <size_t>c.order.n:
            mailbox_expect(&p.mailbox, &c.report)
    elif s.gate & CLOSE_NOW or (s.gate & CLOSE_AFTER and output_pending(&s.out) == 0):
        release(p, c)

cdef void release(Store* p, Connection* c) noexcept nogil:
    """Forget a client; its threads have yet to end, and its peer, if it is in no hurry, to close too."""
    cdef bint linger = c.session.gate & CLOSE_NOW == 0 and c.session.flags & PEER_DONE == 0 and not p.stopped
    session_free(c.session)
    c.session = NULL
    if linger:
        c.order.kind = GOODBYE
        mailbox_post(&c.orders, &c.order)
    elif c.threads:
        connection_quit(c)
    else:
        end_connection(p, c)

cdef void end_connection(Store* p, Connection* c) noexcept nogil:
    """Close and free what no thread uses any more."""
    cdef int _
    for _ in range(16):                 # unread bytes would turn the close into a reset
        if recv(c.fd, c.buffers, BUFFER_BYTES, MSG_DONTWAIT) <= 0:
            break
    close(c.fd)
    connection_free(c)
    p.connections -= 1

cdef int64_t run_turn(Store* p, int64_t wait) noexcept nogil:
    """Take what has come, waiting for it as long as told, and answer; how long the next turn may wait."""
    cdef Engine* e = p.engine
    cdef Message* m = mailbox_take(&p.mailbox, 0 if p.worker.ready != NULL else wait)
    cdef Message* next_message
    cdef Session* s
    cdef Session* next_session
    cdef int64_t start = monotonic_us()
    cdef uint64_t commands = e.stats.commands
    refresh_clock(e)
    while m != NULL:
        next_message = m.next           # with the message goes what it lies in
        take_message(p, m)
        m = next_message
    wait = engine_timers(e)
    s = session_take_ready(&p.worker)
    while s != NULL:
        next_session = s.next_ready
        look_after(p, s)
        s = next_session
    count_turn(e, <uint64_t>(monotonic_us() - start), e.stats.commands - commands)
    return wait

cdef void close_all(Store* p, bint after_output) noexcept nogil:
    cdef Session* s = own_session(&p.worker, p.engine.sessions)
    while s != NULL:
        session_close(s, after_output)
        s = own_session(&p.worker, s.next)

cdef void run_store(Store* p) noexcept nogil:
    cdef int64_t wait = 0, deadline
    while not (p.engine.stopping or p.terminate):
        wait = run_turn(p, wait)
    accept_thread_stop(p.acceptor)
    p.stopped = True
    close_all(p, True)
    deadline = monotonic_us() + LAST_CALL_US
    run_turn(p, 0)                      # those who were accepted meanwhile
    while p.connections:
        if monotonic_us() > deadline:
            close_all(p, False)
        run_turn(p, 50000)


cdef class Actors(AcceptingRunner):
    """Serve a server's engine on listening sockets; the thread that calls run() becomes the store.

    errors      OSError if the system refuses a descriptor or a thread, MemoryError
    """
    cdef Store store
    cdef EngineHandle handle

    def __cinit__(self, server):
        cdef Store* p = &self.store
        self.handle = server.engine
        p.engine = &self.handle.engine
        p.acceptor = &self.acceptor
        self.acceptor.owner = p
        self.acceptor.accepted = accepted
        self.acceptor.signalled = signalled
        mailbox_open(&p.mailbox)
        pthread_attr_init(&p.attributes)
        pthread_attr_setdetachstate(&p.attributes, PTHREAD_CREATE_DETACHED)
        pthread_attr_setstacksize(&p.attributes, STACK_BYTES)
        if not worker_open(&p.worker, p.engine):
            raise MemoryError
        p.engine.active = &p.worker

    def __dealloc__(self):
        worker_close(&self.store.worker)
        pthread_attr_destroy(&self.store.attributes)
        mailbox_close(&self.store.mailbox)

    def run(self):
        """Serve until stop(), a signal's byte, or SHUTDOWN; returns the exit status."""
        if not accept_thread_start(&self.acceptor):
            raise OSError("the system has no thread left to accept with")
        with nogil:
            run_store(&self.store)
        return self.store.engine.stop_status
