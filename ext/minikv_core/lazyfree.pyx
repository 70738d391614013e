"""Freeing whole tables and large values in slices: FLUSHALL ASYNC, DEL of a long list and their like.

The queue is a chain of nodes in the arena, so that any process that serves the store can go on.
A string value of any size is freed in one step and needs none of this.
"""

from libc.stdint cimport UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from minikv_core.arena cimport arena_alloc, arena_at, arena_free, undo_note
from minikv_core.engine cimport Engine
from minikv_core.keyspace cimport free_entry, kind_ops
from minikv_core.memory cimport ctz
from minikv_core.table cimport BUCKETS, Bucket, Segment, Table, match_tags, table_clear, table_next_segment
from minikv_core.types cimport Ref

cdef enum:
    AT_ONCE = 4096              # elements of a value that DEL frees before its reply; the rest follows
    AT_ONCE_LAZY = 64           # the same of UNLINK

cdef FreeNode* queue_node(Engine* e) noexcept nogil:
    """A new node at the head of the queue; NULL = no memory."""
    cdef Ref ref = arena_alloc(&e.arena, sizeof(FreeNode))
    cdef FreeNode* node
    if ref == 0:
        return NULL
    node = <FreeNode*>arena_at(&e.arena, ref)
    memset(node, 0, sizeof(FreeNode))
    node.next = e.root.free_queue
    undo_note(&e.arena, &e.root.free_queue, sizeof(Ref))
    e.root.free_queue = ref
    return node

cdef void free_large(Engine* e, uint8_t kind, Ref root, bint lazy) noexcept nogil:
    cdef uint64_t position = 0
    cdef FreeNode* node
    kind_ops(kind).free_some(e, root, &position, AT_ONCE_LAZY if lazy else AT_ONCE)
    if position == UINT64_MAX:
        return
    node = queue_node(e)
    if node == NULL:
        while position != UINT64_MAX:
            kind_ops(kind).free_some(e, root, &position, AT_ONCE)
        return
    node.root = root
    node.kind = kind
    node.counts = lazy
    node.position = position
    node.left = lazy

cdef bint free_table_later(Engine* e, const Table* t) noexcept nogil:
    cdef FreeNode* node
    if t.count == 0 and t.directory == 0:
        return True
    node = queue_node(e)
    if node == NULL:
        return False
    node.left = t.count
    node.table = t[0]
    return True

cdef uint32_t free_segment(Engine* e, Segment* segment) noexcept nogil:
    """Free the entries of a segment; they stay in its slots, so the table must not be used again."""
    cdef uint32_t i, mask, n = 0
    cdef Bucket* b
    for i in range(<uint32_t>BUCKETS):
        b = &segment.buckets[i]
        mask = ~match_tags(b.tags, 0) & 0xFFF
        while mask:
            free_entry(e, b.refs[ctz(mask)], False)
            mask &= mask - 1
            n += 1
    return n

cdef void free_table_now(Engine* e, Table* t) noexcept nogil:
    cdef uint64_t position = 0
    cdef Segment* segment = table_next_segment(&e.arena, t, &position)
    while segment != NULL:
        free_segment(e, segment)
        segment = table_next_segment(&e.arena, t, &position)
    table_clear(&e.arena, t)

cdef void unqueue(Engine* e, Ref ref) noexcept nogil:
    """Take a node that is done with out of the queue; freeing its value may have put others in front."""
    cdef Ref* link = &e.root.free_queue
    while link[0] != ref:
        link = &(<FreeNode*>arena_at(&e.arena, link[0])).next
    undo_note(&e.arena, link, sizeof(Ref))
    link[0] = (<FreeNode*>arena_at(&e.arena, ref)).next
    arena_free(&e.arena, ref)

cdef bint lazyfree_step(Engine* e, uint64_t most) noexcept nogil:
    cdef FreeNode* node
    cdef Segment* segment
    cdef Ref ref
    cdef uint64_t freed = 0, n
    while e.root.free_queue and freed < most:
        ref = e.root.free_queue
        node = <FreeNode*>arena_at(&e.arena, ref)
        undo_note(&e.arena, node, sizeof(FreeNode))
        if node.root:
            freed += kind_ops(node.kind).free_some(e, node.root, &node.position, most - freed)
            if node.position == UINT64_MAX:
                e.stats.lazyfreed += node.counts
                unqueue(e, ref)
            continue
        segment = table_next_segment(&e.arena, &node.table, &node.position)
        if segment == NULL:
            table_clear(&e.arena, &node.table)
            unqueue(e, ref)
            continue
        n = free_segment(e, segment)
        node.left -= n
        freed += n
        e.stats.lazyfreed += n
    return e.root.free_queue != 0

cdef uint64_t lazyfree_pending(Engine* e) noexcept nogil:
    cdef Ref ref = e.root.free_queue
    cdef FreeNode* node
    cdef uint64_t n = 0
    while ref:
        node = <FreeNode*>arena_at(&e.arena, ref)
        n += node.left
        ref = node.next
    return n
