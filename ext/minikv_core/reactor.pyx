"""The reactor: one thread, level-triggered epoll, non-blocking sockets. The default I/O model.

One turn: wait for events; accept; read each ready socket once and run what is whole; send the
replies, one call a session, when all have run; run the timers; send what other sessions got
meanwhile, and close who must go. A session is freed at the end of a turn only, so no event of the
turn can name a dead one.

The thread never waits anywhere but in epoll_wait, and not there while the timers have work.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport strlen
from minikv_core.clock cimport monotonic_us
from minikv_core.cron cimport engine_timers
from minikv_core.engine cimport *
from minikv_core.handle cimport EngineHandle
from minikv_core.output cimport output_pending, output_sent, output_vector
from minikv_core.session cimport (
    refresh_clock, session_close, session_feed, session_free, session_hold, session_new, session_next_ready,
    session_receive_room, session_received, session_resume, session_settle,
)
from minikv_core.sockets cimport *

import os
import signal

cdef enum:
    MAX_LISTENERS = 64
    EVENTS = 256                # events taken with one wait
    RECEIVE_BYTES = 65536       # read from a socket at once
    PIECES = 1024               # iovecs of one sendmsg: the system's limit
    SENDS_A_TURN = 4            # calls for one session before others have their turn
    ACCEPTS_A_TURN = 256
    ACCEPT_PAUSE_US = 100000    # without free descriptors: until accepting is tried again
    WAKE = MAX_LISTENERS        # epoll data below this is a listener's index; sessions are pointers
    LAST_CALL_US = 1000000      # at the end, for peers to take what they are owed

cdef struct Listener:
    int  fd                     # -1 = free place
    bint is_unix

cdef struct Poll:               # what one reactor owns
    Engine*  engine
    int      epoll
    int      wake_read          # a byte is a signal's number, or 0: look around
    Listener listeners[MAX_LISTENERS]
    bint     accepting          # False: out of descriptors, or stopping
    int64_t  accept_again_us
    bint     terminate          # a signal asked for the end
    char*    buffer             # RECEIVE_BYTES
    Session* held[EVENTS]       # sessions that ran in this turn and whose replies are to be sent
    int      held_count

# ---------------------------------------------------------------- registering

cdef void watch_fd(Poll* p, int op, int fd, uint32_t events, void* data) noexcept nogil:
    cdef epoll_event event
    event.events = events
    event.data.ptr = data
    epoll_ctl(p.epoll, op, fd, &event)

cdef void watch_session(Poll* p, Session* s, uint32_t events) noexcept nogil:
    if s.events != events:
        watch_fd(p, EPOLL_CTL_MOD, s.fd, events, s)
        s.events = events

cdef void watch_listeners(Poll* p, bint on) noexcept nogil:
    cdef uint64_t i
    p.accepting = on
    for i in range(MAX_LISTENERS):
        if p.listeners[i].fd >= 0:
            watch_fd(p, EPOLL_CTL_ADD if on else EPOLL_CTL_DEL, p.listeners[i].fd, EPOLLIN, <void*>i)

# ---------------------------------------------------------------- accepting

cdef void accept_batch(Poll* p, Listener* listener) noexcept nogil:
    cdef sockaddr_storage peer
    cdef socklen_t n
    cdef int fd, i
    for i in range(ACCEPTS_A_TURN):
        n = sizeof(peer)
        fd = accept4(listener.fd, <sockaddr*>&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if fd < 0:
            if errno == EINTR or errno == ECONNABORTED:
                continue
            if errno == EMFILE or errno == ENFILE or errno == ENOBUFS or errno == ENOMEM:
                # the connection stays in the backlog; a listener still watched would spin
                watch_listeners(p, False)
                p.accept_again_us = monotonic_us() + ACCEPT_PAUSE_US
            return
        admit_peer(p, fd, &peer, listener.is_unix)

cdef bint is_loopback(const sockaddr_storage* peer) noexcept nogil:
    cdef const unsigned char* six
    cdef int i
    if peer.ss_family == AF_INET:
        return ntohl((<const sockaddr_in*>peer).sin_addr.s_addr) >> 24 == 127
    if peer.ss_family == AF_INET6:
        six = (<const sockaddr_in6*>peer).sin6_addr.s6_addr
        for i in range(10):
            if six[i]:
                return False
        if six[10] == 255 and six[11] == 255:
            return six[12] == 127           # IPv4 inside IPv6
        return six[10] == 0 and six[11] == 0 and six[12] == 0 and six[13] == 0 and six[14] == 0 and six[15] == 1
    return True

cdef void refuse(Engine* e, int fd, const char* text) noexcept nogil:
    e.stats.rejected_connections += 1
    send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT)
    close(fd)

cdef void admit_peer(Poll* p, int fd, const sockaddr_storage* peer, bint is_unix) noexcept nogil:
    cdef Engine* e = p.engine
    cdef Session* s
    cdef const char* denied = (
        b"-DENIED minikv runs in protected mode because protected mode is enabled and no password is set. In this "
        b"mode connections are only accepted from the loopback interface. Set a password (requirepass), or turn "
        b"protected-mode off, to accept others.\r\n")
    cdef const char* full = b"-ERR max number of clients reached\r\n"
    if <int64_t>e.session_count >= e.config.maxclients:
        refuse(e, fd, full)
        return
    if e.config.protected_mode and not e.config.requires_auth and not is_loopback(peer):
        refuse(e, fd, denied)
        return
    s = session_new(e, fd, IS_UNIX if is_unix else 0)
    if s == NULL:
        close(fd)
        return
    e.stats.connections += 1
    s.events = EPOLLIN
    watch_fd(p, EPOLL_CTL_ADD, fd, EPOLLIN, s)

# ---------------------------------------------------------------- reading and writing

cdef void read_session(Poll* p, Session* s) noexcept nogil:
    cdef size_t n
    cdef char* room = session_receive_room(s, &n)
    cdef ssize_t got
    if room != NULL:
        got = recv(s.fd, room, n, 0)
    else:
        got = recv(s.fd, p.buffer, RECEIVE_BYTES, 0)
    if got <= 0:
        if got == 0:
            s.flags |= PEER_DONE            # it may still wait for what it is owed
            session_close(s, True)
        elif errno != EAGAIN and errno != EINTR:
            session_close(s, False)
        return
    p.engine.stats.reads += 1
    if room != NULL:
        session_received(s, <size_t>got)
    else:
        session_feed(s, p.buffer, <size_t>got)
    # Replies go out when all ready sessions have run: peers that wait on another core are woken
    # once a turn and not once a session.
    p.held[p.held_count] = s
    p.held_count += 1
    if not session_hold(s):
        send_held(p)

cdef void send_held(Poll* p) noexcept nogil:
    cdef int i
    for i in range(p.held_count):
        write_session(p, p.held[i])
    p.held_count = 0
    p.engine.scratch_used = 0

cdef void write_session(Poll* p, Session* s) noexcept nogil:
    """Send as much as the socket takes; what is left stays with the session."""
    cdef iovec pieces[PIECES]
    cdef msghdr message
    cdef ssize_t sent
    cdef int turn
    if s.flags & WANTS_WRITE == 0 and s.gate & CLOSE_NOW == 0:
        for turn in range(SENDS_A_TURN):
            if s.out.head == NULL:
                if s.out.pos == s.out.base:
                    break
                sent = send(s.fd, s.out.base, <size_t>(s.out.pos - s.out.base), MSG_NOSIGNAL)
            else:
                message.msg_name = NULL
                message.msg_namelen = 0
                message.msg_iov = pieces
                message.msg_iovlen = output_vector(&s.out, pieces, PIECES)
                message.msg_control = NULL
                message.msg_controllen = 0
                message.msg_flags = 0
                sent = sendmsg(s.fd, &message, MSG_NOSIGNAL)
            if sent < 0:
                if errno == EINTR:
                    continue
                if errno != EAGAIN:
                    session_close(s, False)
                break
            p.engine.stats.writes += 1
            p.engine.stats.net_output += <uint64_t>sent
            s.net_output += <uint64_t>sent
            output_sent(&s.out, <size_t>sent)
    session_settle(s)
    if output_pending(&s.out) and s.gate & CLOSE_NOW == 0:
        s.flags |= WANTS_WRITE
    watch_session(p, s, wanted_events(s))
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        session_close(s, s.gate & CLOSE_NOW == 0)

cdef inline uint32_t wanted_events(const Session* s) noexcept nogil:
    return (0 if s.gate & (CLOSE_AFTER | CLOSE_NOW) else EPOLLIN) | (EPOLLOUT if s.flags & WANTS_WRITE else 0)

cdef void handle_event(Poll* p, Session* s, uint32_t events) noexcept nogil:
    if s.gate & CLOSE_NOW:
        return
    if events & EPOLLOUT:
        s.flags &= ~<uint32_t>WANTS_WRITE
        write_session(p, s)
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        if events & (EPOLLERR | EPOLLHUP):
            session_close(s, False)         # nobody is left to be owed anything
    elif events & (EPOLLIN | EPOLLERR | EPOLLHUP):
        read_session(p, s)

cdef void handle_ready(Poll* p, Session* s) noexcept nogil:
    """A session that got output from others, may go on, or must be closed."""
    if s.gate & STOP == 0 and s.flags & TO_RESUME:
        session_resume(s)
        write_session(p, s)
    elif s.flags & WANTS_WRITE == 0 and s.gate & CLOSE_NOW == 0 and output_pending(&s.out):
        write_session(p, s)
    if s.gate & CLOSE_NOW or (s.gate & CLOSE_AFTER and output_pending(&s.out) == 0):
        end_session(p, s)
    else:
        watch_session(p, s, wanted_events(s))

cdef void end_session(Poll* p, Session* s) noexcept nogil:
    """Close a connection so that what was sent arrives: our end first, then what the peer still says."""
    cdef int i
    if s.flags & PEER_DONE == 0:
        shutdown(s.fd, SHUT_WR)
        for i in range(16):     # unread bytes would turn the close into a reset
            if recv(s.fd, p.buffer, RECEIVE_BYTES, MSG_DONTWAIT) <= 0:
                break
    close(s.fd)
    session_free(s)
    if not p.accepting and p.accept_again_us:
        p.accept_again_us = 1   # a descriptor is free again

# ---------------------------------------------------------------- the loop

cdef void take_wake(Poll* p) noexcept nogil:
    cdef char bytes[64]
    cdef ssize_t n = read(p.wake_read, bytes, sizeof(bytes)), i
    for i in range(n):
        if bytes[i]:
            p.terminate = True

cdef void drain_ready(Poll* p) noexcept nogil:
    cdef Session* s = session_next_ready(p.engine)
    while s != NULL:
        handle_ready(p, s)
        s = session_next_ready(p.engine)

cdef inline void count_turn(Engine* e, uint64_t us, uint64_t commands) noexcept nogil:
    e.stats.loops += 1
    e.stats.loop_us += us
    if us > e.stats.loop_us_max:
        e.stats.loop_us_max = us
    if commands > e.stats.loop_commands_max and commands <= e.stats.commands:      # else CONFIG RESETSTAT came between
        e.stats.loop_commands_max = commands

cdef void run_loop(Poll* p) noexcept nogil:
    cdef Engine* e = p.engine
    cdef epoll_event events[EVENTS]
    cdef int n, i, timeout
    cdef int64_t wait, start
    cdef uint64_t commands
    watch_listeners(p, True)
    wait = 0
    while not (e.stopping or p.terminate):
        timeout = -1 if wait < 0 else <int>((wait + 999) // 1000) if wait < <int64_t>86400000000 else 86400000
        n = epoll_wait(p.epoll, events, EVENTS, timeout)
        start = monotonic_us()
        refresh_clock(e)        # once a turn, for all that it runs
        commands = e.stats.commands
        for i in range(n):
            if events[i].data.u64 > WAKE:
                handle_event(p, <Session*>events[i].data.ptr, events[i].events)
            elif events[i].data.u64 == WAKE:
                take_wake(p)
            elif p.accepting:
                accept_batch(p, &p.listeners[events[i].data.u64])
        send_held(p)
        wait = engine_timers(e)
        if e.ready != NULL:
            drain_ready(p)
        if p.accept_again_us:
            if start >= p.accept_again_us:
                p.accept_again_us = 0
                watch_listeners(p, True)
            elif wait < 0 or wait > ACCEPT_PAUSE_US:
                wait = ACCEPT_PAUSE_US
        count_turn(e, <uint64_t>(monotonic_us() - start), e.stats.commands - commands)
    finish(p)

cdef void finish(Poll* p) noexcept nogil:
    """Stop accepting, send what is owed for at most LAST_CALL_US, and close everything."""
    cdef Engine* e = p.engine
    cdef epoll_event events[EVENTS]
    cdef int64_t deadline = monotonic_us() + LAST_CALL_US
    cdef Session* s
    cdef Session* following
    cdef bint owed = True
    cdef int n, i
    if p.accepting:
        watch_listeners(p, False)
    drain_ready(p)
    s = e.sessions
    while s != NULL:
        if s.fd >= 0:
            session_close(s, True)
        s = s.next
    while owed and monotonic_us() < deadline:
        drain_ready(p)
        owed = False
        s = e.sessions
        while s != NULL:
            owed = owed or (s.fd >= 0 and output_pending(&s.out) > 0)
            s = s.next
        if owed:
            n = epoll_wait(p.epoll, events, EVENTS, 50)
            refresh_clock(e)
            for i in range(n):
                if events[i].data.u64 > WAKE:
                    handle_event(p, <Session*>events[i].data.ptr, events[i].events)
    s = e.sessions
    while s != NULL:
        following = s.next
        if s.fd >= 0:
            end_session(p, s)
        s = following


cdef class Reactor:
    """Serve an engine on listening sockets.

    handle   the engine; the reactor's thread is the only one that may use it
    errors   OSError if the system refuses a descriptor, MemoryError
    """

    cdef Poll poll
    cdef EngineHandle handle
    cdef int wake_write

    def __cinit__(self, EngineHandle handle):
        cdef int i
        self.poll.epoll = self.poll.wake_read = self.wake_write = -1
        for i in range(MAX_LISTENERS):
            self.poll.listeners[i].fd = -1
        self.handle = handle
        self.poll.engine = &handle.engine
        self.poll.buffer = <char*>malloc(RECEIVE_BYTES)
        if self.poll.buffer == NULL:
            raise MemoryError
        self.poll.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.poll.epoll < 0:
            raise OSError(errno, os.strerror(errno))
        self.poll.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        watch_fd(&self.poll, EPOLL_CTL_ADD, self.poll.wake_read, EPOLLIN, <void*><uint64_t>WAKE)

    def __dealloc__(self):
        free(self.poll.buffer)
        for fd in (self.poll.epoll, self.poll.wake_read, self.wake_write):
            if fd >= 0:
                close(fd)

    def add_listener(self, int fd, bint is_unix):
        """Accept on a listening, non-blocking socket that the caller keeps open."""
        cdef uint64_t i
        for i in range(MAX_LISTENERS):
            if self.poll.listeners[i].fd < 0:
                self.poll.listeners[i].fd = fd
                self.poll.listeners[i].is_unix = is_unix
                if self.poll.accepting:
                    watch_fd(&self.poll, EPOLL_CTL_ADD, fd, EPOLLIN, <void*>i)
                return
        raise OSError(f"more than {MAX_LISTENERS} listening sockets")

    def remove_listener(self, int fd):
        """Stop accepting on a socket; to be called before it is closed."""
        cdef int i
        for i in range(MAX_LISTENERS):
            if self.poll.listeners[i].fd == fd:
                if self.poll.accepting:
                    watch_fd(&self.poll, EPOLL_CTL_DEL, fd, 0, NULL)
                self.poll.listeners[i].fd = -1

    @property
    def wake_fd(self):
        """For signal.set_wakeup_fd: a byte other than 0 ends run()."""
        return self.wake_write

    def stop(self):
        """End run() soon; from any thread."""
        os.write(self.wake_write, bytes([signal.SIGTERM]))

    def run(self):
        """Serve until stop(), a signal's byte, or SHUTDOWN; returns the exit status."""
        self.handle.refresh_clock()
        with nogil:
            run_loop(&self.poll)
        return self.poll.engine.stop_status
