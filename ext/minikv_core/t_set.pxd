# Sets: the value API that other modules use (SORT, GEORADIUS, DUMP, ...). It never sees a session.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena, arena_at
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry, entry_kind, entry_root, load_int
from minikv_core.hash cimport hash_bytes, uint128_t
from minikv_core.keyspace cimport Found, random_next
from minikv_core.member cimport SET_KEY, member_key
from minikv_core.memory cimport ctz
from minikv_core.numbers cimport format_int
from minikv_core.output cimport Output
from minikv_core.packed cimport ITEM_STRING, Item, packed_read
from minikv_core.reply cimport reply_bulk, reply_bulk_int
from minikv_core.table cimport Segment, Table, table_prefetch_bucket, table_prefetch_entry
from minikv_core.types cimport SET, Ref, Slice, Status

cdef enum:
    SET_GROUP = 16          # most members that are hashed and prefetched together

cdef struct Member:         # a member, wherever it lies
    const char* ptr         # NULL = a number; borrowed
    int64_t  number         # that, or the length of the text at ptr

cdef enum StoreForm:        # of a set that is stored whole
    STORE_PACKED = 0        # packed if it fits
    STORE_FITTING = 1       # an intset of numbers alone, else packed if it fits
    STORE_ADDED = 2         # as if the members had been added one by one to an intset

cdef struct SetWalk:
    Arena*   arena
    Table*   table          # of a large set; NULL = a small one
    uint64_t position       # large: where the next segment begins
    Segment* segment        # large: the one that is walked through, and its bucket
    uint32_t bucket
    uint32_t mask           # slots of that bucket still to come
    const char* at          # small: the next element, and the end
    const char* end
    uint32_t width          # bytes of an integer; 0 = packed elements
    char[32] digits         # of a number

cdef inline bint is_set(const Entry* entry) noexcept nogil:
    return entry_kind(entry) == SET

cdef inline Table* set_table(const Engine* e, Entry* entry) noexcept nogil:
    """The table of a large set."""
    return <Table*>arena_at(&e.arena, entry_root(entry))

cdef uint64_t set_length(Engine* e, Entry* entry) noexcept nogil
cdef bint set_has(Engine* e, Entry* entry, const Slice* member) noexcept nogil
# Add a member, making the set if f.entry is NULL. OK = it is new, EXISTS, NO_MEMORY (nothing has changed).
cdef Status set_add(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member) noexcept nogil
# The same for the first of `expected` members, which decides about the set's form.
cdef Status set_add_of(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member,
                       uint64_t expected) noexcept nogil
# Remove a member, and the key (f.entry = NULL) with the last one. OK, MISSING, NO_MEMORY (nothing has changed).
cdef Status set_remove(Engine* e, Database* db, Found* f, const Slice* member) noexcept nogil
# Put count > 0 distinct members in place of what a key holds, in a form that fits them; they may lie in the old
# value. The expiry becomes at_ms (-1 = none). OK, NO_MEMORY.
cdef Status set_store(Engine* e, Database* db, const Slice* key, Found* f, const Member* members, uint64_t count,
                      int64_t at_ms, StoreForm form) noexcept nogil

# Members of a large set, their hash known: OK, EXISTS, NO_MEMORY; OK, MISSING.
cdef Status table_add_member(Engine* e, Table* t, uint64_t hash, const Slice* member) noexcept nogil
cdef Status table_drop_member(Engine* e, Table* t, uint64_t hash, const Slice* member) noexcept nogil

# Go through the members. Slices and texts stay valid until the set changes, numbers' digits until the next call.
cdef void set_walk_begin(Engine* e, Entry* entry, SetWalk* w) noexcept nogil
cdef bint next_bucket(SetWalk* w) noexcept nogil

cdef inline bint set_walk_member(SetWalk* w, Member* m) noexcept nogil:
    """The next member, numbers as numbers; False at the end."""
    cdef Item item
    cdef uint32_t n
    if w.table != NULL:
        if w.mask == 0 and not next_bucket(w):
            return False
        m.ptr = member_key(arena_at(w.arena, w.segment.buckets[w.bucket].refs[ctz(w.mask)]), SET_KEY, &n)
        m.number = n
        w.mask &= w.mask - 1
        return True
    if w.at == w.end:
        return False
    m.ptr = NULL
    if w.width:
        m.number = load_int(w.at, w.width)
        w.at += w.width
        return True
    w.at = packed_read(w.at, &item)
    if item.kind == ITEM_STRING:
        m.ptr = item.ptr
        m.number = item.len
    else:
        m.number = item.number
    return True

cdef inline void member_text(const Member* m, char* digits, Slice* text) noexcept nogil:
    """A member as text; numbers are formatted into `digits` (24 bytes)."""
    text.block = 0
    if m.ptr != NULL:
        text.ptr = <char*>m.ptr
        text.len = <uint32_t>m.number
    else:
        text.ptr = digits
        text.len = format_int(digits, m.number)

cdef inline bint set_walk_next(SetWalk* w, Slice* member) noexcept nogil:
    cdef Member m
    if not set_walk_member(w, &m):
        return False
    member_text(&m, w.digits, member)
    return True

cdef inline void reply_member(Output* o, const Member* m) noexcept nogil:
    if m.ptr != NULL:
        reply_bulk(o, m.ptr, <size_t>m.number)
    else:
        reply_bulk_int(o, m.number)

cdef inline uint64_t member_hash(const Engine* e, const Slice* member) noexcept nogil:
    return hash_bytes(&e.arena.head.seed, member.ptr, member.len)

cdef inline uint32_t hash_members(Engine* e, const Table* t, const Slice* members, uint32_t n, uint64_t* hashes) noexcept nogil:
    """Hash up to SET_GROUP members and ask for what a table has of them; returns how many."""
    cdef uint32_t i
    n = min(n, <uint32_t>SET_GROUP)
    for i in range(n):
        hashes[i] = member_hash(e, &members[i])
        table_prefetch_bucket(&e.arena, t, hashes[i])
    if n > 1:
        for i in range(n):
            table_prefetch_entry(&e.arena, t, hashes[i])
    return n

cdef inline uint64_t random_below(Engine* e, uint64_t n) noexcept nogil:
    """A random number in [0, n)."""
    return <uint64_t>((<uint128_t>random_next(&e.random) * n) >> 64)
