"""DUMP and RESTORE: a value as bytes that other servers read, and back.

A payload is a value in the RDB format, behind it the format's version (u16) and a checksum of all that
(u64). The version is the oldest that has the value's type, because servers refuse payloads of a later
version than their own.
"""

from libc.stddef cimport size_t
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t
from minikv_core.arena cimport arena_at
from minikv_core.crc64 cimport crc64
from minikv_core.engine cimport (
    DENYOOM, EVENT_GENERIC, EVENT_NEW, EVICT_KIND, EVICT_LFU, READONLY, WRITE, Engine, Session,
)
from minikv_core.entry cimport Entry, entry_kind, entry_set_clock
from minikv_core.generic cimport notify_overwritten
from minikv_core.keyspace cimport (
    LOOK_NO_TOUCH, LOOK_READ, LOOK_WRITE, Found, free_entry, link_entry, look_up, notify, remove_key, replace_entry,
    signal_modified,
)
from minikv_core.memory cimport load_u16, load_u64
from minikv_core.numbers cimport parse_int
from minikv_core.rdb cimport RDB_REDIS_7_4, RDB_VALKEY_9, Reader, Writer, write_bytes, write_u64, writer_end
from minikv_core.rdbload cimport load_entry
from minikv_core.rdbsave cimport save_value
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_bulk, reply_null, reply_ok
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word
from minikv_core.types cimport BAD_INT, FAILED, MISSING, NO_MEMORY, OK, Ref, Slice, Status
from minikv_core.registry import KeySpec, define

cdef enum:
    FOOTER = 10             # bytes behind the value
    IDLE_MAX = 0x7FFFFF     # s: what the clock of an entry can tell


define("DUMP", fn(cmd_dump), arity=2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="generic",
       since="2.6.0", cost="O(N) for the N bytes of the value", args="key", tips=("nondeterministic_output",),
       summary="Write a value as bytes that RESTORE reads.")
cdef Status cmd_dump(Session* s) noexcept nogil:
    cdef Writer w
    cdef Found f
    cdef Status status = OK
    cdef int version
    cdef uint8_t[2] footer
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_null(&s.out)
        return OK
    w.base = NULL
    w.used = w.room = 0
    w.failed = False
    version = save_value(s.engine, f.entry, &w)
    if version == 0:
        reply_null(&s.out)
    else:
        footer[0] = <uint8_t>version
        footer[1] = 0
        write_bytes(&w, footer, 2)
        write_u64(&w, crc64(0, w.base, w.used))
        if w.failed:
            status = fail_status(s, NO_MEMORY)
        else:
            reply_bulk(&s.out, w.base, w.used)
    writer_end(&w)
    return status


cdef struct Options:            # of RESTORE
    bint    replace
    bint    absolute
    int64_t idle                # s; -1 = not given
    int64_t frequency           # 0-255; -1 = not given


cdef Status parse_options(Session* s, Options* o) noexcept nogil:
    """FAILED after an error reply."""
    cdef uint32_t i = 4
    cdef bint more
    o.replace = o.absolute = False
    o.idle = o.frequency = -1
    while i < s.argc:
        more = i + 1 < s.argc
        if is_word(&s.argv[i], b"replace"):
            o.replace = True
        elif is_word(&s.argv[i], b"absttl"):
            o.absolute = True
        elif more and o.frequency < 0 and is_word(&s.argv[i], b"idletime"):
            i += 1
            if not parse_int(s.argv[i].ptr, s.argv[i].len, &o.idle):
                return fail_status(s, BAD_INT)
            if o.idle < 0:
                return fail(s, b"ERR Invalid IDLETIME value, must be >= 0")
        elif more and o.idle < 0 and is_word(&s.argv[i], b"freq"):
            i += 1
            if not parse_int(s.argv[i].ptr, s.argv[i].len, &o.frequency):
                return fail_status(s, BAD_INT)
            if not 0 <= o.frequency <= 255:
                return fail(s, b"ERR Invalid FREQ value, must be >= 0 and <= 255")
        else:
            return fail_syntax(s)
        i += 1
    return OK


