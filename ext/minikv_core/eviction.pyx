"""Eviction: approximated LRU, LFU and TTL by sampling, and plain random.

Each step looks at a few keys of every database, puts them into a small pool ordered by how good
they are to lose, and evicts the best of the pool. The pool remembers good candidates between steps,
which brings sampling close to the true order (Redis's observation). A candidate is remembered by
hash and reference: one whose slot no longer holds that reference has changed and is passed over.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memmove
from minikv_core.arena cimport arena_at, arena_used
from minikv_core.board cimport client_bytes_of
from minikv_core.clock cimport monotonic_us
from minikv_core.engine cimport *
from minikv_core.entry cimport Entry, entry_clock, entry_expiry, entry_key
from minikv_core.hash cimport hash_bytes
from minikv_core.keyspace cimport (
    Found, free_entry, lfu_decayed, note_latency, notify, random_next, signal_modified, unlink_entry,
)
from minikv_core.lazyfree cimport lazyfree_step
from minikv_core.memory cimport ctz
from minikv_core.table cimport (
    ALL_SLOTS, BUCKETS, Bucket, Segment, Table, match_tags, segment_of, table_find_ref, table_next_segment,
)
from minikv_core.types cimport Ref, Slice

cdef enum:
    POOL = 16
    SLICE_US = 500          # longest time one command spends evicting; the rest follows later
    RANDOM_TRIES = 16       # segments tried at random before all are walked for one with a candidate

cdef uint64_t memory_used(const Engine* e) noexcept nogil:
    return arena_used(&e.arena) + client_bytes_of(e)

cdef void note_peak(Engine* e) noexcept nogil:
    cdef uint64_t used = memory_used(e)
    if used > e.peak_memory:
        e.peak_memory = used
        e.peak_memory_ms = e.now_ms

cdef inline bint over_limit(const Engine* e) noexcept nogil:
    return e.config.maxmemory > 0 and memory_used(e) > <uint64_t>e.config.maxmemory

cdef bint evict_if_needed(Engine* e) noexcept nogil:
    cdef int64_t start, spent
    cdef int64_t policy = e.config.maxmemory_policy
    if not over_limit(e):
        return True
    start = monotonic_us()
    while over_limit(e):
        if lazyfree_step(e, 1024):          # what is garbage already goes first
            pass
        elif policy == EVICT_NONE:
            return False
        elif not evict_one(e, policy):
            return not over_limit(e)
        if monotonic_us() - start > SLICE_US:
            break
    spent = monotonic_us() - start
    e.stats.eviction_exceeded_us += <uint64_t>spent
    note_latency(e, b"eviction-cycle", spent)
    return True

cdef bint evict_one(Engine* e, int64_t policy) noexcept nogil:
    cdef PoolEntry victim
    cdef uint32_t _, found
    if policy & EVICT_KIND == EVICT_RANDOM:
        for _ in range(e.database_count):
            e.evict_database = (e.evict_database + 1) % e.database_count
            e.pool_count = 0
            if sample(e, &e.databases[e.evict_database], 1, policy) and evict(e, &e.pool[0]):
                e.pool_count = 0
                return True
        return False
    while True:
        found = 0
        for db in range(e.database_count):
            found += sample(e, &e.databases[db], <uint32_t>e.config.maxmemory_samples, policy)
        if found == 0 and e.pool_count == 0:
            return False
        while e.pool_count:
            e.pool_count -= 1
            victim = e.pool[e.pool_count]
            if evict(e, &victim):
                return True

cdef bint evict(Engine* e, const PoolEntry* victim) noexcept nogil:
    """Remove a candidate, unless it has gone or moved meanwhile."""
    cdef Database* db = &e.databases[victim.database]
    cdef Found f
    cdef Slice key
    if not table_find_ref(&e.arena, &db.keys, victim.hash, victim.ref, &f.slot):
        return False
    f.hash = victim.hash
    f.ref = victim.ref
    f.entry = <Entry*>arena_at(&e.arena, f.ref)
    key.ptr = entry_key(f.entry, &key.len)
    key.block = 0
    unlink_entry(e, db, &f)
    e.stats.evicted += 1
    signal_modified(e, db, &key, f.hash)
    notify(e, EVENT_EVICTED, b"evicted", &key, db)
    free_entry(e, f.ref, e.config.lazyfree_lazy_eviction != 0)
    return True

cdef uint32_t sample(Engine* e, Database* db, uint32_t wanted, int64_t policy) noexcept nogil:
    """Offer some keys of a database to the pool; returns how many were looked at."""
    cdef Table* t = &db.keys
    cdef bint volatile_only = policy & EVICT_VOLATILE != 0
    cdef Segment* segment
    cdef uint64_t position = 0
    cdef uint32_t _, found = 0
    if t.count == 0 or (volatile_only and t.expiring == 0):
        return 0
    for _ in range(<uint32_t>RANDOM_TRIES):
        segment = segment_of(&e.arena, t, random_next(&e.random))
        found += sample_segment(e, db, segment, wanted - found, volatile_only, policy)
        if found == wanted:
            return found
    while found == 0:
        segment = table_next_segment(&e.arena, t, &position)
        if segment == NULL:
            break
        found = sample_segment(e, db, segment, wanted, volatile_only, policy)
    return found

cdef uint32_t sample_segment(Engine* e, Database* db, Segment* segment, uint32_t wanted, bint volatile_only,
                             int64_t policy) noexcept nogil:
    cdef uint32_t at = <uint32_t>(random_next(&e.random) % BUCKETS)
    cdef uint32_t _, mask, found = 0
    cdef Bucket* b
    if segment.count == 0 or (volatile_only and segment.expiring == 0):
        return 0
    for _ in range(<uint32_t>BUCKETS):
        b = &segment.buckets[at]
        mask = ~match_tags(b.tags, 0) & ALL_SLOTS
        if volatile_only:
            mask &= b.expiring
        while mask:
            if not volatile_only or entry_expiry(<Entry*>arena_at(&e.arena, b.refs[ctz(mask)])) >= 0:
                offer(e, db, b.refs[ctz(mask)], policy)
                found += 1
                if found == wanted:
                    return found
            mask &= mask - 1
        at = at + 1 if at + 1 < BUCKETS else 0
    return found

cdef void offer(Engine* e, const Database* db, Ref ref, int64_t policy) noexcept nogil:
    """Put a key into the pool at its place, if the pool has room or holds a worse one."""
    cdef Entry* entry = <Entry*>arena_at(&e.arena, ref)
    cdef int64_t kind = policy & EVICT_KIND
    cdef uint64_t score = 0
    cdef uint32_t i, klen
    cdef char* key
    if kind == EVICT_LRU:
        score = (e.lru_clock - entry_clock(entry)) & 0xFFFFFF
    elif kind == EVICT_LFU:
        score = 255 - lfu_decayed(e, entry_clock(entry))
    elif kind == EVICT_TTL:
        score = UINT64_MAX - <uint64_t>entry_expiry(entry)
    for i in range(e.pool_count):
        if e.pool[i].ref == ref:
            return
    if e.pool_count == POOL:
        if e.pool[0].score >= score:
            return
        memmove(&e.pool[0], &e.pool[1], (POOL - 1) * sizeof(PoolEntry))
        e.pool_count -= 1
    i = e.pool_count
    while i and e.pool[i - 1].score > score:
        e.pool[i] = e.pool[i - 1]
        i -= 1
    key = entry_key(entry, &klen)
    e.pool[i].score = score
    e.pool[i].hash = hash_bytes(&e.arena.head.seed, key, klen)
    e.pool[i].ref = ref
    e.pool[i].database = db.id
    e.pool_count += 1
