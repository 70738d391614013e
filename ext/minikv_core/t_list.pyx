"""Lists: the values. (Commands: t_list_commands.pyx; what moves elements or waits for some: t_list_move.pyx.)

Forms. A short list is FORM_PACKED: a u32 that counts its elements, then the elements as in a block of
listblocks.pxd. It becomes FORM_LARGE when the values added would take it past list-max-listpack-size,
and small again when removals leave a single block filled to a half: Redis's thresholds, counted with
its listpack's head of 7 bytes. A list is never empty: the key goes with its last element.

Costs. Both ends O(1) (O(N) in a small list, within its few KiB); an index costs a walk over the
directory from the nearer end, and half of a block at most.
"""

from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove
from minikv_core.arena cimport arena_at, arena_free, undo_note
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry, EntryView, entry_expiry, entry_value, entry_view
from minikv_core.keyspace cimport Found, KindOps, place_value, register_kind, remove_key, value_splice
from minikv_core.listblocks cimport (
    HEAD, BlockRow, ElementWalk, ListLimit, ListPlace, ListRoot, block_head, block_row, block_used, blocks_append,
    blocks_bytes, blocks_clone, blocks_free, blocks_free_some, blocks_insert, blocks_new, blocks_pop, blocks_push,
    blocks_remove, blocks_replace, element_before, element_bytes, element_next, element_write, walk_next, walk_seek,
)
from minikv_core.memory cimport likely, load_u32, store_u32, unlikely
from minikv_core.packed cimport Item, item_of_bytes, item_text, packed_read
from minikv_core.types cimport FORM_LARGE, FORM_PACKED, LIST, NO_MEMORY, OK, Ref, Slice, Status

cdef enum:
    LISTPACK_HEAD = 7       # bytes that a listpack has beside its elements
    SAFE_BYTES = 8192       # most bytes of a block when the limit is a number of elements
    ROOT_BYTES = 4          # payload of the large form: the root's reference

# ---------------------------------------------------------------- forms

cdef void list_limit(const Engine* e, ListLimit* limit) noexcept nogil:
    cdef int64_t size = e.config.list_max_listpack_size
    if size >= 0:
        limit.bytes = SAFE_BYTES
        limit.count = <uint32_t>min(max(size, 1), <int64_t>UINT32_MAX)
    else:
        limit.bytes = 2048 << (-size if size > -5 else 5)
        limit.count = UINT32_MAX


cdef inline bint fits(const ListLimit* limit, uint64_t bytes, uint64_t count) noexcept nogil:
    """Whether elements may be a small list."""
    return bytes + LISTPACK_HEAD <= limit.bytes and count <= limit.count


cdef inline void add_count(Engine* e, Found* f, int64_t n) noexcept nogil:
    """Correct a small list's number of elements."""
    cdef char* p = entry_value(f.entry)
    undo_note(&e.arena, p, COUNT_BYTES)
    store_u32(p, load_u32(p) + <uint32_t>n)


cdef Status put_root(Engine* e, Database* db, const Slice* key, Found* f, Ref root) noexcept nogil:
    """Make a large list the key's value; it is freed if there is no memory."""
    cdef char* p = place_value(e, db, key, f, LIST, FORM_LARGE, ROOT_BYTES,
                               -1 if f.entry == NULL else entry_expiry(f.entry))
    if p == NULL:
        blocks_free(&e.arena, root)
        return NO_MEMORY
    store_u32(p, root)
    return OK


cdef Status enlarge(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit) noexcept nogil:
    """Make a small list a large one."""
    cdef Ref root = blocks_new(&e.arena)
    cdef EntryView v
    if root == 0:
        return NO_MEMORY
    entry_view(f.entry, &v)
    if blocks_append(&e.arena, <ListRoot*>arena_at(&e.arena, root), limit, v.value + COUNT_BYTES,
                     v.value + v.vlen) != OK:
        blocks_free(&e.arena, root)
        return NO_MEMORY
    return put_root(e, db, key, f, root)


cdef Status list_enlarge_for(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit,
                             const Slice* value) noexcept nogil:
    cdef EntryView v
    if is_large(f.entry):
        return OK
    entry_view(f.entry, &v)
    if fits(limit, <uint64_t>v.vlen - COUNT_BYTES + value.len, <uint64_t>load_u32(v.value) + 1):
        return OK
    return enlarge(e, db, key, f, limit)


