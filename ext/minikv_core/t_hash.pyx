"""Hashes: how fields and their values are stored. See t_hash.pxd for the forms.

A hash is small until it has more fields than hash-max-listpack-entries or a field or value longer than
hash-max-listpack-value; from then on it stays large. A small one takes expiries in (FORM_PACKED_TTL)
with the first field that gets one.
"""

from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from minikv_core.arena cimport arena_alloc, arena_at, arena_free, arena_size, undo_note
from minikv_core.engine cimport *
from minikv_core.entry cimport LONG, Entry, entry_expiry, entry_form, fields_due
from minikv_core.keyspace cimport (
    Found, KindOps, key_hash, look_up, notify, place_value, register_kind, remove_key, set_fields_due, signal_modified,
    value_splice,
)
from minikv_core.lazyfree cimport free_large
from minikv_core.member cimport HASH_KEY, Field, field_bytes, field_view, field_write
from minikv_core.memory cimport ctz, load_i64, prefetch, store_u32, store_u64, unlikely
from minikv_core.packed cimport (
    Item, item_of_bytes, item_of_int, item_text, packed_count, packed_equals, packed_next, packed_read, packed_write,
)
from minikv_core.session cimport fail_wrong_type
from minikv_core.t_hash_expire cimport expire_fields
from minikv_core.table cimport (
    ALL_SLOTS, BUCKETS, Bucket, match_tags, table_clear, table_find, table_init, table_insert, table_next_segment,
    table_note, table_remove, table_set_expiring,
)
from minikv_core.types cimport *

cdef enum:
    SMALL_MAX = 1 << 30         # bytes of the largest small hash
    NEVER = 0                   # an element that says that a field does not expire

# ---------------------------------------------------------------- small hashes

cdef int64_t packed_expiry(const char* p) noexcept nogil:
    cdef Item item
    if p[0] == NEVER:
        return -1
    packed_read(p, &item)
    return item.number


cdef inline char* next_field(const Small* h, char* p) noexcept nogil:
    p = <char*>packed_next(packed_next(p))
    return <char*>packed_next(p) if h.timed else p


cdef uint32_t count_small(const Small* h) noexcept nogil:
    cdef uint32_t n = packed_count(h.first, h.end)
    return n // 3 if h.timed else n // 2


cdef int64_t small_due(const Small* h) noexcept nogil:
    cdef int64_t at_ms, due = -1
    cdef char* p = h.first
    while h.timed and p < h.end:
        at_ms = packed_expiry(packed_next(packed_next(p)))
        if at_ms >= 0 and (due < 0 or at_ms < due):
            due = at_ms
        p = next_field(h, p)
    return due


cdef inline bint small_find(Entry* entry, const Slice* field, FieldAt* at) noexcept nogil:
    cdef Small h
    cdef Item name
    cdef char* p
    cdef char* behind
    cdef uint32_t n = 0
    small_hash(entry, &h)
    item_of_bytes(&name, field.ptr, field.len)
    p = h.first
    while p < h.end:
        if packed_equals(p, &name):
            at.found = True
            at.value = <char*>packed_next(p)
            behind = <char*>packed_next(at.value)
            if h.timed:
                at.expiry_ms = packed_expiry(behind)
                behind = <char*>packed_next(behind)
            at.start = <uint32_t>(p - h.payload)
            at.middle = <uint32_t>(at.value - h.payload)
            at.end = <uint32_t>(behind - h.payload)
            break
        p = next_field(&h, p)
        n += 1
    at.before = n
    return at.found


cdef bint fits_small(const Engine* e, const Slice* field, const Slice* value) noexcept nogil:
    cdef uint64_t most = <uint64_t>e.config.hash_max_listpack_value
    return field.len <= most and value.len <= most and <uint64_t>field.len + value.len < SMALL_MAX


