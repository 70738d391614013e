"""The keyspace: how entries are stored, replaced, given an expiry and removed.

An entry is one arena object. A change happens in place when the new form fits the object's size
class closely, and otherwise in a new object that takes the old one's slot in the table. A value of
BLOCK_MIN bytes or more lies in a block of its own, which a reply on its way out may hold as well:
whoever changes a block that is held twice changes a copy.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from minikv_core.arena cimport arena_alloc, arena_at, arena_free, arena_resize, arena_size, undo_note
from minikv_core.engine cimport *
from minikv_core.entry cimport *
from minikv_core.lazyfree cimport free_large, free_table_later, free_table_now
from minikv_core.memory cimport likely, load_i64, load_u32, store_u32, store_u64, unlikely
from minikv_core.numbers cimport format_int, parse_int
from minikv_core.table cimport table_find_ref, table_insert, table_note, table_remove, table_set_expiring
from minikv_core.types cimport *

cdef enum:
    LFU_START = 5           # counter of a new key, so that it is not evicted at once
    INT_DIGITS = 20         # longest 64-bit integer as text

# ---------------------------------------------------------------- clocks and chance

cdef KindOps kinds[8]       # by Kind; set at import

cdef void register_kind(int kind, const KindOps* ops) noexcept nogil:
    kinds[kind] = ops[0]

cdef const KindOps* kind_ops(int kind) noexcept nogil:
    return &kinds[kind]

cdef uint64_t random_next(uint64_t* state) noexcept nogil:
    """splitmix64 (Steele, Lea, Flood 2014): fast, not for secrets."""
    cdef uint64_t z
    state[0] += <uint64_t>0x9E3779B97F4A7C15
    z = state[0]
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)

cdef uint32_t fresh_clock(const Engine* e) noexcept nogil:
    if e.config.maxmemory_policy & EVICT_KIND == EVICT_LFU:
        return (e.lfu_clock << 8) | LFU_START
    return e.lru_clock

cdef uint32_t lfu_decayed(const Engine* e, uint32_t clock) noexcept nogil:
    """The frequency counter after the minutes that have passed since it was last touched."""
    cdef uint32_t counter = clock & 255
    cdef uint32_t periods
    if e.config.lfu_decay_time == 0:
        return counter
    periods = ((e.lfu_clock - (clock >> 8)) & 0xFFFF) // <uint32_t>e.config.lfu_decay_time
    return 0 if periods > counter else counter - periods

cdef void touch_clock(Engine* e, Entry* entry) noexcept nogil:
    """LFU: decay, then count this access with a chance that falls as the counter grows."""
    cdef uint32_t counter = lfu_decayed(e, entry_clock(entry))
    cdef double base, chance
    if counter < 255:
        base = <double>counter - LFU_START if counter > LFU_START else 0.0
        chance = 1.0 / (base * e.config.lfu_log_factor + 1)
        if <double>(random_next(&e.random) >> 11) < chance * 9007199254740992.0:    # 2**53
            counter += 1
    entry_set_clock(entry, (e.lfu_clock << 8) | counter)

cdef void count_miss(Engine* e, Database* db, const Slice* key) noexcept nogil:
    e.stats.misses += 1
    notify(e, EVENT_MISS, b"keymiss", key, db)

# ---------------------------------------------------------------- expiry

cdef bint expire_if_due(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    """Whether a key that has an expiry is past it; then it is removed (unless writes are paused)."""
    cdef int64_t at_ms = entry_expiry(f.entry)
    if at_ms < 0 or at_ms >= e.now_ms:      # it may be a hash of which only fields expire
        return False
    if e.gate & GATE_PAUSED and e.pause_until_ms > e.now_ms:
        return True
    expire_key(e, db, key, f)
    return True

cdef void expire_key(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    """Remove a key whose time has come, and tell; `key` may be the entry's own bytes."""
    unlink_entry(e, db, f)
    e.stats.expired += 1
    notify(e, EVENT_EXPIRED, b"expired", key, db)
    # it is a change, but no client's
    if unlikely(e.root.watched) and e.touch_watched != NULL:
        e.touch_watched(e, db, key)
    if unlikely(e.trackers):
        e.track_change(e, NULL, key)
    free_entry(e, f.ref, e.config.lazyfree_lazy_expire != 0)
    f.entry = NULL

