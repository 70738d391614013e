# Serving one connection with blocking calls, for the models thread, fork and prefork.
from libc.stdint cimport int64_t, uint64_t
from minikv_core.engine cimport Engine, Session, Worker

cdef enum End:                  # why a connection ended
    END_PEER = 0                # the client closed it, or broke it off
    END_CLOSED = 1              # QUIT, CLIENT KILL, a violation, a limit
    END_SILENT = 2              # the client sent nothing for receive-timeout
    END_UNREAD = 3              # ... or took nothing for send-timeout
    END_STOPPED = 4             # the server ends, or this worker

cdef struct Blocking:           # a thread or process that serves one connection at a time
    Worker   worker
    Session* session            # the one it serves, NULL = none; changed under the lock
    char*    buffer             # RECEIVE_BYTES
    int      wake_read          # a byte is a signal's number, or 0: look around; -1 = no pipe yet
    int      wake_write
    bint     alone              # the only worker of its process: runs the timers, shows itself in its place
    bint     stopping
    End      end                # why the connection ends
    int64_t  silent_us          # monotonic time since when the client has sent nothing
    int64_t  heard_us           # ... at which it sent what is being answered; 0 = nothing is
    uint64_t commands           # that were in it
    int64_t  wait_us            # until the timers have work; of one that is alone

cdef bint blocking_open(Blocking* b, Engine* e) noexcept nogil      # False = no memory
cdef void blocking_close(Blocking* b) noexcept nogil
# Serve a session of this worker, whose socket is a blocking one, until its connection has ended; then free both.
cdef End blocking_serve(Blocking* b, Session* s) noexcept nogil
# For one that must be woken though it serves nobody.
cdef bint need_pipe(Blocking* b) noexcept nogil                     # False = no descriptors
cdef void take_wake(Blocking* b) noexcept nogil
