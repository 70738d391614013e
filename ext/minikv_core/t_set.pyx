"""Sets: members without order, each once.

Forms. A set of integers is FORM_INTSET, up to set-max-intset-entries of them; a set of up to
set-max-listpack-entries short members, or one that was such, is FORM_PACKED; all others are FORM_LARGE:
a table of member objects. A set grows from form to form and never goes back, but SPOP of most members and
commands that store a new set choose afresh.

Costs. A member of a large set takes one byte more than its text, and eight bytes of the table. Small sets
are searched from end to end (FORM_PACKED) or by halving (FORM_INTSET).
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy
from minikv_core.ahead cimport prefetch_ahead
from minikv_core.arena cimport Arena, arena_alloc, arena_at, arena_free, arena_size, undo_note
from minikv_core.engine cimport (
    DENYOOM, FAST, READONLY, WRITE, EVENT_GENERIC, EVENT_NEW, EVENT_SET, Database, Engine, Session,
)
from minikv_core.entry cimport Entry, EntryView, entry_expiry, entry_form, entry_value, entry_view, store_int
from minikv_core.intset cimport (
    intset_at, intset_bytes, intset_count, intset_find, intset_widen, intset_width, intset_write, width_needed,
)
from minikv_core.keyspace cimport (
    LOOK_NO_TOUCH, LOOK_READ, LOOK_WRITE, Found, KindOps, key_hash, look_up, notify, place_value, register_kind,
    remove_key, signal_modified, value_splice,
)
from minikv_core.lazyfree cimport free_large
from minikv_core.member cimport member_bytes, member_write
from minikv_core.memory cimport prefetch, store_u32, unlikely
from minikv_core.numbers cimport INT_CHARS, parse_int
from minikv_core.packed cimport (
    ITEM_INT, PACKED_HEAD, item_of_bytes, item_of_int, packed_count, packed_equals, packed_find, packed_next,
    packed_write,
)
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_bulk_int, reply_int, reply_set
from minikv_core.scan cimport RefList, ScanOptions, scan_key, scan_table, scan_wanted
from minikv_core.session cimport fail_status, fail_wrong_type
from minikv_core.table cimport (
    ALL_SLOTS, BUCKETS, Bucket, Slot, match_tags, table_clear, table_find, table_init, table_insert,
    table_next_segment, table_remove,
)
from minikv_core.types cimport (
    EXISTS, FORM_INTSET, FORM_LARGE, FORM_PACKED, MISSING, NO_MEMORY, OK,
)
from minikv_core.registry import KeySpec, define

cdef enum:
    LARGE_PAYLOAD = 4           # bytes: the root's reference
    INTSET_MOST = 1 << 27       # integers, whatever the setting says
    PACKED_MOST = 1 << 30       # bytes of packed members, whatever the settings say

# ---------------------------------------------------------------- walking

cdef void set_walk_begin(Engine* e, Entry* entry, SetWalk* w) noexcept nogil:
    cdef EntryView v
    if entry_form(entry) == FORM_LARGE:
        walk_table(e, set_table(e, entry), w)
        return
    entry_view(entry, &v)
    w.arena = &e.arena
    w.table = NULL
    w.width = 0
    w.at = v.value
    w.end = v.value + v.vlen
    if v.form == FORM_INTSET:
        w.width = intset_width(v.value)
        w.at += 1


cdef void walk_table(Engine* e, Table* t, SetWalk* w) noexcept nogil:
    w.arena = &e.arena
    w.table = t
    w.position = 0
    w.segment = NULL
    w.bucket = BUCKETS - 1      # as if at the end of a segment
    w.mask = 0


cdef inline void ask_for(const Arena* a, const Bucket* b) noexcept nogil:
    """Prefetch the members of a bucket."""
    cdef uint32_t mask = ~match_tags(b.tags, 0) & ALL_SLOTS
    while mask:
        prefetch(arena_at(a, b.refs[ctz(mask)]))
        mask &= mask - 1


cdef bint next_bucket(SetWalk* w) noexcept nogil:
    """Go on to the next bucket with members, and ask for those of the one behind it; False at the end."""
    while True:
        if w.bucket == BUCKETS - 1:
            w.segment = table_next_segment(w.arena, w.table, &w.position)
            if w.segment == NULL:
                return False
            w.bucket = 0
            ask_for(w.arena, &w.segment.buckets[0])
        else:
            w.bucket += 1
        if w.bucket + 1 < BUCKETS:
            ask_for(w.arena, &w.segment.buckets[w.bucket + 1])
        w.mask = ~match_tags(w.segment.buckets[w.bucket].tags, 0) & ALL_SLOTS
        if w.mask:
            return True

# ---------------------------------------------------------------- what is there

cdef uint64_t set_length(Engine* e, Entry* entry) noexcept nogil:
    cdef EntryView v
    if entry_form(entry) == FORM_LARGE:
        return set_table(e, entry).count
    entry_view(entry, &v)
    if v.form == FORM_INTSET:
        return intset_count(v.value, v.vlen)
    return packed_count(v.value, v.value + v.vlen)


cdef bint set_has(Engine* e, Entry* entry, const Slice* member) noexcept nogil:
    cdef EntryView v
    cdef Item item
    cdef Slot slot
    cdef uint32_t at
    if entry_form(entry) == FORM_LARGE:
        return table_find(&e.arena, set_table(e, entry), member_hash(e, member), member.ptr, member.len, &slot)
    entry_view(entry, &v)
    item_of_bytes(&item, member.ptr, member.len)
    if v.form == FORM_INTSET:
        return item.kind == ITEM_INT and intset_find(v.value, v.vlen, item.number, &at)
    return packed_find(v.value, v.value + v.vlen, &item, 0) != NULL

# ---------------------------------------------------------------- large sets

cdef Ref new_root(Engine* e) noexcept nogil:
    """An empty table, the root of a large set; 0 = no memory."""
    cdef Ref root = arena_alloc(&e.arena, sizeof(Table))
    if root:
        table_init(<Table*>arena_at(&e.arena, root), SET_KEY)
    return root


cdef inline Status insert(Engine* e, Table* t, uint64_t hash, const Slice* member) noexcept nogil:
    """Add a member that a table does not have."""
    cdef Ref ref = arena_alloc(&e.arena, member_bytes(member.len, SET_KEY))
    if unlikely(ref == 0):
        return NO_MEMORY
    member_write(arena_at(&e.arena, ref), SET_KEY, member.ptr, member.len)
    if unlikely(table_insert(&e.arena, t, hash, ref, -1) != OK):
        arena_free(&e.arena, ref)
        return NO_MEMORY
    return OK


cdef Status table_add_member(Engine* e, Table* t, uint64_t hash, const Slice* member) noexcept nogil:
    cdef Slot slot
    if table_find(&e.arena, t, hash, member.ptr, member.len, &slot):
        return EXISTS
    return insert(e, t, hash, member)


cdef Status table_drop_member(Engine* e, Table* t, uint64_t hash, const Slice* member) noexcept nogil:
    cdef Slot slot
    cdef Ref ref
    if not table_find(&e.arena, t, hash, member.ptr, member.len, &slot):
        return MISSING
    ref = slot.bucket.refs[slot.index]
    table_remove(&e.arena, t, hash, &slot)
    arena_free(&e.arena, ref)
    return OK


cdef Status place_root(Engine* e, Database* db, const Slice* key, Found* f, Ref root, int64_t at_ms) noexcept nogil:
    """Let a key name a large set, which is freed if memory is refused."""
    cdef char* payload = place_value(e, db, key, f, SET, FORM_LARGE, LARGE_PAYLOAD, at_ms)
    if payload == NULL:
        free_large(e, SET, root, False)
        return NO_MEMORY
    store_u32(payload, root)
    return OK


cdef Table* enlarge(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    """Make a small set a large one; NULL = no memory, and nothing has changed."""
    cdef Ref root = new_root(e)
    cdef Table* t
    cdef SetWalk w
    cdef Slice member
    if root == 0:
        return NULL
    t = <Table*>arena_at(&e.arena, root)
    set_walk_begin(e, f.entry, &w)
    while set_walk_next(&w, &member):
        if insert(e, t, member_hash(e, &member), &member) != OK:
            free_large(e, SET, root, False)
            return NULL
    return t if place_root(e, db, key, f, root, entry_expiry(f.entry)) == OK else NULL

# ---------------------------------------------------------------- adding

cdef inline uint64_t intset_limit(const Engine* e) noexcept nogil:
    return <uint64_t>min(e.config.set_max_intset_entries, <int64_t>INTSET_MOST)


cdef inline uint64_t packed_limit(const Engine* e) noexcept nogil:
    return <uint64_t>e.config.set_max_listpack_entries


cdef inline bint is_short(const Engine* e, uint32_t len) noexcept nogil:
    return len <= <uint64_t>e.config.set_max_listpack_value


cdef Status create(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member,
                   uint64_t expected) noexcept nogil:
    """Make a set of one member, of which more are expected."""
    cdef char* payload
    cdef Item item
    cdef Ref root
    expected = max(expected, <uint64_t>1)
    item_of_bytes(&item, member.ptr, member.len)
    if item.kind == ITEM_INT and expected <= intset_limit(e):
        payload = place_value(e, db, key, f, SET, FORM_INTSET, intset_bytes(&item.number, 1), -1)
        if payload == NULL:
            return NO_MEMORY
        intset_write(payload, &item.number, 1)
        return OK
    if expected <= packed_limit(e) and is_short(e, member.len):
        payload = place_value(e, db, key, f, SET, FORM_PACKED, item.bytes, -1)
        if payload == NULL:
            return NO_MEMORY
        packed_write(payload, &item)
        return OK
    root = new_root(e)
    if root == 0:
        return NO_MEMORY
    if insert(e, <Table*>arena_at(&e.arena, root), member_hash(e, member), member) != OK:
        free_large(e, SET, root, False)
        return NO_MEMORY
    return place_root(e, db, key, f, root, -1)


cdef Status insert_number(Engine* e, Found* f, const EntryView* v, int64_t number, uint32_t at) noexcept nogil:
    """Put a number into an intset at its place."""
    cdef uint32_t count = intset_count(v.value, v.vlen), width = intset_width(v.value), wide = width_needed(number)
    cdef char* p
    if wide <= width:
        p = value_splice(e, f, 1 + at * width, 0, width)
        if p == NULL:
            return NO_MEMORY
        store_int(p, number, width)
        return OK
    # wider than all others, it is the least or the greatest
    if value_splice(e, f, v.vlen, 0, 1 + (count + 1) * wide - v.vlen) == NULL:
        return NO_MEMORY
    p = entry_value(f.entry)
    undo_note(&e.arena, p, v.vlen)
    intset_widen(p, count, wide, number < 0)
    store_int(p + 1 + at * wide, number, wide)
    return OK


cdef bint numbers_are_short(const Engine* e, const EntryView* v) noexcept nogil:
    """Whether no number of an intset is too long for a packed set."""
    cdef char[24] digits
    cdef uint32_t count = intset_count(v.value, v.vlen)
    return is_short(e, max(format_int(digits, intset_at(v.value, 0)), format_int(digits, intset_at(v.value, count - 1))))


cdef Status pack_numbers(Engine* e, Database* db, const Slice* key, Found* f, uint32_t count, const Item* more) noexcept nogil:
    """Make an intset a packed set that has one member more."""
    cdef SetWalk w
    cdef Member m
    cdef Item item
    cdef char* packed = <char*>malloc(<size_t>count * PACKED_HEAD + more.bytes)
    cdef char* end = packed
    cdef char* payload
    if packed == NULL:
        return NO_MEMORY
    set_walk_begin(e, f.entry, &w)
    while set_walk_member(&w, &m):
        item_of_int(&item, m.number)
        end = packed_write(end, &item)
    end = packed_write(end, more)
    payload = place_value(e, db, key, f, SET, FORM_PACKED, <uint32_t>(end - packed), entry_expiry(f.entry))
    if payload != NULL:
        memcpy(payload, packed, <size_t>(end - packed))
    free(packed)
    return OK if payload != NULL else NO_MEMORY


cdef Status add_to_large(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member) noexcept nogil:
    """Add to a set that is to become a large one a member that it does not have."""
    cdef Table* t = enlarge(e, db, key, f)
    return insert(e, t, member_hash(e, member), member) if t != NULL else NO_MEMORY


cdef Status add_to_intset(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member) noexcept nogil:
    cdef EntryView v
    cdef Item item
    cdef uint32_t at, count
    entry_view(f.entry, &v)
    count = intset_count(v.value, v.vlen)
    item_of_bytes(&item, member.ptr, member.len)
    if item.kind != ITEM_INT:
        if count < packed_limit(e) and is_short(e, member.len) and numbers_are_short(e, &v):
            return pack_numbers(e, db, key, f, count, &item)
        return add_to_large(e, db, key, f, member)
    if intset_find(v.value, v.vlen, item.number, &at):
        return EXISTS
    if count >= intset_limit(e):
        return add_to_large(e, db, key, f, member)
    return insert_number(e, f, &v, item.number, at)


cdef Status add_to_packed(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member) noexcept nogil:
    cdef EntryView v
    cdef Item item
    cdef const char* p
    cdef char* to
    cdef uint64_t count = 0
    entry_view(f.entry, &v)
    item_of_bytes(&item, member.ptr, member.len)
    p = v.value
    while p < v.value + v.vlen:
        if packed_equals(p, &item):
            return EXISTS
        p = packed_next(p)
        count += 1
    if count >= packed_limit(e) or not is_short(e, member.len) or <uint64_t>v.vlen + item.bytes > PACKED_MOST:
        return add_to_large(e, db, key, f, member)
    to = value_splice(e, f, v.vlen, 0, item.bytes)
    if to == NULL:
        return NO_MEMORY
    packed_write(to, &item)
    return OK


cdef Status set_add_of(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member,
                       uint64_t expected) noexcept nogil:
    cdef uint8_t form
    if f.entry == NULL:
        return create(e, db, key, f, member, expected)
    form = entry_form(f.entry)
    if form != FORM_LARGE:
        if expected <= (intset_limit(e) if form == FORM_INTSET else packed_limit(e)):
            if form == FORM_INTSET:
                return add_to_intset(e, db, key, f, member)
            return add_to_packed(e, db, key, f, member)
        if enlarge(e, db, key, f) == NULL:
            return NO_MEMORY
    return table_add_member(e, set_table(e, f.entry), member_hash(e, member), member)


cdef Status set_add(Engine* e, Database* db, const Slice* key, Found* f, const Slice* member) noexcept nogil:
    return set_add_of(e, db, key, f, member, 0)

# ---------------------------------------------------------------- removing and storing

cdef Status set_remove(Engine* e, Database* db, Found* f, const Slice* member) noexcept nogil:
    cdef EntryView v
    cdef Item item
    cdef Table* t
    cdef uint32_t at, size
    cdef Status status
    cdef char* p
    if entry_form(f.entry) == FORM_LARGE:
        t = set_table(e, f.entry)
        status = table_drop_member(e, t, member_hash(e, member), member)
        if t.count == 0:
            remove_key(e, db, f, False)
        return status
    entry_view(f.entry, &v)
    item_of_bytes(&item, member.ptr, member.len)
    if v.form == FORM_INTSET:
        if item.kind != ITEM_INT or not intset_find(v.value, v.vlen, item.number, &at):
            return MISSING
        size = intset_width(v.value)
        at = 1 + at * size
    else:
        p = packed_find(v.value, v.value + v.vlen, &item, 0)
        if p == NULL:
            return MISSING
        size = item.bytes
        at = <uint32_t>(p - v.value)
    if at + size == v.vlen and at == (1 if v.form == FORM_INTSET else 0):
        remove_key(e, db, f, False)
        return OK
    return OK if value_splice(e, f, at, size, 0) != NULL else NO_MEMORY


cdef int compare_numbers(const void* a, const void* b) noexcept nogil:
    cdef int64_t p = (<const int64_t*>a)[0], q = (<const int64_t*>b)[0]
    return (p > q) - (p < q)


cdef Status store_numbers(Engine* e, Database* db, const Slice* key, Found* f, const Member* members, uint32_t count,
                          int64_t at_ms) noexcept nogil:
    """set_store() as an intset; MISSING if not all members are numbers."""
    cdef int64_t* numbers = <int64_t*>malloc(count * sizeof(int64_t))
    cdef char* payload
    cdef uint32_t i
    cdef bint in_order = True
    if numbers == NULL:
        return NO_MEMORY
    for i in range(count):
        if members[i].ptr == NULL:
            numbers[i] = members[i].number
        elif members[i].number > INT_CHARS or not parse_int(members[i].ptr, <size_t>members[i].number, &numbers[i]):
            free(numbers)
            return MISSING
        in_order = in_order and (i == 0 or numbers[i - 1] < numbers[i])
    if not in_order:
        qsort(numbers, count, sizeof(int64_t), compare_numbers)
    payload = place_value(e, db, key, f, SET, FORM_INTSET, intset_bytes(numbers, count), at_ms)
    if payload != NULL:
        intset_write(payload, numbers, count)
    free(numbers)
    return OK if payload != NULL else NO_MEMORY


cdef Status store_packed(Engine* e, Database* db, const Slice* key, Found* f, const Member* members, uint32_t count,
                         int64_t at_ms) noexcept nogil:
    """set_store() as packed members; MISSING if one is too long."""
    cdef char[24] digits
    cdef Slice text
    cdef Item item
    cdef char* packed
    cdef char* end
    cdef char* payload
    cdef uint64_t room = 0
    cdef uint32_t i
    for i in range(count):
        member_text(&members[i], digits, &text)
        if not is_short(e, text.len):
            return MISSING
        room += text.len + PACKED_HEAD
    if room > PACKED_MOST:
        return MISSING
    packed = <char*>malloc(room)
    if packed == NULL:
        return NO_MEMORY
    end = packed
    for i in range(count):
        member_text(&members[i], digits, &text)
        item_of_bytes(&item, text.ptr, text.len)
        end = packed_write(end, &item)
    payload = place_value(e, db, key, f, SET, FORM_PACKED, <uint32_t>(end - packed), at_ms)
    if payload != NULL:
        memcpy(payload, packed, <size_t>(end - packed))
    free(packed)
    return OK if payload != NULL else NO_MEMORY


cdef Status store_large(Engine* e, Database* db, const Slice* key, Found* f, const Member* members, uint64_t count,
                        int64_t at_ms) noexcept nogil:
    cdef char[24] digits
    cdef Ref root = new_root(e)
    cdef uint64_t i
    cdef Slice text
    if root == 0:
        return NO_MEMORY
    for i in range(count):
        member_text(&members[i], digits, &text)
        if insert(e, <Table*>arena_at(&e.arena, root), member_hash(e, &text), &text) != OK:
            free_large(e, SET, root, False)
            return NO_MEMORY
    return place_root(e, db, key, f, root, at_ms)


cdef bint leaves_intset(Engine* e, const Member* members, uint64_t count) noexcept nogil:
    """Whether more numbers come before any text than an intset may have."""
    cdef uint64_t n = 0
    cdef int64_t number
    while n < count and (members[n].ptr == NULL or parse_int(members[n].ptr, <size_t>members[n].number, &number)):
        n += 1
    return n > intset_limit(e)


cdef Status set_store(Engine* e, Database* db, const Slice* key, Found* f, const Member* members, uint64_t count,
                      int64_t at_ms, StoreForm form) noexcept nogil:
    cdef Status status = MISSING
    if form != STORE_PACKED and count <= intset_limit(e):
        status = store_numbers(e, db, key, f, members, <uint32_t>count, at_ms)
    if status == MISSING and count <= packed_limit(e) and not (form == STORE_ADDED and leaves_intset(e, members, count)):
        status = store_packed(e, db, key, f, members, <uint32_t>count, at_ms)
    if status == MISSING:
        status = store_large(e, db, key, f, members, count, at_ms)
    return status

# ---------------------------------------------------------------- what other modules need to know of sets

cdef const char* encoding_of(const Entry* entry) noexcept nogil:
    if entry_form(entry) == FORM_INTSET:
        return b"intset"
    return b"listpack" if entry_form(entry) == FORM_PACKED else b"hashtable"


cdef Ref clone(Engine* e, Ref root) noexcept nogil:
    cdef Ref copy = new_root(e)
    cdef Slice member
    cdef SetWalk w
    if copy == 0:
        return 0
    walk_table(e, <Table*>arena_at(&e.arena, root), &w)
    while set_walk_next(&w, &member):
        if insert(e, <Table*>arena_at(&e.arena, copy), member_hash(e, &member), &member) != OK:
            free_large(e, SET, copy, False)
            return 0
    return copy


cdef uint64_t arena_bytes(Engine* e, Ref root) noexcept nogil:
    cdef Table* t = <Table*>arena_at(&e.arena, root)
    cdef uint64_t total = arena_size(&e.arena, root) + t.bytes, position = 0
    cdef Segment* segment = table_next_segment(&e.arena, t, &position)
    cdef uint32_t i, mask
    cdef Bucket* b
    while segment != NULL:
        for i in range(<uint32_t>BUCKETS):
            b = &segment.buckets[i]
            mask = ~match_tags(b.tags, 0) & ALL_SLOTS
            while mask:
                total += arena_size(&e.arena, b.refs[ctz(mask)])
                mask &= mask - 1
        segment = table_next_segment(&e.arena, t, &position)
    return total


cdef uint64_t free_some(Engine* e, Ref root, uint64_t* position, uint64_t most) noexcept nogil:
    """Free whole segments' members; they stay in their slots, so the table must not be used otherwise."""
    cdef Table* t = <Table*>arena_at(&e.arena, root)
    cdef Segment* segment
    cdef uint64_t freed = 0
    cdef uint32_t i, mask
    cdef Bucket* b
    while freed < most:
        segment = table_next_segment(&e.arena, t, position)
        if segment == NULL:
            table_clear(&e.arena, t)
            arena_free(&e.arena, root)
            position[0] = UINT64_MAX
            break
        for i in range(<uint32_t>BUCKETS):
            if i + 1 < BUCKETS:
                ask_for(&e.arena, &segment.buckets[i + 1])
            b = &segment.buckets[i]
            mask = ~match_tags(b.tags, 0) & ALL_SLOTS
            while mask:
                arena_free(&e.arena, b.refs[ctz(mask)])
                mask &= mask - 1
                freed += 1
    return freed