cdef inline void note_expiry(Engine* e, Database* db, int64_t at_ms) noexcept nogil:
    if at_ms >= 0 and at_ms < db.next_expiry:
        undo_note(&e.arena, &db.next_expiry, sizeof(int64_t))
        db.next_expiry = at_ms

cdef Status set_expiry(Engine* e, Database* db, const Slice* key, Found* f, int64_t at_ms) noexcept nogil:
    cdef EntryView v
    cdef Entry* fresh
    cdef Ref ref
    cdef char* payload
    entry_view(f.entry, &v)
    if at_ms >= 0 and v.expiry != NULL and f.entry.meta >> 6 == expiry_width(at_ms):
        undo_note(&e.arena, v.expiry, sizeof(at_ms))
        memcpy(v.expiry, &at_ms, expiry_bytes(f.entry.meta))
    elif at_ms >= 0 or v.expiry != NULL:
        count_fields(e, db, f.entry, -1)
        ref = arena_alloc(&e.arena, entry_bytes(v.klen, v.vlen, at_ms))
        if ref == 0:
            count_fields(e, db, f.entry, 1)
            return NO_MEMORY
        fresh = <Entry*>arena_at(&e.arena, ref)
        payload = entry_write(fresh, v.kind, v.form, entry_clock(f.entry), v.key, v.klen, v.vlen, at_ms)
        memcpy(payload, v.value, v.vlen)
        swap_entry(e, f, ref)
        count_fields(e, db, f.entry, 1)
    due_changed(e, db, f)
    return OK

cdef void count_fields(Engine* e, Database* db, Entry* entry, int change) noexcept nogil:
    """Count a hash whose fields expire while it does not itself; -1 before a change, 1 after it."""
    if has_field_expiry(entry) and entry_expiry(entry) < 0 and fields_due(entry) >= 0:
        undo_note(&e.arena, &db.field_expiring, sizeof(uint64_t))
        db.field_expiring += <uint64_t><int64_t>change

cdef void due_changed(Engine* e, Database* db, Found* f) noexcept nogil:
    cdef int64_t at_ms = entry_due(f.entry)
    table_set_expiring(&e.arena, &db.keys, &f.slot, at_ms)
    note_expiry(e, db, at_ms)

cdef void set_fields_due(Engine* e, Database* db, Found* f, int64_t at_ms) noexcept nogil:
    cdef char* payload = entry_value(f.entry)
    if at_ms < 0:
        at_ms = INT64_MAX
    if load_i64(payload) == at_ms:
        return
    count_fields(e, db, f.entry, -1)
    undo_note(&e.arena, payload, sizeof(int64_t))
    store_u64(payload, <uint64_t>at_ms)
    count_fields(e, db, f.entry, 1)
    due_changed(e, db, f)

# ---------------------------------------------------------------- entries

cdef inline void swap_entry(Engine* e, Found* f, Ref ref) noexcept nogil:
    """Put another object in an entry's place; the old object is freed, its value is not."""
    table_note(&e.arena, &f.slot)
    f.slot.bucket.refs[f.slot.index] = ref
    arena_free(&e.arena, f.ref)
    f.ref = ref
    f.entry = <Entry*>arena_at(&e.arena, ref)

cdef Ref block_new(Engine* e, size_t length, size_t room) noexcept nogil:
    """A block for `length` bytes with room for `room`; its bytes are not set."""
    cdef Ref ref = arena_alloc(&e.arena, BLOCK_HEADER + room)
    cdef Block* b
    if ref:
        b = <Block*>arena_at(&e.arena, ref)
        b.holders = 1
        b.length = <uint32_t>length
    return ref

cdef void block_drop(Engine* e, Ref ref) noexcept nogil:
    cdef Block* b = <Block*>arena_at(&e.arena, ref)
    undo_note(&e.arena, b, sizeof(Block))
    b.holders -= 1
    if b.holders == 0:
        arena_free(&e.arena, ref)

cdef inline void free_value(Engine* e, Entry* entry, bint lazy) noexcept nogil:
    """Free what an entry refers to outside of itself."""
    cdef EntryView v
    if entry_form(entry) == FORM_BLOCK:
        entry_view(entry, &v)
        block_drop(e, load_u32(v.value))
    elif entry_form(entry) == FORM_LARGE:
        free_large(e, entry_kind(entry), entry_root(entry), lazy)

cdef void free_entry(Engine* e, Ref ref, bint lazy) noexcept nogil:
    free_value(e, <Entry*>arena_at(&e.arena, ref), lazy)
    arena_free(&e.arena, ref)

