# Blocking commands: sessions that wait for something to come to a key.
#
# A blocking command tries first. Finding nothing, it ends with `return block_on_keys(...)`: the session
# waits, with its arguments kept, and the whole command runs again when one of its keys may serve it. So
# a command needs no second path: it either serves, or says again that it waits.
from libc.stdint cimport int64_t, uint32_t
from minikv_core.engine cimport Engine, Session
from minikv_core.types cimport Slice, Status

cdef enum WaitFlag:
    WAIT_GONE = 1           # run again, too, when the key has gone or holds another type (XREADGROUP)

# Wait for a value of a kind at argv[first], argv[first + 1], ... (count keys) until deadline_ms (Unix; 0 = for
# ever). Inside EXEC, and where nobody could wait, the reply is a null array at once.
# returns   BLOCKED; OK or FAILED after such a reply
cdef Status block_on_keys(Session* s, uint32_t first, uint32_t count, int kind, int flags, int64_t deadline_ms) noexcept nogil
# The arguments of a command that waits are copies: it may change one of them (XREAD's $) before it blocks.
cdef bint replace_argument(Session* s, uint32_t i, const char* p, uint32_t n) noexcept nogil

# Keys at which somebody waits with WAIT_GONE, for INFO.
cdef uint32_t waited_gone(const Engine* e) noexcept nogil

# For the engine's own start and end (handle.pyx).
cdef void blocking_begin(Engine* e) noexcept nogil
cdef void blocking_end(Engine* e) noexcept nogil

# Read a timeout, in seconds with a fraction or in milliseconds; False after an error reply.
cdef bint parse_timeout(Session* s, const Slice* arg, bint milliseconds, int64_t* deadline_ms) noexcept nogil
