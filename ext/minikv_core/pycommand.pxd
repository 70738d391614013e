# Commands written in Python: the bridge between the registry and functions that hold the GIL.
from libc.stdint cimport uint64_t
from minikv_core.engine cimport Engine, Session
from minikv_core.handle cimport EngineHandle
from minikv_core.types cimport Status

cdef class SessionView:         # a client as Python sees it; ends with the command that got it
    cdef Session* session
    cdef readonly EngineHandle engine
    cdef Session* get(self) except NULL

cdef SessionView view_of(EngineHandle handle, Session* s)