cdef KindOps OPS
OPS.encoding = encoding_of
OPS.count = set_length
OPS.clone = clone
OPS.bytes = arena_bytes
OPS.free_some = free_some
OPS.expire_fields = NULL
register_kind(SET, &OPS)

# ---------------------------------------------------------------- adding, removing and moving members

define("SADD", fn(cmd_sadd), arity=-3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"), group="set",
       since="1.0.0", cost="O(1) a member", args="key member [member ...]",
       history=(("2.4.0", "Several members."),), summary="Add members to a set, creating it if missing.")
cdef Status cmd_sadd(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef uint64_t hashes[SET_GROUP]
    cdef uint32_t i = 2, j, n
    cdef int64_t added = 0
    cdef Status status = OK
    cdef bint is_new
    cdef Table* t
    cdef Found f
    is_new = not look_up(s, key, s.hash, LOOK_WRITE, &f)
    if not is_new and not is_set(f.entry):
        return fail_wrong_type(s)
    while i < s.argc and status != NO_MEMORY:
        if f.entry == NULL or entry_form(f.entry) != FORM_LARGE:
            status = set_add_of(e, s.db, key, &f, &s.argv[i], s.argc - 2 if i == 2 else 0)
            added += status == OK
            i += 1
            continue
        t = set_table(e, f.entry)
        prefetch_ahead(s, t, 2)
        n = hash_members(e, t, &s.argv[i], s.argc - i, hashes)
        for j in range(n):
            status = table_add_member(e, t, hashes[j], &s.argv[i + j])
            if unlikely(status == NO_MEMORY):
                break
            added += status == OK
        i += n
    if added:
        signal_modified(e, s.db, key, s.hash)
        if is_new:
            notify(e, EVENT_NEW, b"new", key, s.db)
        notify(e, EVENT_SET, b"sadd", key, s.db)
    if unlikely(status == NO_MEMORY):
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, added)
    return OK


