# A session's output: the queue behind the scratch buffer.
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from posix.uio cimport iovec
from minikv_core.arena cimport arena_alloc, arena_at, arena_close, arena_free, arena_open
from minikv_core.entry cimport BLOCK_HEADER, Block
from minikv_core.types cimport OK

cdef enum:
    NODE_MAX = 1 << 30          # most bytes in one node: start and end are 32 bits wide


cdef void output_init(Output* o, Arena* arena) noexcept nogil:
    memset(o, 0, sizeof(Output))
    o.protocol = 2
    o.first_room = FIRST_BYTES
    o.arena = arena


cdef void output_free(Output* o) noexcept nogil:
    """Free the queue and forget the scratch buffer; what was owed is lost."""
    while o.head != NULL:
        node_drop(o)
    o.base = o.pos = o.end = NULL


cdef void node_drop(Output* o) noexcept nogil:
    """Unlink and free the first node, whatever is left in it."""
    cdef OutNode* node = o.head
    o.head = node.next
    if o.head == NULL:
        o.tail = NULL
    node_free(o, node)


cdef void node_free(Output* o, OutNode* node) noexcept nogil:
    """Free an unlinked node, and its block if it was the block's last holder."""
    cdef Block* block
    o.nodes -= 1
    o.held -= sizeof(OutNode) + node.room
    o.queued -= node.end - node.start
    if node.block:
        block = <Block*>arena_at(o.arena, node.block)
        block.holders -= 1
        if block.holders == 0:
            arena_free(o.arena, node.block)
    free(node)


cdef OutNode* node_append(Output* o, uint32_t room, size_t extra) noexcept nogil:
    """Link a new node at the end of the queue.

    room     what the node counts for
    extra    bytes to allocate behind the header
    returns  NULL, and the output is broken, if malloc refused
    """
    cdef OutNode* node = <OutNode*>malloc(sizeof(OutNode) + extra)
    if node == NULL:
        o.broken = True
        return NULL
    node.next = NULL
    node.block = 0
    node.start = node.end = 0
    node.room = room
    if o.tail == NULL:
        o.head = node
    else:
        o.tail.next = node
    o.tail = node
    o.nodes += 1
    o.held += sizeof(OutNode) + room
    return node


cdef void queue_bytes(Output* o, const char* p, size_t n, size_t least) noexcept nogil:
    """Copy bytes to the end of the queue, filling the last node first.

    least    room to give a new node
    """
    cdef OutNode* node = o.tail
    cdef size_t room, take
    while n and not o.broken:
        if node == NULL or node.block or node.end == node.room:
            room = min(max(n, least), <size_t>NODE_MAX)
            node = node_append(o, <uint32_t>room, room)
            if node == NULL:
                return
        take = min(n, <size_t>(node.room - node.end))
        memcpy(<char*>node + sizeof(OutNode) + node.end, p, take)
        node.end += <uint32_t>take
        o.queued += take
        p += take
        n -= take


cdef inline size_t usual_room(const Output* o) noexcept nogil:
    return (o.first_room if o.head == NULL else NODE_BYTES) - sizeof(OutNode)


cdef void output_spill(Output* o) noexcept nogil:
    """Move the scratch buffer's bytes to the queue."""
    if o.pos != o.base:
        queue_bytes(o, o.base, <size_t>(o.pos - o.base), usual_room(o))
        o.pos = o.base


cdef void output_detach(Output* o) noexcept nogil:
    """Move the scratch buffer's bytes to the queue and give the buffer up."""
    output_spill(o)
    o.base = o.pos = o.end = NULL


cdef void output_put_slow(Output* o, const char* p, size_t n) noexcept nogil:
    """Append bytes that don't fit into the scratch buffer, or to a detached output."""
    if n == 0:
        return
    output_spill(o)
    if n <= <size_t>(o.end - o.pos):
        memcpy(o.pos, p, n)
        o.pos += n
    else:
        queue_bytes(o, p, n, usual_room(o))


cdef void output_put_block(Output* o, Ref block, uint32_t start, uint32_t end) noexcept nogil:
    """Append the bytes [start, end) of a block's data without a copy; the output becomes a holder."""
    cdef OutNode* node
    if start >= end:
        return
    if o.arena.undo != NULL:        # several processes: a block must not depend on one that may be killed
        output_put(o, arena_at(o.arena, block) + BLOCK_HEADER + start, end - start)
        return
    # No byte can join a node with a block behind it: make that node just large enough.
    queue_bytes(o, o.base, <size_t>(o.pos - o.base), 0)
    o.pos = o.base
    if o.broken:
        return
    node = node_append(o, end - start, 0)
    if node == NULL:
        return
    node.block = block
    node.start = start
    node.end = end
    o.queued += end - start
    (<Block*>arena_at(o.arena, block)).holders += 1


cdef void output_mark(Output* o, OutMark* mark) noexcept nogil:
    mark.tail = o.tail
    mark.tail_end = o.tail.end if o.tail != NULL else 0
    mark.offset = <size_t>(o.pos - o.base)


