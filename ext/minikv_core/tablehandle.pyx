"""A table without a keyspace, and the layout of entries, for the tests."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from minikv_core.arena cimport (
    Arena, arena_alloc, arena_at, arena_check, arena_close, arena_free, arena_open, arena_size, arena_slack, arena_sparse,
    arena_trim,
)
from minikv_core.entry cimport (
    Entry, EntryView, entry_bytes, entry_clock, entry_expiry, entry_key, entry_view, entry_write, int_width, load_int,
    store_int,
)
from minikv_core.hash cimport HashSeed, hash_bytes
from minikv_core.table cimport (
    ROOM, SLOTS, Bucket, Segment, Slot, Table, table_check, table_clear, table_due, table_find, table_insert,
    table_next_segment, table_random, table_relocate, table_remove, table_scan, table_set_expiring,
)
from minikv_core.types cimport FORM_RAW, OK, STRING, Ref


cdef struct Collected:
    uint32_t count
    Ref refs[ROOM]


cdef void collect(void* context, Ref ref) noexcept nogil:
    cdef Collected* c = <Collected*>context
    c.refs[c.count] = ref
    c.count += 1


cdef class TableHandle:
    """A table in an arena of its own, with entries of `vlen` zero bytes, for the tests."""
    cdef Arena arena
    cdef Table table
    cdef uint64_t random_state

    def __cinit__(self, size_t reserve=1 << 30):
        self.arena.base = NULL
        self.arena.fd = -1
        if arena_open(&self.arena, reserve, False) != OK:
            raise MemoryError("the mapping was refused")

    def __dealloc__(self):
        arena_close(&self.arena)

    cdef bytes key_at(self, Ref ref):
        cdef uint32_t klen
        cdef char* key = entry_key(<Entry*>arena_at(&self.arena, ref), &klen)
        return key[:klen]

    cdef Ref new_entry(self, bytes key, uint32_t vlen, int64_t expiry) noexcept:
        cdef Ref ref = arena_alloc(&self.arena, entry_bytes(<uint32_t>len(key), vlen, expiry))
        if ref:
            memset(entry_write(<Entry*>arena_at(&self.arena, ref), STRING, FORM_RAW, 0, <const char*>key,
                               <uint32_t>len(key), vlen, expiry), 0, vlen)
        return ref

    cdef bint find(self, bytes key, Slot* slot):
        return table_find(&self.arena, &self.table, self.hash(key), <const char*>key, <uint32_t>len(key), slot)

    cpdef uint64_t hash(self, bytes key):
        return hash_bytes(&self.arena.head.seed, <const char*>key, len(key))

    def insert(self, bytes key, int64_t expiry=-1, uint32_t vlen=0):
        """True, or False if there is no room."""
        cdef Ref ref = self.new_entry(key, vlen, expiry)
        if ref == 0:
            return False
        if table_insert(&self.arena, &self.table, self.hash(key), ref, expiry) == OK:
            return True
        arena_free(&self.arena, ref)
        return False

    def remove(self, bytes key):
        cdef Slot slot
        cdef Ref ref
        if not self.find(key, &slot):
            return False
        ref = slot.bucket.refs[slot.index]
        table_remove(&self.arena, &self.table, self.hash(key), &slot)
        arena_free(&self.arena, ref)
        return True

    def expire(self, bytes key, int64_t expiry):
        """Replace a key's entry by one with another expiry (-1 = none)."""
        cdef Slot slot
        cdef Ref ref
        if not self.find(key, &slot):
            return False
        ref = self.new_entry(key, 0, expiry)
        arena_free(&self.arena, slot.bucket.refs[slot.index])
        slot.bucket.refs[slot.index] = ref
        table_set_expiring(&self.arena, &self.table, &slot, expiry)
        return True

    def take_due(self, int64_t now_ms):
        """Remove what has expired, segment by segment, as the keyspace does; returns the keys."""
        cdef uint64_t position = 0
        cdef Segment* s = table_next_segment(&self.arena, &self.table, &position)
        cdef Ref[ROOM] past
        cdef list keys = []
        while s != NULL:
            if s.next_expiry < now_ms:
                keys += [self.key_at(past[i])
                         for i in range(table_due(&self.arena, &self.table, s, now_ms, past))]
            s = table_next_segment(&self.arena, &self.table, &position)
        for key in keys:
            self.remove(key)
        return keys

    def __contains__(self, bytes key):
        cdef Slot slot
        return self.find(key, &slot)

    def __len__(self):
        return self.table.count

    def clear(self):
        """Free the entries, then the table."""
        for ref in self.refs():
            arena_free(&self.arena, ref)
        table_clear(&self.arena, &self.table)

    cdef list refs(self):
        cdef uint64_t position = 0
        cdef Segment* s = table_next_segment(&self.arena, &self.table, &position)
        cdef list refs = []
        while s != NULL:
            for slot in range(ROOM):
                if s.buckets[slot // SLOTS].tags[slot % SLOTS]:
                    refs.append(s.buckets[slot // SLOTS].refs[slot % SLOTS])
            s = table_next_segment(&self.arena, &self.table, &position)
        return refs

    def keys(self):
        return [self.key_at(ref) for ref in self.refs()]

    def scan(self, uint64_t cursor):
        """(next cursor, keys of one home bucket)."""
        cdef Collected c
        c.count = 0
        cursor = table_scan(&self.arena, &self.table, cursor, collect, &c)
        return cursor, [self.key_at(c.refs[i]) for i in range(c.count)]

    def random(self):
        """A random key, or None."""
        cdef Ref ref = table_random(&self.arena, &self.table, &self.random_state)
        return self.key_at(ref) if ref else None

    def next_segment(self, uint64_t position):
        """(next position, prefix, depth, entries, expiring, next expiry), or None."""
        cdef Segment* s = table_next_segment(&self.arena, &self.table, &position)
        return None if s == NULL else (position, s.prefix, s.depth, s.count, s.expiring, s.next_expiry)

    def compact(self):
        """Move what is sparse, as the keyspace does; returns how many objects moved."""
        cdef uint64_t position = 0
        cdef Segment* s = table_next_segment(&self.arena, &self.table, &position)
        cdef Bucket* b
        cdef Ref ref, moved
        cdef size_t size
        cdef uint32_t slot
        count = 0
        while s != NULL:
            s = table_relocate(&self.arena, &self.table, s)
            for slot in range(<uint32_t>ROOM):
                b = &s.buckets[slot // SLOTS]
                ref = b.refs[slot % SLOTS]
                if b.tags[slot % SLOTS] and arena_sparse(&self.arena, ref):
                    size = arena_size(&self.arena, ref)
                    moved = arena_alloc(&self.arena, size)
                    memcpy(arena_at(&self.arena, moved), arena_at(&self.arena, ref), size)
                    arena_free(&self.arena, ref)
                    b.refs[slot % SLOTS] = moved
                    count += 1
            s = table_next_segment(&self.arena, &self.table, &position)
        return count

    def trim(self, size_t max_bytes):
        return arena_trim(&self.arena, max_bytes)

    def check(self):
        return table_check(&self.arena, &self.table) or arena_check(&self.arena) * 100

    def info(self):
        cdef Table* t = &self.table
        return {"count": t.count, "expiring": t.expiring, "bytes": t.bytes, "segments": t.segments,
                "depth": t.depth, "deepest": t.deepest, "used": self.arena.head.used,
                "resident": self.arena.head.resident, "slack": arena_slack(&self.arena),
                "seed": tuple(self.arena.head.seed.secret[i] for i in range(4))}


def hash_with(seed, bytes key):
    """hash_bytes() with four secrets of one's own."""
    cdef HashSeed s
    for i in range(4):
        s.secret[i] = seed[i]
    return hash_bytes(&s, <const char*>key, len(key))


def entry_round_trip(bytes key, bytes value, int kind, int form, uint32_t clock, int64_t expiry):
    """Write an entry into exactly the bytes it needs and read it back."""
    cdef size_t size = entry_bytes(<uint32_t>len(key), <uint32_t>len(value), expiry)
    cdef Entry* e = <Entry*>malloc(size)
    cdef EntryView v
    cdef uint32_t klen
    cdef char* p = entry_write(e, <uint8_t>kind, <uint8_t>form, clock, <const char*>key, <uint32_t>len(key),
                               <uint32_t>len(value), expiry)
    memcpy(p, <const char*>value, len(value))
    entry_view(e, &v)
    p = entry_key(e, &klen)
    fields = {"size": size, "key": v.key[:v.klen], "same_key": p[:klen], "value": v.value[:v.vlen],
              "kind": v.kind, "form": v.form, "clock": entry_clock(e), "expiry": entry_expiry(e)}
    free(e)
    return fields


def int_round_trip(int64_t value):
    """(width, value read back) of a FORM_INT payload."""
    cdef uint32_t width = int_width(value)
    cdef char* p = <char*>malloc(width)
    store_int(p, value, width)
    value = load_int(p, width)
    free(p)
    return width, value
