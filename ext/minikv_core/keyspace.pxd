# The keyspace: look-ups with lazy expiry and access clocks, stores, removals, and what every change
# must tell (watchers, events, counters).
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from minikv_core.arena cimport arena_at
from minikv_core.engine cimport Database, Engine, EVICT_LFU, Session, IS_NO_TOUCH
from minikv_core.entry cimport Entry, entry_kind, entry_set_clock
from minikv_core.hash cimport hash_bytes
from minikv_core.memory cimport unlikely
from minikv_core.table cimport Slot, table_find
from minikv_core.types cimport Kind, Ref, Slice, Status

cdef enum LookFlag:
    LOOK_READ = 0           # counts a hit or a miss, touches the access clock
    LOOK_NO_TOUCH = 1       # leaves the access clock alone (TTL, TYPE, OBJECT, ...)
    LOOK_WRITE = 2          # no hit or miss is counted
    LOOK_NO_STATS = 4

cdef struct Found:          # a key looked up; valid until the next change of its database
    Entry*   entry          # NULL = there is none (or it has expired)
    Ref      ref
    uint64_t hash
    Slot     slot

cdef inline uint64_t key_hash(const Engine* e, const Slice* key) noexcept nogil:
    return hash_bytes(&e.arena.head.seed, key.ptr, key.len)