cdef void tell_removed(Session* s, const Slice* key, const Found* f, const char* event) noexcept nogil:
    """Tell that members have left a set, and whether it has gone with them."""
    signal_modified(s.engine, s.db, key, f.hash)
    notify(s.engine, EVENT_SET, event, key, s.db)
    if f.entry == NULL:
        notify(s.engine, EVENT_GENERIC, b"del", key, s.db)


define("SREM", fn(cmd_srem), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW delete"), group="set",
       since="1.0.0", cost="O(1) a member", args="key member [member ...]",
       history=(("2.4.0", "Several members."),), summary="Remove members from a set, and the set with the last one.")
cdef Status cmd_srem(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef uint64_t hashes[SET_GROUP]
    cdef uint32_t i = 2, j, n
    cdef int64_t removed = 0
    cdef Status status = OK
    cdef Table* t
    cdef Found f
    if not look_up(s, key, s.hash, LOOK_WRITE, &f):
        reply_int(&s.out, 0)
        return OK
    if not is_set(f.entry):
        return fail_wrong_type(s)
    while i < s.argc and f.entry != NULL and status != NO_MEMORY:
        if entry_form(f.entry) != FORM_LARGE:
            status = set_remove(e, s.db, &f, &s.argv[i])
            removed += status == OK
            i += 1
            continue
        t = set_table(e, f.entry)
        prefetch_ahead(s, t, 2)
        n = hash_members(e, t, &s.argv[i], s.argc - i, hashes)
        for j in range(n):
            removed += table_drop_member(e, t, hashes[j], &s.argv[i + j]) == OK
        if t.count == 0:
            remove_key(e, s.db, &f, False)
        i += n
    if removed:
        tell_removed(s, key, &f, b"srem")
    if unlikely(status == NO_MEMORY):
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, removed)
    return OK


