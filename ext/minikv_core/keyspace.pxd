# The keyspace: look-ups with lazy expiry and access clocks, stores, removals, and what every change
# must tell (watchers, events, counters).
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena, arena_at
from minikv_core.engine cimport Config, Database, Engine, EVICT_LFU, Session, IS_NO_TOUCH, IS_INTERNAL
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

# Put an existing entry's copy or a newly built entry under a key: takes over `entry_ref`.
cdef Status link_entry(Engine* e, Database* db, uint64_t hash, Ref entry_ref, int64_t at_ms) noexcept nogil
# Take an entry out of the database without freeing it.
cdef void unlink_entry(Engine* e, Database* db, Found* f) noexcept nogil
# Remove a key and free its value (in slices if it is large and `lazy`).
cdef void remove_key(Engine* e, Database* db, Found* f, bint lazy) noexcept nogil
# Change or drop (-1) the expiry.
cdef Status set_expiry(Engine* e, Database* db, const Slice* key, Found* f, int64_t at_ms) noexcept nogil
cdef void free_entry(Engine* e, Ref ref, bint lazy) noexcept nogil
# A copy of an entry, with its value, under another key (COPY, RENAME); 0 = no memory. `move` takes
# the value over instead of copying it: the old entry is freed without it.
cdef Ref clone_entry(Engine* e, Ref ref, const Slice* key, int64_t at_ms, bint move) noexcept nogil

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