cdef bint expire_if_due(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil
cdef void touch_clock(Engine* e, Entry* entry) noexcept nogil
cdef void count_miss(Engine* e, Database* db, const Slice* key) noexcept nogil

cdef inline bint look_up(Session* s, const Slice* key, uint64_t hash, int flags, Found* f) noexcept nogil:
    """Find a key of the session's database; True if it is there and has not expired.

    hash     key_hash() of the key (s.hash for the command's first key)
    flags    LookFlag bits
    """
    cdef Engine* e = s.engine
    f.hash = hash
    if table_find(&e.arena, &s.db.keys, hash, key.ptr, key.len, &f.slot):
        f.ref = f.slot.bucket.refs[f.slot.index]
        f.entry = <Entry*>arena_at(&e.arena, f.ref)
        if unlikely((f.slot.bucket.expiring >> f.slot.index) & 1) and expire_if_due(e, s.db, key, f):
            f.entry = NULL
        else:
            if flags & (LOOK_WRITE | LOOK_NO_STATS) == 0:
                e.stats.hits += 1
            if flags & LOOK_NO_TOUCH == 0 and s.flags & IS_NO_TOUCH == 0:
                if unlikely(e.config.maxmemory_policy & 7 == EVICT_LFU):
                    touch_clock(e, f.entry)
                else:
                    entry_set_clock(f.entry, e.lru_clock)
            return True
    f.entry = NULL
    if flags & (LOOK_WRITE | LOOK_NO_STATS) == 0:
        count_miss(e, s.db, key)
    return False

# A new clock value for a new entry, by the policy in force.
cdef uint32_t fresh_clock(const Engine* e) noexcept nogil

# Store a string, in place of whatever is there. `value.block` is taken over if it is used (and then
# zeroed). The expiry becomes at_ms (-1 = none). Compact integers become FORM_INT unless `raw`.
# No event, no signal: the command sends those. NO_MEMORY leaves the old value.
cdef Status put_string(Engine* e, Database* db, const Slice* key, Found* f, Slice* value, int64_t at_ms,
                       bint raw) noexcept nogil
# Store an integer: as put_string of its digits, without making them.
cdef Status put_int(Engine* e, Database* db, const Slice* key, Found* f, int64_t value, int64_t at_ms) noexcept nogil
# Give a string value room for `length` bytes, keeping the first ones, as FORM_RAW or FORM_BLOCK that no
# reply shares, and return where they lie (NULL: no memory). The length is set; new bytes are zero. The
# caller notes (undo_note) what it then changes of the first ones.
cdef char* string_for_update(Engine* e, Database* db, const Slice* key, Found* f, uint32_t length) noexcept nogil
# The bytes of a string value; integers are formatted into `digits` (24 bytes). `block` is set for
# FORM_BLOCK, so that the reply can refer to it.
cdef void string_bytes(Engine* e, Entry* entry, char* digits, Slice* value) noexcept nogil

# Put an existing entry's copy or a newly built entry under its key: takes over `entry_ref`.
cdef Status link_entry(Engine* e, Database* db, uint64_t hash, Ref entry_ref) noexcept nogil
# Put an entry under the same key in place of another, which is freed.
cdef void replace_entry(Engine* e, Database* db, const Slice* key, Found* old, Ref ref) noexcept nogil
# Take an entry out of the database without freeing it.
cdef void unlink_entry(Engine* e, Database* db, Found* f) noexcept nogil
# Remove a key and free its value (in slices if it is large and `lazy`).
cdef void remove_key(Engine* e, Database* db, Found* f, bint lazy) noexcept nogil
# Change or drop (-1) the expiry.
cdef Status set_expiry(Engine* e, Database* db, const Slice* key, Found* f, int64_t at_ms) noexcept nogil
cdef void free_entry(Engine* e, Ref ref, bint lazy) noexcept nogil
# The same entry under another key, not linked anywhere; 0 = no memory. With a copy of its value (COPY), or
# with the value itself (RENAME): then one of the two entries is to be freed without it, by arena_free.
cdef Ref clone_entry(Engine* e, Ref ref, const Slice* key) noexcept nogil
cdef Ref entry_under(Engine* e, Ref ref, const Slice* key) noexcept nogil

# ---------------------------------------------------------------- containers
#
# A small one is FORM_PACKED or FORM_INTSET: its elements are the entry's payload, changed by
# value_splice. A large one is FORM_LARGE: the payload ends with the reference of its root object, of
# which the kind's own module knows all, and these functions what every other module needs:

cdef struct KindOps:
    const char* (*encoding)(const Entry* entry) noexcept nogil      # OBJECT ENCODING
    uint64_t (*count)(Engine* e, Entry* entry) noexcept nogil       # elements, in any form
    Ref (*clone)(Engine* e, Ref root) noexcept nogil                # a copy of a large value; 0 = no memory
    uint64_t (*bytes)(Engine* e, Ref root) noexcept nogil           # arena bytes of a large value
    # Free about `most` elements of a large value that nothing refers to any more; returns how many.
    # position[0] is 0 at first and the callee's own in between; UINT64_MAX when all is gone, the root as well.
    uint64_t (*free_some)(Engine* e, Ref root, uint64_t* position, uint64_t most) noexcept nogil
    # Remove the fields whose time has come, and the key with the last one; returns how many. HASH alone has
    # it. The key may be the entry's own bytes.
    uint64_t (*expire_fields)(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil

cdef void register_kind(int kind, const KindOps* ops) noexcept nogil
cdef const KindOps* kind_ops(int kind) noexcept nogil

# Make an entry for a value, or put another value in place of an entry's (which is freed), with a payload
# of vlen bytes that the caller writes at once; NULL = no memory, and nothing has changed. The expiry
# becomes at_ms (-1 = none). No event, no signal: the command sends those.
# A hash that begins with its next field expiry gets that by set_fields_due, after writing INT64_MAX there.
cdef char* place_value(Engine* e, Database* db, const Slice* key, Found* f, uint8_t kind, uint8_t form, uint32_t vlen,
                       int64_t at_ms) noexcept nogil
# Put `inserted` bytes, which the caller writes at once, in place of `removed` bytes of the payload; returns
# where they go (f follows the entry), NULL = no memory, and nothing has changed. All from `at` on is noted.
cdef char* value_splice(Engine* e, Found* f, uint32_t at, uint32_t removed, uint32_t inserted) noexcept nogil
# Say when the first field of a hash expires, Unix ms; -1 = none does.
cdef void set_fields_due(Engine* e, Database* db, Found* f, int64_t at_ms) noexcept nogil

cdef inline void signal_ready(Engine* e, Database* db, const Slice* key, int kind) noexcept nogil:
    """Something that a blocked client may wait for has come to a key, or a value it waits at has gone.

    kind    Kind that has come or gone. New keys, removals and renames call this by themselves.
    """
    if unlikely(e.waited_keys) and e.key_ready != NULL:
        e.key_ready(e, db, key, kind)

# Tell watchers and counters that a key has changed. Call once per changed key.
cdef void signal_modified(Engine* e, Database* db, const Slice* key, uint64_t hash) noexcept nogil
cdef inline void notify(Engine* e, int event_class, const char* event, const Slice* key, const Database* db) noexcept nogil:
    """Publish a keyspace event, if notify-keyspace-events asks for its class."""
    if unlikely(e.config.notify_keyspace_events & event_class):
        if e.publish_event != NULL:
            e.publish_event(e, event, key, db.id)

cdef inline void note_latency(Engine* e, const char* event, int64_t us) noexcept nogil:
    """Tell the latency monitor of an event that took as long as latency-monitor-threshold."""
    cdef int64_t threshold = e.config.latency_monitor_threshold
    if unlikely(threshold and us // 1000 >= threshold) and e.on_latency != NULL:
        e.on_latency(e, event, <uint64_t>us // 1000)

cdef void expire_key(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil
cdef uint32_t lfu_decayed(const Engine* e, uint32_t clock) noexcept nogil
cdef void block_drop(Engine* e, Ref ref) noexcept nogil
cdef void database_init(Database* db, uint32_t id) noexcept nogil

cdef uint64_t random_next(uint64_t* state) noexcept nogil
cdef void flush_database(Engine* e, Database* db, bint lazy) noexcept nogil