cdef Status link_entry(Engine* e, Database* db, uint64_t hash, Ref ref) noexcept nogil:
    cdef Entry* entry = <Entry*>arena_at(&e.arena, ref)
    cdef int64_t at_ms = entry_due(entry)
    cdef Status status = table_insert(&e.arena, &db.keys, hash, ref, at_ms)
    cdef Slice key
    if status == OK:
        note_expiry(e, db, at_ms)
        count_fields(e, db, entry, 1)
        if unlikely(e.waited_keys):
            key.ptr = entry_key(entry, &key.len)
            signal_ready(e, db, &key, entry_kind(entry))
    return status

cdef void unlink_entry(Engine* e, Database* db, Found* f) noexcept nogil:
    cdef Slice key
    count_fields(e, db, f.entry, -1)
    if unlikely(e.waited_keys):         # some wait for a stream that goes
        key.ptr = entry_key(f.entry, &key.len)
        signal_ready(e, db, &key, entry_kind(f.entry))
    table_remove(&e.arena, &db.keys, f.hash, &f.slot)

cdef void remove_key(Engine* e, Database* db, Found* f, bint lazy) noexcept nogil:
    unlink_entry(e, db, f)
    free_entry(e, f.ref, lazy)
    f.entry = NULL

cdef Ref entry_under(Engine* e, Ref ref, const Slice* key) noexcept nogil:
    cdef Entry* entry = <Entry*>arena_at(&e.arena, ref)
    cdef int64_t at_ms = entry_expiry(entry)
    cdef EntryView v
    cdef char* payload
    cdef Ref copy
    entry_view(entry, &v)
    copy = arena_alloc(&e.arena, entry_bytes(key.len, v.vlen, at_ms))
    if copy == 0:
        return 0
    payload = entry_write(<Entry*>arena_at(&e.arena, copy), v.kind, v.form, entry_clock(entry), key.ptr, key.len,
                          v.vlen, at_ms)
    memcpy(payload, v.value, v.vlen)
    return copy

cdef Ref clone_entry(Engine* e, Ref ref, const Slice* key) noexcept nogil:
    cdef Ref copy = entry_under(e, ref, key), root
    cdef EntryView v
    cdef Block* b
    if copy == 0:
        return 0
    entry_view(<Entry*>arena_at(&e.arena, copy), &v)
    if v.form == FORM_BLOCK:
        b = <Block*>arena_at(&e.arena, load_u32(v.value))
        undo_note(&e.arena, b, sizeof(Block))
        b.holders += 1
    elif v.form == FORM_LARGE:
        root = kinds[v.kind].clone(e, load_u32(v.value + v.vlen - 4))
        if root == 0:
            arena_free(&e.arena, copy)
            return 0
        store_u32(v.value + v.vlen - 4, root)
    return copy

cdef void replace_entry(Engine* e, Database* db, const Slice* key, Found* old, Ref ref) noexcept nogil:
    cdef Found f = old[0]
    f.ref = ref
    f.entry = <Entry*>arena_at(&e.arena, ref)
    count_fields(e, db, old.entry, -1)
    table_note(&e.arena, &old.slot)
    old.slot.bucket.refs[old.slot.index] = ref
    count_fields(e, db, f.entry, 1)
    due_changed(e, db, &f)
    signal_ready(e, db, key, entry_kind(old.entry))
    signal_ready(e, db, key, entry_kind(f.entry))
    free_entry(e, old.ref, e.config.lazyfree_lazy_server_del != 0)

# ---------------------------------------------------------------- containers

cdef char* shrink(Engine* e, Found* f, const EntryView* v, uint32_t at, uint32_t removed, uint32_t inserted) noexcept nogil:
    """What value_splice does when there is no memory for a smaller object, so that a removal never fails."""
    cdef uint32_t length = v.vlen - removed + inserted
    cdef char* length_field = <char*>f.entry + ENTRY_HEADER + (4 if v.klen >= LONG else 0)
    undo_note(&e.arena, f.entry, <size_t>(v.value - <char*>f.entry) + v.vlen)
    memmove(v.value + at + inserted, v.value + at + removed, v.vlen - at - removed)
    if v.vlen < LONG:
        f.entry.vlen = <uint8_t>length
    elif length >= LONG:
        store_u32(length_field, length)
    else:                       # the field goes
        memmove(length_field, length_field + 4, <size_t>(v.value - length_field) - 4 + length)
        f.entry.vlen = <uint8_t>length
        return v.value - 4 + at
    return v.value + at

