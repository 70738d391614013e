"""A load generator: many connections from one thread, every reply checked byte for byte, or at least whole.

A connection sends a batch of requests, waits for all replies, and sends the next batch (a closed loop).
Variants: a connection for each request (churn), a request per interval (paced), and slow connections beside
the others, which send their requests a byte at a time. Every loop is bounded in time.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset
from minikv_core.histogram cimport Histogram
from minikv_core.loadconn cimport *
from minikv_core.sockets cimport AF_INET, EPOLL_CLOEXEC, close, epoll_create1, epoll_event, epoll_wait, errno

import os
import re
import time

cdef enum:
    EVENTS = 512
    OPENING = 384               # connections that may be without their first answer at a time: a usual backlog is 511
    PATIENCE_NS = 1500000000    # without any first answer for so long, no more are waited for
    KICKS = 256                 # connections started between two looks at what has arrived
    SLICE_NS = 100000000        # between two looks at Python's signals

cdef void visit(Load* g, Sweep* s, int64_t now) noexcept nogil:
    """Serve the connections whose time has come."""
    cdef Conn* c
    cdef int _
    for _ in range(KICKS):
        if s.count == 0 or s.start_ns + s.done * s.interval_ns // s.count > now:
            return
        c = &g.conns[s.first + s.done % s.count]
        s.done += 1
        if not c.is_slow:
            if c.stage == READY:
                send_batch(g, c, 1)
            elif c.stage == WAITING:
                g.tally.overdue += 1
        elif c.greeted and c.fd >= 0:
            if c.stage == READY:
                fill_batch(g, c, 1)
            if c.out_sent < c.out_length:
                flush(g, c, c.out_sent + 1)

cdef void open_more(Load* g) noexcept nogil:
    while g.opened < g.count and g.opening < OPENING:
        g.opened += 1
        open_conn(g, &g.conns[g.opened - 1])

cdef void kick(Load* g) noexcept nogil:
    cdef Conn* c
    cdef int _
    for _ in range(min(<int>KICKS, g.count - g.kicked)):
        c = &g.conns[g.kicked]
        g.kicked += 1
        if g.churn and c.stage == CLOSED and g.left:
            open_conn(g, c)
        elif c.stage == READY and not c.is_slow and g.paced.count == 0:
            send_batch(g, c, g.pipeline)

cdef void turn(Load* g, int64_t now, int64_t end) noexcept nogil:
    cdef epoll_event events[EVENTS]
    cdef int i, n, timeout = <int>((end - now) // 1000000) + 1
    if g.greeting and g.opened < g.count:
        open_more(g)
        timeout = 1
    if g.sending:
        kick(g)
        visit(g, &g.paced, now)
        visit(g, &g.dripping, now)
        if g.kicked < g.count:
            timeout = 0
        elif g.paced.count or g.dripping.count:
            timeout = 1
    n = epoll_wait(g.epoll, events, EVENTS, timeout)
    for i in range(n):
        handle_event(g, <Conn*>events[i].data.ptr, events[i].events)

cdef inline bint is_done(const Load* g, int64_t now) noexcept nogil:
    """Whether nothing more can come of waiting."""
    if g.outstanding:
        return False
    if g.sending:
        return g.left == 0 and g.kicked == g.count
    if g.greeting and now - g.progress_ns < PATIENCE_NS:
        return g.opened == g.count and g.opening == 0
    return True

cdef bint work_on(Load* g, int64_t end) noexcept nogil:
    """Work for at most SLICE_NS; whether there is more to do before `end`."""
    cdef int64_t now = now_ns(), slice_end = min(end, now + SLICE_NS)
    while now < slice_end:
        if is_done(g, now):
            return False
        turn(g, now, slice_end)
        now = now_ns()
    return now < end

cdef void set_text(Text* text, bytes source) except *:
    if len(source) > MAX_TEXT:
        raise ValueError(f"longer than {MAX_TEXT} bytes: {source!r}")
    memcpy(text.bytes, <const char*>source, <size_t>len(source))
    text.length = <int>len(source)
    for hole in re.finditer(b"(#{%d})|[?]{%d}" % (DIGITS, DIGITS), source):
        if text.hole_count == MAX_HOLES:
            raise ValueError(f"more than {MAX_HOLES} numbers: {source!r}")
        text.holes[text.hole_count] = hole.start()
        text.is_random[text.hole_count] = hole[1] is None
        text.hole_count += 1


cdef class LoadGenerator:
    """Load on a server at 127.0.0.1.

    templates    (request, reply, weight) in bytes, bytes, float; twelve # in a text stand for the key's number,
                 twelve ? in a request for another one; reply None: any is right that RESP2 has, but an error
    connections  under load
    slow         more connections, which send a byte of their requests every `drip_ms`
    churn        a new connection for each request
    paced_ms     one request a connection in so long, spread evenly; 0 = closed loop
    """

    cdef Load load
    cdef readonly Histogram latencies
    cdef void* slab                     # keys, bytes and kinds of all batches

    def __cinit__(self, int port, templates, *, int connections=1, int pipeline=1, int slow=0, int drip_ms=10,
                  bint churn=False, int paced_ms=0, uint32_t keys=1):
        cdef Load* g = &self.load
        cdef Conn* c
        cdef int i, room
        cdef double weights = sum(weight for _, _, weight in templates), share = 0
        g.epoll = -1
        if not 0 < len(templates) < MAX_TEMPLATES:
            raise ValueError(f"from 1 to {MAX_TEMPLATES - 1} templates")
        if connections < 1 or slow < 0 or pipeline < 1 or keys < 1 or (churn and (slow or paced_ms)):
            raise ValueError("no such load")
        for request, reply, weight in [(b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n", 0.0), *templates]:
            set_text(&g.templates[g.template_count].request, request)
            set_text(&g.templates[g.template_count].reply, reply or b"")
            share += weight / weights
            g.templates[g.template_count].share = share
            g.template_count += 1
        self.latencies = Histogram()
        g.latencies = &self.latencies.counts
        g.server.sin_family = AF_INET
        g.server.sin_port = htons(<uint16_t>port)
        g.server.sin_addr.s_addr = htonl(0x7f000001)
        g.count, g.slow, g.pipeline, g.churn, g.key_count = connections + slow, slow, pipeline, churn, keys
        g.random = 0x9e3779b9
        room = max(14, *(len(request) for request, _, _ in templates)) * pipeline
        g.conns = <Conn*>calloc(<size_t>g.count, sizeof(Conn))
        self.slab = calloc(<size_t>g.count, <size_t>(pipeline * (sizeof(uint32_t) + 1) + room))
        g.buffer = <char*>calloc(1, MAX_TEXT + RECEIVE_BYTES)
        if g.conns == NULL or self.slab == NULL or g.buffer == NULL:
            raise MemoryError
        for i in range(g.count):
            c = &g.conns[i]
            c.fd, c.is_slow, c.greeted = -1, i < slow, churn
            c.keys = <uint32_t*>self.slab + <size_t>i * pipeline
            c.kinds = <uint8_t*>(<uint32_t*>self.slab + <size_t>g.count * pipeline) + <size_t>i * pipeline
            c.out = <char*>self.slab + <size_t>g.count * pipeline * (sizeof(uint32_t) + 1) + <size_t>i * room
        if churn:
            g.opened = g.count
        g.dripping.count, g.dripping.interval_ns = slow, drip_ms * 1000000
        if paced_ms:
            g.paced.first, g.paced.count, g.paced.interval_ns = slow, connections, <int64_t>paced_ms * 1000000
        g.epoll = epoll_create1(EPOLL_CLOEXEC)
        if g.epoll < 0:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        if self.load.conns != NULL:
            self.close()
        if self.load.epoll >= 0:
            close(self.load.epoll)
        free(self.load.conns)
        free(self.slab)
        free(self.load.buffer)

    def connect(self, double seconds, go_on=None):
        """Open all connections and wait for each one's first answer, so long at most; returns a report.

        It gives up early when none has come for PATIENCE_NS, or when `go_on`, asked ten times a second, says no.
        """
        self._begin(False, 0)
        self.load.greeting = True
        self._work(seconds, go_on)
        self.load.greeting = False
        return self._report()

    def run(self, double seconds, *, uint64_t requests=0, double drain=2.0):
        """Send for so long, or so many requests, and wait for what is owed for `drain` seconds; returns a report."""
        self._begin(True, requests)
        self.latencies.clear()
        started, cpu = time.monotonic(), time.thread_time()
        self._work(seconds)
        self.load.tally.in_time = self.load.tally.requests
        elapsed, cpu = time.monotonic() - started, time.thread_time() - cpu
        self.load.sending = False
        self._work(drain)
        drained = time.monotonic() - started
        return self._report() | {"seconds": elapsed, "drained_seconds": drained, "cpu_seconds": cpu}

    def close(self):
        """Close every connection."""
        cdef int i
        for i in range(self.load.count):
            end_conn(&self.load, &self.load.conns[i])

    cdef void _begin(self, bint sending, uint64_t requests) noexcept:
        cdef Load* g = &self.load
        memset(&g.tally, 0, sizeof(Tally))
        memset(g.complaint, 0, MAX_TEXT)
        g.sending, g.kicked, g.left = sending, 0, requests or UINT64_MAX
        g.progress_ns = g.paced.start_ns = g.dripping.start_ns = now_ns()
        g.paced.done = g.dripping.done = 0

    cdef void _work(self, double seconds, go_on=None) except *:
        cdef int64_t end = now_ns() + <int64_t>(seconds * 1e9)
        cdef bint more = True
        while more:                     # back in Python in between, where an interrupt is raised
            with nogil:
                more = work_on(&self.load, end)
            more = more and (go_on is None or go_on())

    cdef dict _report(self):
        cdef int i
        cdef Conn* c
        cdef dict report
        standing = 0
        for i in range(self.load.slow, self.load.count):
            c = &self.load.conns[i]
            if c.stage == CONNECTING or c.stage == WAITING or i >= self.load.opened:
                self.load.tally.unanswered += 1
            elif c.stage == READY:
                standing += 1
        report = self.load.tally
        return report | {"standing": standing, "complaint": self.load.complaint.decode(errors="replace").strip()}