define("SMOVE", fn(cmd_smove), arity=4, flags=WRITE | FAST,
       keys=(KeySpec(1, 1, 1, "RW access delete"), KeySpec(2, 2, 1, "RW insert")), group="set", since="1.0.0",
       cost="O(1)", args="source destination member", summary="Move a member to another set.")
cdef Status cmd_smove(Session* s) noexcept nogil:
    """The destination comes first: when memory is refused, nothing has been lost."""
    cdef Engine* e = s.engine
    cdef Slice* source = &s.argv[1]
    cdef Slice* target = &s.argv[2]
    cdef Slice* member = &s.argv[3]
    cdef uint64_t hash = key_hash(e, target)
    cdef Status status
    cdef bint is_new
    cdef Found f, to
    look_up(s, target, hash, LOOK_WRITE, &to)       # an expired one goes before the source is found
    if not look_up(s, source, s.hash, LOOK_WRITE, &f):
        reply_int(&s.out, 0)
        return OK
    is_new = to.entry == NULL
    if not is_set(f.entry) or not (is_new or is_set(to.entry)):
        return fail_wrong_type(s)
    if f.entry == to.entry or not set_has(e, f.entry, member):
        reply_int(&s.out, f.entry == to.entry and set_has(e, f.entry, member))
        return OK
    status = set_add(e, s.db, target, &to, member)
    if status == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    look_up(s, source, s.hash, LOOK_WRITE | LOOK_NO_TOUCH, &f)      # a new key may have moved it
    if set_remove(e, s.db, &f, member) == NO_MEMORY:
        if status == OK:                            # it was just added, and has been told to nobody
            look_up(s, target, hash, LOOK_WRITE | LOOK_NO_TOUCH, &to)
            set_remove(e, s.db, &to, member)
        return fail_status(s, NO_MEMORY)
    tell_removed(s, source, &f, b"srem")
    if status == OK:
        signal_modified(e, s.db, target, hash)
        if is_new:
            notify(e, EVENT_NEW, b"new", target, s.db)
        notify(e, EVENT_SET, b"sadd", target, s.db)
    reply_int(&s.out, 1)
    return OK

