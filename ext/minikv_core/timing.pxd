# How long commands take: the processor's time stamps as microseconds.
from libc.stdint cimport int64_t, uint64_t

from minikv_core.engine cimport Engine, Session

cdef void begin_timing(Engine* e) noexcept nogil

# Learn how long a time stamp's unit is, better the longer the engine runs: the timers call it.
cdef void calibrate(Engine* e) noexcept nogil

# After a change of slowlog-log-slower-than or latency-monitor-threshold.
cdef void update_slow_ticks(Engine* e) noexcept nogil

cdef inline uint64_t ticks_us(const Engine* e, uint64_t n) noexcept nogil:
    """Microseconds of one command's time stamps: up to an hour fits."""
    return (n * e.us_per_tick) >> 32

# Tell the slow log and the latency monitor of a command that one of them may want: it took Engine.slow_ticks or more.
cdef void report_slow(Session* s, uint64_t took) noexcept nogil
