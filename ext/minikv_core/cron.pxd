# What an engine does by itself: expiry, give-back of memory, care of idle sessions, rates.
from libc.stdint cimport int64_t, uint64_t
from minikv_core.engine cimport Engine

# Do what is due, in slices of about a millisecond; returns the microseconds until something is due
# again (0 = more to do at once, -1 = nothing until something happens). I/O models call it every turn.
cdef int64_t engine_timers(Engine* e) noexcept nogil
# The same of workers whose engine has another that does it: tell that one, if it sleeps for too long.
cdef void engine_alarm(Engine* e) noexcept nogil

cdef inline void count_turn(Engine* e, uint64_t us, uint64_t commands) noexcept nogil:
    """Count a turn of the I/O model's loop for INFO."""
    e.stats.loops += 1
    e.stats.loop_us += us
    if us > e.stats.loop_us_max:
        e.stats.loop_us_max = us
    if commands > e.stats.loop_commands_max and commands <= e.stats.commands:      # else CONFIG RESETSTAT came between
        e.stats.loop_commands_max = commands

# Rounds a second: hz, doubled until no round looks after more than 200 sessions if dynamic-hz is on.
cdef int64_t current_hz(const Engine* e) noexcept nogil