cdef bint too_many(const Engine* e, Entry* entry, const FieldAt* at) noexcept nogil:
    """Whether a small hash has more fields than it may, now that a field has been put at its place."""
    cdef Small h
    cdef uint64_t most = <uint64_t>e.config.hash_max_listpack_entries
    if not at.found:
        return at.before >= most
    small_hash(entry, &h)       # the setting may have changed; a field takes two bytes at least
    if <uint64_t>(h.end - h.first) <= most * 2:
        return False
    return count_small(&h) > most


cdef Status make_small(Engine* e, Database* db, const Slice* key, Found* f, const Slice* field, const Slice* value,
                       int64_t expiry_ms) noexcept nogil:
    """A new key with one field."""
    cdef bint timed = expiry_ms >= 0
    cdef Item name, text, due
    cdef uint32_t n
    cdef char* p
    item_of_bytes(&name, field.ptr, field.len)
    item_of_bytes(&text, value.ptr, value.len)
    item_of_int(&due, expiry_ms)
    n = name.bytes + text.bytes
    if timed:
        n += due.bytes + NEXT_DUE
    p = place_value(e, db, key, f, HASH, FORM_PACKED_TTL if timed else FORM_PACKED, n, -1)
    if p == NULL:
        return NO_MEMORY
    if timed:
        store_u64(p, <uint64_t>INT64_MAX)
        p += NEXT_DUE
    p = packed_write(packed_write(p, &name), &text)
    if timed:
        packed_write(p, &due)
        set_fields_due(e, db, f, expiry_ms)
    return OK


cdef inline Status put_small(Engine* e, Database* db, Found* f, FieldAt* at, const Slice* field, const Slice* value,
                             int64_t expiry_ms) noexcept nogil:
    cdef Small h
    cdef Item name, text, due
    cdef uint32_t n
    cdef char* p
    small_hash(f.entry, &h)
    item_of_bytes(&text, value.ptr, value.len)
    n = text.bytes
    if h.timed:
        item_of_int(&due, expiry_ms if expiry_ms >= 0 else <int64_t>NEVER)
        n += due.bytes
    if at.found:
        p = value_splice(e, f, at.middle, at.end - at.middle, n)
        if p == NULL:
            return NO_MEMORY
    else:
        item_of_bytes(&name, field.ptr, field.len)
        p = value_splice(e, f, <uint32_t>(h.end - h.payload), 0, name.bytes + n)
        if p == NULL:
            return NO_MEMORY
        p = packed_write(p, &name)
    p = packed_write(p, &text)
    if h.timed:
        packed_write(p, &due)
        small_changed(e, db, f, at.expiry_ms, expiry_ms)
    return EXISTS if at.found else OK


cdef void small_changed(Engine* e, Database* db, Found* f, int64_t old, int64_t new) noexcept nogil:
    """Keep next_due after a field's expiry has changed."""
    cdef Small h
    if old >= 0:
        small_hash(f.entry, &h)
        set_fields_due(e, db, f, small_due(&h))
    elif new >= 0:
        lower_due(e, db, f, new)


cdef void lower_due(Engine* e, Database* db, Found* f, int64_t at_ms) noexcept nogil:
    cdef int64_t due = fields_due(f.entry)
    if due < 0 or at_ms < due:
        set_fields_due(e, db, f, at_ms)


