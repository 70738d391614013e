# The Python handle of an engine.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from minikv_core.engine cimport Engine, Session

cdef class EngineHandle:
    cdef Engine engine
    cdef readonly bint is_open
    cdef Session* internal          # runs what execute() is given
    cdef uint64_t startup           # bytes used by the empty store
    cdef public object owner        # Server or Store
    cdef public object on_slow      # called with (list of arguments, microseconds, session) past the slowlog's threshold
    cdef public object on_latency   # called with (event name, milliseconds) past latency-monitor-threshold
    cdef bytes no_push
    cdef list views                 # SessionViews to end when the command that made them returns
    cdef Engine* get(self) except NULL      # the engine; RuntimeError if it is closed
    cdef bytes execute_raw(self, uint32_t database, uint8_t protocol, tuple args)
    cdef Session* internal_session(self) except NULL
