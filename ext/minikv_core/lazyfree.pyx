"""Freeing whole tables in slices: FLUSHALL ASYNC and its like.

The queue is a chain of nodes in the arena, so that any process that serves the store can go on.
A string value of any size is freed in one step and needs none of this.
"""

from libc.stdint cimport uint32_t, uint64_t
from minikv_core.arena cimport arena_alloc, arena_at, arena_free, undo_note
from minikv_core.engine cimport Engine
from minikv_core.entry cimport Entry
from minikv_core.keyspace cimport free_entry
from minikv_core.memory cimport ctz
from minikv_core.table cimport BUCKETS, Bucket, Segment, Table, match_tags, table_clear, table_next_segment
from minikv_core.types cimport Ref

cdef bint free_table_later(Engine* e, const Table* t) noexcept nogil:
    cdef Ref ref
    cdef FreeNode* node
    if t.count == 0 and t.directory == 0:
        return True
    ref = arena_alloc(&e.arena, sizeof(FreeNode))
    if ref == 0:
        return False
    node = <FreeNode*>arena_at(&e.arena, ref)
    node.next = e.root.free_queue
    node.position = 0
    node.left = t.count
    node.table = t[0]
    undo_note(&e.arena, &e.root.free_queue, sizeof(Ref))
    e.root.free_queue = ref
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

cdef bint lazyfree_step(Engine* e, uint64_t most) noexcept nogil:
    cdef FreeNode* node
    cdef Segment* segment
    cdef Ref ref
    cdef uint64_t freed = 0, n
    while e.root.free_queue and freed < most:
        ref = e.root.free_queue
        node = <FreeNode*>arena_at(&e.arena, ref)
        undo_note(&e.arena, node, sizeof(FreeNode))
        segment = table_next_segment(&e.arena, &node.table, &node.position)
        if segment == NULL:
            table_clear(&e.arena, &node.table)
            undo_note(&e.arena, &e.root.free_queue, sizeof(Ref))
            e.root.free_queue = node.next
            arena_free(&e.arena, ref)
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