cdef Status add_expiries(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    """Make FORM_PACKED FORM_PACKED_TTL, in which no field expires yet."""
    cdef Small h
    cdef char* copy
    cdef char* to
    cdef char* p
    cdef char* following
    cdef size_t n
    small_hash(f.entry, &h)
    n = <size_t>(h.end - h.first) + packed_count(h.first, h.end) // 2
    copy = <char*>malloc(n + 1)
    if copy == NULL:
        return NO_MEMORY
    p = h.first
    to = copy
    while p < h.end:
        following = next_field(&h, p)
        memcpy(to, p, <size_t>(following - p))
        to += following - p
        to[0] = NEVER
        to += 1
        p = following
    p = place_value(e, db, key, f, HASH, FORM_PACKED_TTL, <uint32_t>(NEXT_DUE + n), entry_expiry(f.entry))
    if p != NULL:
        store_u64(p, <uint64_t>INT64_MAX)
        memcpy(p + NEXT_DUE, copy, n)
    free(copy)
    return NO_MEMORY if p == NULL else OK

# ---------------------------------------------------------------- large hashes

cdef Ref new_member(Engine* e, const Slice* field, const Slice* value, int64_t expiry_ms) noexcept nogil:
    cdef Ref ref = arena_alloc(&e.arena, field_bytes(field.len, value.len, expiry_ms >= 0))
    if ref:
        memcpy(field_write(arena_at(&e.arena, ref), field.ptr, field.len, value.len, expiry_ms), value.ptr, value.len)
    return ref


cdef inline bint large_find(const Engine* e, Entry* entry, const Slice* field, FieldAt* at) noexcept nogil:
    cdef Table* t = hash_table(e, entry)
    cdef Field v
    at.hash = key_hash(e, field)
    if table_find(&e.arena, t, at.hash, field.ptr, field.len, &at.slot):
        at.found = True
        field_view(arena_at(&e.arena, at.slot.bucket.refs[at.slot.index]), &v)
        at.value = v.value
        at.vlen = v.vlen
        if unlikely(v.expiry != NULL):
            at.expiry_ms = load_i64(v.expiry)
    return at.found


cdef Status insert_member(Engine* e, Table* t, uint64_t hash, const Slice* field, const Slice* value,
                          int64_t expiry_ms) noexcept nogil:
    cdef Ref ref = new_member(e, field, value, expiry_ms)
    if unlikely(ref == 0):
        return NO_MEMORY
    if unlikely(table_insert(&e.arena, t, hash, ref, expiry_ms) != OK):
        arena_free(&e.arena, ref)
        return NO_MEMORY
    return OK


cdef Status replace_member(Engine* e, FieldAt* at, const Slice* field, const Slice* value,
                           int64_t expiry_ms) noexcept nogil:
    cdef Ref fresh, ref = at.slot.bucket.refs[at.slot.index]
    cdef size_t need = field_bytes(field.len, value.len, expiry_ms >= 0), room = arena_size(&e.arena, ref)
    cdef char* m = arena_at(&e.arena, ref)
    if need <= room and need + 16 + (room >> 3) > room:
        undo_note(&e.arena, m, need)
        memcpy(field_write(m, field.ptr, field.len, value.len, expiry_ms), value.ptr, value.len)
        return OK
    fresh = new_member(e, field, value, expiry_ms)
    if fresh == 0:
        return NO_MEMORY
    table_note(&e.arena, &at.slot)
    at.slot.bucket.refs[at.slot.index] = fresh
    arena_free(&e.arena, ref)
    return OK


cdef inline Status put_large(Engine* e, Database* db, Found* f, FieldAt* at, const Slice* field, const Slice* value,
                             int64_t expiry_ms) noexcept nogil:
    cdef Table* t = hash_table(e, f.entry)
    if not at.found:
        if unlikely(insert_member(e, t, at.hash, field, value, expiry_ms) != OK):
            return NO_MEMORY
        if unlikely(expiry_ms >= 0):
            lower_due(e, db, f, expiry_ms)
        return OK
    if at.vlen == value.len and at.expiry_ms < 0 and expiry_ms < 0:
        undo_note(&e.arena, at.value, value.len)
        memcpy(at.value, value.ptr, value.len)
        return EXISTS
    if replace_member(e, at, field, value, expiry_ms) != OK:
        return NO_MEMORY
    large_changed(e, db, f, at, expiry_ms)
    return EXISTS


cdef void large_changed(Engine* e, Database* db, Found* f, FieldAt* at, int64_t expiry_ms) noexcept nogil:
    """Keep the table's and the hash's notes after a field's expiry has changed."""
    cdef Table* t = hash_table(e, f.entry)
    if at.expiry_ms < 0 and expiry_ms < 0:
        return
    table_set_expiring(&e.arena, t, &at.slot, expiry_ms)
    if expiry_ms >= 0:
        lower_due(e, db, f, expiry_ms)
    elif t.expiring == 0:
        set_fields_due(e, db, f, -1)


cdef Ref new_root(Engine* e) noexcept nogil:
    cdef Ref root = arena_alloc(&e.arena, sizeof(Table))
    if root:
        table_init(<Table*>arena_at(&e.arena, root), HASH_KEY)
    return root


cdef Status make_large(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    cdef Ref root = new_root(e)
    cdef Table* t = <Table*>arena_at(&e.arena, root)
    cdef int64_t due = -1, at_ms = -1
    cdef Item name, text
    cdef Slice field, value
    cdef char[32] name_digits
    cdef char[32] digits
    cdef Small h
    cdef char* p
    if root == 0:
        return NO_MEMORY
    if f.entry != NULL:
        due = fields_due(f.entry)
        small_hash(f.entry, &h)
        p = h.first
        while p < h.end:
            p = packed_read(packed_read(p, &name), &text)
            item_text(&name, name_digits, &field)
            item_text(&text, digits, &value)
            if h.timed:
                at_ms = packed_expiry(p)
                p = <char*>packed_next(p)
            if insert_member(e, t, key_hash(e, &field), &field, &value, at_ms) != OK:
                free_large(e, HASH, root, False)
                return NO_MEMORY
        at_ms = entry_expiry(f.entry)
    p = place_value(e, db, key, f, HASH, FORM_LARGE, LARGE_PAYLOAD, at_ms)
    if p == NULL:
        free_large(e, HASH, root, False)
        return NO_MEMORY
    store_u64(p, <uint64_t>INT64_MAX)
    store_u32(p + NEXT_DUE, root)
    set_fields_due(e, db, f, due)
    return OK

# ---------------------------------------------------------------- the value API

cdef bint field_find(Engine* e, Entry* entry, const Slice* field, FieldAt* at) noexcept nogil:
    at.found = False
    at.expiry_ms = -1
    if entry == NULL:
        at.small = True
        at.before = 0
        return False
    at.small = entry_form(entry) != FORM_LARGE
    return small_find(entry, field, at) if at.small else large_find(e, entry, field, at)


cdef bint field_live(Engine* e, Database* db, const Slice* key, Found* f, const Slice* field, FieldAt* at,
                     uint32_t* expired) noexcept nogil:
    if not field_find(e, f.entry, field, at):
        return False
    if not is_past(e, at.expiry_ms):
        return True
    if e.gate & GATE_PAUSED and e.pause_until_ms > e.now_ms or field_remove(e, db, f, at) != OK:
        return False
    e.stats.expired_fields += 1
    if expired != NULL:
        expired[0] += 1
    else:
        signal_modified(e, db, key, f.hash)
        notify(e, EVENT_HASH, b"hexpired", key, db)
        drop_empty(e, db, key, f)
    field_find(e, f.entry, field, at)
    return False


cdef void field_text(const FieldAt* at, char* digits, Slice* text) noexcept nogil:
    cdef Item item
    if at.small:
        packed_read(at.value, &item)
        item_text(&item, digits, text)
    else:
        text.ptr = at.value
        text.len = at.vlen
        text.block = 0


cdef Status field_put(Engine* e, Database* db, const Slice* key, Found* f, FieldAt* at, const Slice* field,
                      const Slice* value, int64_t expiry_ms) noexcept nogil:
    cdef Status status
    if at.small:
        if not fits_small(e, field, value) or (f.entry == NULL and e.config.hash_max_listpack_entries < 1):
            return put_outgrown(e, db, key, f, field, value, expiry_ms)
        if f.entry == NULL:
            return make_small(e, db, key, f, field, value, expiry_ms)
        if unlikely(expiry_ms >= 0) and entry_form(f.entry) == FORM_PACKED:
            if add_expiries(e, db, key, f) != OK:
                return NO_MEMORY
            field_find(e, f.entry, field, at)
        if unlikely(f.entry.vlen == LONG and outgrows(f.entry, field, value)):
            return put_outgrown(e, db, key, f, field, value, expiry_ms)
        status = put_small(e, db, f, at, field, value, expiry_ms)
        if status != NO_MEMORY and unlikely(too_many(e, f.entry, at)):
            make_large(e, db, key, f)       # if memory is refused, it stays small for now
        return status
    return put_large(e, db, f, at, field, value, expiry_ms)


cdef bint outgrows(Entry* entry, const Slice* field, const Slice* value) noexcept nogil:
    """Whether a field would make a small hash larger than SMALL_MAX."""
    cdef Small h
    small_hash(entry, &h)
    return <uint64_t>(h.end - h.payload) + field.len + value.len + 32 > SMALL_MAX


cdef Status put_outgrown(Engine* e, Database* db, const Slice* key, Found* f, const Slice* field, const Slice* value,
                         int64_t expiry_ms) noexcept nogil:
    """Put a field that does not fit into a small hash."""
    cdef bint fresh = f.entry == NULL
    cdef FieldAt at
    cdef Status status
    if make_large(e, db, key, f) != OK:
        return NO_MEMORY
    field_find(e, f.entry, field, &at)
    status = put_large(e, db, f, &at, field, value, expiry_ms)
    if status == NO_MEMORY and fresh:
        remove_key(e, db, f, False)
    return status


cdef Status field_set_expiry(Engine* e, Database* db, const Slice* key, Found* f, FieldAt* at, const Slice* field,
                             int64_t expiry_ms) noexcept nogil:
    cdef Status status
    if at.expiry_ms < 0 and expiry_ms < 0:
        return OK
    if at.small:
        return set_small_expiry(e, db, key, f, at, field, expiry_ms)
    if at.expiry_ms >= 0 and expiry_ms >= 0:
        undo_note(&e.arena, at.value - 8, 8)
        store_u64(at.value - 8, <uint64_t>expiry_ms)
    else:
        status = change_member(e, at, field, expiry_ms)
        if status != OK:
            return status
    large_changed(e, db, f, at, expiry_ms)
    return OK


cdef Status change_member(Engine* e, FieldAt* at, const Slice* field, int64_t expiry_ms) noexcept nogil:
    """Give a member room for an expiry, or take it away."""
    cdef Ref ref = at.slot.bucket.refs[at.slot.index]
    cdef Slice value
    cdef Ref fresh
    field_text(at, NULL, &value)
    fresh = new_member(e, field, &value, expiry_ms)
    if fresh == 0:
        return NO_MEMORY
    table_note(&e.arena, &at.slot)
    at.slot.bucket.refs[at.slot.index] = fresh
    arena_free(&e.arena, ref)
    return OK


cdef Status set_small_expiry(Engine* e, Database* db, const Slice* key, Found* f, FieldAt* at, const Slice* field,
                             int64_t expiry_ms) noexcept nogil:
    cdef Small h
    cdef Item due
    cdef uint32_t where
    cdef char* p
    if entry_form(f.entry) == FORM_PACKED:
        if add_expiries(e, db, key, f) != OK:
            return NO_MEMORY
        field_find(e, f.entry, field, at)
    small_hash(f.entry, &h)
    where = <uint32_t>(packed_next(h.payload + at.middle) - h.payload)
    item_of_int(&due, expiry_ms if expiry_ms >= 0 else <int64_t>NEVER)
    p = value_splice(e, f, where, at.end - where, due.bytes)
    if p == NULL:
        return NO_MEMORY
    packed_write(p, &due)
    small_changed(e, db, f, at.expiry_ms, expiry_ms)
    return OK


cdef Status field_remove(Engine* e, Database* db, Found* f, FieldAt* at) noexcept nogil:
    cdef Table* t
    cdef Ref ref
    if at.small:
        if value_splice(e, f, at.start, at.end - at.start, 0) == NULL:
            return NO_MEMORY
        small_changed(e, db, f, at.expiry_ms, -1)
        return OK
    t = hash_table(e, f.entry)
    ref = at.slot.bucket.refs[at.slot.index]
    table_remove(&e.arena, t, at.hash, &at.slot)
    arena_free(&e.arena, ref)
    if at.expiry_ms >= 0 and t.expiring == 0:
        set_fields_due(e, db, f, -1)
    return OK


cdef bint drop_empty(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    if f.entry == NULL or not is_empty(e, f.entry):
        return False
    remove_key(e, db, f, False)
    notify(e, EVENT_GENERIC, b"del", key, db)
    return True


cdef uint64_t hash_length(Engine* e, Entry* entry) noexcept nogil:
    cdef Small h
    if entry_form(entry) == FORM_LARGE:
        return hash_table(e, entry).count
    small_hash(entry, &h)
    return count_small(&h)


cdef bint hash_get(Engine* e, Entry* entry, const Slice* field, Slice* value, char* digits) noexcept nogil:
    cdef FieldAt at
    if not field_find(e, entry, field, &at) or is_past(e, at.expiry_ms):
        return False
    field_text(&at, digits, value)
    return True


cdef Status hash_put(Engine* e, Database* db, const Slice* key, Found* f, const Slice* field, const Slice* value,
                     int64_t expiry_ms) noexcept nogil:
    cdef FieldAt at
    field_find(e, f.entry, field, &at)
    return field_put(e, db, key, f, &at, field, value, expiry_ms)

# ---------------------------------------------------------------- walking

cdef void hash_walk_begin(Engine* e, Entry* entry, HashWalk* w) noexcept nogil:
    if entry_form(entry) == FORM_LARGE:
        walk_table(e, hash_table(e, entry), w)
        return
    w.engine = e
    w.table = NULL
    small_hash(entry, &w.small)


cdef void walk_table(Engine* e, Table* t, HashWalk* w) noexcept nogil:
    w.engine = e
    w.table = t
    w.position = 0
    w.segment = NULL
    w.bucket = BUCKETS - 1
    w.mask = 0


cdef inline uint32_t taken(const Bucket* b) noexcept nogil:
    return ~match_tags(b.tags, 0) & ALL_SLOTS


cdef void ask_for(const Engine* e, const Bucket* b) noexcept nogil:
    """Ask for a bucket's members ahead of their turn."""
    cdef uint32_t mask = taken(b)
    while mask:
        prefetch(arena_at(&e.arena, b.refs[ctz(mask)]))
        mask &= mask - 1


cdef Ref hash_walk_member(HashWalk* w) noexcept nogil:
    cdef Ref ref
    while w.mask == 0:
        w.bucket += 1
        if w.bucket == BUCKETS:
            w.segment = table_next_segment(&w.engine.arena, w.table, &w.position)
            if w.segment == NULL:
                w.bucket = BUCKETS - 1
                return 0
            w.bucket = 0
        w.mask = taken(&w.segment.buckets[w.bucket])
        if w.bucket + 1 < BUCKETS:
            ask_for(w.engine, &w.segment.buckets[w.bucket + 1])
    ref = w.segment.buckets[w.bucket].refs[ctz(w.mask)]
    w.mask &= w.mask - 1
    return ref


cdef bint hash_walk_next(HashWalk* w, Slice* field, Slice* value, int64_t* expiry_ms) noexcept nogil:
    cdef Item name, text
    cdef Field v
    cdef Ref ref
    if w.table != NULL:
        while True:
            ref = hash_walk_member(w)
            if ref == 0:
                return False
            field_view(arena_at(&w.engine.arena, ref), &v)
            expiry_ms[0] = load_i64(v.expiry) if v.expiry != NULL else <int64_t>-1
            if not is_past(w.engine, expiry_ms[0]):
                break
        field.ptr = v.key
        field.len = v.klen
        value.ptr = v.value
        value.len = v.vlen
        field.block = value.block = 0
        return True
    while w.small.first < w.small.end:
        w.field_at = <uint32_t>(w.small.first - w.small.payload)
        w.small.first = packed_read(packed_read(w.small.first, &name), &text)
        expiry_ms[0] = -1
        if w.small.timed:
            expiry_ms[0] = packed_expiry(w.small.first)
            w.small.first = <char*>packed_next(w.small.first)
        if not is_past(w.engine, expiry_ms[0]):
            item_text(&name, w.field_digits, field)
            item_text(&text, w.value_digits, value)
            return True
    return False


cdef uint64_t live_count(Engine* e, Entry* entry) noexcept nogil:
    cdef HashWalk w
    cdef Slice field, value
    cdef int64_t expiry_ms
    cdef uint64_t n = 0
    if not has_past(e, entry):
        return hash_length(e, entry)
    hash_walk_begin(e, entry, &w)
    while hash_walk_next(&w, &field, &value, &expiry_ms):
        n += 1
    return n

# ---------------------------------------------------------------- what every kind has

cdef const char* encoding(const Entry* entry) noexcept nogil:
    if entry_form(entry) == FORM_LARGE:
        return b"hashtable"
    return b"listpackex" if entry_form(entry) == FORM_PACKED_TTL else b"listpack"


cdef Ref clone(Engine* e, Ref root) noexcept nogil:
    cdef Ref copy = new_root(e), ref, member
    cdef HashWalk w
    cdef Field v
    cdef size_t n
    if copy == 0:
        return 0
    walk_table(e, <Table*>arena_at(&e.arena, root), &w)
    while True:
        ref = hash_walk_member(&w)
        if ref == 0:
            return copy
        field_view(arena_at(&e.arena, ref), &v)
        n = field_bytes(v.klen, v.vlen, v.expiry != NULL)
        member = arena_alloc(&e.arena, n)
        if member == 0:
            break
        memcpy(arena_at(&e.arena, member), arena_at(&e.arena, ref), n)
        if table_insert(&e.arena, <Table*>arena_at(&e.arena, copy), member_hash(e, &v), member,
                        load_i64(v.expiry) if v.expiry != NULL else <int64_t>-1) != OK:
            arena_free(&e.arena, member)
            break
    free_large(e, HASH, copy, False)
    return 0


cdef inline uint64_t member_hash(const Engine* e, const Field* v) noexcept nogil:
    cdef Slice name
    name.ptr = v.key
    name.len = v.klen
    return key_hash(e, &name)


cdef uint64_t bytes_of(Engine* e, Ref root) noexcept nogil:
    cdef HashWalk w
    cdef Ref ref
    cdef uint64_t n
    walk_table(e, <Table*>arena_at(&e.arena, root), &w)
    n = arena_size(&e.arena, root) + w.table.bytes
    while True:
        ref = hash_walk_member(&w)
        if ref == 0:
            return n
        n += arena_size(&e.arena, ref)


cdef uint64_t free_some(Engine* e, Ref root, uint64_t* position, uint64_t most) noexcept nogil:
    cdef Table* t = <Table*>arena_at(&e.arena, root)
    cdef Segment* segment
    cdef uint64_t n = 0
    cdef uint32_t i, mask
    while n < most:
        segment = table_next_segment(&e.arena, t, position)
        if segment == NULL:
            table_clear(&e.arena, t)
            arena_free(&e.arena, root)
            position[0] = UINT64_MAX
            break
        for i in range(<uint32_t>BUCKETS):
            mask = taken(&segment.buckets[i])
            while mask:
                arena_free(&e.arena, segment.buckets[i].refs[ctz(mask)])
                mask &= mask - 1
        n += segment.count
    return n


cdef KindOps ops
ops.encoding = encoding
ops.count = hash_length
ops.clone = clone
ops.bytes = bytes_of
ops.free_some = free_some
ops.expire_fields = expire_fields
register_kind(HASH, &ops)

# ---------------------------------------------------------------- what the commands share

cdef Status open_hash(Session* s, int flags, Found* f) noexcept nogil:
    if not look_up(s, &s.argv[1], s.hash, flags, f):
        return MISSING
    return OK if is_hash(f.entry) else fail_wrong_type(s)


cdef void tell_hash(Session* s, const char* event, bint fresh) noexcept nogil:
    signal_modified(s.engine, s.db, &s.argv[1], s.hash)
    if fresh:
        notify(s.engine, EVENT_NEW, b"new", &s.argv[1], s.db)
    notify(s.engine, EVENT_HASH, event, &s.argv[1], s.db)