# ---------------------------------------------------------------- asking

define("SCARD", fn(cmd_scard), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="set",
       since="1.0.0", cost="O(1)", args="key", summary="Count the members of a set.")
cdef Status cmd_scard(Session* s) noexcept nogil:
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_int(&s.out, 0)
    elif not is_set(f.entry):
        return fail_wrong_type(s)
    else:
        reply_int(&s.out, <int64_t>set_length(s.engine, f.entry))
    return OK


define("SISMEMBER", fn(cmd_sismember), arity=3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="set",
       since="1.0.0", cost="O(1)", args="key member", summary="Ask whether a set has a member.")
cdef Status cmd_sismember(Session* s) noexcept nogil:
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_int(&s.out, 0)
    elif not is_set(f.entry):
        return fail_wrong_type(s)
    else:
        if entry_form(f.entry) == FORM_LARGE:
            prefetch_ahead(s, set_table(s.engine, f.entry), 2)
        reply_int(&s.out, set_has(s.engine, f.entry, &s.argv[2]))
    return OK


define("SMISMEMBER", fn(cmd_smismember), arity=-3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="set",
       since="6.2.0", cost="O(1) a member", args="key member [member ...]",
       summary="Ask of each of several members whether a set has it.")
cdef Status cmd_smismember(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef uint64_t hashes[SET_GROUP]
    cdef uint32_t i = 2, j, n
    cdef Slice* member
    cdef Table* t
    cdef Slot slot
    cdef Found f
    if look_up(s, &s.argv[1], s.hash, LOOK_READ, &f) and not is_set(f.entry):
        return fail_wrong_type(s)
    reply_array(&s.out, s.argc - 2)
    while i < s.argc:
        member = &s.argv[i]
        if f.entry == NULL or entry_form(f.entry) != FORM_LARGE:
            reply_int(&s.out, f.entry != NULL and set_has(e, f.entry, member))
            i += 1
            continue
        t = set_table(e, f.entry)
        n = hash_members(e, t, member, s.argc - i, hashes)
        for j in range(n):
            reply_int(&s.out, table_find(&e.arena, t, hashes[j], member[j].ptr, member[j].len, &slot))
        i += n
    return OK


define("SMEMBERS", fn(cmd_smembers), arity=2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="set",
       since="1.0.0", cost="O(N) for N members", args="key", tips=("nondeterministic_output_order",),
       summary="List all members of a set.")
cdef Status cmd_smembers(Session* s) noexcept nogil:
    cdef SetWalk w
    cdef Member m
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_set(&s.out, 0)
        return OK
    if not is_set(f.entry):
        return fail_wrong_type(s)
    reply_set(&s.out, <int64_t>set_length(s.engine, f.entry))
    set_walk_begin(s.engine, f.entry, &w)
    while set_walk_member(&w, &m):
        reply_member(&s.out, &m)
    return OK


cdef void scan_small(Session* s, const ScanOptions* options, Entry* entry) noexcept nogil:
    """Reply with all of a small set's members that are wanted."""
    cdef SetWalk w
    cdef Slice member
    cdef int64_t n = 0
    set_walk_begin(s.engine, entry, &w)
    while set_walk_next(&w, &member):
        n += scan_wanted(options, member.ptr, member.len)
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, 0)
    reply_array(&s.out, n)
    set_walk_begin(s.engine, entry, &w)
    while set_walk_next(&w, &member):
        if scan_wanted(options, member.ptr, member.len):
            reply_bulk(&s.out, member.ptr, member.len)


