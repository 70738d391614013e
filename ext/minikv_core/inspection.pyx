"""A look into the store from Python: what DEBUG, MEMORY USAGE and INFO tell of keys and tables."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport arena_at, arena_size
from minikv_core.engine cimport *
from minikv_core.entry cimport (
    Entry, EntryView, entry_clock, entry_expiry, entry_form, entry_key, entry_kind, entry_root, entry_view,
)
from minikv_core.generic cimport encoding_name
from minikv_core.handle cimport EngineHandle
from minikv_core.keyspace cimport (
    LOOK_NO_STATS, LOOK_NO_TOUCH, LOOK_WRITE, Found, key_hash, kind_ops, look_up, put_string, random_next, replace_entry,
    signal_modified, string_bytes,
)
from minikv_core.memory cimport ctz, load_u32
from minikv_core.numbers cimport DOUBLE_CHARS, format_double
from minikv_core.packed cimport Item, item_text, packed_read
from minikv_core.pycommand cimport SessionView
from minikv_core.rdb cimport Reader, Writer, writer_end
from minikv_core.rdbload cimport load_entry
from minikv_core.rdbsave cimport save_value
from minikv_core.stream cimport Stream, StreamID, StreamWalk, stream_next, stream_seek
from minikv_core.t_hash cimport HashWalk, hash_table, hash_walk_begin, hash_walk_next
from minikv_core.t_list cimport ListWalk, list_walk_begin, list_walk_next
from minikv_core.t_set cimport SetWalk, set_table, set_walk_begin, set_walk_next
from minikv_core.t_zset cimport Zset, ZsetWalk, zset_walk_begin, zset_walk_next
from minikv_core.table cimport (
    ALL_SLOTS, BUCKETS, SLOTS, Bucket, Segment, Table, match_tags, table_find, table_next_segment,
)
from minikv_core.types cimport (
    FORM_BLOCK, FORM_LARGE, HASH, LIST, NO_MEMORY, OK, SET, STREAM, STRING, ZSET, Ref, Slice, Status,
)

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


cdef uint64_t outside_bytes(Engine* e, const EntryView* v) noexcept nogil:
    """Arena bytes of a value outside of its entry."""
    if v.form == FORM_BLOCK:
        return arena_size(&e.arena, load_u32(v.value))
    if v.form == FORM_LARGE:
        return kind_ops(v.kind).bytes(e, load_u32(v.value + v.vlen - 4))
    return 0


def key_facts(SessionView view, bytes key):
    """What the store knows of a key of the session's database; None if there is none.

    kind            Kind
    length          of a string as GET returns it, bytes; of another value, elements
    payload         bytes of the value within the entry
    entry, outside  bytes that its entry takes, and its value outside of the entry
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
    entry_view(f.entry, &v)
    if v.kind == STRING:
        string_bytes(e, f.entry, digits, &value)
        length = value.len
    else:
        length = kind_ops(v.kind).count(e, f.entry)
    clock = entry_clock(f.entry)
    return {
        "address": <size_t>f.ref << 3, "kind": v.kind, "encoding": (<bytes>encoding_name(f.entry)).decode(),
        "length": length, "payload": v.vlen, "entry": arena_size(&e.arena, f.ref), "outside": outside_bytes(e, &v),
        "table": s.db.keys.bytes // s.db.keys.count, "clock": clock, "idle": (e.lru_clock - clock) & 0xFFFFFF,
    }


cdef void begin(Writer* w) noexcept nogil:
    w.base = NULL
    w.used = w.room = 0
    w.failed = False


def saved_length(SessionView view, bytes key):
    """Bytes of a value in the RDB format, without its type; 0 = there is none."""
    cdef Writer w
    cdef Found f
    if not find(view, key, &f):
        return 0
    begin(&w)
    save_value(view.get().engine, f.entry, &w)
    length = w.used - 1 if w.used else 0
    writer_end(&w)
    return length


# ---------------------------------------------------------------- values

def key_value(SessionView view, bytes key):
    """(kind, value, whether it expires) of a key of the session's database; None if there is none.

    A value is the bytes of a string, the list of a list's or set's elements, of a hash's (field, value, whether it
    expires), of a sorted set's (member, score as text), or of a stream's (ID, fields and values in turn).
    """
    cdef Found f
    if not find(view, key, &f):
        return None
    return entry_facts(view.get().engine, f.entry)


cdef tuple entry_facts(Engine* e, Entry* entry):
    return entry_kind(entry), value_of(e, entry), entry_expiry(entry) >= 0


cdef inline bytes text_of(const Slice* text):
    return PyBytes_FromStringAndSize(text.ptr, text.len)


