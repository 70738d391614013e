"""Sorted sets: the value API. The commands are in t_zset_element, t_zset_range, t_zset_pop, t_zset_algebra.

Forms. Up to zset-max-listpack-entries members of at most zset-max-listpack-value bytes are FORM_PACKED:
member, score, member, score, ... in order of score, then bytes. From then on, and never back, the value
is FORM_LARGE: a root object (Zset) with a table that finds a member's object by its bytes, and a tree
that keeps the objects in order. The objects hold the scores (member.pxd, SCORED_KEY).

A score is any double but NaN. Both zeros are one score; -0 is kept in large sets only, as in Redis.
"""

from libc.math cimport INFINITY
from libc.stddef cimport size_t
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove
from minikv_core.arena cimport Arena, arena_alloc, arena_at, arena_free, arena_size, undo_note
from minikv_core.btree cimport (
    TREE_ROOM, TREE_SCORED, TreeCursor, TreeKey, key_of_member, key_of_score, leaf_entries, tree_append, tree_find,
    tree_init, tree_insert, tree_next, tree_previous, tree_rank, tree_rekey, tree_seek, tree_seek_rank, tree_take,
    tree_take_run,
)
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry, EntryView, entry_expiry, entry_form, entry_view
from minikv_core.hash cimport hash_bytes
from minikv_core.keyspace cimport Found, KindOps, key_hash, place_value, register_kind, value_splice
from minikv_core.member cimport (
    SCORED_KEY, member_bytes, member_key, member_score, member_set_score, member_write,
)
from minikv_core.memory cimport prefetch, store_u32
from minikv_core.packed cimport (
    Item, item_double, item_of_bytes, item_of_double, item_text, packed_count, packed_equals, packed_next, packed_read,
    packed_write,
)
from minikv_core.table cimport (
    Slot, table_clear, table_find, table_find_ref, table_init, table_insert, table_prefetch_bucket, table_remove,
)
from minikv_core.types cimport EXISTS, FORM_LARGE, FORM_PACKED, MISSING, NO_MEMORY, OK, ZSET, Ref, Slice, Status

cdef enum:
    AHEAD = 8               # objects that a walk asks for before it reads them
    PACKED_MAX = 1 << 30    # bytes of the largest packed value
    SAMPLES = 128           # members that are looked at to say what all of them take

# ---------------------------------------------------------------- packed sets

cdef struct Packed:         # the pairs of a packed set
    const char* start
    const char* end


cdef inline Packed packed_of(Entry* entry) noexcept nogil:
    cdef EntryView v
    cdef Packed pairs
    entry_view(entry, &v)
    pairs.start = v.value
    pairs.end = v.value + v.vlen
    return pairs


cdef inline const char* next_pair(const char* p) noexcept nogil:
    return packed_next(packed_next(p))


cdef inline double score_at(const char* p) noexcept nogil:
    """The score of the pair at p."""
    cdef Item item
    packed_read(packed_next(p), &item)
    return item_double(&item)


cdef inline void member_at(const char* p, Slice* member, char* digits) noexcept nogil:
    cdef Item item
    packed_read(p, &item)
    item_text(&item, digits, member)


cdef const char* pair_place(const Packed* pairs, double score, const Slice* member) noexcept nogil:
    """The first pair behind a member with a score."""
    cdef const char* p = pairs.start
    cdef double other
    cdef Slice name
    cdef char digits[32]
    while p < pairs.end:
        other = score_at(p)
        if other > score:
            break
        if other == score:
            member_at(p, &name, digits)
            if compare_bytes(name.ptr, name.len, member.ptr, member.len) > 0:
                break
        p = next_pair(p)
    return p