cdef void list_settle(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit) noexcept nogil:
    cdef ListRoot* root
    cdef BlockRow row
    cdef uint32_t used
    cdef char* p
    if not is_large(f.entry):
        return
    root = list_root(e, f.entry)
    if likely(root.blocks != 1):
        return
    row = block_row(&e.arena, root, 0)[0]
    used = block_used(&e.arena, &row)
    if limit.count != UINT32_MAX:
        if row.count > limit.count // 2 or used + HEAD > limit.bytes:
            return
    elif used + LISTPACK_HEAD > limit.bytes // 2:
        return
    # the block is taken out of the list, which goes when the small one comes
    undo_note(&e.arena, root, sizeof(ListRoot))
    root.blocks = 0
    p = place_value(e, db, key, f, LIST, FORM_PACKED, COUNT_BYTES + used, entry_expiry(f.entry))
    if p == NULL:
        root.blocks = 1
        return
    store_u32(p, row.count)
    memcpy(p + COUNT_BYTES, <char*>block_head(&e.arena, &row) + block_head(&e.arena, &row).start, used)
    arena_free(&e.arena, row.block)

# ---------------------------------------------------------------- the value API

cdef void list_walk_begin(Engine* e, Entry* entry, ListWalk* w) noexcept nogil:
    list_begin(e, entry, &w.walk)


cdef bint list_walk_next(ListWalk* w, Slice* value) noexcept nogil:
    cdef char* p = walk_next(&w.walk)
    cdef Item item
    if p == NULL:
        return False
    packed_read(p, &item)
    item_text(&item, w.digits, value)
    return True


cdef Status push_large(Engine* e, ListRoot* root, const ListLimit* limit, const Slice* values, uint32_t n,
                       bint at_head) noexcept nogil:
    cdef Item item
    cdef uint32_t i
    for i in range(n):
        item_of_bytes(&item, values[i].ptr, values[i].len)
        if unlikely(blocks_push(&e.arena, root, limit, &item, at_head) != OK):
            blocks_pop(&e.arena, root, i, at_head)
            return NO_MEMORY
    return OK


cdef Status push_small(Engine* e, Database* db, const Slice* key, Found* f, const Slice* values, uint32_t n,
                       bint at_head) noexcept nogil:
    cdef Item item
    cdef EntryView v
    cdef uint32_t i, total = 0
    cdef char* p
    for i in range(n):
        item_of_bytes(&item, values[i].ptr, values[i].len)
        total += element_bytes(&item)
    if f.entry == NULL:
        p = place_value(e, db, key, f, LIST, FORM_PACKED, COUNT_BYTES + total, -1)
        if p == NULL:
            return NO_MEMORY
        store_u32(p, n)
        p += COUNT_BYTES
    else:
        entry_view(f.entry, &v)
        p = value_splice(e, f, <uint32_t>COUNT_BYTES if at_head else v.vlen, 0, total)
        if p == NULL:
            return NO_MEMORY
        add_count(e, f, n)
    if at_head:
        p += total
    for i in range(n):
        if n > 1:
            item_of_bytes(&item, values[i].ptr, values[i].len)
        if at_head:
            p -= element_bytes(&item)
            element_write(p, &item)
        else:
            p = element_write(p, &item)
    return OK


cdef Status list_push_all(Engine* e, Database* db, const Slice* key, Found* f, const Slice* values, uint32_t n,
                          bint at_head) noexcept nogil:
    cdef ListLimit limit
    cdef EntryView v
    cdef uint64_t bytes = 0, count = n
    cdef uint32_t i
    cdef Ref root
    list_limit(e, &limit)
    if f.entry != NULL:
        if likely(is_large(f.entry)):
            return push_large(e, list_root(e, f.entry), &limit, values, n, at_head)
        entry_view(f.entry, &v)
        bytes = v.vlen - COUNT_BYTES
        count += load_u32(v.value)
    for i in range(n):
        bytes += values[i].len
    if fits(&limit, bytes, count):
        return push_small(e, db, key, f, values, n, at_head)
    if f.entry != NULL:
        if enlarge(e, db, key, f, &limit) != OK:
            return NO_MEMORY
        return push_large(e, list_root(e, f.entry), &limit, values, n, at_head)
    root = blocks_new(&e.arena)
    if root == 0:
        return NO_MEMORY
    if push_large(e, <ListRoot*>arena_at(&e.arena, root), &limit, values, n, at_head) != OK:
        blocks_free(&e.arena, root)
        return NO_MEMORY
    return put_root(e, db, key, f, root)


