"""Consumer groups: names, pending entries, and how far a group has come; and a stream as a kind of value.

A stream has few groups and a group few consumers, so both are sorted arrays. What is pending may be much:
40 bytes each, and a place in two trees.
"""

from libc.stdint cimport INT64_MIN, UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset
from minikv_core.arena cimport Arena, arena_alloc, arena_at, arena_free, arena_resize, arena_size, undo_note
from minikv_core.btree cimport (
    TREE_ID, TREE_ROOM, Tree, TreeCursor, TreeKey, key_of_id, tree_clear, tree_find, tree_init, tree_insert,
    tree_next, tree_seek, tree_seek_rank, tree_take, tree_take_run,
)
from minikv_core.engine cimport Engine
from minikv_core.entry cimport Entry, entry_root
from minikv_core.keyspace cimport KindOps, register_kind
from minikv_core.stream cimport (
    NameList, Stream, StreamID, id_compare, stream_bytes, stream_copy_blocks, stream_free_block,
)
from minikv_core.types cimport NO_MEMORY, OK, Ref, Slice, Status, STREAM

# ---------------------------------------------------------------- names

cdef Ref name_find(const Arena* a, const NameList* list, const Slice* name, uint32_t* index) noexcept nogil:
    cdef uint32_t low = 0, high = list.count, middle, n
    cdef Slice other
    cdef Ref ref = 0
    cdef int order
    while low < high:
        middle = (low + high) // 2
        ref = name_ref(a, list, middle)
        name_of(arena_at(a, ref), &other)
        n = name.len if name.len < other.len else other.len
        order = memcmp(name.ptr, other.ptr, n) if n else 0
        if order == 0:
            order = -1 if name.len < other.len else name.len > other.len
        if order == 0:
            if index != NULL:
                index[0] = middle
            return ref
        if order < 0:
            high = middle
        else:
            low = middle + 1
    if index != NULL:
        index[0] = low
    return 0