define("SSCAN", fn(cmd_sscan), arity=-3, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="set",
       since="2.8.0", cost="O(1) a call, O(N) for a whole iteration over N members",
       args="key cursor [MATCH pattern] [COUNT count]", tips=("nondeterministic_output",),
       summary="Iterate over the members of a set, some at each call.")
cdef Status cmd_sscan(Session* s) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef RefList found = [NULL, 0, 0, False]
    cdef ScanOptions options
    cdef uint64_t cursor
    cdef uint32_t n
    cdef size_t i, kept = 0
    cdef char* p
    cdef Found f
    cdef Status status = scan_key(s, SET, 0, &cursor, &options, &f)
    if status != OK:
        return OK if status == MISSING else status
    if entry_form(f.entry) != FORM_LARGE:
        scan_small(s, &options, f.entry)
        return OK
    cursor = scan_table(s, set_table(s.engine, f.entry), cursor, &options, &found)
    if found.failed:
        free(found.refs)
        return fail_status(s, NO_MEMORY)
    for i in range(found.count):
        p = member_key(arena_at(a, found.refs[i]), SET_KEY, &n)
        if scan_wanted(&options, p, n):
            found.refs[kept] = found.refs[i]
            kept += 1
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, <int64_t>cursor)
    reply_array(&s.out, <int64_t>kept)
    for i in range(kept):
        p = member_key(arena_at(a, found.refs[i]), SET_KEY, &n)
        reply_bulk(&s.out, p, n)
    free(found.refs)
    return OK