cdef bint open_payload(Session* s, Reader* r) noexcept nogil:
    """Whether argv[3] is a payload, of a version that is known; `r` then holds its value."""
    cdef const char* p = s.argv[3].ptr
    cdef size_t n = s.argv[3].len
    if n < FOOTER:
        return False
    r.pos = p
    r.end = p + n - FOOTER
    r.version = load_u16(r.end)
    r.status = OK
    return (r.version <= RDB_REDIS_7_4 or r.version == RDB_VALKEY_9) and load_u64(p + n - 8) == crc64(0, p, n - 8)


cdef void set_clock(Engine* e, Entry* entry, const Options* o) noexcept nogil:
    cdef int64_t idle = o.idle if o.idle < IDLE_MAX else IDLE_MAX
    if e.config.maxmemory_policy & EVICT_KIND == EVICT_LFU:
        if o.frequency >= 0:
            entry_set_clock(entry, (e.lfu_clock << 8) | <uint32_t>o.frequency)
    elif idle >= 0:
        entry_set_clock(entry, (e.lru_clock - <uint32_t>idle) & 0xFFFFFF)


define("RESTORE", fn(cmd_restore), arity=-4, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "OW update"),
       group="generic", since="2.6.0", cost="O(N) for the N bytes of the value, O(N*log(N)) for a sorted set",
       args="key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]", categories="dangerous",
       history=(("3.0.0", "Option REPLACE."), ("5.0.0", "Option ABSTTL."), ("5.0.0", "Options IDLETIME and FREQ.")),
       summary="Make a key of what DUMP has written.")
cdef Status cmd_restore(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Options options
    cdef Found old
    cdef Reader r
    cdef Status status
    cdef int64_t at_ms
    cdef uint8_t kind, old_kind = 0
    cdef bint overwrites
    cdef Entry* entry
    cdef Ref ref
    if parse_options(s, &options) != OK:
        return FAILED
    overwrites = look_up(s, key, s.hash, LOOK_WRITE | LOOK_NO_TOUCH, &old)
    if overwrites and not options.replace:
        return fail(s, b"BUSYKEY Target key name already exists.")
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &at_ms):
        return fail_status(s, BAD_INT)
    if at_ms < 0:
        return fail(s, b"ERR Invalid TTL value, must be >= 0")
    if not open_payload(s, &r):
        return fail(s, b"ERR DUMP payload version or checksum are wrong")
    if at_ms == 0:
        at_ms = -1
    elif not options.absolute:
        at_ms = at_ms + e.now_ms if at_ms <= INT64_MAX - e.now_ms else INT64_MAX
    status = load_entry(e, key, s.hash, &r, at_ms, &ref)
    if status == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    if status == FAILED:
        return fail(s, b"ERR Bad data format")
    if status == MISSING or 0 <= at_ms <= e.now_ms:
        # it has expired: nothing takes the place of what was there
        if status == OK:
            free_entry(e, ref, e.config.lazyfree_lazy_server_del != 0)
        if overwrites:
            remove_key(e, s.db, &old, e.config.lazyfree_lazy_server_del != 0)
            signal_modified(e, s.db, key, s.hash)
            notify(e, EVENT_GENERIC, b"del", key, s.db)
        reply_ok(&s.out)
        return OK
    entry = <Entry*>arena_at(&e.arena, ref)
    set_clock(e, entry, &options)
    kind = entry_kind(entry)
    if overwrites:
        old_kind = entry_kind(old.entry)
        replace_entry(e, s.db, key, &old, ref)
    elif link_entry(e, s.db, s.hash, ref) != OK:
        free_entry(e, ref, False)
        return fail_status(s, NO_MEMORY)
    notify(e, EVENT_NEW, b"new", key, s.db)
    signal_modified(e, s.db, key, s.hash)
    notify(e, EVENT_GENERIC, b"restore", key, s.db)
    if overwrites:
        notify_overwritten(e, s.db, key, old_kind, kind)
    reply_ok(&s.out)
    return OK
