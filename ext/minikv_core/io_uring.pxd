# The loop of the model `uring`.
from libc.stdint cimport int64_t, uint32_t
from minikv_core.engine cimport Engine, Worker
from minikv_core.lingering cimport Lingering
from minikv_core.uring cimport Buffers, Listener, Listeners, Ring, Sends

cdef enum Kind:                 # the low bits of a completion's user_data; above them:
    OF_RECEIVE = 0              # the session
    OF_ROOM = 1                 # the session: its socket takes more
    OF_SEND = 2                 # index of Loop.held.sends
    OF_ACCEPT = 3
    OF_WAKE = 4
    OF_CANCEL = 5
    KINDS = 7

cdef enum:                      # Session.events
    RECEIVING = 1               # a receive is in flight
    AWAITING = 2                # a poll is in flight
    IS_HELD = 4                 # in Loop.held
    RELEASED = 8                # our side is closed
    CANCELLED = 16              # all of it is, when nothing is in flight

cdef struct Loop:
    Engine*  engine
    Worker*  worker
    Ring     ring
    Buffers  buffers
    Listeners listeners
    int64_t  accept_again_us    # 0 = accepting
    int      wake_read          # a byte is a signal's number
    int      wake_write
    Lingering lingering
    uint32_t released           # sessions whose connection is not quite closed yet
    bint     running
    bint     terminate          # a signal asked for the end
    Sends    held               # sessions whose replies go out at the end of the turn

cdef void run_loop(Loop* p) noexcept nogil
cdef void remove_listener(Loop* p, Listener* listener) noexcept nogil   # its address is free from then on