cdef const char* pair_of(const Packed* pairs, const Slice* member, uint64_t* rank) noexcept nogil:
    """The pair of a member, NULL = there is none; `rank` becomes the number of pairs looked at before it."""
    cdef Item item
    cdef const char* p = pairs.start
    item_of_bytes(&item, member.ptr, member.len)
    rank[0] = 0
    while p < pairs.end:
        if packed_equals(p, &item):
            return p
        p = next_pair(p)
        rank[0] += 1
    return NULL


cdef inline void item_of_score(Item* item, double score) noexcept nogil:
    """Packed sets know one zero, as Redis's do."""
    item_of_double(item, score + 0.0)


cdef inline char* write_pair(char* to, const Item* member, const Item* score) noexcept nogil:
    return packed_write(packed_write(to, member), score)


cdef Status move_pair(Engine* e, Found* f, const Packed* pairs, const char* old, const Slice* member,
                      double score) noexcept nogil:
    """Give the pair at `old` another score, and its place."""
    cdef Item m, s
    cdef uint32_t from_ = <uint32_t>(old - pairs.start), length = <uint32_t>(next_pair(old) - old), n, to
    cdef char* base
    to = <uint32_t>(pair_place(pairs, score, member) - pairs.start)
    item_of_bytes(&m, member.ptr, member.len)
    item_of_score(&s, score)
    n = m.bytes + s.bytes
    base = value_splice(e, f, from_, length, n)
    if base == NULL:
        return NO_MEMORY
    base -= from_
    if to <= from_:
        undo_note(&e.arena, base + to, from_ - to)
        memmove(base + to + n, base + to, from_ - to)
    else:                       # `to` is counted with the old pair, which is `length` bytes
        to -= length
        memmove(base + from_, base + from_ + n, to - from_)
    write_pair(base + to, &m, &s)
    return EXISTS


cdef inline bint fits(const Engine* e, uint64_t count, uint32_t longest) noexcept nogil:
    """Whether a set may be packed."""
    return (<int64_t>count <= e.config.zset_max_listpack_entries
            and <int64_t>longest <= e.config.zset_max_listpack_value)


cdef Status put_packed(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member, double score,
                       double* had) noexcept nogil:
    cdef Packed pairs = packed_of(f.entry)
    cdef uint64_t count
    cdef const char* p = pair_of(&pairs, member, &count)
    cdef Item m, s
    cdef char* to
    if p != NULL:
        had[0] = score_at(p)
        return EXISTS if had[0] == score else move_pair(e, f, &pairs, p, member, score)
    if not fits(e, count + 1, member.len) or pairs.end - pairs.start > PACKED_MAX:
        if make_large(e, db, key, f) != OK:
            return NO_MEMORY
        return put_large(e, zset_root(e, f.entry), member, score, had)
    item_of_bytes(&m, member.ptr, member.len)
    item_of_score(&s, score)
    p = pair_place(&pairs, score, member)
    to = value_splice(e, f, <uint32_t>(p - pairs.start), 0, m.bytes + s.bytes)
    if to == NULL:
        return NO_MEMORY
    write_pair(to, &m, &s)
    return OK

# ---------------------------------------------------------------- large sets

cdef Ref new_root(Engine* e) noexcept nogil:
    cdef Ref ref = arena_alloc(&e.arena, sizeof(Zset))
    cdef Zset* z
    if ref:
        z = <Zset*>arena_at(&e.arena, ref)
        table_init(&z.members, SCORED_KEY)
        tree_init(&z.tree, TREE_SCORED)
    return ref


cdef void free_root(Engine* e, Ref root) noexcept nogil:
    """Free a set that has not become a value."""
    cdef uint64_t position = 0
    free_some(e, root, &position, UINT64_MAX)


cdef Ref new_member(Arena* a, const char* p, uint32_t n, double score) noexcept nogil:
    cdef Ref ref = arena_alloc(a, member_bytes(n, SCORED_KEY))
    if ref:
        member_write(arena_at(a, ref), SCORED_KEY, p, n)
        member_set_score(arena_at(a, ref), score)
    return ref


