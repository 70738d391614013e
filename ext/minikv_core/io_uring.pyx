"""The model `uring`: a proactor. It asks the kernel to accept, to receive and to send, and is told what
has been done; a reactor is told what can be done now, and then does it itself.

One turn is one system call, io_uring_enter: it sends what the turn before has produced, then waits.
Accepting and receiving are asked for once and go on (multishot); the kernel puts what it receives
into buffers that all connections share, so an idle one holds none. Costs a call a turn where epoll
costs two a request; but all that a connection sends is copied out of the shared buffers, large
values too. Choose it for many clients that wait for each reply.

A send is done while it is submitted, or fails: it never waits inside the kernel (MSG_DONTWAIT), and
completes visibly only if it failed (SQE_SKIP_SUCCESS). So replies are sent from the scratch buffer
they were written to, and no memory of a session is the kernel's when the call returns. For a peer
that reads slowly the socket is polled, as in a reactor. What is left in flight are receives and
polls. A connection that ends goes on receiving until its peer closes too (lingering.pxd); then, or
when it must end at once, they are cancelled, and its session is freed when they have completed.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from minikv_core.acceptor cimport admit_peer
from minikv_core.clock cimport monotonic_us
from minikv_core.cron cimport count_turn, engine_timers
from minikv_core.engine cimport *
from minikv_core.lingering cimport linger, linger_is_over, linger_no_more, linger_wait
from minikv_core.memory cimport unlikely
from minikv_core.output cimport SCRATCH_BYTES, output_pending, output_sent
from minikv_core.session cimport (
    refresh_clock, session_close, session_feed, session_hold, session_make_ready, session_release, session_resume,
    session_settle, session_take_pushes, session_take_ready, wants_resume,
)
from minikv_core.sockets cimport *
from minikv_core.uring cimport *
from minikv_core.wake cimport wake_taken
from minikv_core.worker cimport own_session

cdef enum:
    ACCEPT_PAUSE_US = 100000    # without free descriptors: until accepting is tried again
    LAST_CALL_US = 1000000      # at the end, for peers to take what they are owed

# ---------------------------------------------------------------- sending

cdef void hold(Loop* p, Session* s) noexcept nogil:
    """Let a session's replies go out with all others', at the end of the turn."""
    if s.events & IS_HELD == 0:
        s.events |= IS_HELD
        p.held.sends[p.held.count].owner = s
        p.held.count += 1
    if not session_hold(s) or p.held.count == SENDS:
        send_held(p, 0)

cdef void send_held(Loop* p, int64_t wait) noexcept nogil:
    """Send what is held, and wait for a completion for so many microseconds, negative = any time."""
    cdef Session* s
    cdef uint32_t i, first = p.ring.done_tail
    for i in range(p.held.count):
        s = <Session*>p.held.sends[i].owner
        p.held.sends[i].bytes = 0
        if s.flags & WANTS_WRITE == 0 and s.gate & CLOSE_NOW == 0 and output_pending(&s.out):
            ask_send(&p.ring, &p.held, i, s.fd, &s.out, OF_SEND)
        if s.gate & (CLOSE_AFTER | CLOSE_NOW):
            wait = 0                    # its end is due
    ring_enter(&p.ring, wait)
    if p.held.count:
        sends_collect(&p.ring, &p.held, first, OF_SEND)
        for i in range(p.held.count):
            settle(p, &p.held.sends[i])
        p.held.count = p.held.piece_count = 0
        p.worker.scratch_used = 0

cdef void settle(Loop* p, const Sending* h) noexcept nogil:
    """Look at what has become of a session's send."""
    cdef Session* s = <Session*>h.owner
    cdef size_t sent = <size_t>h.result if h.bytes and h.result > 0 else 0
    s.events &= ~<uint32_t>IS_HELD
    p.engine.stats.writes += h.bytes > 0
    p.engine.stats.net_output += sent
    s.net_output += sent
    if s.gate & CLOSE_NOW == 0:         # else its output may be gone
        output_sent(&s.out, sent)
        if h.bytes and h.result < 0 and h.result != -EAGAIN and h.result != -EINTR:
            session_close(s, False)
    session_settle(s)
    if output_pending(&s.out) and s.gate & CLOSE_NOW == 0 and s.flags & WANTS_WRITE == 0:
        if sent == h.bytes:
            session_make_ready(s)       # more pieces than one call takes: on in the next turn
        else:
            s.flags |= WANTS_WRITE
            s.events |= AWAITING
            ask_readiness(&p.ring, s.fd, EPOLLOUT, <uint64_t>s | OF_ROOM)
    if s.gate & (CLOSE_AFTER | CLOSE_NOW):
        session_close(s, s.gate & CLOSE_NOW == 0)