cdef void list_seek(Engine* e, Entry* entry, uint64_t index, ElementWalk* w) noexcept nogil:
    list_begin(e, entry, w)
    walk_seek(w, index, list_length(e, entry))


cdef void list_pop(Engine* e, Database* db, const Slice* key, Found* f, uint64_t n, bint at_head) noexcept nogil:
    cdef ListLimit limit
    cdef ElementWalk w
    cdef uint64_t length = list_length(e, f.entry)
    if n == 0:
        return
    if n >= length:
        remove_key(e, db, f, e.config.lazyfree_lazy_server_del != 0)
        return
    if is_large(f.entry):
        list_limit(e, &limit)
        blocks_pop(&e.arena, list_root(e, f.entry), n, at_head)
        list_settle(e, db, key, f, &limit)
        return
    list_seek(e, f.entry, n if at_head else length - n, &w)
    if at_head:
        value_splice(e, f, COUNT_BYTES, <uint32_t>(w.p - w.start), 0)
    else:
        value_splice(e, f, <uint32_t>(COUNT_BYTES + (w.p - w.start)), <uint32_t>(w.end - w.p), 0)
    add_count(e, f, -<int64_t>n)


cdef bint list_rotate(Engine* e, Found* f, bint from_head) noexcept nogil:
    cdef ElementWalk w
    cdef char* p
    cdef char* copy
    cdef size_t n
    list_begin(e, f.entry, &w)
    p = element_next(w.start) if from_head else element_before(w.end)
    n = p - w.start if from_head else w.end - p
    copy = <char*>malloc(n)
    if copy == NULL:
        return False
    undo_note(&e.arena, w.start, w.end - w.start)
    if from_head:
        memcpy(copy, w.start, n)
        memmove(w.start, p, w.end - p)
        memcpy(w.end - n, copy, n)
    else:
        memcpy(copy, p, n)
        memmove(w.start + n, w.start, p - w.start)
        memcpy(w.start, copy, n)
    free(copy)
    return True


cdef void list_remove(Engine* e, Found* f, const ListLimit* limit, ListPlace* place) noexcept nogil:
    cdef char* p
    if is_large(f.entry):
        blocks_remove(&e.arena, list_root(e, f.entry), limit, place)
        return
    p = entry_value(f.entry) + COUNT_BYTES + place.at
    value_splice(e, f, COUNT_BYTES + place.at, <uint32_t>(element_next(p) - p), 0)
    add_count(e, f, -1)


cdef Status list_write(Engine* e, Found* f, const ListLimit* limit, ListPlace* place, const Item* item,
                       bint replaces) noexcept nogil:
    cdef char* p
    cdef uint32_t removed = 0
    if is_large(f.entry):
        if replaces:
            return blocks_replace(&e.arena, list_root(e, f.entry), limit, place, item)
        return blocks_insert(&e.arena, list_root(e, f.entry), limit, place, item)
    if replaces:
        p = entry_value(f.entry) + COUNT_BYTES + place.at
        removed = <uint32_t>(element_next(p) - p)
    p = value_splice(e, f, COUNT_BYTES + place.at, removed, element_bytes(item))
    if p == NULL:
        return NO_MEMORY
    element_write(p, item)
    if not replaces:
        add_count(e, f, 1)
    return OK

# ---------------------------------------------------------------- what other modules need to know

cdef const char* list_encoding(const Entry* entry) noexcept nogil:
    return b"quicklist" if is_large(entry) else b"listpack"


cdef Ref list_clone(Engine* e, Ref root) noexcept nogil:
    return blocks_clone(&e.arena, root)


cdef uint64_t list_bytes(Engine* e, Ref root) noexcept nogil:
    return blocks_bytes(&e.arena, root)


cdef uint64_t list_free_some(Engine* e, Ref root, uint64_t* position, uint64_t most) noexcept nogil:
    return blocks_free_some(&e.arena, root, position, most)


cdef KindOps list_ops
list_ops.encoding = list_encoding
list_ops.count = list_length
list_ops.clone = list_clone
list_ops.bytes = list_bytes
list_ops.free_some = list_free_some
list_ops.expire_fields = NULL
register_kind(LIST, &list_ops)
