"""The ring of io_uring, and what is asked of it. Needs Linux 6.1."""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset
from minikv_core.memory cimport unlikely
from minikv_core.output cimport output_vector
from minikv_core.sockets cimport MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL, close, errno

cdef extern from "sys/syscall.h" nogil:
    """
    #include <unistd.h>
    """
    long syscall(long number, ...)

cdef extern from "sys/mman.h" nogil:
    void* mmap(void* address, size_t n, int protection, int flags, int fd, size_t offset)
    int munmap(void* address, size_t n)
    void* MAP_FAILED
    enum: PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, MAP_POPULATE, MAP_NORESERVE

cdef enum:
    SYS_SETUP = 425                 # the same on all processors but Alpha
    SYS_ENTER = 426
    SYS_REGISTER = 427
    SETUP_CQSIZE = 1 << 3           # Params.flags
    SETUP_DISABLED = 1 << 6
    SETUP_SUBMIT_ALL = 1 << 7
    SETUP_SINGLE_ISSUER = 1 << 12
    SETUP_DEFER_TASKRUN = 1 << 13   # completions happen in ring_enter alone: nothing interrupts the thread
    OFFSET_SQES = 0x10000000
    SQ_CQ_OVERFLOW = 1 << 1         # completions wait for room in the queue
    ENTER_GETEVENTS = 1 << 0
    ENTER_EXT_ARG = 1 << 3
    REGISTER_ENABLE = 12
    REGISTER_BUFFERS = 22
    BUFFERS_INCREMENTAL = 2         # a receive takes as much of a buffer as it fills; since Linux 6.12
    INCREMENTAL_COUNT = 64
    INCREMENTAL_BYTES = 65536
    WHOLE_COUNT = 1024
    WHOLE_BYTES = 4096
    SUBMISSIONS = 1024
    COMPLETIONS = 8192
    LONGEST = 1 << 30               # most bytes of a send: beyond 2 GiB the system cuts it
    CONSUMED = 7                    # user_data of a completion that was looked at

cdef struct SqOffsets:
    uint32_t head
    uint32_t tail
    uint32_t mask
    uint32_t entries
    uint32_t flags
    uint32_t dropped
    uint32_t array
    uint32_t pad
    uint64_t address

cdef struct CqOffsets:
    uint32_t head
    uint32_t tail
    uint32_t mask
    uint32_t entries
    uint32_t overflow
    uint32_t cqes
    uint32_t flags
    uint32_t pad
    uint64_t address

cdef struct Params:
    uint32_t  sq_entries
    uint32_t  cq_entries
    uint32_t  flags
    uint32_t  sq_thread_cpu
    uint32_t  sq_thread_idle
    uint32_t  features
    uint32_t  wq_fd
    uint32_t  pad[3]
    SqOffsets sq
    CqOffsets cq

cdef struct Timespec:
    int64_t seconds
    int64_t nanoseconds

cdef struct EnterArgument:
    uint64_t signals
    uint32_t signals_bytes
    uint32_t pad
    uint64_t timeout                # Timespec*

cdef struct BuffersRegistration:
    uint64_t address
    uint32_t entries
    uint16_t group
    uint16_t flags
    uint64_t pad[3]

# ---------------------------------------------------------------- the ring

cdef int ring_open(Ring* r) noexcept nogil:
    cdef Params params
    cdef uint32_t* array
    cdef size_t sq_bytes, cq_bytes
    cdef uint32_t i
    memset(r, 0, sizeof(Ring))
    memset(&params, 0, sizeof(Params))
    params.flags = SETUP_CQSIZE | SETUP_DISABLED | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN
    params.cq_entries = COMPLETIONS
    r.fd = <int>syscall(SYS_SETUP, SUBMISSIONS, &params)
    if r.fd < 0:
        return errno
    sq_bytes = params.sq.array + params.sq_entries * sizeof(uint32_t)
    cq_bytes = params.cq.cqes + params.cq_entries * sizeof(Cqe)
    r.map_bytes = sq_bytes if sq_bytes > cq_bytes else cq_bytes
    r.map = <char*>mmap(NULL, r.map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r.fd, 0)
    if r.map == MAP_FAILED:
        r.map = NULL
        return errno
    r.sqes = <Sqe*>mmap(NULL, params.sq_entries * sizeof(Sqe), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        r.fd, OFFSET_SQES)
    if r.sqes == MAP_FAILED:
        r.sqes = NULL
        return errno
    r.sq_mask = params.sq_entries - 1
    r.sq_head = <uint32_t*>(r.map + params.sq.head)
    r.sq_shared_tail = <uint32_t*>(r.map + params.sq.tail)
    r.sq_flags = <uint32_t*>(r.map + params.sq.flags)
    r.cq_mask = params.cq_entries - 1
    r.cq_head = <uint32_t*>(r.map + params.cq.head)
    r.cq_tail = <uint32_t*>(r.map + params.cq.tail)
    r.cqes = <Cqe*>(r.map + params.cq.cqes)
    array = <uint32_t*>(r.map + params.sq.array)
    for i in range(params.sq_entries):
        array[i] = i                # submissions are taken in the order in which they lie
    return 0