# ---------------------------------------------------------------- completions

cdef void receive(Loop* p, Session* s) noexcept nogil:
    s.events |= RECEIVING
    ask_receive(&p.ring, s.fd, <uint64_t>s | OF_RECEIVE)

cdef void take_received(Loop* p, Session* s, const Cqe* c) noexcept nogil:
    cdef bint wanted = c.res > 0 and s.gate & (CLOSE_AFTER | CLOSE_NOW) == 0
    cdef bint more = c.res > 0 or c.res == -ENOBUFS or c.res == -EINTR      # the peer may go on
    if c.flags & CQE_MORE == 0:
        s.events &= ~<uint32_t>RECEIVING
    if wanted:
        p.engine.stats.reads += 1
        session_feed(s, buffers_data(&p.buffers, c), <size_t>c.res)
    if c.flags & CQE_BUFFER:
        buffers_return(&p.buffers, c)
    if s.events & RELEASED and (s.events & CANCELLED or not more):
        hang_up(p, s)
        return
    if wanted:
        if unlikely(p.engine.config.tcp_quickack):
            quick_ack(s.fd)
        hold(p, s)
    elif c.res == 0:
        s.flags |= PEER_DONE            # it may still wait for what it is owed
        session_close(s, True)
    elif not more:
        session_close(s, False)
    if s.events & RECEIVING == 0 and (s.gate & (CLOSE_AFTER | CLOSE_NOW) == 0 or s.events & RELEASED):
        receive(p, s)                   # all buffers were full, or the queue of completions

cdef void take_room(Loop* p, Session* s) noexcept nogil:
    s.events &= ~<uint32_t>AWAITING
    s.flags &= ~<uint32_t>WANTS_WRITE
    if s.events & CANCELLED:
        hang_up(p, s)
    else:
        hold(p, s)

cdef void take_accepted(Loop* p, const Cqe* c) noexcept nogil:
    cdef sockaddr_storage peer
    cdef socklen_t n = sizeof(peer)
    cdef Session* s = NULL
    if c.res >= 0:
        if p.running and getpeername(c.res, <sockaddr*>&peer, &n) == 0:
            s = admit_peer(p.worker, c.res, &peer, peer.ss_family == AF_UNIX)
        else:
            close(c.res)                # it has gone already, or the server stops
        if s != NULL:
            receive(p, s)
    elif c.res != -ECONNABORTED and c.res != -EINTR:
        # out of descriptors, as a rule: the connection stays in the backlog
        p.accept_again_us = monotonic_us() + ACCEPT_PAUSE_US
    if c.flags & CQE_MORE == 0:
        accept_ended(&p.listeners, c.user_data)
        if p.accept_again_us == 0:
            ask_accepts(&p.ring, &p.listeners, OF_ACCEPT)

cdef void take_wake(Loop* p) noexcept nogil:
    if wake_taken(p.wake_read):
        p.terminate = True
    ask_readiness(&p.ring, p.wake_read, EPOLLIN, OF_WAKE)

cdef void take_completions(Loop* p) noexcept nogil:
    cdef Ring* r = &p.ring
    cdef uint32_t tail = r.done_tail        # what comes meanwhile has the next turn
    cdef uint64_t data
    cdef Cqe c
    while r.done_head != tail:
        c = r.done[r.done_head]
        r.done_head += 1
        data = c.user_data & ~<uint64_t>KINDS
        if c.user_data & KINDS == OF_RECEIVE:
            take_received(p, <Session*>data, &c)
        elif c.user_data & KINDS == OF_ROOM:
            take_room(p, <Session*>data)
        elif c.user_data & KINDS == OF_ACCEPT:
            take_accepted(p, &c)
        elif c.user_data & KINDS == OF_WAKE:
            take_wake(p)
    ring_forget(r)

# ---------------------------------------------------------------- sessions that others changed, and that end

cdef void handle_ready(Loop* p, Session* s) noexcept nogil:
    s.flags &= ~<uint32_t>IN_READY
    s.next_ready = NULL
    if wants_resume(s):
        session_resume(s)
        hold(p, s)
    session_take_pushes(s)
    if s.events & IS_HELD:
        return                          # settled first: if it must end, it is ready again then
    if s.gate & CLOSE_NOW or (s.gate & CLOSE_AFTER and output_pending(&s.out) == 0):
        end_session(p, s)
    elif s.flags & WANTS_WRITE == 0 and output_pending(&s.out):
        hold(p, s)

