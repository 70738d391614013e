# A session's output: bytes and block references in the order in which they are owed.
#
# While a session runs commands, its output is attached to a scratch buffer that all sessions of an
# engine share; replies are written there and, as a rule, sent from there. What can't be sent at
# once moves to a queue of nodes that the session owns. An idle session owns no buffer.
# A value of BLOCK_MIN bytes or more is queued as a reference to its arena block: no copy.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy
from minikv_core.arena cimport Arena
from minikv_core.memory cimport unlikely
from minikv_core.types cimport Ref

cdef enum:
    SCRATCH_BYTES = 131072
    SCRATCH_LEAST = 32768   # least room that a session is given to run with
    NODE_BYTES = 16384      # room of a queue node, header included, unless one reply needs more
    FIRST_BYTES = 1024      # the same of the first node, to begin with: most queues are sent before a second one

cdef struct OutNode:        # malloc'd; bytes follow unless it names a block
    OutNode* next
    Ref      block          # 0 = bytes in the node
    uint32_t start          # first byte not sent yet (in the node's bytes or in the block's data)
    uint32_t end            # behind the last byte
    uint32_t room           # bytes that fit; of a block, the bytes it is counted with

cdef struct Output:
    char*    pos            # next byte to write
    char*    end            # end of the scratch buffer
    char*    base           # the scratch buffer; NULL = not attached
    OutNode* head           # queue, oldest first
    OutNode* tail
    size_t   queued         # bytes not sent yet in the queue
    size_t   held           # bytes that the queue's nodes occupy (blocks count their data)
    uint32_t nodes
    uint32_t first_room     # room of the queue's first node: FIRST_BYTES to NODE_BYTES, as large as replies lately were
    uint8_t  protocol       # 2 or 3
    bint     broken         # memory was refused and bytes are missing: the session must close
    Arena*   arena          # where blocks lie

cdef struct OutMark:        # a place to roll back to (CLIENT REPLY OFF)
    OutNode* tail
    uint32_t tail_end
    size_t   offset         # bytes in the scratch buffer

cdef void output_init(Output* o, Arena* arena) noexcept nogil
cdef void output_free(Output* o) noexcept nogil
cdef void output_spill(Output* o) noexcept nogil
cdef void output_detach(Output* o) noexcept nogil
cdef void output_put_slow(Output* o, const char* p, size_t n) noexcept nogil
cdef void output_put_block(Output* o, Ref block, uint32_t start, uint32_t end) noexcept nogil
cdef void output_mark(Output* o, OutMark* mark) noexcept nogil
cdef void output_rollback(Output* o, const OutMark* mark) noexcept nogil
cdef void output_move(Output* o, Output* source) noexcept nogil
cdef int output_vector(Output* o, void* iovecs, int most) noexcept nogil
cdef void output_sent(Output* o, size_t n) noexcept nogil

cdef inline void output_attach(Output* o, char* scratch, size_t n) noexcept nogil:
    """Let replies be written to n >= 512 bytes, which the caller owns, until output_detach()."""
    o.base = o.pos = scratch
    o.end = scratch + n

cdef inline size_t output_pending(const Output* o) noexcept nogil:
    """Bytes owed to the peer."""
    return o.queued + <size_t>(o.pos - o.base)

cdef inline char* output_room(Output* o, size_t n) noexcept nogil:
    """At least n <= 512 bytes to write at; the caller moves o.pos. The output must be attached."""
    if unlikely(<size_t>(o.end - o.pos) < n):
        output_spill(o)
    return o.pos

cdef inline void output_put(Output* o, const char* p, size_t n) noexcept nogil:
    """Append bytes, attached or not."""
    if unlikely(n - 1 >= <size_t>(o.end - o.pos)):      # n = 0 too: memcpy must not see a NULL
        output_put_slow(o, p, n)
        return
    memcpy(o.pos, p, n)
    o.pos += n

# For the tests.
cdef class TestOutput:
    cdef Arena arena
    cdef Output out
    cdef OutMark saved
    cdef char* memory
    cdef size_t scratch