cdef char* value_splice(Engine* e, Found* f, uint32_t at, uint32_t removed, uint32_t inserted) noexcept nogil:
    cdef EntryView v
    cdef int64_t at_ms = entry_expiry(f.entry)
    cdef uint32_t length, behind
    cdef size_t need, room = arena_size(&e.arena, f.ref)
    cdef char* p
    cdef Ref ref
    entry_view(f.entry, &v)
    length = v.vlen - removed + inserted
    behind = v.vlen - at - removed
    need = entry_bytes(v.klen, length, at_ms)
    if need <= room and need + 16 + (room >> 3) > room and (v.vlen < LONG) == (length < LONG):
        undo_note(&e.arena, f.entry, <size_t>(v.key - <char*>f.entry))
        undo_note(&e.arena, v.value + at, v.vlen - at)
        if length < LONG:
            f.entry.vlen = <uint8_t>length
        else:
            store_u32(<char*>f.entry + ENTRY_HEADER + (4 if v.klen >= LONG else 0), length)
        if removed != inserted:
            memmove(v.value + at + inserted, v.value + at + removed, behind)
        return v.value + at
    ref = arena_alloc(&e.arena, need)
    if ref == 0:
        return shrink(e, f, &v, at, removed, inserted) if removed >= inserted else NULL
    p = entry_write(<Entry*>arena_at(&e.arena, ref), v.kind, v.form, entry_clock(f.entry), v.key, v.klen, length, at_ms)
    memcpy(p, v.value, at)
    memcpy(p + at + inserted, v.value + at + removed, behind)
    swap_entry(e, f, ref)
    return p + at

# ---------------------------------------------------------------- strings

cdef char* place_value(Engine* e, Database* db, const Slice* key, Found* f, uint8_t kind, uint8_t form, uint32_t vlen,
                       int64_t at_ms) noexcept nogil:
    cdef int old = -1 if f.entry == NULL else entry_kind(f.entry)
    cdef char* payload = place(e, db, key, f, kind, form, vlen, at_ms)
    if payload != NULL and old < 0:         # where the new entry lies: it may be changed further
        table_find_ref(&e.arena, &db.keys, f.hash, f.ref, &f.slot)
    if unlikely(e.waited_keys) and payload != NULL and old != kind:
        signal_ready(e, db, key, kind)
    return payload

cdef inline char* place(Engine* e, Database* db, const Slice* key, Found* f, uint8_t kind, uint8_t form, uint32_t vlen,
                        int64_t at_ms) noexcept nogil:
    """Make the entry for a value with a payload of vlen bytes; returns where the payload goes, or NULL."""
    cdef size_t need = entry_bytes(key.len, vlen, at_ms)
    cdef uint32_t clock = fresh_clock(e)
    cdef size_t room
    cdef Ref ref
    cdef char* payload
    cdef bint had_expiry
    if f.entry == NULL:
        ref = arena_alloc(&e.arena, need)
        if unlikely(ref == 0):
            return NULL
        f.ref = ref
        f.entry = <Entry*>arena_at(&e.arena, ref)
        payload = entry_write(f.entry, kind, form, clock, key.ptr, key.len, vlen, at_ms)
        if unlikely(table_insert(&e.arena, &db.keys, f.hash, ref, at_ms) != OK):
            arena_free(&e.arena, ref)
            return NULL
        note_expiry(e, db, at_ms)
        return payload
    if e.config.maxmemory_policy & EVICT_KIND == EVICT_LFU:
        clock = entry_clock(f.entry)        # an overwritten key keeps its frequency
    had_expiry = (f.slot.bucket.expiring >> f.slot.index) & 1      # its own, or one of its fields
    room = arena_size(&e.arena, f.ref)
    if need <= room and need + 16 + (room >> 3) > room:
        undo_note(&e.arena, f.entry, need)
        replace_value(e, db, key, f, kind)
        payload = entry_write(f.entry, kind, form, clock, key.ptr, key.len, vlen, at_ms)
    else:
        ref = arena_alloc(&e.arena, need)
        if unlikely(ref == 0):
            return NULL
        replace_value(e, db, key, f, kind)
        payload = entry_write(<Entry*>arena_at(&e.arena, ref), kind, form, clock, key.ptr, key.len, vlen, at_ms)
        swap_entry(e, f, ref)
    if unlikely(had_expiry or at_ms >= 0):
        table_set_expiring(&e.arena, &db.keys, &f.slot, at_ms)
        note_expiry(e, db, at_ms)
    return payload