cdef Ref name_add(Arena* a, NameList* list, const Slice* name, uint32_t header) noexcept nogil:
    """Make a zeroed object with a name and put it in the list, which has been noted; 0 = no memory."""
    cdef Ref refs, ref = arena_alloc(a, header + <size_t>name.len)
    cdef uint32_t index
    cdef size_t behind
    cdef Named* named
    cdef Ref* places
    if ref == 0:
        return 0
    if list.count == list.room:
        if list.refs:
            refs = arena_resize(a, list.refs, (list.room + (list.room >> 1) + 2) * sizeof(Ref))
        else:
            refs = arena_alloc(a, 2 * sizeof(Ref))
        if refs == 0:
            arena_free(a, ref)
            return 0
        list.refs = refs
        list.room = <uint32_t>(arena_size(a, refs) // sizeof(Ref))
    named = <Named*>arena_at(a, ref)
    memset(named, 0, header)
    named.header = header
    named.name_len = name.len
    if name.len:
        memcpy(<char*>named + header, name.ptr, name.len)
    name_find(a, list, name, &index)
    places = <Ref*>arena_at(a, list.refs) + index
    behind = (list.count - index) * sizeof(Ref)
    undo_note(a, places, behind + sizeof(Ref))
    memmove(places + 1, places, behind)
    places[0] = ref
    list.count += 1
    return ref


cdef void name_remove(Arena* a, NameList* list, uint32_t index) noexcept nogil:
    """Take an object out of the list, which has been noted, and free it."""
    cdef Ref* places = <Ref*>arena_at(a, list.refs) + index
    cdef size_t behind = (list.count - index - 1) * sizeof(Ref)
    arena_free(a, places[0])
    undo_note(a, places, behind + sizeof(Ref))
    memmove(places, places + 1, behind)
    list.count -= 1
    if list.count == 0:
        arena_free(a, list.refs)
        list.refs = list.room = 0


cdef Ref group_create(Arena* a, Stream* s, const Slice* name, const StreamID* last, int64_t entries_read) noexcept nogil:
    cdef Ref ref
    undo_note(a, s, sizeof(Stream))
    ref = name_add(a, &s.groups, name, sizeof(Group))
    if ref:
        tree_init(&group_at(a, ref).pending, TREE_ID)
        group_set(a, s, group_at(a, ref), last, entries_read)
    return ref


cdef Ref consumer_create(Arena* a, Group* g, const Slice* name, int64_t now_ms) noexcept nogil:
    cdef Ref ref
    cdef Consumer* c
    undo_note(a, g, sizeof(Group))
    ref = name_add(a, &g.consumers, name, sizeof(Consumer))
    if ref:
        c = consumer_at(a, ref)
        c.seen_ms = now_ms
        c.active_ms = -1
        tree_init(&c.pending, TREE_ID)
    return ref


cdef uint64_t free_pending(Arena* a, Tree* tree, uint64_t most) noexcept nogil:
    """Free about `most` of a tree's entries and their objects, the first ones first; returns how many."""
    cdef Ref[TREE_ROOM] refs
    cdef uint64_t freed = 0
    cdef uint32_t i, n
    while freed < most and tree.count:
        n = tree_take_run(a, tree, 0, TREE_ROOM, refs)
        for i in range(n):
            arena_free(a, refs[i])
        freed += n
    return freed


cdef void group_remove(Arena* a, Stream* s, uint32_t index) noexcept nogil:
    cdef Group* g = group_at(a, name_ref(a, &s.groups, index))
    cdef Consumer* c
    undo_note(a, g, sizeof(Group))
    while g.consumers.count:
        c = consumer_at(a, name_ref(a, &g.consumers, g.consumers.count - 1))
        undo_note(a, c, sizeof(Consumer))
        tree_clear(a, &c.pending)
        name_remove(a, &g.consumers, g.consumers.count - 1)
    free_pending(a, &g.pending, UINT64_MAX)
    undo_note(a, s, sizeof(Stream))
    name_remove(a, &s.groups, index)


cdef void consumer_remove(Arena* a, Group* g, uint32_t index) noexcept nogil:
    cdef Consumer* c = consumer_at(a, name_ref(a, &g.consumers, index))
    cdef TreeCursor cursor
    cdef TreeKey key
    cdef Pending* p
    undo_note(a, g, sizeof(Group))
    undo_note(a, c, sizeof(Consumer))
    tree_seek_rank(a, &c.pending, 0, &cursor)
    while cursor.ref:
        p = pending_at(a, cursor.ref)
        key_of_id(&key, p.id.ms, p.id.seq)
        tree_take(a, &g.pending, &key)
        tree_next(a, &cursor)
    free_pending(a, &c.pending, UINT64_MAX)
    name_remove(a, &g.consumers, index)

# ---------------------------------------------------------------- how far a group has come

cdef void group_set(Arena* a, Stream* s, Group* g, const StreamID* last, int64_t entries_read) noexcept nogil:
    undo_note(a, g, sizeof(Group))
    g.last = last[0]
    g.entries_read = entries_read if entries_read < <int64_t>s.added else <int64_t>s.added


cdef inline bint is_zero(const StreamID* id) noexcept nogil:
    return (id.ms | id.seq) == 0


cdef bint gap_behind(const Stream* s, const StreamID* id) noexcept nogil:
    """Whether an entry behind an ID may have been deleted."""
    return s.length != 0 and not is_zero(&s.max_deleted) and id_compare(id, &s.max_deleted) <= 0


cdef int64_t entries_up_to(const Stream* s, const StreamID* id) noexcept nogil:
    """How many entries there have ever been up to an ID; READ_UNKNOWN if deletions hide it."""
    cdef int at_last = id_compare(id, &s.last), at_first
    if s.added == 0:
        return 0
    if s.length == 0 and at_last <= 0:
        return <int64_t>s.added
    if not is_zero(id) and id_compare(id, &s.max_deleted) < 0:
        return READ_UNKNOWN
    if at_last == 0:
        return <int64_t>s.added
    if at_last > 0:
        return READ_UNKNOWN
    if is_zero(&s.max_deleted) or id_compare(&s.max_deleted, &s.first) < 0:
        at_first = id_compare(id, &s.first)
        if at_first < 0:
            return <int64_t>(s.added - s.length)
        if at_first == 0:
            return <int64_t>(s.added - s.length + 1)
    return READ_UNKNOWN


cdef void group_advance(Arena* a, Stream* s, Group* g, const StreamID* id) noexcept nogil:
    undo_note(a, g, sizeof(Group))
    if g.entries_read != READ_UNKNOWN and id_compare(&g.last, &s.first) >= 0 and not gap_behind(s, &g.last):
        g.entries_read += 1
    elif s.added:
        g.entries_read = entries_up_to(s, id)
    g.last = id[0]


cdef int64_t group_lag(const Stream* s, const Group* g) noexcept nogil:
    cdef int64_t n
    if s.added == 0 or s.length == 0:
        return 0
    if id_compare(&g.last, &s.first) < 0 and id_compare(&s.max_deleted, &s.first) < 0:
        return <int64_t>s.length
    if g.entries_read != READ_UNKNOWN and not gap_behind(s, &g.last):
        return <int64_t>s.added - g.entries_read
    n = entries_up_to(s, &g.last)
    return INT64_MIN if n == READ_UNKNOWN else <int64_t>s.added - n

# ---------------------------------------------------------------- what is pending

cdef Ref pending_find(const Arena* a, const Tree* tree, const StreamID* id) noexcept nogil:
    cdef TreeCursor cursor
    cdef TreeKey key
    key_of_id(&key, id.ms, id.seq)
    return cursor.ref if tree_find(a, tree, &key, &cursor) else 0


cdef void pending_seek(const Arena* a, const Tree* tree, const StreamID* id, TreeCursor* c) noexcept nogil:
    cdef TreeKey key
    key_of_id(&key, id.ms, id.seq)
    tree_seek(a, tree, &key, c)


cdef inline Status insert(Arena* a, Tree* tree, Ref ref) noexcept nogil:
    cdef Pending* p = pending_at(a, ref)
    cdef TreeKey key
    key_of_id(&key, p.id.ms, p.id.seq)
    return tree_insert(a, tree, &key, ref)


cdef inline void take(Arena* a, Tree* tree, Ref ref) noexcept nogil:
    cdef Pending* p = pending_at(a, ref)
    cdef TreeKey key
    key_of_id(&key, p.id.ms, p.id.seq)
    tree_take(a, tree, &key)


cdef Ref pending_add(Arena* a, Group* g, Ref consumer, const StreamID* id, int64_t given_ms, uint64_t count) noexcept nogil:
    cdef Consumer* c = consumer_at(a, consumer)
    cdef Pending* p
    cdef Ref ref = arena_alloc(a, sizeof(Pending))
    if ref == 0:
        return 0
    p = pending_at(a, ref)
    p.id = id[0]
    p.given_ms = given_ms
    p.count = count
    p.consumer = consumer
    undo_note(a, g, sizeof(Group))
    undo_note(a, c, sizeof(Consumer))
    if insert(a, &g.pending, ref) != OK:
        arena_free(a, ref)
        return 0
    if insert(a, &c.pending, ref) != OK:
        take(a, &g.pending, ref)
        arena_free(a, ref)
        return 0
    return ref


cdef void pending_remove(Arena* a, Group* g, Ref ref) noexcept nogil:
    cdef Consumer* c = consumer_at(a, pending_at(a, ref).consumer)
    undo_note(a, g, sizeof(Group))
    undo_note(a, c, sizeof(Consumer))
    take(a, &g.pending, ref)
    take(a, &c.pending, ref)
    arena_free(a, ref)


cdef Status pending_give(Arena* a, Ref ref, Ref consumer, int64_t given_ms, uint64_t count) noexcept nogil:
    cdef Pending* p = pending_at(a, ref)
    cdef Consumer* c = consumer_at(a, consumer)
    if p.consumer != consumer:
        undo_note(a, c, sizeof(Consumer))
        if insert(a, &c.pending, ref) != OK:
            return NO_MEMORY
        c = consumer_at(a, p.consumer)
        undo_note(a, c, sizeof(Consumer))
        take(a, &c.pending, ref)
    undo_note(a, p, sizeof(Pending))
    p.consumer = consumer
    p.given_ms = given_ms
    p.count = count
    return OK

# ---------------------------------------------------------------- references to an entry

cdef bint is_referenced(Arena* a, Stream* s, const StreamID* id) noexcept nogil:
    cdef uint32_t i
    cdef Group* g
    for i in range(s.groups.count):
        g = group_at(a, name_ref(a, &s.groups, i))
        if id_compare(id, &g.last) > 0 or pending_find(a, &g.pending, id):
            return True
    return False


cdef bint is_free(Arena* a, Stream* s, const StreamID* id) noexcept nogil:
    return not is_referenced(a, s, id)


cdef bint drop_references(Arena* a, Stream* s, const StreamID* id) noexcept nogil:
    cdef uint32_t i
    cdef Group* g
    cdef Ref ref
    for i in range(s.groups.count):
        g = group_at(a, name_ref(a, &s.groups, i))
        ref = pending_find(a, &g.pending, id)
        if ref:
            pending_remove(a, g, ref)
    return True

# ---------------------------------------------------------------- a stream as a kind of value

cdef const char* stream_encoding(const Entry* entry) noexcept nogil:
    return b"stream"


cdef uint64_t entry_count(Engine* e, Entry* entry) noexcept nogil:
    return (<Stream*>arena_at(&e.arena, entry_root(entry))).length


cdef uint64_t all_bytes(Engine* e, Ref root) noexcept nogil:
    cdef Arena* a = &e.arena
    cdef Stream* s = <Stream*>arena_at(a, root)
    cdef uint64_t n = stream_bytes(a, s)
    cdef uint32_t i, j
    cdef Group* g
    cdef Ref ref
    if s.groups.refs:
        n += arena_size(a, s.groups.refs)
    for i in range(s.groups.count):
        ref = name_ref(a, &s.groups, i)
        g = group_at(a, ref)
        n += arena_size(a, ref) + g.pending.bytes + g.pending.count * sizeof(Pending)
        if g.consumers.refs:
            n += arena_size(a, g.consumers.refs)
        for j in range(g.consumers.count):
            ref = name_ref(a, &g.consumers, j)
            n += arena_size(a, ref) + consumer_at(a, ref).pending.bytes
    return n


cdef bint copy_consumer(Arena* a, const Consumer* from_, Group* g) noexcept nogil:
    """Make a copy of a consumer, and of what is pending with it, in another group."""
    cdef Slice name
    cdef TreeCursor cursor
    cdef Pending* p
    cdef Ref ref
    name_of(<void*>from_, &name)
    ref = consumer_create(a, g, &name, from_.seen_ms)
    if ref == 0:
        return False
    consumer_at(a, ref).active_ms = from_.active_ms
    tree_seek_rank(a, &from_.pending, 0, &cursor)
    while cursor.ref:
        p = pending_at(a, cursor.ref)
        if pending_add(a, g, ref, &p.id, p.given_ms, p.count) == 0:
            return False
        tree_next(a, &cursor)
    return True


cdef bint copy_groups(Arena* a, const Stream* s, Stream* to) noexcept nogil:
    cdef uint32_t i, j
    cdef Group* g
    cdef Slice name
    cdef Ref ref
    memset(&to.groups, 0, sizeof(NameList))
    for i in range(s.groups.count):
        g = group_at(a, name_ref(a, &s.groups, i))
        name_of(g, &name)
        ref = group_create(a, to, &name, &g.last, g.entries_read)
        if ref == 0:
            return False
        for j in range(g.consumers.count):
            if not copy_consumer(a, consumer_at(a, name_ref(a, &g.consumers, j)), group_at(a, ref)):
                return False
    return True


cdef Ref stream_clone(Engine* e, Ref root) noexcept nogil:
    cdef Arena* a = &e.arena
    cdef Stream* s = <Stream*>arena_at(a, root)
    cdef Stream* to
    cdef uint64_t position = 0
    cdef Ref ref = arena_alloc(a, sizeof(Stream))
    if ref == 0:
        return 0
    to = <Stream*>arena_at(a, ref)
    to[0] = s[0]
    memset(&to.groups, 0, sizeof(NameList))
    if not stream_copy_blocks(a, s, to) or not copy_groups(a, s, to):
        while position != UINT64_MAX:
            stream_free_some(e, ref, &position, UINT64_MAX)
        return 0
    return ref


cdef uint64_t stream_free_some(Engine* e, Ref root, uint64_t* position, uint64_t most) noexcept nogil:
    """Free what comes last: the stream shrinks until only its root is left, so no position is needed."""
    cdef Arena* a = &e.arena
    cdef Stream* s = <Stream*>arena_at(a, root)
    cdef uint64_t freed = 0
    cdef Group* g
    while freed < most:
        if s.blocks:
            freed += stream_free_block(a, s)
        elif s.groups.count:
            g = group_at(a, name_ref(a, &s.groups, s.groups.count - 1))
            if g.pending.count > most - freed:
                undo_note(a, g, sizeof(Group))
                return freed + free_pending(a, &g.pending, most - freed)
            freed += g.pending.count + g.consumers.count + 1
            group_remove(a, s, s.groups.count - 1)
        else:
            if s.directory:             # of a copy that could not be finished
                arena_free(a, s.directory)
            arena_free(a, root)
            position[0] = UINT64_MAX
            return freed + 1
    return freed


cdef KindOps ops
ops.encoding = stream_encoding
ops.count = entry_count
ops.clone = stream_clone
ops.bytes = all_bytes
ops.free_some = stream_free_some
ops.expire_fields = NULL
register_kind(STREAM, &ops)