cdef void output_rollback(Output* o, const OutMark* mark) noexcept nogil:
    """Take back what was appended since the mark; nothing may have been sent in between."""
    cdef OutNode* node = mark.tail
    cdef OutNode* after
    cdef size_t keep = mark.offset      # bytes behind the mark's node that were spilled since, yet lie before it
    cdef uint32_t end = mark.tail_end
    if o.tail == mark.tail and (o.tail == NULL or o.tail.end == mark.tail_end):
        o.pos = o.base + keep
        return
    o.pos = o.base
    if node == NULL:                    # the queue was empty
        node = o.head
        end = node.start
    while keep > node.end - end:
        keep -= node.end - end
        node = node.next
        if node == NULL:
            return
        end = 0
    end += <uint32_t>keep
    o.queued -= node.end - end
    node.end = end
    after = node.next
    node.next = NULL
    o.tail = node
    while after != NULL:
        node = after.next
        node_free(o, after)
        after = node


cdef void output_move(Output* o, Output* source) noexcept nogil:
    """Append all that another output of the same arena owes, and empty that one.

    So a reply whose length is known only at its end is written aside first, its header after.
    """
    output_spill(o)
    output_spill(source)
    o.broken = o.broken or source.broken
    if source.head == NULL:
        return
    if o.tail == NULL:
        o.head = source.head
    else:
        o.tail.next = source.head
    o.tail = source.tail
    o.queued += source.queued
    o.held += source.held
    o.nodes += source.nodes
    source.head = source.tail = NULL
    source.queued = source.held = 0
    source.nodes = 0


cdef int output_vector(Output* o, void* iovecs, int most) noexcept nogil:
    """List what is owed, oldest first, for writev.

    iovecs   array of struct iovec
    most     its length
    returns  pieces filled in; 0 = nothing owed, or the output is broken
    """
    cdef iovec* v = <iovec*>iovecs
    cdef OutNode* node = o.head
    cdef char* data
    cdef int n = 0
    if o.broken:
        return 0
    while node != NULL and n < most:
        if node.block:
            data = arena_at(o.arena, node.block) + BLOCK_HEADER
        else:
            data = <char*>node + sizeof(OutNode)
        if node.end != node.start:
            v[n].iov_base = data + node.start
            v[n].iov_len = node.end - node.start
            n += 1
        node = node.next
    if n < most and o.pos != o.base:
        v[n].iov_base = o.base
        v[n].iov_len = <size_t>(o.pos - o.base)
        n += 1
    return n


cdef void output_sent(Output* o, size_t n) noexcept nogil:
    """Drop n bytes that were sent, n <= output_pending(), from the front."""
    cdef size_t length
    while o.head != NULL:
        length = o.head.end - o.head.start
        if n < length:
            o.head.start += <uint32_t>n
            o.queued -= n
            return
        n -= length
        node_drop(o)
    if n:
        # What is left of the scratch buffer's bytes has to wait: to the queue with it.
        length = <size_t>(o.pos - o.base) - n
        o.pos = o.base
        queue_bytes(o, o.base + n, length, usual_room(o))


# For the tests.

cdef class TestOutput:
    """An output with a scratch buffer and an arena of its own."""
    def __cinit__(self, size_t scratch=SCRATCH_BYTES, int protocol=2):
        if arena_open(&self.arena, 1 << 28, False) != OK:
            raise MemoryError
        self.memory = <char*>malloc(scratch)
        self.scratch = scratch
        output_init(&self.out, &self.arena)
        self.out.protocol = protocol
        self.attach()

    def __dealloc__(self):
        output_free(&self.out)
        arena_close(&self.arena)
        free(self.memory)

    def attach(self):
        output_attach(&self.out, self.memory, self.scratch)

    def detach(self):
        output_detach(&self.out)

    def put(self, bytes data):
        output_put(&self.out, data, len(data))

    def block(self, bytes data):
        """Make an arena block with one holder, this test."""
        cdef Ref ref = arena_alloc(&self.arena, BLOCK_HEADER + len(data))
        cdef Block* block = <Block*>arena_at(&self.arena, ref)
        block.holders = 1
        block.length = <uint32_t>len(data)
        memcpy(<char*>block + BLOCK_HEADER, <const char*>data, len(data))
        return ref

    def put_block(self, Ref ref, uint32_t start, uint32_t end):
        output_put_block(&self.out, ref, start, end)

    def release(self, Ref ref):
        """Stop holding a block, as the entry does that owned it."""
        cdef Block* block = <Block*>arena_at(&self.arena, ref)
        block.holders -= 1
        if block.holders == 0:
            arena_free(&self.arena, ref)

    def holders(self, Ref ref):
        return (<Block*>arena_at(&self.arena, ref)).holders

    def mark(self):
        output_mark(&self.out, &self.saved)

    def rollback(self):
        output_rollback(&self.out, &self.saved)

    def move(self, TestOutput source):
        """Append what the other one owes; both must be without blocks, as their arenas differ."""
        output_move(&self.out, &source.out)

    def vector(self, int most=1024):
        cdef iovec pieces[1024]
        cdef int n = output_vector(&self.out, pieces, most)
        return [(<char*>pieces[i].iov_base)[:pieces[i].iov_len] for i in range(n)]

    def sent(self, size_t n):
        output_sent(&self.out, n)

    def take(self):
        """All that is owed, as if it had been sent."""
        data = b"".join(self.vector())
        self.sent(len(data))
        return data

    @property
    def pending(self):
        return output_pending(&self.out)

    @property
    def queued(self):
        return self.out.queued

    @property
    def held(self):
        return self.out.held

    @property
    def nodes(self):
        return self.out.nodes

    @property
    def broken(self):
        return bool(self.out.broken)

    @property
    def arena_used(self):
        return self.arena.head.used