cdef int ring_enable(Ring* r) noexcept nogil:
    return 0 if syscall(SYS_REGISTER, r.fd, REGISTER_ENABLE, NULL, 0) == 0 else errno

cdef void ring_close(Ring* r) noexcept nogil:
    if r.sqes != NULL:
        munmap(r.sqes, (r.sq_mask + 1) * sizeof(Sqe))
    if r.map != NULL:
        munmap(r.map, r.map_bytes)
    if r.fd >= 0:
        close(r.fd)
    free(r.done)
    r.sqes = NULL
    r.map = NULL
    r.fd = -1

cdef bint ring_take(Ring* r) noexcept nogil:
    """Move what the kernel's queue holds to ours; False = the kernel has more, for which it had no room."""
    cdef uint32_t head = r.cq_head[0], tail = acquire(r.cq_tail), n = tail - head
    cdef Cqe* grown
    if r.done_tail + n > r.done_room:
        grown = <Cqe*>realloc(r.done, (r.done_room + n + COMPLETIONS) * sizeof(Cqe))
        if grown == NULL:
            return True             # they stay where they are, for now
        r.done = grown
        r.done_room += n + COMPLETIONS
    while head != tail:
        r.done[r.done_tail] = r.cqes[head & r.cq_mask]
        r.done_tail += 1
        head += 1
    release(r.cq_head, head)
    return acquire(r.sq_flags) & SQ_CQ_OVERFLOW == 0

cdef void ring_enter(Ring* r, int64_t us) noexcept nogil:
    cdef EnterArgument argument
    cdef Timespec timeout
    cdef uint32_t least = 1 if us and r.done_head == r.done_tail else 0
    memset(&argument, 0, sizeof(EnterArgument))
    if us > 0:
        timeout.seconds = us // 1000000
        timeout.nanoseconds = us % 1000000 * 1000
        argument.timeout = <uint64_t>&timeout
    release(r.sq_shared_tail, r.sq_tail)
    while True:
        syscall(SYS_ENTER, r.fd, r.sq_tail - acquire(r.sq_head), least, ENTER_GETEVENTS | ENTER_EXT_ARG, &argument,
                sizeof(EnterArgument))
        least = 0                   # again: a signal came, or the kernel lacked memory or room
        if ring_take(r) and acquire(r.sq_head) == r.sq_tail:
            return

cdef void ring_forget(Ring* r) noexcept nogil:
    r.done_tail -= r.done_head
    if r.done_tail:
        memmove(r.done, r.done + r.done_head, r.done_tail * sizeof(Cqe))
    r.done_head = 0

# ---------------------------------------------------------------- buffers

