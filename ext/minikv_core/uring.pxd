# io_uring without its users: the ring, and what is asked of it: accepting on listening sockets,
# receiving into shared buffers, sending in batches.
#
# The structures and numbers are the kernel's interface (linux/io_uring.h of 6.12), written down here:
# headers lag behind kernels, and liburing is not on users' machines. One thread uses a ring.
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from minikv_core.output cimport Output
from minikv_core.sockets cimport iovec, msghdr

cdef extern from * nogil:
    """
    #define minikv_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
    #define minikv_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
    """
    uint32_t acquire "minikv_acquire"(const uint32_t* p)
    void release "minikv_release"(uint32_t* p, uint32_t v)
    void release_u16 "minikv_release"(uint16_t* p, uint16_t v)

cdef enum Operation:
    POLL_ADD = 6
    SENDMSG = 9
    ACCEPT = 13
    ASYNC_CANCEL = 14
    SEND = 26
    RECV = 27

cdef enum:
    SQE_BUFFER_SELECT = 1 << 5      # Sqe.flags
    SQE_SKIP_SUCCESS = 1 << 6       # completes only if it fails
    ACCEPT_MULTISHOT = 1 << 0       # Sqe.ioprio
    RECV_MULTISHOT = 1 << 1
    CANCEL_ALL = 1 << 0             # Sqe.op_flags of ASYNC_CANCEL
    CANCEL_FD = 1 << 1              # what Sqe.fd names, not Sqe.addr
    CQE_BUFFER = 1 << 0             # Cqe.flags: a buffer was used, its number is above
    CQE_MORE = 1 << 1               # the operation goes on
    CQE_BUFFER_MORE = 1 << 4        # the buffer's rest will be used
    CQE_BUFFER_SHIFT = 16

cdef enum:
    LISTENERS = 64
    SENDS = 1024                # of one submission
    PIECES = 1024               # iovecs of one send: the system's limit
    PIECES_ROOM = 4096          # the same of one submission

cdef struct Sqe:                # a submission
    uint8_t  opcode             # Operation
    uint8_t  flags
    uint16_t ioprio
    int32_t  fd
    uint64_t off
    uint64_t addr
    uint32_t len
    uint32_t op_flags
    uint64_t user_data          # comes back with the completion
    uint16_t buf_group
    uint16_t personality
    int32_t  file_index
    uint64_t addr3
    uint64_t pad

cdef struct Cqe:                # a completion
    uint64_t user_data
    int32_t  res                # -errno, or what the system call would return
    uint32_t flags

cdef struct Ring:
    int       fd                # -1 = not open
    uint32_t  sq_tail           # submissions so far; the kernel learns of them in ring_enter
    uint32_t  sq_mask
    uint32_t* sq_head           # submissions that the kernel has taken
    uint32_t* sq_shared_tail
    Sqe*      sqes
    uint32_t* sq_flags
    uint32_t  cq_mask
    uint32_t* cq_head
    uint32_t* cq_tail
    Cqe*      cqes
    Cqe*      done              # completions, taken out of the kernel's queue: it never lacks room for those of a submission
    uint32_t  done_head         # those before have been looked at
    uint32_t  done_tail
    uint32_t  done_room
    char*     map               # both queues
    size_t    map_bytes

cdef struct Buffer:             # a place in the ring of free buffers
    uint64_t addr
    uint32_t len
    uint16_t id
    uint16_t tail               # in the first place of all: how many were ever provided

cdef struct Buffers:
    Buffer*   ring              # `count` of them; NULL = not open
    char*     memory
    uint32_t* used              # by buffer: bytes of it that are filled already
    uint32_t  count             # a power of two
    uint32_t  bytes             # of each
    uint16_t  tail

cdef struct Listener:
    int      fd                 # -1 = free place
    uint64_t user_data          # of its accepts, unlike any before
    bint     accepting

cdef struct Listeners:
    Listener places[LISTENERS]
    uint64_t asked              # how often so far

cdef struct Sending:            # a send of the batch
    void*    owner              # the caller's
    size_t   bytes              # submitted
    int32_t  result             # bytes sent, or -errno

cdef struct Sends:              # the batch that goes out with the next submission
    uint32_t count
    uint32_t piece_count
    Sending  sends[SENDS]
    msghdr   messages[SENDS]
    iovec    pieces[PIECES_ROOM]

# Both return errno. A ring starts disabled: the thread that calls ring_enable is the one that uses it.
cdef int ring_open(Ring* r) noexcept nogil
cdef int ring_enable(Ring* r) noexcept nogil
cdef void ring_close(Ring* r) noexcept nogil
# Submit everything, wait for a completion for `us` at most, negative = any time, and take all there are.
cdef void ring_enter(Ring* r, int64_t us) noexcept nogil
cdef void ring_forget(Ring* r) noexcept nogil                   # the completions that have been looked at

cdef int buffers_open(Ring* r, Buffers* b) noexcept nogil       # errno
cdef void buffers_close(Buffers* b) noexcept nogil
cdef void buffers_return(Buffers* b, const Cqe* c) noexcept nogil   # a completed receive's bytes have been read

# What is asked goes on until it is cancelled or a completion lacks CQE_MORE. The low three bits of
# user_data are a kind, less than 7; the functions with "kind" put a number above it.
cdef void ask_receive(Ring* r, int fd, uint64_t user_data) noexcept nogil
cdef void ask_readiness(Ring* r, int fd, uint32_t events, uint64_t user_data) noexcept nogil   # once
cdef void cancel(Ring* r, int fd, uint64_t user_data) noexcept nogil    # all that is asked for the descriptor

cdef void listeners_init(Listeners* l) noexcept nogil
cdef Listener* listener_find(Listeners* l, int fd) noexcept nogil       # -1 = a free place; NULL = none
cdef void ask_accepts(Ring* r, Listeners* l, uint64_t kind) noexcept nogil  # on those that don't accept yet
cdef void accept_ended(Listeners* l, uint64_t user_data) noexcept nogil
cdef bint is_accepting(const Listeners* l) noexcept nogil

# Send the front of an output as number i of the batch. When ring_enter returns, the send is over, done
# or failed, and sends_collect finds the results among the completions from number `first` on.
cdef void ask_send(Ring* r, Sends* batch, uint32_t i, int fd, Output* out, uint64_t kind) noexcept nogil
cdef void sends_collect(Ring* r, Sends* batch, uint32_t first, uint64_t kind) noexcept nogil

cdef inline char* buffers_data(Buffers* b, const Cqe* c) noexcept nogil:
    """What a receive has put into a buffer."""
    cdef uint32_t i = c.flags >> CQE_BUFFER_SHIFT
    return b.memory + <size_t>i * b.bytes + b.used[i]