cdef inline void replace_value(Engine* e, Database* db, const Slice* key, Found* f, uint8_t kind) noexcept nogil:
    """Free a value in whose place another one comes."""
    if unlikely(entry_form(f.entry) >= FORM_BLOCK):
        count_fields(e, db, f.entry, -1)
        free_value(e, f.entry, e.config.lazyfree_lazy_server_del != 0)
        if unlikely(e.waited_keys) and entry_kind(f.entry) != kind:
            signal_ready(e, db, key, entry_kind(f.entry))       # some wait for a stream that goes

cdef Status put_string(Engine* e, Database* db, const Slice* key, Found* f, Slice* value, int64_t at_ms,
                       bint raw) noexcept nogil:
    cdef int64_t number
    cdef char* payload
    cdef char first
    cdef Ref block
    if value.len < BLOCK_MIN:
        if not raw and 0 < value.len <= INT_DIGITS:
            first = value.ptr[0]
            if (c'0' <= first <= c'9' or first == c'-') and parse_int(value.ptr, value.len, &number):
                return put_int(e, db, key, f, number, at_ms)
        payload = place(e, db, key, f, STRING, FORM_RAW if raw or value.len > EMBSTR_MAX else FORM_EMBSTR, value.len, at_ms)
        if unlikely(payload == NULL):
            return NO_MEMORY
        memcpy(payload, value.ptr, value.len)
        return OK
    block = value.block
    if block == 0:
        block = block_new(e, value.len, value.len)
        if block == 0:
            return NO_MEMORY
        memcpy(arena_at(&e.arena, block) + BLOCK_HEADER, value.ptr, value.len)
    payload = place(e, db, key, f, STRING, FORM_BLOCK, BLOCK_PAYLOAD, at_ms)
    if payload == NULL:
        if value.block == 0:
            arena_free(&e.arena, block)
        return NO_MEMORY
    value.block = 0
    store_u32(payload, block)
    store_u32(payload + 4, value.len)
    return OK

cdef Status put_int(Engine* e, Database* db, const Slice* key, Found* f, int64_t value, int64_t at_ms) noexcept nogil:
    cdef uint32_t width = int_width(value)
    cdef char* payload
    if f.entry != NULL and f.entry.meta == STRING | (FORM_INT << 3) and f.entry.vlen == width and at_ms < 0:
        # a counter: nothing but the number changes
        if likely(e.config.maxmemory_policy & EVICT_KIND != EVICT_LFU):
            entry_set_clock(f.entry, e.lru_clock)
        payload = entry_value(f.entry)
        undo_note(&e.arena, payload, width)
        store_int(payload, value, width)
        return OK
    payload = place(e, db, key, f, STRING, FORM_INT, width, at_ms)
    if unlikely(payload == NULL):
        return NO_MEMORY
    store_int(payload, value, width)
    return OK

cdef void string_bytes(Engine* e, Entry* entry, char* digits, Slice* value) noexcept nogil:
    cdef EntryView v
    entry_view(entry, &v)
    value.block = 0
    if v.form == FORM_BLOCK:
        value.block = load_u32(v.value)
        value.ptr = arena_at(&e.arena, value.block) + BLOCK_HEADER
        value.len = load_u32(v.value + 4)
    elif v.form == FORM_INT:
        value.ptr = digits
        value.len = format_int(digits, load_int(v.value, v.vlen))
    else:
        value.ptr = v.value
        value.len = v.vlen