cdef void forget_member(Engine* e, Zset* z, uint64_t hash, Ref ref) noexcept nogil:
    """Take a member out of the table and free its object."""
    cdef Slot slot
    if table_find_ref(&e.arena, &z.members, hash, ref, &slot):
        table_remove(&e.arena, &z.members, hash, &slot)
    arena_free(&e.arena, ref)


cdef Status append(Engine* e, Zset* z, const char* p, uint32_t n, double score) noexcept nogil:
    """Add a member behind all others."""
    cdef uint64_t hash = hash_bytes(&e.arena.head.seed, p, n)
    cdef Ref ref = new_member(&e.arena, p, n, score)
    if ref == 0:
        return NO_MEMORY
    if table_insert(&e.arena, &z.members, hash, ref, -1) != OK:
        arena_free(&e.arena, ref)
        return NO_MEMORY
    if tree_append(&e.arena, &z.tree, ref) != OK:
        forget_member(e, z, hash, ref)
        return NO_MEMORY
    return OK


cdef Status put_large(Engine* e, Zset* z, const Slice* member, double score, double* had) noexcept nogil:
    cdef Arena* a = &e.arena
    cdef uint64_t hash = hash_bytes(&a.head.seed, member.ptr, member.len)
    cdef TreeCursor c
    cdef TreeKey key, old
    cdef Slot slot
    cdef char* m
    cdef Ref ref
    key_of_member(&key, score, member.ptr, member.len)
    if table_find(a, &z.members, hash, member.ptr, member.len, &slot):
        m = arena_at(a, slot.bucket.refs[slot.index])
        had[0] = member_score(m)
        if had[0] == score:
            return EXISTS
        key_of_member(&old, had[0], member.ptr, member.len)
        tree_find(a, &z.tree, &old, &c)
        if tree_rekey(a, &z.tree, &c, &old, &key) != OK:
            return NO_MEMORY
        undo_note(a, m + 1, sizeof(double))
        member_set_score(m, score)
        return EXISTS
    ref = new_member(a, member.ptr, member.len, score)
    if ref == 0:
        return NO_MEMORY
    if table_insert(a, &z.members, hash, ref, -1) != OK:
        arena_free(a, ref)
        return NO_MEMORY
    if tree_insert(a, &z.tree, &key, ref) != OK:
        forget_member(e, z, hash, ref)
        return NO_MEMORY
    return OK


cdef Status place_root(Engine* e, Database* db, const Slice* key, Found* f, Ref root, int64_t at_ms) noexcept nogil:
    """Make a set a key's value; it is freed if there is no memory for that."""
    cdef char* payload = NULL
    if root:
        payload = place_value(e, db, key, f, ZSET, FORM_LARGE, sizeof(Ref), at_ms)
        if payload == NULL:
            free_root(e, root)
    if payload == NULL:
        return NO_MEMORY
    store_u32(payload, root)
    return OK


