"""How long commands take.

A command is timed by the processor's time stamps, one reading each. How many of them make a microsecond is learnt by
comparing them with the monotonic clock since the start.
"""
from libc.stdint cimport UINT64_MAX, int64_t, uint64_t

from minikv_core.clock cimport monotonic_us, ticks
from minikv_core.engine cimport FAST, SKIP_SLOWLOG, Engine, Session
from minikv_core.keyspace cimport note_latency

cdef enum:
    SHORTEST_US = 1000          # before that, the clock's own steps would distort the comparison
    READINGS = 4                # attempts to read both clocks without an interruption between them
    BETWEEN_US = 2

cdef double UNIT = 4294967296.0     # Engine.us_per_tick is a fixed-point number

cdef int64_t read_both(uint64_t* at) noexcept nogil:
    """The monotonic clock in microseconds, and the time stamp of the same moment."""
    cdef int64_t before, now = monotonic_us()
    cdef int _
    for _ in range(READINGS):
        before = now
        at[0] = ticks()
        now = monotonic_us()
        if now - before <= BETWEEN_US:
            break
    return now

cdef void begin_timing(Engine* e) noexcept nogil:
    e.start_monotonic_us = read_both(&e.start_ticks)
    e.us_per_tick = <uint64_t>(UNIT / 2500.0)       # 2.5 GHz, until it has been measured
    update_slow_ticks(e)

cdef void calibrate(Engine* e) noexcept nogil:
    cdef uint64_t now_ticks
    cdef int64_t us = read_both(&now_ticks) - e.start_monotonic_us
    if us < SHORTEST_US or now_ticks <= e.start_ticks:
        return
    e.us_per_tick = <uint64_t>(<double>us / <double>(now_ticks - e.start_ticks) * UNIT)
    e.calibrated = True
    update_slow_ticks(e)

cdef void update_slow_ticks(Engine* e) noexcept nogil:
    cdef int64_t us = e.config.slowlog_log_slower_than
    cdef int64_t ms = e.config.latency_monitor_threshold
    cdef int64_t most = <int64_t>1 << 50    # no command takes so long
    if ms and ms < most // 1000 and (us < 0 or ms * 1000 < us):
        us = ms * 1000
    if us < 0 or us >= most:
        e.slow_ticks = UINT64_MAX
    elif e.calibrated:
        e.slow_ticks = <uint64_t>(<double>us * UNIT / <double>e.us_per_tick)
    else:
        e.slow_ticks = 0            # report_slow looks at every command until then

cdef void report_slow(Session* s, uint64_t took) noexcept nogil:
    cdef Engine* e = s.engine
    cdef int64_t us
    calibrate(e)                    # soon after the start, the timers have not done it or not well
    us = <int64_t>ticks_us(e, took)
    if (0 <= e.config.slowlog_log_slower_than <= us and e.config.slowlog_max_len
            and s.command.flags & SKIP_SLOWLOG == 0 and e.on_slow != NULL):
        e.on_slow(s, <uint64_t>us)
    note_latency(e, b"fast-command" if s.command.flags & FAST else b"command", us)