cdef char* string_for_update(Engine* e, Database* db, const Slice* key, Found* f, uint32_t length) noexcept nogil:
    cdef char digits[24]
    cdef Slice old
    cdef EntryView v
    cdef int64_t at_ms
    cdef Entry* fresh
    cdef Ref ref, block
    cdef uint32_t kept
    cdef char* p
    if f.entry == NULL:
        old.len = 0
        v.form = FORM_RAW
        at_ms = -1
    else:
        string_bytes(e, f.entry, digits, &old)
        entry_view(f.entry, &v)
        at_ms = entry_expiry(f.entry)
    kept = old.len if old.len < length else length

    if f.entry != NULL and v.form == FORM_BLOCK:
        p = block_for_update(e, v.value, old.len, length)
        if p != NULL and length > old.len:
            memset(p + old.len, 0, length - old.len)
        return p

    if length >= BLOCK_MIN:
        # room ahead, for a value that grows
        block = block_new(e, length, length + (length >> 3 if kept else 0))
        if block == 0:
            return NULL
        p = arena_at(&e.arena, block) + BLOCK_HEADER
        if kept:
            memcpy(p, old.ptr, kept)
        memset(p + kept, 0, length - kept)
        p = place(e, db, key, f, STRING, FORM_BLOCK, BLOCK_PAYLOAD, at_ms)
        if p == NULL:
            arena_free(&e.arena, block)
            return NULL
        store_u32(p, block)
        store_u32(p + 4, length)
        return arena_at(&e.arena, block) + BLOCK_HEADER

    if f.entry == NULL:
        p = place(e, db, key, f, STRING, FORM_RAW, length, -1)
        if p != NULL:
            memset(p, 0, length)
        return p
    if v.form != FORM_INT and (v.vlen < LONG) == (length < LONG) and \
            entry_bytes(v.klen, length, at_ms) <= arena_size(&e.arena, f.ref):
        # the layout stays: the value grows at its end
        undo_note(&e.arena, f.entry, <size_t>(v.key - <char*>f.entry))
        f.entry.meta = <uint8_t>((f.entry.meta & 0xC7) | (FORM_RAW << 3))
        if length < LONG:
            f.entry.vlen = <uint8_t>length
        else:
            store_u32(<char*>f.entry + ENTRY_HEADER + (4 if v.klen >= LONG else 0), length)
        memset(v.value + kept, 0, length - kept)
        return v.value
    ref = arena_alloc(&e.arena, entry_bytes(v.klen, length, at_ms))
    if ref == 0:
        return NULL
    fresh = <Entry*>arena_at(&e.arena, ref)
    p = entry_write(fresh, STRING, FORM_RAW, entry_clock(f.entry), v.key, v.klen, length, at_ms)
    memcpy(p, old.ptr, kept)
    memset(p + kept, 0, length - kept)
    swap_entry(e, f, ref)
    return p

cdef char* block_for_update(Engine* e, char* payload, uint32_t used, uint32_t length) noexcept nogil:
    """Resize the block that a payload names, or replace it if a reply holds it too."""
    cdef Ref block = load_u32(payload), other
    cdef Block* b = <Block*>arena_at(&e.arena, block)
    cdef size_t room = arena_size(&e.arena, block) - BLOCK_HEADER
    if b.holders > 1:
        other = block_new(e, length, length + (length >> 3))
        if other == 0:
            return NULL
        memcpy(arena_at(&e.arena, other) + BLOCK_HEADER, <char*>b + BLOCK_HEADER, used if used < length else length)
        undo_note(&e.arena, b, sizeof(Block))
        b.holders -= 1
        block = other
    elif length > room:
        block = arena_resize(&e.arena, block, BLOCK_HEADER + <size_t>length + (length >> 3))
        if block == 0:
            return NULL
    undo_note(&e.arena, payload, BLOCK_PAYLOAD)
    store_u32(payload, block)
    store_u32(payload + 4, length)
    b = <Block*>arena_at(&e.arena, block)
    undo_note(&e.arena, b, sizeof(Block))
    b.length = length
    return <char*>b + BLOCK_HEADER

# ---------------------------------------------------------------- changes and databases

cdef void signal_modified(Engine* e, Database* db, const Slice* key, uint64_t hash) noexcept nogil:
    undo_note(&e.arena, &e.root.dirty, sizeof(uint64_t))
    e.root.dirty += 1
    if unlikely(e.root.watched) and e.touch_watched != NULL:
        e.touch_watched(e, db, key)
    if unlikely(e.trackers):
        e.track_change(e, db, key)

cdef void database_init(Database* db, uint32_t id) noexcept nogil:
    memset(db, 0, sizeof(Database))
    db.id = id
    db.next_expiry = INT64_MAX

cdef void flush_database(Engine* e, Database* db, bint lazy) noexcept nogil:
    """Remove every key. Watchers must have been told."""
    undo_note(&e.arena, &e.root.dirty, sizeof(uint64_t))
    undo_note(&e.arena, db, sizeof(Database))
    e.root.dirty += db.keys.count
    # an undo log should not have to hold all that changes when a whole table is freed
    if not (lazy or e.arena.undo != NULL) or not free_table_later(e, &db.keys):
        free_table_now(e, &db.keys)
    database_init(db, db.id)