cdef Status make_large(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    """Turn a packed set into a large one."""
    cdef Packed pairs = packed_of(f.entry)
    cdef const char* p = pairs.start
    cdef Ref root = new_root(e)
    cdef char digits[32]
    cdef Slice member
    if root == 0:
        return NO_MEMORY
    while p < pairs.end:
        member_at(p, &member, digits)
        if append(e, <Zset*>arena_at(&e.arena, root), member.ptr, member.len, score_at(p)) != OK:
            free_root(e, root)
            return NO_MEMORY
        p = next_pair(p)
    return place_root(e, db, key, f, root, entry_expiry(f.entry))

# ---------------------------------------------------------------- what the keyspace must know

cdef const char* encoding(const Entry* entry) noexcept nogil:
    return b"skiplist" if entry_form(entry) == FORM_LARGE else b"listpack"


cdef Ref clone(Engine* e, Ref root) noexcept nogil:
    cdef Zset* z = <Zset*>arena_at(&e.arena, root)
    cdef Ref copy = new_root(e)
    cdef TreeCursor c
    cdef uint32_t n
    cdef char* p
    if copy == 0:
        return 0
    tree_seek_rank(&e.arena, &z.tree, 0, &c)
    while c.ref:
        p = member_key(arena_at(&e.arena, c.ref), SCORED_KEY, &n)
        if append(e, <Zset*>arena_at(&e.arena, copy), p, n, member_score(arena_at(&e.arena, c.ref))) != OK:
            free_root(e, copy)
            return 0
        tree_next(&e.arena, &c)
    return copy


cdef uint64_t value_bytes(Engine* e, Ref root) noexcept nogil:
    """All that a large set takes: exact up to SAMPLES members, else from as many of them."""
    cdef Zset* z = <Zset*>arena_at(&e.arena, root)
    cdef uint64_t samples = min(z.tree.count, <uint64_t>SAMPLES), sum = 0, i
    cdef TreeCursor c
    for i in range(samples):
        tree_seek_rank(&e.arena, &z.tree, i * z.tree.count // samples, &c)
        sum += arena_size(&e.arena, c.ref)
    if samples:
        sum = <uint64_t>(<double>sum / <double>samples * <double>z.tree.count)
    return sum + z.members.bytes + z.tree.bytes + arena_size(&e.arena, root)


cdef uint64_t free_some(Engine* e, Ref root, uint64_t* position, uint64_t most) noexcept nogil:
    """The tree loses its first leaf again and again, so that no position is needed."""
    cdef Zset* z = <Zset*>arena_at(&e.arena, root)
    cdef Ref refs[TREE_ROOM]
    cdef uint64_t freed = 0
    cdef uint32_t n, i
    while freed < most and z.tree.count:
        n = tree_take_run(&e.arena, &z.tree, 0, TREE_ROOM, refs)
        for i in range(n):
            prefetch(arena_at(&e.arena, refs[i]))
        for i in range(n):
            arena_free(&e.arena, refs[i])
        freed += n
    if z.tree.count == 0:
        table_clear(&e.arena, &z.members)
        arena_free(&e.arena, root)
        position[0] = UINT64_MAX
    return freed


cdef KindOps ops
ops.encoding = encoding
ops.count = zset_length
ops.clone = clone
ops.bytes = value_bytes
ops.free_some = free_some
ops.expire_fields = NULL
register_kind(ZSET, &ops)

# ---------------------------------------------------------------- walking

cdef inline void ask_for(const Arena* a, const TreeCursor* c, uint32_t first, uint32_t n) noexcept nogil:
    """Prefetch objects of a cursor's leaf."""
    cdef uint32_t i, end = min(first + n, <uint32_t>c.nodes[0].count)
    for i in range(first, end):
        prefetch(arena_at(a, leaf_entries(c.nodes[0])[i].ref))


cdef inline void begin_packed(Entry* entry, ZsetWalk* w) noexcept nogil:
    cdef Packed pairs = packed_of(entry)
    w.packed = True
    w.start = w.next = pairs.start
    w.end = pairs.end
    w.rank = w.placed = 0


cdef void zset_walk_begin(Engine* e, Entry* entry, ZsetWalk* w) noexcept nogil:
    zset_seek_rank(e, entry, 0, w)


cdef void zset_seek_rank(Engine* e, Entry* entry, uint64_t rank, ZsetWalk* w) noexcept nogil:
    w.engine = e
    if entry_form(entry) == FORM_LARGE:
        w.packed = False
        tree_seek_rank(&e.arena, &zset_root(e, entry).tree, rank, &w.cursor)
        if w.cursor.ref:
            ask_for(&e.arena, &w.cursor, w.cursor.at[0], AHEAD)
        return
    begin_packed(entry, w)
    while w.rank < rank and w.next < w.end:
        w.next = next_pair(w.next)
        w.rank += 1
    w.placed = w.rank


cdef void zset_seek_score(Engine* e, Entry* entry, double min, bint open, ZsetWalk* w) noexcept nogil:
    cdef TreeKey key
    cdef double score
    w.engine = e
    if entry_form(entry) == FORM_LARGE:
        w.packed = False
        key_of_score(&key, min, open)
        tree_seek(&e.arena, &zset_root(e, entry).tree, &key, &w.cursor)
        if w.cursor.ref:
            ask_for(&e.arena, &w.cursor, w.cursor.at[0], AHEAD)
        return
    begin_packed(entry, w)
    while w.next < w.end:
        score = score_at(w.next)
        if score > min or (score == min and not open):
            break
        w.next = next_pair(w.next)
        w.rank += 1
    w.placed = w.rank


cdef inline void read_object(const ZsetWalk* w, Slice* member, double* score) noexcept nogil:
    cdef char* m = arena_at(&w.engine.arena, w.cursor.ref)
    member.ptr = member_key(m, SCORED_KEY, &member.len)
    member.block = 0
    score[0] = member_score(m)


cdef bint zset_walk_next(ZsetWalk* w, Slice* member, double* score) noexcept nogil:
    cdef Item item
    if w.packed:
        if w.next >= w.end:
            return False
        w.next = packed_read(w.next, &item)
        item_text(&item, w.digits, member)
        w.next = packed_read(w.next, &item)
        score[0] = item_double(&item)
        w.rank += 1
        w.placed = w.rank
        return True
    if w.cursor.ref == 0:
        return False
    read_object(w, member, score)
    tree_next(&w.engine.arena, &w.cursor)
    if w.cursor.ref and w.cursor.at[0] == 0:
        ask_for(&w.engine.arena, &w.cursor, 0, AHEAD)
    else:
        ask_for(&w.engine.arena, &w.cursor, w.cursor.at[0] + AHEAD - 1, 1)
    return True


cdef void find_places(ZsetWalk* w) noexcept nogil:
    """Keep the places of the pairs in front of the present one."""
    cdef const char* p = w.start
    cdef uint64_t i, _
    w.placed = w.rank - min(w.rank, <uint64_t>WALK_PLACES)
    for _ in range(w.placed):
        p = next_pair(p)
    for i in range(w.rank - w.placed):
        w.places[i] = <uint32_t>(p - w.start)
        p = next_pair(p)


cdef bint zset_walk_back(ZsetWalk* w, Slice* member, double* score) noexcept nogil:
    cdef uint32_t at
    if w.packed:
        if w.rank == 0:
            return False
        if w.rank == w.placed:
            find_places(w)
        w.rank -= 1
        w.next = w.start + w.places[w.rank - w.placed]
        member_at(w.next, member, w.digits)
        score[0] = score_at(w.next)
        return True
    if w.cursor.rank == 0:
        return False
    tree_previous(&w.engine.arena, &w.cursor)
    at = w.cursor.at[0]
    if at + 1 == w.cursor.nodes[0].count:
        ask_for(&w.engine.arena, &w.cursor, at - AHEAD if at > AHEAD else 0, AHEAD)
    elif at >= AHEAD:
        ask_for(&w.engine.arena, &w.cursor, at - AHEAD, 1)
    read_object(w, member, score)
    return True

# ---------------------------------------------------------------- looking

cdef uint64_t zset_length(Engine* e, Entry* entry) noexcept nogil:
    cdef Packed pairs
    if entry_form(entry) == FORM_LARGE:
        return zset_root(e, entry).tree.count
    pairs = packed_of(entry)
    return packed_count(pairs.start, pairs.end) // 2


cdef bint zset_is_empty(Engine* e, Entry* entry) noexcept nogil:
    cdef Packed pairs
    if entry_form(entry) == FORM_LARGE:
        return zset_root(e, entry).tree.count == 0
    pairs = packed_of(entry)
    return pairs.start == pairs.end


cdef bint zset_score(Engine* e, Entry* entry, const Slice* member, double* score) noexcept nogil:
    cdef Packed pairs
    cdef Slot slot
    cdef Zset* z
    cdef const char* p
    cdef uint64_t rank
    if entry_form(entry) == FORM_LARGE:
        z = zset_root(e, entry)
        if not table_find(&e.arena, &z.members, key_hash(e, member), member.ptr, member.len, &slot):
            return False
        score[0] = member_score(arena_at(&e.arena, slot.bucket.refs[slot.index]))
        return True
    pairs = packed_of(entry)
    p = pair_of(&pairs, member, &rank)
    if p != NULL:
        score[0] = score_at(p)
    return p != NULL


cdef bint zset_rank(Engine* e, Entry* entry, const Slice* member, uint64_t* rank, double* score) noexcept nogil:
    cdef TreeKey key
    cdef Packed pairs
    cdef const char* p
    if entry_form(entry) == FORM_LARGE:
        if not zset_score(e, entry, member, score):
            return False
        key_of_member(&key, score[0], member.ptr, member.len)
        rank[0] = tree_rank(&e.arena, &zset_root(e, entry).tree, &key)
        return True
    pairs = packed_of(entry)
    p = pair_of(&pairs, member, rank)
    if p != NULL:
        score[0] = score_at(p)
    return p != NULL


cdef void zset_score_span(Engine* e, Entry* entry, const ScoreRange* r, uint64_t* first, uint64_t* last) noexcept nogil:
    cdef Packed pairs
    cdef const char* p
    cdef TreeKey key
    cdef double score
    if entry_form(entry) == FORM_LARGE:
        key_of_score(&key, r.min, r.min_open)
        first[0] = tree_rank(&e.arena, &zset_root(e, entry).tree, &key)
        last[0] = zset_root(e, entry).tree.count
        if r.max != INFINITY or r.max_open:
            key_of_score(&key, r.max, not r.max_open)
            last[0] = max(first[0], tree_rank(&e.arena, &zset_root(e, entry).tree, &key))
        return
    pairs = packed_of(entry)
    p = pairs.start
    first[0] = last[0] = 0
    while p < pairs.end:
        score = score_at(p)
        if score > r.max or (score == r.max and r.max_open):
            break
        last[0] += 1
        if score < r.min or (score == r.min and r.min_open):
            first[0] += 1
        p = next_pair(p)


cdef inline bint lex_from(const LexRange* r, const Slice* member) noexcept nogil:
    """Whether a member is not in front of a range."""
    cdef int c
    if r.min_kind == LEX_FIRST or r.min_kind == LEX_LAST:
        return r.min_kind == LEX_FIRST
    c = compare_bytes(member.ptr, member.len, r.min.ptr, r.min.len)
    return c > 0 or (c == 0 and r.min_kind == LEX_CLOSED)


cdef inline bint lex_up_to(const LexRange* r, const Slice* member) noexcept nogil:
    """Whether a member is not behind a range."""
    cdef int c
    if r.max_kind == LEX_FIRST or r.max_kind == LEX_LAST:
        return r.max_kind == LEX_LAST
    c = compare_bytes(member.ptr, member.len, r.max.ptr, r.max.len)
    return c < 0 or (c == 0 and r.max_kind == LEX_CLOSED)


cdef uint64_t lex_rank(Engine* e, Zset* z, LexKind kind, const Slice* bound, bint behind) noexcept nogil:
    """Members of a large set in front of a bound, with the bound itself if `behind`; all have one score."""
    cdef TreeCursor c
    cdef TreeKey key
    cdef uint32_t n
    cdef char* p
    if kind == LEX_FIRST or kind == LEX_LAST:
        return z.tree.count if kind == LEX_LAST else 0
    tree_seek_rank(&e.arena, &z.tree, 0, &c)
    key_of_member(&key, member_score(arena_at(&e.arena, c.ref)), bound.ptr, bound.len)
    tree_seek(&e.arena, &z.tree, &key, &c)
    if behind and c.ref:
        p = member_key(arena_at(&e.arena, c.ref), SCORED_KEY, &n)
        if compare_bytes(p, n, bound.ptr, bound.len) == 0:
            return c.rank + 1
    return c.rank


cdef void zset_lex_span(Engine* e, Entry* entry, const LexRange* r, uint64_t* first, uint64_t* last) noexcept nogil:
    cdef char digits[32]
    cdef Packed pairs
    cdef const char* p
    cdef Slice member
    cdef Zset* z
    if entry_form(entry) == FORM_LARGE:
        z = zset_root(e, entry)
        first[0] = lex_rank(e, z, r.min_kind, &r.min, r.min_kind == LEX_OPEN)
        last[0] = max(first[0], lex_rank(e, z, r.max_kind, &r.max, r.max_kind == LEX_CLOSED))
        return
    pairs = packed_of(entry)
    p = pairs.start
    first[0] = 0
    while p < pairs.end:
        member_at(p, &member, digits)
        if lex_from(r, &member):
            break
        first[0] += 1
        p = next_pair(p)
    last[0] = first[0]
    while p < pairs.end:
        member_at(p, &member, digits)
        if not lex_up_to(r, &member):
            break
        last[0] += 1
        p = next_pair(p)

# ---------------------------------------------------------------- changing

cdef Status put_first(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member,
                      double score) noexcept nogil:
    """Make a key for one member."""
    cdef Item m, s
    cdef char* payload
    cdef double had
    cdef Ref root
    if fits(e, 1, member.len):
        item_of_bytes(&m, member.ptr, member.len)
        item_of_score(&s, score)
        payload = place_value(e, db, key, f, ZSET, FORM_PACKED, m.bytes + s.bytes, -1)
        if payload == NULL:
            return NO_MEMORY
        write_pair(payload, &m, &s)
        return OK
    root = new_root(e)
    if root and put_large(e, <Zset*>arena_at(&e.arena, root), member, score, &had) != OK:
        free_root(e, root)
        return NO_MEMORY
    return place_root(e, db, key, f, root, -1)


cdef Status zset_exchange(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member, double score,
                          double* had) noexcept nogil:
    if f.entry == NULL:
        return put_first(e, db, key, f, member, score)
    if entry_form(f.entry) == FORM_LARGE:
        return put_large(e, zset_root(e, f.entry), member, score, had)
    return put_packed(e, db, key, f, member, score, had)


cdef Status zset_put(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member, double score) noexcept nogil:
    cdef double had
    return zset_exchange(e, db, key, f, member, score, &had)


cdef Status zset_expect(Engine* e, Database* db, const Slice* key, Found* f, uint64_t count,
                        uint32_t longest) noexcept nogil:
    if f.entry == NULL:
        if fits(e, count, longest):
            return OK
        return place_root(e, db, key, f, new_root(e), -1)
    if entry_form(f.entry) == FORM_LARGE or <int64_t>count <= e.config.zset_max_listpack_entries:
        return OK
    return make_large(e, db, key, f)


cdef Status zset_remove(Engine* e, Found* f, const Slice* member) noexcept nogil:
    cdef uint64_t hash, rank
    cdef Packed pairs
    cdef const char* p
    cdef TreeKey key
    cdef Slot slot
    cdef Zset* z
    cdef Ref ref
    if entry_form(f.entry) == FORM_LARGE:
        z = zset_root(e, f.entry)
        hash = key_hash(e, member)
        if not table_find(&e.arena, &z.members, hash, member.ptr, member.len, &slot):
            return MISSING
        ref = slot.bucket.refs[slot.index]
        key_of_member(&key, member_score(arena_at(&e.arena, ref)), member.ptr, member.len)
        tree_take(&e.arena, &z.tree, &key)
        table_remove(&e.arena, &z.members, hash, &slot)
        arena_free(&e.arena, ref)
        return OK
    pairs = packed_of(f.entry)
    p = pair_of(&pairs, member, &rank)
    if p == NULL:
        return MISSING
    if value_splice(e, f, <uint32_t>(p - pairs.start), <uint32_t>(next_pair(p) - p), 0) == NULL:
        return NO_MEMORY
    return OK


cdef void remove_run(Engine* e, Zset* z, const Ref* refs, uint32_t n) noexcept nogil:
    """Take members, which the tree has lost, out of the table, and free them."""
    cdef uint64_t hashes[TREE_ROOM]
    cdef uint32_t i, len
    cdef char* p
    for i in range(n):
        prefetch(arena_at(&e.arena, refs[i]))
    for i in range(n):
        p = member_key(arena_at(&e.arena, refs[i]), SCORED_KEY, &len)
        hashes[i] = hash_bytes(&e.arena.head.seed, p, len)
        table_prefetch_bucket(&e.arena, &z.members, hashes[i])
    for i in range(n):
        forget_member(e, z, hashes[i], refs[i])


cdef Status zset_remove_span(Engine* e, Found* f, uint64_t first, uint64_t count) noexcept nogil:
    cdef Ref refs[TREE_ROOM]
    cdef const char* start
    cdef const char* p
    cdef Packed pairs
    cdef Zset* z
    cdef uint32_t n
    cdef uint64_t _
    if entry_form(f.entry) == FORM_LARGE:
        z = zset_root(e, f.entry)
        while count:
            n = tree_take_run(&e.arena, &z.tree, first, count, refs)
            if n == 0:
                break
            remove_run(e, z, refs, n)
            count -= n
        return OK
    pairs = packed_of(f.entry)
    start = pairs.start
    for _ in range(first):
        start = next_pair(start)
    p = start
    while count and p < pairs.end:
        p = next_pair(p)
        count -= 1
    if value_splice(e, f, <uint32_t>(start - pairs.start), <uint32_t>(p - start), 0) == NULL:
        return NO_MEMORY
    return OK


cdef Status store_packed(Engine* e, Database* db, const Slice* key, Found* f, const ScoredList* list) noexcept nogil:
    """The value may replace one that the members are part of: it is made aside."""
    cdef Item m, s
    cdef size_t bytes = 0
    cdef uint64_t i
    cdef char* made
    cdef char* p
    cdef char* payload
    for i in range(list.count):
        item_of_bytes(&m, list.items[i].ptr, list.items[i].len)
        item_of_score(&s, list.items[i].score)
        bytes += m.bytes + s.bytes
    made = p = <char*>malloc(bytes)
    if made == NULL:
        return NO_MEMORY
    for i in range(list.count):
        item_of_bytes(&m, list.items[i].ptr, list.items[i].len)
        item_of_score(&s, list.items[i].score)
        p = write_pair(p, &m, &s)
    payload = place_value(e, db, key, f, ZSET, FORM_PACKED, <uint32_t>bytes, -1)
    if payload != NULL:
        memcpy(payload, made, bytes)
    free(made)
    return OK if payload != NULL else NO_MEMORY


cdef Status zset_store(Engine* e, Database* db, const Slice* key, Found* f, const ScoredList* list) noexcept nogil:
    cdef uint32_t longest = 0
    cdef Scored* item
    cdef uint64_t i
    cdef Ref root
    for i in range(list.count):
        longest = max(longest, list.items[i].len)
    if fits(e, list.count, longest):
        return store_packed(e, db, key, f, list)
    root = new_root(e)
    for i in range(list.count if root else 0):
        item = &list.items[i]
        if append(e, <Zset*>arena_at(&e.arena, root), item.ptr, item.len, item.score) != OK:
            free_root(e, root)
            return NO_MEMORY
    return place_root(e, db, key, f, root, -1)