cdef int buffers_open(Ring* r, Buffers* b) noexcept nogil:
    cdef BuffersRegistration registration
    cdef void* memory
    cdef uint32_t i
    memset(&registration, 0, sizeof(BuffersRegistration))
    b.count = INCREMENTAL_COUNT
    b.bytes = INCREMENTAL_BYTES
    memory = mmap(NULL, WHOLE_COUNT * sizeof(Buffer), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if memory == MAP_FAILED:
        return errno
    b.ring = <Buffer*>memory
    registration.address = <uint64_t>memory
    registration.entries = b.count
    registration.flags = BUFFERS_INCREMENTAL
    if syscall(SYS_REGISTER, r.fd, REGISTER_BUFFERS, &registration, 1) != 0:
        registration.entries = b.count = WHOLE_COUNT
        b.bytes = WHOLE_BYTES
        registration.flags = 0
        if syscall(SYS_REGISTER, r.fd, REGISTER_BUFFERS, &registration, 1) != 0:
            return errno
    memory = mmap(NULL, <size_t>b.count * b.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if memory == MAP_FAILED:
        return errno
    b.memory = <char*>memory
    b.used = <uint32_t*>calloc(b.count, sizeof(uint32_t))
    if b.used == NULL:
        return errno
    for i in range(b.count):
        buffers_provide(b, i)
    return 0

cdef inline void buffers_provide(Buffers* b, uint32_t i) noexcept nogil:
    cdef Buffer* place = &b.ring[b.tail & (b.count - 1)]
    place.addr = <uint64_t>(b.memory + <size_t>i * b.bytes)
    place.len = b.bytes
    place.id = <uint16_t>i
    b.tail += 1
    release_u16(&b.ring[0].tail, b.tail)

cdef void buffers_return(Buffers* b, const Cqe* c) noexcept nogil:
    cdef uint32_t i = c.flags >> CQE_BUFFER_SHIFT
    if c.flags & CQE_BUFFER_MORE:
        b.used[i] += <uint32_t>c.res if c.res > 0 else 0
        return
    b.used[i] = 0
    buffers_provide(b, i)

cdef void buffers_close(Buffers* b) noexcept nogil:
    if b.ring != NULL:
        munmap(b.ring, WHOLE_COUNT * sizeof(Buffer))
    if b.memory != NULL:
        munmap(b.memory, <size_t>b.count * b.bytes)
    free(b.used)

# ---------------------------------------------------------------- what is asked

cdef Sqe* ask(Ring* r, Operation operation, int fd, uint64_t user_data) noexcept nogil:
    cdef Sqe* sqe
    if unlikely(r.sq_tail - acquire(r.sq_head) > r.sq_mask):
        ring_enter(r, 0)
    sqe = &r.sqes[r.sq_tail & r.sq_mask]
    r.sq_tail += 1
    memset(sqe, 0, sizeof(Sqe))
    sqe.opcode = operation
    sqe.fd = fd
    sqe.user_data = user_data
    return sqe

cdef void ask_receive(Ring* r, int fd, uint64_t user_data) noexcept nogil:
    cdef Sqe* sqe = ask(r, RECV, fd, user_data)
    sqe.flags = SQE_BUFFER_SELECT
    sqe.ioprio = RECV_MULTISHOT

cdef void ask_readiness(Ring* r, int fd, uint32_t events, uint64_t user_data) noexcept nogil:
    ask(r, POLL_ADD, fd, user_data).op_flags = events

cdef void cancel(Ring* r, int fd, uint64_t user_data) noexcept nogil:
    cdef Sqe* sqe = ask(r, ASYNC_CANCEL, fd, user_data)
    sqe.flags = SQE_SKIP_SUCCESS
    sqe.op_flags = CANCEL_ALL | CANCEL_FD

# ---------------------------------------------------------------- accepting

cdef void listeners_init(Listeners* l) noexcept nogil:
    cdef int i
    memset(l, 0, sizeof(Listeners))
    for i in range(LISTENERS):
        l.places[i].fd = -1

cdef Listener* listener_find(Listeners* l, int fd) noexcept nogil:
    cdef int i
    for i in range(LISTENERS):
        if l.places[i].fd == fd:
            return &l.places[i]
    return NULL

cdef void ask_accepts(Ring* r, Listeners* l, uint64_t kind) noexcept nogil:
    cdef Listener* listener
    cdef int i
    for i in range(LISTENERS):
        listener = &l.places[i]
        if listener.fd >= 0 and not listener.accepting:
            l.asked += 1
            listener.accepting = True
            listener.user_data = l.asked << 3 | kind
            ask(r, ACCEPT, listener.fd, listener.user_data).ioprio = ACCEPT_MULTISHOT

cdef void accept_ended(Listeners* l, uint64_t user_data) noexcept nogil:
    cdef int i
    for i in range(LISTENERS):
        if l.places[i].user_data == user_data:
            l.places[i].accepting = False

cdef bint is_accepting(const Listeners* l) noexcept nogil:
    cdef int i
    for i in range(LISTENERS):
        if l.places[i].accepting:
            return True
    return False

# ---------------------------------------------------------------- sending

cdef void ask_send(Ring* r, Sends* batch, uint32_t i, int fd, Output* out, uint64_t kind) noexcept nogil:
    cdef Sending* sending = &batch.sends[i]
    cdef iovec* pieces = &batch.pieces[batch.piece_count]
    cdef iovec one
    cdef Sqe* sqe
    cdef int n = 1, j
    if out.head == NULL:
        pieces = &one
        one.iov_base = out.base
        one.iov_len = <size_t>(out.pos - out.base)
    else:
        if PIECES_ROOM - batch.piece_count < PIECES:
            ring_enter(r, 0)         # those are sent
            batch.piece_count = 0
            pieces = batch.pieces
        n = output_vector(out, pieces, PIECES)
    sending.bytes = 0
    for j in range(n):
        sending.bytes += pieces[j].iov_len
        if sending.bytes >= LONGEST:
            pieces[j].iov_len -= sending.bytes - LONGEST
            sending.bytes = LONGEST
            n = j + 1
            break
    sending.result = <int32_t>sending.bytes
    if n == 0:
        return
    sqe = ask(r, SEND if n == 1 else SENDMSG, fd, <uint64_t>i << 3 | kind)
    sqe.flags = SQE_SKIP_SUCCESS
    sqe.op_flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL    # the last makes a part of it a failure
    if n == 1:
        sqe.addr = <uint64_t>pieces[0].iov_base
        sqe.len = <uint32_t>pieces[0].iov_len
    else:
        batch.messages[i].msg_iov = pieces
        batch.messages[i].msg_iovlen = <size_t>n
        batch.piece_count += <uint32_t>n
        sqe.addr = <uint64_t>&batch.messages[i]

cdef void sends_collect(Ring* r, Sends* batch, uint32_t first, uint64_t kind) noexcept nogil:
    cdef Cqe* c
    cdef uint32_t i
    for i in range(first, r.done_tail):
        c = &r.done[i]
        if c.user_data & 7 == kind:
            batch.sends[c.user_data >> 3].result = c.res
            c.user_data = CONSUMED