cdef void drain_ready(Loop* p) noexcept nogil:
    """Look at the sessions that are ready now; those that become so meanwhile have the next turn."""
    cdef Session* s = session_take_ready(p.worker)
    cdef Session* following
    while s != NULL:
        following = s.next_ready
        handle_ready(p, s)
        s = following

cdef void end_session(Loop* p, Session* s) noexcept nogil:
    """Close a connection so that what was sent arrives: our side first, then, when the peer has closed too, the rest."""
    cdef bint lingers = s.flags & PEER_DONE == 0 and shutdown(s.fd, SHUT_WR) == 0 and s.gate & CLOSE_NOW == 0
    session_release(s)
    s.events |= RELEASED
    p.released += 1
    if not lingers or not p.running:
        hang_up(p, s)
        return
    linger(&p.lingering, s, monotonic_us())
    if s.events & RECEIVING == 0:
        receive(p, s)

cdef void hang_up(Loop* p, Session* s) noexcept nogil:
    """Close the connection of a released session, and free it, when nothing is in flight for it."""
    cdef Worker* w = p.worker
    cdef int _
    if s.flags & LINGERS:
        linger_no_more(&p.lingering, s)
    if s.events & (RECEIVING | AWAITING):
        if s.events & CANCELLED == 0:
            s.events |= CANCELLED
            cancel(&p.ring, s.fd, OF_CANCEL)
        return
    for _ in range(16):                 # unread bytes would turn the close into a reset
        if recv(s.fd, w.scratch + w.scratch_used, SCRATCH_BYTES - w.scratch_used, MSG_DONTWAIT) <= 0:
            break
    close(s.fd)
    free(s)
    p.released -= 1
    if p.accept_again_us:
        p.accept_again_us = 1           # a descriptor is free again

# ---------------------------------------------------------------- the loop

cdef int64_t turn(Loop* p, int64_t wait) noexcept nogil:
    """Send, wait, and run what came; returns the microseconds that the next turn may wait."""
    cdef Engine* e = p.engine
    cdef int64_t start
    cdef uint64_t commands
    send_held(p, 0 if p.worker.ready != NULL else wait)
    start = monotonic_us()
    refresh_clock(e)
    commands = e.stats.commands
    take_completions(p)
    wait = engine_timers(e)
    drain_ready(p)
    while linger_is_over(&p.lingering, start, p.accept_again_us != 0 or not p.running):     # or descriptors are short
        hang_up(p, p.lingering.first)
    wait = linger_wait(&p.lingering, start, wait)
    if p.accept_again_us:
        if start >= p.accept_again_us:
            p.accept_again_us = 0
            ask_accepts(&p.ring, &p.listeners, OF_ACCEPT)
        elif wait < 0 or wait > ACCEPT_PAUSE_US:
            wait = ACCEPT_PAUSE_US
    count_turn(e, <uint64_t>(monotonic_us() - start), e.stats.commands - commands)
    return wait

cdef void run_loop(Loop* p) noexcept nogil:
    cdef int64_t wait = 0
    ring_enable(&p.ring)
    p.running = True
    ask_readiness(&p.ring, p.wake_read, EPOLLIN, OF_WAKE)
    ask_accepts(&p.ring, &p.listeners, OF_ACCEPT)
    while not (p.engine.stopping or p.terminate):
        wait = turn(p, wait)
    finish(p)

cdef void remove_listener(Loop* p, Listener* listener) noexcept nogil:
    cancel(&p.ring, listener.fd, OF_CANCEL)
    ring_enter(&p.ring, 0)
    listener.fd = -1

cdef void close_sessions(Loop* p, bint after_output) noexcept nogil:
    cdef Session* s = own_session(p.worker, p.engine.sessions)
    while s != NULL:
        session_close(s, after_output)
        s = own_session(p.worker, s.next)

cdef void finish(Loop* p) noexcept nogil:
    """Stop accepting, send what is owed for at most LAST_CALL_US, and close everything."""
    cdef int64_t deadline = monotonic_us() + LAST_CALL_US
    cdef int i
    p.running = False
    for i in range(LISTENERS):
        if p.listeners.places[i].fd >= 0:
            remove_listener(p, &p.listeners.places[i])
    close_sessions(p, True)
    while is_accepting(&p.listeners) or own_session(p.worker, p.engine.sessions) != NULL or p.released:
        if monotonic_us() >= deadline:
            close_sessions(p, False)
        turn(p, ACCEPT_PAUSE_US)
