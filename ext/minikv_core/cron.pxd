# What an engine does by itself: expiry, give-back of memory, care of idle sessions, rates.
from libc.stdint cimport int64_t
from minikv_core.engine cimport Engine

# Do what is due, in slices of about a millisecond; returns the microseconds until something is due
# again (0 = more to do at once, -1 = nothing until something happens). I/O models call it every turn.
cdef int64_t engine_timers(Engine* e) noexcept nogil
