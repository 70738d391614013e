# Connections that are closed on our side, and read from until their peers close too. Makes no module.
#
# Bytes that come after a full close are answered with a reset, and it may overtake the last reply. So
# what the peer still says is read and dropped, for LINGER_MS at most. Of the session nothing is left but
# the struct: it was released (session_release), and no command sees it any more.
from libc.stdint cimport int64_t, uint32_t
from minikv_core.engine cimport LINGERS, Session

cdef enum:
    LINGER_MS = 1000

cdef struct Lingering:          # the oldest first, linked by next and previous
    Session* first
    Session* last

cdef inline void linger(Lingering* l, Session* s, int64_t now_us) noexcept nogil:
    s.flags |= LINGERS
    s.active_ms = now_us // 1000
    s.next = NULL
    s.previous = l.last
    if l.last == NULL:
        l.first = s
    else:
        l.last.next = s
    l.last = s

cdef inline void linger_no_more(Lingering* l, Session* s) noexcept nogil:
    s.flags &= ~<uint32_t>LINGERS
    if s.previous == NULL:
        l.first = s.next
    else:
        s.previous.next = s.next
    if s.next == NULL:
        l.last = s.previous
    else:
        s.next.previous = s.previous

cdef inline bint linger_is_over(const Lingering* l, int64_t now_us, bint at_once) noexcept nogil:
    """Whether the first must be closed now; `at_once`: whatever its time."""
    return l.first != NULL and (at_once or now_us >= (l.first.active_ms + LINGER_MS) * 1000)

cdef inline int64_t linger_wait(const Lingering* l, int64_t now_us, int64_t wait) noexcept nogil:
    """How long the next turn may wait, in microseconds; -1 = until something happens."""
    cdef int64_t left = wait
    if l.first != NULL:
        left = (l.first.active_ms + LINGER_MS) * 1000 - now_us
    return left if wait < 0 or left < wait else wait
