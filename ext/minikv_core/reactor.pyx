"""The reactor: one thread, non-blocking sockets, and a poller that says which of them are ready.

One turn: wait for events; accept; read each ready socket and run what is whole; send the replies,
one call a session, when all have run; run the timers; send what other sessions got meanwhile, and
close who must go. A session ends at the end of a turn only, so no event of the turn can name a dead one;
what is left of it lingers until its peer closes too (lingering.pxd).

The thread never waits anywhere but in the poller, and not there while the timers have work. Where
several reactors serve one engine, sockets are read and written without its lock.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport strlen
from minikv_core.clock cimport monotonic_us
from minikv_core.cron cimport count_turn, engine_alarm, engine_timers
from minikv_core.acceptor cimport ACCEPT_EMPTY, ACCEPT_EXHAUSTED, accept_peer, admit_peer
from minikv_core.datagram cimport serve_datagrams
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.lingering cimport linger, linger_is_over, linger_no_more, linger_wait
from minikv_core.memory cimport unlikely
from minikv_core.output cimport output_pending, output_sent, output_vector
from minikv_core.session cimport (
    refresh_clock, session_close, session_feed, session_free, session_hold, session_make_ready,
    session_receive_room, session_received, session_release, session_resume, session_settle, session_take_pushes,
    session_take_ready, wants_resume,
)
from minikv_core.sockets cimport *
from minikv_core.wake cimport wake_taken
from minikv_core.worker cimport engine_enter, engine_leave, own_session, worker_close, worker_open

import os
import signal

cdef enum:
    SENDS_A_TURN = 4            # calls for one session before others have their turn
    READS_A_TURN = 16           # the same of an edge-triggered poller, which must read until there is no more
    ACCEPTS_A_TURN = 256
    ACCEPT_PAUSE_US = 100000    # without free descriptors: until accepting is tried again
    LAST_CALL_US = 1000000      # at the end, for peers to take what they are owed
    MAX_POLLERS = 8

cdef (Poller*)[MAX_POLLERS] pollers     # set at import
cdef int poller_count = 0

cdef void poller_add(Poller* poller) noexcept nogil:
    global poller_count
    pollers[poller_count] = poller
    poller_count += 1

# ---------------------------------------------------------------- registering

cdef void watch_session(Loop* p, Session* s, uint32_t events) noexcept nogil:
    if s.events == events or p.poller.edge:     # edge-triggered ones are watched for all from the start
        return
    p.poller.watch(p, s.fd, s.events, events, s)
    s.events = events

cdef void watch_listeners(Loop* p, bint on) noexcept nogil:
    cdef uint64_t i
    engine_enter(p.worker)      # CONFIG SET port may come in another thread
    p.accepting = on
    for i in range(<uint64_t>MAX_LISTENERS):
        if p.listeners[i].fd >= 0 and not p.listeners[i].datagrams:
            p.poller.watch(p, p.listeners[i].fd, 0 if on else EPOLLIN, EPOLLIN if on else 0, <void*>i)
    engine_leave(p.worker)

# ---------------------------------------------------------------- accepting

cdef void accept_batch(Loop* p, Listener* listener) noexcept nogil:
    cdef sockaddr_storage peer
    cdef Session* s
    cdef int _, fd, status
    for _ in range(ACCEPTS_A_TURN):
        status = accept_peer(listener.fd, p.accept_flags, &fd, &peer)
        if status == ACCEPT_EXHAUSTED:
            # the connection stays in the backlog; a listener still watched would spin
            watch_listeners(p, False)
            p.accept_again_us = monotonic_us() + ACCEPT_PAUSE_US
        if status == ACCEPT_EXHAUSTED or status == ACCEPT_EMPTY:
            return
        if fd < 0:
            continue
        if p.take != NULL:
            p.take(p, fd, &peer, listener.is_unix)
            continue
        s = admit_peer(p.worker, fd, &peer, listener.is_unix)
        if s != NULL:
            serve_session(p, s)

cdef bint serve_session(Loop* p, Session* s) noexcept nogil:
    """Begin to watch a new session."""
    cdef int fd = s.fd
    cdef const char* reason = b"-ERR this I/O model can't watch a descriptor so high: too many connections\r\n"
    s.events = EPOLLIN
    if p.poller.watch(p, fd, 0, EPOLLIN, s):
        return True
    send(fd, reason, strlen(reason), MSG_NOSIGNAL | MSG_DONTWAIT)
    engine_enter(p.worker)
    p.engine.stats.rejected_connections += 1
    session_free(s)
    engine_leave(p.worker)
    close(fd)                   # others may have used it as long as there was a session
    return False

# ---------------------------------------------------------------- reading and writing

cdef bint read_session(Loop* p, Session* s) noexcept nogil:
    """Read once and run what is whole; whether there may be more to read."""
    cdef size_t n = RECEIVE_BYTES
    cdef char* room = NULL
    cdef ssize_t got
    if p.engine.lock == NULL:           # a lock is never held while a socket is read
        room = session_receive_room(s, &n)
    if room == NULL:
        n = RECEIVE_BYTES
    got = recv(s.fd, room if room != NULL else p.buffer, n, 0)
    if got > 0 and unlikely(p.engine.config.tcp_quickack):
        quick_ack(s.fd)
    engine_enter(p.worker)
    if got <= 0:
        if got == 0:
            s.flags |= PEER_DONE            # it may still wait for what it is owed
            session_close(s, True)
        elif errno != EAGAIN and errno != EINTR:
            session_close(s, False)
        engine_leave(p.worker)
        return False
    p.engine.stats.reads += 1
    if room != NULL:
        session_received(s, <size_t>got)
    else:
        session_feed(s, p.buffer, <size_t>got)
    # Replies go out when all ready sessions have run: peers that wait on another core are woken
    # once a turn and not once a session.
    if p.held_count == 0 or p.held[p.held_count - 1] != s:
        p.held[p.held_count] = s
        p.held_count += 1
    if not session_hold(s):
        engine_leave(p.worker)
        send_held(p)
    else:
        engine_leave(p.worker)
    return <size_t>got == n

cdef void send_held(Loop* p) noexcept nogil:
    cdef int i
    for i in range(p.held_count):
        write_session(p, p.held[i])
    p.held_count = 0
    p.worker.scratch_used = 0

cdef ssize_t send_output(Session* s) noexcept nogil:
    """Send from the front of the output, in one call; what the call returned, and errno."""
    cdef iovec pieces[PIECES]
    cdef msghdr message
    if s.out.head == NULL:
        return send(s.fd, s.out.base, <size_t>(s.out.pos - s.out.base), MSG_NOSIGNAL)
    message.msg_name = NULL
    message.msg_namelen = 0
    message.msg_iov = pieces
    message.msg_iovlen = output_vector(&s.out, pieces, PIECES)
    message.msg_control = NULL
    message.msg_controllen = 0
    message.msg_flags = 0
    return sendmsg(s.fd, &message, MSG_NOSIGNAL)

cdef void write_session(Loop* p, Session* s) noexcept nogil:
    """Send as much as the socket takes; what is left stays with the session."""
    cdef ssize_t sent = 0
    cdef int _, failure = 0
    if s.flags & WANTS_WRITE == 0 and s.gate & CLOSE_NOW == 0:
        for _ in range(SENDS_A_TURN):
            if output_pending(&s.out) == 0:
                break
            sent = send_output(s)
            if sent < 0:
                failure = errno
                if failure == EINTR:
                    continue
                break
            engine_enter(p.worker)
            p.engine.stats.writes += 1
            p.engine.stats.net_output += <uint64_t>sent
            s.net_output += <uint64_t>sent
            output_sent(&s.out, <size_t>sent)
            engine_leave(p.worker)
    engine_enter(p.worker)
    if sent < 0 and failure != EAGAIN and failure != EINTR:
        session_close(s, False)
    session_settle(s)
    if output_pending(&s.out) and s.gate & CLOSE_NOW == 0:
        s.flags |= WANTS_WRITE
        if p.poller.edge and failure != EAGAIN:     # no edge will tell: go on in the next turn
            s.flags |= WRITE_AGAIN
            session_make_ready(s)
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        session_close(s, s.gate & CLOSE_NOW == 0)
    engine_leave(p.worker)
    watch_session(p, s, wanted_events(s))

cdef inline uint32_t wanted_events(const Session* s) noexcept nogil:
    return (0 if s.gate & CLOSE_AFTER and output_pending(&s.out) else EPOLLIN) | (EPOLLOUT if s.flags & WANTS_WRITE else 0)

cdef void handle_event(Loop* p, Session* s, uint32_t events) noexcept nogil:
    cdef int turn = 0
    if s.gate & CLOSE_NOW:
        return
    if events & EPOLLOUT and s.flags & WANTS_WRITE:
        engine_enter(p.worker)
        s.flags &= ~<uint32_t>WANTS_WRITE
        engine_leave(p.worker)
        write_session(p, s)
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        if s.flags & LINGERS:
            if not drop_input(p, s):
                hang_up(p, s)
        elif events & (EPOLLERR | EPOLLHUP):
            close_session(p, s)             # nobody is left to be owed anything
    elif events & (EPOLLIN | EPOLLERR | EPOLLHUP):
        # a level-triggered poller will say again that there is more; the end of the stream is no fuller read
        while read_session(p, s) or events & EPOLLRDHUP:
            turn += 1
            if not p.poller.edge or s.gate & (CLOSE_AFTER | CLOSE_NOW):
                return
            if turn == READS_A_TURN:
                read_again(p, s)
                return

cdef void close_session(Loop* p, Session* s) noexcept nogil:
    engine_enter(p.worker)
    session_close(s, False)
    engine_leave(p.worker)

cdef void read_again(Loop* p, Session* s) noexcept nogil:
    """Have an edge-triggered session go on in the next turn."""
    engine_enter(p.worker)
    s.flags |= READ_AGAIN
    session_make_ready(s)
    engine_leave(p.worker)

cdef void handle_ready(Loop* p, Session* s) noexcept nogil:
    """A session that got output from others, may go on, or must be closed."""
    cdef bint resumed = False
    cdef uint32_t found
    engine_enter(p.worker)
    found = s.flags & (READ_AGAIN | WRITE_AGAIN | NEWCOMER)
    s.flags &= ~<uint32_t>(IN_READY | READ_AGAIN | WRITE_AGAIN | NEWCOMER)
    s.next_ready = NULL
    if wants_resume(s):
        session_resume(s)
        resumed = True
    session_take_pushes(s)
    engine_leave(p.worker)
    if found & NEWCOMER and not serve_session(p, s):
        return
    if found & (READ_AGAIN | WRITE_AGAIN):
        handle_event(p, s, (EPOLLIN if found & READ_AGAIN else 0) | (EPOLLOUT if found & WRITE_AGAIN else 0))
    if resumed or (s.flags & WANTS_WRITE == 0 and s.gate & CLOSE_NOW == 0 and output_pending(&s.out)):
        write_session(p, s)
    if s.gate & CLOSE_NOW or (s.gate & CLOSE_AFTER and output_pending(&s.out) == 0):
        end_session(p, s, True)
    else:
        watch_session(p, s, wanted_events(s))

# ---------------------------------------------------------------- closing

cdef void end_session(Loop* p, Session* s, bint may_linger) noexcept nogil:
    """Close a connection so that what was sent arrives: our side first, then, when the peer has closed too, the rest."""
    cdef bint speaks = s.flags & PEER_DONE == 0 and shutdown(s.fd, SHUT_WR) == 0 and drop_input(p, s)
    engine_enter(p.worker)
    session_release(s)
    engine_leave(p.worker)
    if speaks and may_linger and s.gate & CLOSE_NOW == 0:
        linger(&p.lingering, s, monotonic_us())
        watch_session(p, s, EPOLLIN)
    else:
        hang_up(p, s)

cdef bint drop_input(Loop* p, Session* s) noexcept nogil:
    """Read what the peer still says; whether it may say more."""
    cdef int _
    cdef ssize_t got
    for _ in range(READS_A_TURN):
        got = recv(s.fd, p.buffer, RECEIVE_BYTES, MSG_DONTWAIT)
        if got <= 0:
            return got < 0 and (errno == EAGAIN or errno == EINTR)
    if p.poller.edge:       # no edge will tell: have it said again that there is more
        p.poller.watch(p, s.fd, EPOLLIN, EPOLLIN, s)
    return True

cdef void hang_up(Loop* p, Session* s) noexcept nogil:
    """Close the connection of a released session, and free it."""
    if s.flags & LINGERS:
        linger_no_more(&p.lingering, s)
    # Closing is not enough for a set in the kernel: a process that is being forked may hold a copy of the descriptor.
    p.poller.watch(p, s.fd, EPOLLIN, 0, NULL)
    close(s.fd)
    free(s)
    if not p.accepting and p.accept_again_us:
        p.accept_again_us = 1   # a descriptor is free again

# ---------------------------------------------------------------- the loop

cdef void wake_loop(Worker* w) noexcept nogil:
    """Another worker has something for a session of this one."""
    cdef char look = 0
    write((<Loop*>w.model).wake_write, &look, 1)

cdef void take_wake(Loop* p) noexcept nogil:
    if wake_taken(p.wake_read):
        p.terminate = True

cdef void drain_ready(Loop* p) noexcept nogil:
    """Look at the sessions that are ready now; those that become so meanwhile have the next turn."""
    cdef Session* s
    cdef Session* following
    engine_enter(p.worker)
    s = session_take_ready(p.worker)
    engine_leave(p.worker)
    while s != NULL:
        following = s.next_ready
        handle_ready(p, s)
        s = following

cdef void run_loop(Loop* p) noexcept nogil:
    cdef Engine* e = p.engine
    cdef Worker* w = p.worker
    cdef int n, timeout
    cdef int64_t wait = 0, start
    cdef uint64_t commands
    cdef bint ready
    watch_listeners(p, True)
    # SHUTDOWN ends the loop that keeps time; whoever runs that one ends the others, when nobody hands them connections
    while not p.terminate and not (p.keeps_time and e.stopping):
        timeout = -1 if wait < 0 else <int>((wait + 999) // 1000) if wait < <int64_t>86400000000 else 86400000
        n = p.poller.wait(p, timeout)
        start = monotonic_us()
        engine_enter(w)
        refresh_clock(e)        # once a turn, for all that it runs
        commands = e.stats.commands
        engine_leave(w)
        handle_events(p, n)
        send_held(p)
        engine_enter(w)
        if p.keeps_time:
            wait = engine_timers(e)
        else:
            wait = -1
            engine_alarm(e)
        ready = w.ready != NULL
        engine_leave(w)
        if ready:
            drain_ready(p)
        while linger_is_over(&p.lingering, start, not p.accepting):     # or descriptors are short
            hang_up(p, p.lingering.first)
        wait = linger_wait(&p.lingering, start, wait)
        if p.accept_again_us:
            if start >= p.accept_again_us:
                p.accept_again_us = 0
                watch_listeners(p, True)
            elif wait < 0 or wait > ACCEPT_PAUSE_US:
                wait = ACCEPT_PAUSE_US
        engine_enter(w)
        count_turn(e, <uint64_t>(monotonic_us() - start), e.stats.commands - commands)
        if w.ready != NULL:
            wait = 0
        engine_leave(w)
    finish(p)

cdef inline void handle_events(Loop* p, int n) noexcept nogil:
    cdef epoll_event* event
    cdef int i
    for i in range(n):
        event = &p.events[i]
        if event.data.u64 > WAKE:
            handle_event(p, <Session*>event.data.ptr, event.events)
        elif event.data.u64 == WAKE:
            take_wake(p)
        else:
            handle_listener(p, &p.listeners[event.data.u64])

cdef void handle_listener(Loop* p, Listener* listener) noexcept nogil:
    if listener.datagrams:
        serve_datagrams(p.worker, listener.fd, p.buffer, RECEIVE_BYTES)
    elif p.accepting:
        accept_batch(p, listener)

cdef void finish(Loop* p) noexcept nogil:
    """Stop accepting, send what is owed for at most LAST_CALL_US, and close everything."""
    cdef Engine* e = p.engine
    cdef int64_t deadline = monotonic_us() + LAST_CALL_US
    cdef Session* s
    cdef bint owed = True
    cdef int i
    if p.accepting:
        watch_listeners(p, False)
    for i in range(MAX_LISTENERS):
        if p.listeners[i].datagrams:
            p.poller.watch(p, p.listeners[i].fd, EPOLLIN, 0, NULL)
    drain_ready(p)
    engine_enter(p.worker)
    s = own_session(p.worker, e.sessions)
    while s != NULL:
        session_close(s, True)
        s = own_session(p.worker, s.next)
    engine_leave(p.worker)
    while owed and monotonic_us() < deadline:
        drain_ready(p)
        owed = False
        engine_enter(p.worker)
        s = own_session(p.worker, e.sessions)
        while s != NULL:
            owed = owed or output_pending(&s.out) > 0
            s = own_session(p.worker, s.next)
        refresh_clock(e)
        engine_leave(p.worker)
        if owed:
            handle_events(p, p.poller.wait(p, 50))
    while True:
        engine_enter(p.worker)
        s = own_session(p.worker, e.sessions)
        engine_leave(p.worker)
        if s == NULL:
            break
        end_session(p, s, False)
    while p.lingering.first != NULL:
        hang_up(p, p.lingering.first)


cdef class Reactor:
    """Serve an engine on listening sockets.

    handle      the engine; without a lock, the reactor's thread is the only one that may use it
    poller      epoll, epoll-et, poll, select or spin
    keeps_time  whether it runs the engine's timers: one of an engine's reactors must
    errors      OSError if the system refuses a descriptor, MemoryError
    """

    def __cinit__(self, EngineHandle handle, str poller="epoll", bint keeps_time=True):
        cdef int i
        self.loop.wake_read = self.loop.wake_write = -1
        for i in range(MAX_LISTENERS):
            self.loop.listeners[i].fd = -1
        self.handle = handle
        self.loop.engine = &handle.engine
        self.loop.worker = &self.worker
        self.loop.keeps_time = keeps_time
        self.loop.accept_flags = SOCK_NONBLOCK
        if keeps_time:
            handle.engine.timekeeper = &self.worker
        self.loop.buffer = <char*>malloc(RECEIVE_BYTES)
        if not worker_open(&self.worker, &handle.engine) or self.loop.buffer == NULL:
            raise MemoryError
        self.worker.model = &self.loop
        self.worker.wake = wake_loop
        if handle.engine.lock == NULL:
            handle.engine.active = &self.worker
        for i in range(poller_count):
            if pollers[i].name == poller.encode():
                self.loop.poller = pollers[i]
        if self.loop.poller == NULL:
            raise ValueError(f"no poller is called {poller}")
        if not self.loop.poller.open(&self.loop):
            raise OSError(errno, os.strerror(errno))
        self.loop.wake_read, self.loop.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.loop.poller.watch(&self.loop, self.loop.wake_read, 0, EPOLLIN, <void*><uint64_t>WAKE)

    def __dealloc__(self):
        if self.loop.poller != NULL:
            self.loop.poller.close(&self.loop)
        worker_close(&self.worker)
        free(self.loop.buffer)
        for fd in (self.loop.wake_read, self.loop.wake_write):
            if fd >= 0:
                close(fd)

    def add_listener(self, int fd, bint is_unix):
        """Accept on a listening, non-blocking socket, or serve the datagrams of one; the caller keeps it open."""
        cdef uint64_t i
        cdef int kind = 0
        cdef socklen_t n = sizeof(kind)
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &n)
        if self.loop.poller.limit and fd >= self.loop.poller.limit:
            raise OSError(f"{self.loop.poller.name.decode()} can't watch descriptor {fd}")
        for i in range(<uint64_t>MAX_LISTENERS):
            if self.loop.listeners[i].fd < 0:
                self.loop.listeners[i].fd = fd
                self.loop.listeners[i].is_unix = is_unix
                self.loop.listeners[i].datagrams = kind == SOCK_DGRAM
                if self.loop.accepting or kind == SOCK_DGRAM:
                    self.loop.poller.watch(&self.loop, fd, 0, EPOLLIN, <void*>i)
                return
        raise OSError(f"more than {MAX_LISTENERS} listening sockets")

    def remove_listener(self, int fd):
        """Stop accepting on a socket; to be called before it is closed."""
        cdef int i
        for i in range(MAX_LISTENERS):
            if self.loop.listeners[i].fd == fd:
                if self.loop.accepting:
                    self.loop.poller.watch(&self.loop, fd, EPOLLIN, 0, NULL)
                self.loop.listeners[i].fd = -1

    @property
    def wake_fd(self):
        """For signal.set_wakeup_fd: a byte other than 0 ends run()."""
        return self.loop.wake_write

    def stop(self):
        """End run() soon; from any thread."""
        os.write(self.loop.wake_write, bytes([signal.SIGTERM]))

    def run(self):
        """Serve until stop(), a signal's byte, or SHUTDOWN; returns the exit status."""
        with nogil:
            run_loop(&self.loop)
        return self.loop.engine.stop_status
