"""A look into the store from Python: what DEBUG, MEMORY USAGE and INFO tell of keys and tables."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport arena_at, arena_size
from minikv_core.engine cimport *
from minikv_core.entry cimport Entry, EntryView, entry_clock, entry_expiry, entry_key, entry_kind, entry_root, entry_view
from minikv_core.generic cimport encoding_name
from minikv_core.handle cimport EngineHandle
from minikv_core.keyspace cimport (
    LOOK_NO_STATS, LOOK_NO_TOUCH, LOOK_WRITE, Found, key_hash, kind_ops, look_up, put_string, random_next, signal_modified,
    string_bytes,
)
from minikv_core.memory cimport ctz, load_u32
from minikv_core.pycommand cimport SessionView
from minikv_core.table cimport ALL_SLOTS, BUCKETS, SLOTS, Bucket, Segment, Table, match_tags, table_next_segment
from minikv_core.types cimport FORM_BLOCK, FORM_INT, FORM_LARGE, OK, Slice

cdef extern from *:
    const char* compiler_version "__VERSION__"

cdef enum:
    TTL_SAMPLES = 256       # expiries that make an average


COMPILER = (<bytes>compiler_version).decode()


cdef bint find(SessionView view, bytes key, Found* f) except -1:
    cdef Session* s = view.get()
    cdef Slice name
    name.ptr = PyBytes_AS_STRING(key)
    name.len = <uint32_t>len(key)
    name.block = 0
    return look_up(s, &name, key_hash(s.engine, &name), LOOK_NO_TOUCH | LOOK_NO_STATS, f)


def key_facts(SessionView view, bytes key):
    """What the store knows of a key of the session's database; None if there is none.

    length          of the value as GET returns it, bytes
    integer         bytes that a value takes as an integer; 0 = it is none
    entry, block    bytes that its entry takes, and its value outside of the entry
    table           its share of the table, bytes
    clock, idle     of LRU, s
    """
    cdef Session* s = view.get()
    cdef Engine* e = s.engine
    cdef char[24] digits
    cdef Found f
    cdef EntryView v
    cdef Slice value
    if not find(view, key, &f):
        return None
    string_bytes(e, f.entry, digits, &value)
    entry_view(f.entry, &v)
    clock = entry_clock(f.entry)
    return {
        "address": <size_t>f.ref << 3, "encoding": (<bytes>encoding_name(f.entry)).decode(), "length": value.len,
        "integer": v.vlen if v.form == FORM_INT else 0, "entry": arena_size(&e.arena, f.ref),
        "block": bytes_outside(e, f.entry),
        "table": s.db.keys.bytes // s.db.keys.count, "clock": clock, "idle": (e.lru_clock - clock) & 0xFFFFFF,
    }


cdef uint64_t bytes_outside(Engine* e, Entry* entry) noexcept nogil:
    cdef EntryView v
    entry_view(entry, &v)
    if v.form == FORM_BLOCK:
        return arena_size(&e.arena, load_u32(v.value))
    return kind_ops(v.kind).bytes(e, entry_root(entry)) if v.form == FORM_LARGE else 0


def key_value(SessionView view, bytes key):
    """(kind, value, whether it expires) of a key of the session's database; None if there is none."""
    cdef Found f
    if not find(view, key, &f):
        return None
    return entry_value(view.get().engine, f.entry)


cdef tuple entry_value(Engine* e, Entry* entry):
    cdef char[24] digits
    cdef Slice value
    string_bytes(e, entry, digits, &value)
    return entry_kind(entry), PyBytes_FromStringAndSize(value.ptr, value.len), entry_expiry(entry) >= 0


def walk(EngineHandle handle, uint32_t database, visit):
    """Call visit(key, kind, value, whether it expires) for each key; it must leave the store alone."""
    cdef Engine* e = &handle.engine
    cdef uint64_t position = 0
    cdef uint32_t i, mask, klen
    cdef Segment* segment = table_next_segment(&e.arena, &e.databases[database].keys, &position)
    cdef Bucket* b
    cdef Entry* entry
    cdef char* key
    while segment != NULL:
        for i in range(<uint32_t>BUCKETS):
            b = &segment.buckets[i]
            mask = ~match_tags(b.tags, 0) & ALL_SLOTS
            while mask:
                entry = <Entry*>arena_at(&e.arena, b.refs[ctz(mask)])
                mask &= mask - 1
                key = entry_key(entry, &klen)
                visit(PyBytes_FromStringAndSize(key, klen), *entry_value(e, entry))
        segment = table_next_segment(&e.arena, &e.databases[database].keys, &position)


def populate(SessionView view, int64_t count, bytes prefix, size):
    """Add count keys prefix:0, prefix:1, ... that are not there yet, with values of size bytes (None: as they come).

    errors   MemoryError
    """
    cdef Session* s = view.get()
    cdef Engine* e = s.engine
    cdef Found f
    cdef Slice key, value
    cdef int64_t i
    key.block = value.block = 0
    for i in range(count):
        name = b"%s:%d" % (prefix, i)
        key.ptr = PyBytes_AS_STRING(name)
        key.len = <uint32_t>len(name)
        if look_up(s, &key, key_hash(e, &key), LOOK_WRITE | LOOK_NO_TOUCH, &f):
            continue
        text = b"value:%d" % i
        if size is not None:
            text = text[:size].ljust(size, b"\0")
        value.ptr = PyBytes_AS_STRING(text)
        value.len = <uint32_t>len(text)
        if put_string(e, s.db, &key, &f, &value, -1, False) != OK:
            raise MemoryError
        signal_modified(e, s.db, &key, f.hash)


def table_facts(EngineHandle handle, uint32_t database):
    """A database's table: keys, expiring (keys), segments, slots (keys that fit), depth of the directory."""
    cdef Table* t = &handle.engine.databases[database].keys
    return {
        "keys": t.count, "expiring": t.expiring - handle.engine.databases[database].field_expiring,
        "segments": t.segments, "depth": t.depth,
        "slots": <uint64_t>t.segments * BUCKETS * SLOTS,
    }


def average_ttl(EngineHandle handle, uint32_t database):
    """Mean time to live of the keys that expire, ms, by a sample; 0 = none expires."""
    cdef Engine* e = &handle.engine
    cdef Table* t = &e.databases[database].keys
    cdef uint64_t position = 0
    cdef uint32_t i, at, mask, n = 0
    cdef int64_t at_ms
    cdef double total = 0
    cdef Segment* segment
    cdef Bucket* b
    if t.expiring == e.databases[database].field_expiring:
        return 0
    segment = table_next_segment(&e.arena, t, &position)
    while segment != NULL and n < TTL_SAMPLES:
        at = <uint32_t>(random_next(&e.random) % BUCKETS)
        for i in range(BUCKETS if segment.expiring else 0):
            b = &segment.buckets[(at + i) % BUCKETS]
            mask = b.expiring & ALL_SLOTS
            while mask:
                at_ms = entry_expiry(<Entry*>arena_at(&e.arena, b.refs[ctz(mask)]))
                mask &= mask - 1
                if at_ms >= 0:              # else only fields of it expire
                    total += <double>(at_ms - e.now_ms) if at_ms > e.now_ms else 0.0
                    n += 1
        segment = table_next_segment(&e.arena, t, &position)
    return <int64_t>(total / n) if n else 0
