"""Serving one connection with blocking calls: what a thread of `thread` and a process of `fork` or `prefork` does.

One request: recv, which sleeps until it comes; run it under the engine's lock; send, which sleeps
until the socket has taken all of the reply. Two system calls, and no bookkeeping of who is ready:
the kernel's scheduler is the event loop. The price is a thread or a process for each connection,
and that a slow client keeps it. So both calls have deadlines, receive-timeout and send-timeout.

What others have for a session must reach it while its thread sleeps in the kernel:

- Messages (PUBLISH, MONITOR, CLIENT TRACKING), what BLPOP waits for, and the end of CLIENT PAUSE come only
  to a session that has asked for them: it waits with poll for its socket and for a pipe. Whether it must is
  decided under the lock under which others leave messages, so none can come between the decision and the wait.
  (To whom others have redirected their tracking while it slept, gets their messages from its next request on.)
- Its end (CLIENT KILL, timeouts, limits, SHUTDOWN) may come to any session: whoever closes it shuts
  its socket down, which ends the call that sleeps on it, or the next one.
- A signal ends any call: between processes it says that there is a question, or that this one is to
  end. One that comes just before the call is lost on it, so those who send signals repeat them.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from minikv_core.clock cimport monotonic_us
from minikv_core.cron cimport count_turn, engine_alarm, engine_timers
from minikv_core.engine cimport *
from minikv_core.memory cimport unlikely
from minikv_core.output cimport output_pending, output_sent
from minikv_core.reactor cimport RECEIVE_BYTES, send_output
from minikv_core.session cimport (
    refresh_clock, session_close, session_feed, session_free, session_resume, session_settle, session_take_pushes,
    session_take_ready, wants_resume,
)
from minikv_core.sockets cimport *
from minikv_core.wake cimport wake_taken
from minikv_core.worker cimport engine_enter, engine_leave, worker_close, worker_open

cdef enum:
    TICK_US = 1000000           # a process that serves alone looks around as often
    LINGER_US = 1000000         # longest wait at the end for the peer to close too
    LAST_LINGER_US = 50000      # the same when the server ends

cdef enum Next:
    TO_RECEIVE = 0
    TO_LISTEN = 1               # wait for messages too
    TO_SEND = 2
    TO_END = 3

# ---------------------------------------------------------------- waking

cdef void wake(Worker* w) noexcept nogil:
    """Another worker, which has the lock, has something for the session of this one."""
    cdef Blocking* b = <Blocking*>w.model
    cdef char look = 0
    if b.session != NULL and b.session.gate & (CLOSE_AFTER | CLOSE_NOW):
        shutdown(b.session.fd, SHUT_RDWR if b.session.gate & CLOSE_NOW else SHUT_RD)
    if b.wake_write >= 0:
        write(b.wake_write, &look, 1)

cdef void take_wake(Blocking* b) noexcept nogil:
    if wake_taken(b.wake_read):
        b.stopping = True

cdef bint need_pipe(Blocking* b) noexcept nogil:
    cdef int[2] ends
    if b.wake_read < 0:
        if pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0:
            return False
        b.wake_read = ends[0]
        b.wake_write = ends[1]
    return True

# ---------------------------------------------------------------- one connection

cdef bint blocking_open(Blocking* b, Engine* e) noexcept nogil:
    memset(b, 0, sizeof(Blocking))
    b.wake_read = b.wake_write = -1
    b.buffer = <char*>malloc(RECEIVE_BYTES)
    if not worker_open(&b.worker, e) or b.buffer == NULL:
        blocking_close(b)
        return False
    b.worker.model = b
    b.worker.wake = wake
    return True

cdef void blocking_close(Blocking* b) noexcept nogil:
    worker_close(&b.worker)
    free(b.buffer)
    if b.wake_read >= 0:
        close(b.wake_read)
        close(b.wake_write)

cdef void set_deadline(int fd, int which, int64_t us) noexcept nogil:
    cdef timeval span
    span.tv_sec = us // 1000000
    span.tv_usec = us % 1000000
    setsockopt(fd, SOL_SOCKET, which, &span, sizeof(span))

cdef ssize_t receive(Blocking* b, int fd, bint listening) noexcept nogil:
    """Wait for bytes of the client; -1 with EAGAIN = a deadline passed, with EINTR = look around."""
    cdef pollfd[2] two
    cdef ssize_t got
    cdef int ready, failure
    if listening:
        two[0].fd = fd
        two[1].fd = b.wake_read
        two[0].events = two[1].events = POLLIN
        ready = poll(two, 2, <int>((b.wait_us + 999) // 1000) if b.alone else -1)
        if ready > 0 and two[1].revents:
            take_wake(b)
        if ready > 0 and two[0].revents:
            return recv(fd, b.buffer, RECEIVE_BYTES, MSG_DONTWAIT)
        (&errno)[0] = EAGAIN if ready == 0 else EINTR
        return -1
    got = recv(fd, b.buffer, RECEIVE_BYTES, 0)
    if got < 0 and b.wake_read >= 0:    # a signal's byte: of one that ended the call, or came just before it
        failure = errno
        take_wake(b)
        (&errno)[0] = failure
    return got

cdef End blocking_serve(Blocking* b, Session* s) noexcept nogil:
    cdef Worker* w = &b.worker
    cdef Next following = TO_SEND
    cdef int failure
    cdef ssize_t n
    b.end = END_CLOSED
    b.heard_us = 0
    b.silent_us = monotonic_us()
    set_deadline(s.fd, SO_SNDTIMEO, w.engine.config.send_timeout * 1000000)
    set_deadline(s.fd, SO_RCVTIMEO, TICK_US if b.alone else w.engine.config.receive_timeout * 1000000)
    if b.alone:
        w.engine.place.state = PLACE_ACTIVE
        w.engine.place.accepted += 1
    while following != TO_END:
        if following == TO_SEND:
            n = send_output(s) if output_pending(&s.out) else 0
            failure = errno
            engine_enter(w)
            sent(b, s, n, failure)
            following = look_around(b, s)
        else:
            n = receive(b, s.fd, following == TO_LISTEN)
            failure = errno
            if n > 0 and unlikely(w.engine.config.tcp_quickack):
                quick_ack(s.fd)
            engine_enter(w)
            following = received(b, s, n, failure)
        engine_leave(w)
    end_connection(b, s)
    return b.end

cdef void sent(Blocking* b, Session* s, ssize_t n, int failure) noexcept nogil:
    cdef Engine* e = s.engine
    if n > 0:
        e.stats.writes += 1
        e.stats.net_output += <uint64_t>n
        s.net_output += <uint64_t>n
        output_sent(&s.out, <size_t>n)
    elif n < 0 and failure != EINTR:
        if s.gate & CLOSE_NOW == 0:         # else it was shut down
            b.end = END_UNREAD if failure == EAGAIN else END_PEER
        session_close(s, False)
    session_settle(s)

cdef Next look_around(Blocking* b, Session* s) noexcept nogil:
    """Take what others have left, and say what is to be done next."""
    cdef Engine* e = s.engine
    b.session = s
    if b.heard_us:
        b.silent_us = monotonic_us()
        count_turn(e, <uint64_t>(b.silent_us - b.heard_us), b.commands)
        b.heard_us = 0
    if b.alone:
        e.place.busy_since_us = 0
        b.wait_us = engine_timers(e)
    else:
        engine_alarm(e)
    if s.flags & IN_READY:
        session_take_ready(&b.worker)
        s.flags &= ~<uint32_t>IN_READY
        if wants_resume(s):
            session_resume(s)
            b.silent_us = monotonic_us()
        session_take_pushes(s)
    if (e.stopping or b.stopping) and s.gate & (CLOSE_AFTER | CLOSE_NOW) == 0:
        b.end = END_STOPPED
        session_close(s, True)
    if is_listening(s) and not need_pipe(b):
        session_close(s, False)
    if s.gate & CLOSE_NOW:
        return TO_END
    if output_pending(&s.out):
        return TO_SEND
    if s.gate & CLOSE_AFTER:
        return TO_END
    return TO_LISTEN if is_listening(s) else TO_RECEIVE

cdef Next received(Blocking* b, Session* s, ssize_t n, int failure) noexcept nogil:
    """Run what came, or see why nothing did."""
    cdef Engine* e = s.engine
    cdef uint64_t commands = e.stats.commands
    refresh_clock(e)
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        pass                                # it was shut down
    elif n > 0:
        b.heard_us = monotonic_us()
        e.stats.reads += 1
        if b.alone:
            e.place.requests += 1
            e.place.busy_since_us = b.heard_us
        session_feed(s, b.buffer, <size_t>n)
        b.commands = e.stats.commands - commands
    elif n == 0:
        b.end = END_PEER
        s.flags |= PEER_DONE
        session_close(s, True)
    elif failure == EAGAIN:
        if is_silent(b, s):
            b.end = END_SILENT
            session_close(s, False)
    elif failure != EINTR:
        b.end = END_PEER
        session_close(s, False)
    return TO_END if s.gate & CLOSE_NOW else TO_SEND

cdef bint is_silent(const Blocking* b, const Session* s) noexcept nogil:
    cdef int64_t most = s.engine.config.receive_timeout * 1000000
    return most and not is_listening(s) and monotonic_us() - b.silent_us >= most

cdef inline bint is_listening(const Session* s) noexcept nogil:
    return s.flags & (IS_PUBSUB | IS_MONITOR) != 0 or s.gate & WAITING != 0 or s.tracking != NULL

cdef void end_connection(Blocking* b, Session* s) noexcept nogil:
    """Close a connection so that what was sent arrives: our end first, then what the peer still says."""
    cdef Worker* w = &b.worker
    cdef int fd = s.fd
    cdef int64_t linger = 0 if s.gate & CLOSE_NOW else LAST_LINGER_US if b.end == END_STOPPED else LINGER_US
    cdef int64_t deadline = monotonic_us() + linger
    if s.flags & PEER_DONE == 0:
        shutdown(fd, SHUT_WR)
        set_deadline(fd, SO_RCVTIMEO, linger)
        # unread bytes would turn the close into a reset
        while recv(fd, b.buffer, RECEIVE_BYTES, MSG_DONTWAIT if s.gate & CLOSE_NOW else 0) > 0:
            if monotonic_us() >= deadline:
                break
    engine_enter(w)
    b.session = NULL
    session_free(s)
    if b.alone:
        w.engine.place.state = PLACE_IDLE
    engine_leave(w)
    close(fd)