cdef object value_of(Engine* e, Entry* entry):
    cdef char[24] digits
    cdef Slice one, other
    cdef ListWalk elements
    cdef SetWalk members
    cdef HashWalk fields
    cdef ZsetWalk scored
    cdef int64_t at_ms
    cdef double score
    cdef char[DOUBLE_CHARS] text
    cdef int kind = entry_kind(entry)
    if kind == STRING:
        string_bytes(e, entry, digits, &one)
        return text_of(&one)
    if kind == STREAM:
        return stream_value(e, <Stream*>arena_at(&e.arena, entry_root(entry)))
    found = []
    if kind == LIST:
        list_walk_begin(e, entry, &elements)
        while list_walk_next(&elements, &one):
            found.append(text_of(&one))
    elif kind == SET:
        set_walk_begin(e, entry, &members)
        while set_walk_next(&members, &one):
            found.append(text_of(&one))
    elif kind == HASH:
        hash_walk_begin(e, entry, &fields)
        while hash_walk_next(&fields, &one, &other, &at_ms):
            found.append((text_of(&one), text_of(&other), at_ms >= 0))
    else:
        zset_walk_begin(e, entry, &scored)
        while zset_walk_next(&scored, &one, &score):
            found.append((text_of(&one), text[:format_double(text, score)]))
    return found


cdef char* take_text(char* p, list found):
    """Add the packed element at p; returns the place of the next."""
    cdef char[32] digits
    cdef Item item
    cdef Slice text
    p = packed_read(p, &item)
    item_text(&item, digits, &text)
    found.append(text_of(&text))
    return p


cdef list stream_value(Engine* e, Stream* s):
    cdef StreamID first, last
    cdef StreamWalk w
    cdef char* field
    cdef char* p
    cdef uint32_t _
    found = []
    first.ms = first.seq = 0
    last.ms = last.seq = <uint64_t>-1
    stream_seek(&e.arena, s, &first, &last, False, &w)
    while stream_next(&w):
        words = []
        field = w.fields
        p = w.body
        for _ in range(w.count):
            if w.same:
                field = take_text(field, words)
            else:
                p = take_text(p, words)
            p = take_text(p, words)
        found.append((b"%d-%d" % (w.id.ms, w.id.seq), words))
    return found


def reload(EngineHandle handle):
    """Write each value in the RDB format, and put what is read back from that in its place.

    errors   RuntimeError for a value that does not survive that, MemoryError
    """
    cdef Engine* e = handle.get()
    cdef uint32_t i
    cdef bytes name
    for i in range(e.database_count):
        names = []
        walk(handle, i, lambda key, *_: names.append(key))
        for name in names:
            reload_value(e, &e.databases[i], name)


cdef int reload_value(Engine* e, Database* db, bytes name) except -1:
    cdef Slice key
    cdef Found f
    cdef Writer w
    cdef Reader r
    cdef Status status
    cdef Ref ref
    key.ptr = PyBytes_AS_STRING(name)
    key.len = <uint32_t>len(name)
    key.block = 0
    f.hash = key_hash(e, &key)
    if not table_find(&e.arena, &db.keys, f.hash, key.ptr, key.len, &f.slot):
        return 0
    f.ref = f.slot.bucket.refs[f.slot.index]
    f.entry = <Entry*>arena_at(&e.arena, f.ref)
    begin(&w)
    r.version = save_value(e, f.entry, &w)
    r.pos = w.base
    r.end = w.base + w.used
    r.status = OK
    status = OK
    if r.version and not w.failed:
        status = load_entry(e, &key, f.hash, &r, entry_expiry(f.entry), &ref)
    writer_end(&w)
    if w.failed or status == NO_MEMORY:
        raise MemoryError
    if status != OK:
        raise RuntimeError(f"the value of {name!r} can't be read back")
    if r.version:
        replace_entry(e, db, &key, &f, ref)
    return 0


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
                visit(PyBytes_FromStringAndSize(key, klen), *entry_facts(e, entry))
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


cdef dict facts_of(const Table* t):
    return {
        "keys": t.count, "expiring": t.expiring, "segments": t.segments, "depth": t.depth,
        "slots": <uint64_t>t.segments * BUCKETS * SLOTS,
    }


def table_facts(EngineHandle handle, uint32_t database):
    """A database's table: keys, expiring (keys), segments, slots (keys that fit), depth of the directory."""
    cdef Database* db = &handle.engine.databases[database]
    facts = facts_of(&db.keys)
    facts["expiring"] -= db.field_expiring
    return facts


def value_table_facts(SessionView view, bytes key):
    """The same of the table that a key's value lies in; None if it lies in none."""
    cdef Engine* e = view.get().engine
    cdef Found f
    if not find(view, key, &f) or entry_form(f.entry) != FORM_LARGE:
        return None
    if entry_kind(f.entry) == HASH:
        return facts_of(hash_table(e, f.entry))
    if entry_kind(f.entry) == SET:
        return facts_of(set_table(e, f.entry))
    if entry_kind(f.entry) == ZSET:
        return facts_of(&(<Zset*>arena_at(&e.arena, entry_root(f.entry))).members)
    return None


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
