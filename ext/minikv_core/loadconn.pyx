"""One connection of the load generator: opened, asked over, its replies checked, given up."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset, strerror, strlen
from minikv_core.histogram cimport count_value
from minikv_core.sockets cimport (
    AF_INET, EAGAIN, EINTR, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, MSG_NOSIGNAL, SOCK_CLOEXEC,
    SOCK_NONBLOCK, close, epoll_ctl, epoll_event, errno, recv, send,
)

cdef enum:
    LOOPBACK = 0x7f000002       # 127.0.0.2: the first of the addresses that connections come from
    SOURCES = 250               # so many, each with ports of its own: closed ones are not free at once

cdef inline uint64_t draw(Load* g) noexcept nogil:
    g.random ^= g.random << 13
    g.random ^= g.random >> 7
    g.random ^= g.random << 17
    return g.random

cdef inline uint32_t draw_key(Load* g) noexcept nogil:
    return <uint32_t>(draw(g) >> 16) % g.key_count

cdef void complain(Load* g, const char* text, size_t length) noexcept nogil:
    if g.complaint[0] == 0:
        memcpy(g.complaint, text, min(length, <size_t>MAX_TEXT - 1))

# ---------------------------------------------------------------- texts

cdef int write_text(Load* g, char* target, const Text* text, uint32_t key) noexcept nogil:
    cdef int i, digit
    cdef uint32_t rest
    memcpy(target, text.bytes, <size_t>text.length)
    for i in range(text.hole_count):
        rest = draw_key(g) if text.is_random[i] else key
        for digit in range(DIGITS - 1, -1, -1):
            target[text.holes[i] + digit] = <char>(c'0' + <int>(rest % 10))
            rest //= 10
    return text.length

cdef void count_right(Load* g, Conn* c) noexcept nogil:
    if c.is_slow:
        g.tally.slow_requests += c.greeted
    elif c.greeted:
        g.tally.requests += 1
        count_value(g.latencies, <uint64_t>(now_ns() - c.start_ns), 1)

cdef int64_t count_of(const char* p) noexcept nogil:
    """The number behind the first byte of a line."""
    cdef bint negative = p[1] == c'-'
    cdef int64_t n = 0
    p += 2 if negative else 1
    while c'0' <= p[0] <= c'9' and n < 1000000000:
        n = n * 10 + (p[0] - c'0')
        p += 1
    return -n if negative else n

cdef int skip_reply(Conn* c, const char* got, int length) noexcept nogil:
    """Read on in a reply that may be any; the bytes used, -1 = it is none. It has come when c.elements is 0."""
    cdef const char* p = got
    cdef const char* end = got + length
    cdef const char* line
    cdef int64_t n
    while c.elements:
        if c.rest:
            n = min(c.rest, <int64_t>(end - p))
            p += n
            c.rest -= n
            if c.rest:
                break
            c.elements -= 1
            continue
        line = <const char*>memchr(p, c'\n', <size_t>(end - p))
        if line == NULL:
            break
        n = count_of(p)
        if p[0] == c'$':
            if n >= 0:
                c.rest = n + 2
            else:
                c.elements -= 1
        elif p[0] == c'*':
            c.elements += max(n, <int64_t>0) - 1
        elif p[0] == c':' or p[0] == c'+' or p[0] == c'-':
            c.elements -= 1
        else:
            return -1
        p = line + 1
    return <int>(p - got)

cdef int check_reply(Load* g, Conn* c, const char* got, int length) noexcept nogil:
    """Compare with what the oldest request is owed; the bytes used, 0 = more are needed, -1 = out of step."""
    cdef char expected[MAX_TEXT]
    cdef int i = c.batch - c.owed, n
    cdef const Text* reply = &g.templates[c.kinds[i]].reply
    cdef const char* end
    if c.elements or (reply.length == 0 and got[0] != c'-'):
        if c.elements == 0:
            c.elements = 1
        n = skip_reply(c, got, length)
        if n >= 0 and c.elements == 0:
            count_right(g, c)
        return n
    n = write_text(g, expected, reply, c.keys[i])
    if n and memcmp(got, expected, <size_t>min(n, length)) == 0:
        if length < n:
            return 0
        count_right(g, c)
        return n
    end = <const char*>memchr(got, c'\n', <size_t>length)
    if end == NULL:
        return 0 if length < MAX_TEXT else -1
    n = <int>(end - got) + 1
    complain(g, got, <size_t>n - 1)
    if got[0] == c'-':
        g.tally.errors += 1
        return n
    if got[0] == c'+' or (got[0] == c'$' and got[1] == c'-'):
        g.tally.wrong += 1
        return n
    return -1                   # how long it is, we do not know

# ---------------------------------------------------------------- connections

cdef void watch(Load* g, Conn* c, int op, bint writing) noexcept nogil:
    cdef epoll_event event
    event.events = EPOLLIN | (EPOLLOUT if writing else 0)
    event.data.ptr = c
    epoll_ctl(g.epoll, op, c.fd, &event)

cdef void end_conn(Load* g, Conn* c) noexcept nogil:
    if c.stage == CONNECTING or c.stage == WAITING:
        if not c.greeted:
            g.opening -= 1
        elif not c.is_slow:
            g.outstanding -= 1
    if c.fd >= 0:
        close(c.fd)
    c.fd = -1
    c.stage = CLOSED
    c.kept_length = 0
    c.elements = c.rest = 0

cdef void give_up(Load* g, Conn* c, uint64_t* counter, const char* why) noexcept nogil:
    """Count and end a connection; with churn, another takes its place at the next turn."""
    counter[0] += 1
    complain(g, why, strlen(why))
    end_conn(g, c)
    if g.churn:
        g.kicked = 0

cdef void open_conn(Load* g, Conn* c) noexcept nogil:
    cdef sockaddr_in source
    cdef int on = 1
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    c.start_ns = now_ns()
    c.stage = CONNECTING
    if c.greeted:
        g.outstanding += 1
    else:
        g.opening += 1
    memset(&source, 0, sizeof(source))
    source.sin_family = AF_INET
    source.sin_addr.s_addr = htonl(LOOPBACK + g.sockets % SOURCES)
    g.sockets += 1
    if c.fd < 0:
        give_up(g, c, &g.tally.refused, strerror(errno))
        return
    # connect() chooses the port, which may be in use towards another server
    setsockopt(c.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on))
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on))
    if bind(c.fd, <sockaddr*>&source, sizeof(source)) < 0:
        give_up(g, c, &g.tally.refused, strerror(errno))
    elif connect(c.fd, <sockaddr*>&g.server, sizeof(g.server)) == 0:
        watch(g, c, EPOLL_CTL_ADD, False)
        begin_conn(g, c)
    elif errno == EINPROGRESS:
        watch(g, c, EPOLL_CTL_ADD, True)
    else:
        give_up(g, c, &g.tally.refused, strerror(errno))

cdef void begin_conn(Load* g, Conn* c) noexcept nogil:
    """A connection stands: greet the server, or with churn ask at once."""
    if c.greeted and not take_request(g):
        end_conn(g, c)
    else:
        fill_batch(g, c, 1)
        flush(g, c, c.out_length)

# ---------------------------------------------------------------- sending

cdef inline bint take_request(Load* g) noexcept nogil:
    if g.left == 0 or not g.sending:
        return False
    g.left -= 1
    return True

cdef void fill_batch(Load* g, Conn* c, int count) noexcept nogil:
    cdef int i, kind
    cdef double point
    c.out_length = c.out_sent = 0
    c.batch = c.owed = count
    c.stage = WAITING
    for i in range(count):
        kind = 0
        if c.greeted:
            kind = 1
            point = <double>(draw(g) >> 11) / 9007199254740992.0        # 2**53
            while kind < g.template_count - 1 and point >= g.templates[kind].share:
                kind += 1
        c.kinds[i] = <uint8_t>kind
        c.keys[i] = draw_key(g)
        c.out_length += write_text(g, c.out + c.out_length, &g.templates[kind].request, c.keys[i])

cdef void send_batch(Load* g, Conn* c, int most) noexcept nogil:
    """Let a free connection ask, if requests are left."""
    cdef int count = 0
    while count < most and take_request(g):
        count += 1
    if count:
        fill_batch(g, c, count)
        g.outstanding += 1
        c.start_ns = now_ns()
        flush(g, c, c.out_length)

cdef void flush(Load* g, Conn* c, int until) noexcept nogil:
    cdef ssize_t sent = send(c.fd, c.out + c.out_sent, <size_t>(until - c.out_sent), MSG_NOSIGNAL)
    if sent < 0 and errno != EAGAIN and errno != EINTR:
        give_up(g, c, &g.tally.lost, strerror(errno))
        return
    if sent > 0:
        c.out_sent += <int>sent
    if c.out_sent < until:
        watch(g, c, EPOLL_CTL_MOD, True)

# ---------------------------------------------------------------- receiving

cdef void receive(Load* g, Conn* c) noexcept nogil:
    cdef char* start = g.buffer
    cdef int length, used
    cdef ssize_t got
    memcpy(start, c.kept, <size_t>c.kept_length)
    got = recv(c.fd, start + c.kept_length, RECEIVE_BYTES, 0)
    if got == 0:
        give_up(g, c, &g.tally.lost, b"the server closed the connection")
        return
    if got < 0:
        if errno != EAGAIN and errno != EINTR:
            give_up(g, c, &g.tally.lost, strerror(errno))
        return
    length = c.kept_length + <int>got
    while length and c.owed:
        used = check_reply(g, c, start, length)
        if used < 0:
            give_up(g, c, &g.tally.wrong, b"a reply out of step")
            return
        if used == 0:
            break
        start += used
        length -= used
        c.owed -= c.elements == 0
    if length >= MAX_TEXT or (length and c.owed == 0):      # nothing that was asked for
        complain(g, start, <size_t>length)
        give_up(g, c, &g.tally.wrong, b"")
        return
    memcpy(c.kept, start, <size_t>length)
    c.kept_length = length
    if c.owed == 0 and c.stage == WAITING:
        finish_batch(g, c)

cdef void finish_batch(Load* g, Conn* c) noexcept nogil:
    if g.churn:
        end_conn(g, c)
        if g.sending and g.left:
            open_conn(g, c)
        return
    c.stage = READY
    if not c.greeted:
        c.greeted = True
        g.opening -= 1
        g.progress_ns = now_ns()
    elif not c.is_slow:
        g.outstanding -= 1
    if not c.is_slow and g.paced.count == 0:
        send_batch(g, c, g.pipeline)

cdef void handle_event(Load* g, Conn* c, uint32_t events) noexcept nogil:
    cdef int code = 0
    cdef socklen_t n = sizeof(code)
    if c.fd < 0:
        return
    if c.stage == CONNECTING:
        getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &code, &n)
        if code:
            give_up(g, c, &g.tally.refused, strerror(code))
        elif events & EPOLLOUT:
            watch(g, c, EPOLL_CTL_MOD, False)
            begin_conn(g, c)
        return
    if events & EPOLLOUT:
        watch(g, c, EPOLL_CTL_MOD, False)
        if not c.is_slow or not c.greeted:
            flush(g, c, c.out_length)
    if c.fd >= 0 and events & ~<uint32_t>EPOLLOUT:
        receive(g, c)
