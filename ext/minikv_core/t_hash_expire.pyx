"""Expiry of a hash's fields: the removal of those whose time has come, and the commands.

A hash knows when its first field expires (next_due), and the keyspace treats that as an expiry of the key
which does not remove it: the timer comes by (cron.pyx) and calls expire_fields. A large hash whose due
fields take longer than a slice stays due. A command that meets an expired field removes that one alone.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from minikv_core.arena cimport arena_at, arena_free
from minikv_core.clock cimport monotonic_us
from minikv_core.engine cimport *
from minikv_core.entry cimport entry_form, entry_key, fields_due
from minikv_core.expiretime cimport AT_MILLIS, AT_SECONDS, MILLIS, NO_UNIT, SECONDS, ExpiryUnit, expiry_unit
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, free_entry, notify, set_fields_due, signal_modified, unlink_entry,
    value_splice,
)
from minikv_core.member cimport Field, field_view
from minikv_core.numbers cimport parse_int
from minikv_core.output cimport OutMark, output_mark, output_rollback
from minikv_core.packed cimport packed_next
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_int, reply_null
from minikv_core.session cimport fail, fail_arity, fail_status, is_word
from minikv_core.t_hash cimport *
from minikv_core.table cimport ROOM, Segment, Slot, Table, table_due, table_find_ref, table_next_segment, table_remove
from minikv_core.hash cimport hash_bytes
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

cdef enum:
    SLICE_US = 1000             # longest run over a large hash

cdef int64_t LATEST = (<int64_t>1 << 46) - 1    # latest expiry that a field may have, Unix ms

cdef enum Outcome:              # of one field, in the replies
    NO_FIELD = -2
    NO_EXPIRY = -1
    UNMET = 0                   # a condition does not hold
    DONE = 1
    REMOVED = 2                 # the time has passed already

# ---------------------------------------------------------------- removal

cdef uint64_t expire_fields(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil:
    cdef Slice name             # `key` may go with the entry's old bytes
    cdef uint64_t n = expire_large(e, db, f) if entry_form(f.entry) == FORM_LARGE else expire_small(e, db, f)
    if n == 0:
        return 0
    e.stats.expired_fields += n
    name.ptr = entry_key(f.entry, &name.len)
    name.block = 0
    notify(e, EVENT_HASH, b"hexpired", &name, db)
    if not is_empty(e, f.entry):
        signal_modified(e, db, &name, f.hash)
        return n
    unlink_entry(e, db, f)
    notify(e, EVENT_GENERIC, b"del", &name, db)
    signal_modified(e, db, &name, f.hash)
    free_entry(e, f.ref, False)
    f.entry = NULL
    return n


cdef uint64_t expire_small(Engine* e, Database* db, Found* f) noexcept nogil:
    """Keep the elements that have not expired."""
    cdef Small h
    cdef uint64_t n = 0
    cdef int64_t at_ms, due = -1
    cdef char* p
    cdef char* following
    cdef char* kept
    cdef char* to
    cdef size_t length
    small_hash(f.entry, &h)
    kept = <char*>malloc(<size_t>(h.end - h.first) + 1)
    if kept == NULL:
        return 0
    p = h.first
    to = kept
    while p < h.end:
        following = <char*>packed_next(packed_next(p))
        at_ms = packed_expiry(following)
        following = <char*>packed_next(following)
        if is_past(e, at_ms):
            n += 1
        else:
            if at_ms >= 0 and (due < 0 or at_ms < due):
                due = at_ms
            memcpy(to, p, <size_t>(following - p))
            to += following - p
        p = following
    length = <size_t>(to - kept)
    if n:
        to = value_splice(e, f, NEXT_DUE, <uint32_t>(h.end - h.first), <uint32_t>length)
        if to == NULL:          # no memory: another time
            free(kept)
            return 0
        memcpy(to, kept, length)
    free(kept)
    set_fields_due(e, db, f, due)
    return n


cdef uint64_t expire_large(Engine* e, Database* db, Found* f) noexcept nogil:
    cdef Table* t = hash_table(e, f.entry)
    cdef int64_t start = monotonic_us(), due = INT64_MAX
    cdef uint64_t position = 0, n = 0
    cdef Segment* segment
    while True:
        segment = table_next_segment(&e.arena, t, &position)
        if segment == NULL:
            break
        if segment.next_expiry >= e.now_ms:
            due = min(due, segment.next_expiry)
            continue
        if n and monotonic_us() - start > SLICE_US:
            # what is left stays due; a new time, as the timer is told of changes alone
            due = e.now_ms - 1
            if fields_due(f.entry) == due:
                due -= 1
            break
        n += expire_segment(e, t, segment, &due)
    set_fields_due(e, db, f, due if due != INT64_MAX else <int64_t>-1)
    return n


cdef uint32_t expire_segment(Engine* e, Table* t, Segment* segment, int64_t* due) noexcept nogil:
    """Remove the expired fields of a segment; `due` is lowered to the earliest expiry of the others."""
    cdef Ref[ROOM] past
    cdef Field v
    cdef Slot slot
    cdef uint64_t hash
    cdef uint32_t i
    cdef uint32_t n = table_due(&e.arena, t, segment, e.now_ms, past)
    due[0] = min(due[0], segment.next_expiry)
    for i in range(n):
        field_view(arena_at(&e.arena, past[i]), &v)
        hash = hash_bytes(&e.arena.head.seed, v.key, v.klen)
        if table_find_ref(&e.arena, t, hash, past[i], &slot):
            table_remove(&e.arena, t, hash, &slot)
            arena_free(&e.arena, past[i])
    return n

# ---------------------------------------------------------------- arguments

cdef Status fail_expiry(Session* s) noexcept nogil:
    cdef char text[96]
    snprintf(text, sizeof(text), "ERR invalid expire time in '%s' command", s.command.name)
    return fail(s, text)


cdef Status parse_field_expiry(Session* s, const Slice* arg, ExpiryUnit unit, int64_t* at_ms) noexcept nogil:
    """Turn an argument into Unix time in ms; FAILED after an error reply."""
    cdef int64_t n, base = s.engine.now_ms if unit == SECONDS or unit == MILLIS else 0
    if not parse_int(arg.ptr, arg.len, &n):
        return fail_status(s, BAD_INT)
    if n < 0:
        return fail(s, b"ERR invalid expire time, must be >= 0")
    if unit == SECONDS or unit == AT_SECONDS:
        if n > LATEST // 1000:
            return fail_expiry(s)
        n *= 1000
    if n > LATEST - base:
        return fail_expiry(s)
    at_ms[0] = n + base
    return OK


cdef Status parse_fields(Session* s, uint32_t at, const char* bad_number) noexcept nogil:
    """Check that FIELDS is at argv[at], and that behind it comes the number of all that follows.

    errors   FAILED after the reply; bad_number, if that is no number above 0
    """
    cdef int64_t n
    if at >= s.argc or not is_word(&s.argv[at], b"fields"):
        return fail(s, b"ERR Mandatory argument FIELDS is missing or not at the right position")
    if at + 1 >= s.argc:
        return fail_arity(s)
    if not parse_int(s.argv[at + 1].ptr, s.argv[at + 1].len, &n) or n < 1:
        return fail(s, bad_number)
    if n != s.argc - at - 2:
        return fail(s, b"ERR The `numfields` parameter must match the number of arguments")
    return OK


cdef Status reply_same(Session* s, uint32_t count, Outcome outcome) noexcept nogil:
    cdef uint32_t _
    reply_array(&s.out, count)
    for _ in range(count):
        reply_int(&s.out, <int>outcome)
    return OK


cdef void tell_changes(Session* s, Found* f, uint32_t expired, uint32_t removed, uint32_t changed,
                       const char* event) noexcept nogil:
    """The events of a command that has met fields that had expired, has removed some, has changed others."""
    if expired == 0 and removed == 0 and changed == 0:
        return
    signal_modified(s.engine, s.db, &s.argv[1], s.hash)
    if expired:
        notify(s.engine, EVENT_HASH, b"hexpired", &s.argv[1], s.db)
    if changed:
        notify(s.engine, EVENT_HASH, event, &s.argv[1], s.db)
    if removed:
        notify(s.engine, EVENT_HASH, b"hdel", &s.argv[1], s.db)
    drop_empty(s.engine, s.db, &s.argv[1], f)


cdef Status refuse(Session* s, const OutMark* before) noexcept nogil:
    """Say that memory has run out, in place of the reply so far; what has been done until then stays."""
    output_rollback(&s.out, before)
    return fail_status(s, NO_MEMORY)

# ---------------------------------------------------------------- HEXPIRE and its kin

cdef enum Condition:
    ALWAYS = 0
    IF_NONE = 1                 # NX: the field has no expiry
    IF_SOME = 2                 # XX
    IF_LATER = 3                # GT: no expiry counts as the latest
    IF_SOONER = 4               # LT


cdef Condition condition_of(const Slice* word) noexcept nogil:
    if word.len == 2:
        if is_word(word, b"nx"):
            return IF_NONE
        if is_word(word, b"xx"):
            return IF_SOME
        if is_word(word, b"gt"):
            return IF_LATER
        if is_word(word, b"lt"):
            return IF_SOONER
    return ALWAYS


cdef bint holds(Condition condition, int64_t old, int64_t new) noexcept nogil:
    """old, new    expiries, Unix ms; old is -1 if there is none"""
    if condition == IF_NONE:
        return old < 0
    if condition == IF_SOME:
        return old >= 0
    if condition == IF_LATER:
        return old >= 0 and new > old
    if condition == IF_SOONER:
        return old < 0 or new < old
    return True


cdef Status expire_command(Session* s, ExpiryUnit unit) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Found f
    cdef FieldAt at
    cdef Condition condition
    cdef OutMark before
    cdef int64_t at_ms
    cdef uint32_t i, first, updated = 0, removed = 0
    cdef Status status = open_hash(s, LOOK_WRITE, &f)
    if status == FAILED or parse_field_expiry(s, &s.argv[2], unit, &at_ms) != OK:
        return FAILED
    condition = condition_of(&s.argv[3])
    first = 6 if condition else 5
    if parse_fields(s, first - 2, b"ERR Parameter `numFields` should be greater than 0") != OK:
        return FAILED
    if status == MISSING:
        return reply_same(s, s.argc - first, NO_FIELD)
    output_mark(&s.out, &before)
    reply_array(&s.out, s.argc - first)
    for i in range(first, s.argc):
        if not field_find(e, f.entry, &s.argv[i], &at):
            reply_int(&s.out, NO_FIELD)
        elif not holds(condition, at.expiry_ms, at_ms):
            reply_int(&s.out, UNMET)
        elif at_ms <= e.now_ms:
            if field_remove(e, s.db, &f, &at) == OK:
                removed += 1
            reply_int(&s.out, REMOVED)
        else:
            status = field_set_expiry(e, s.db, &s.argv[1], &f, &at, &s.argv[i], at_ms)
            if status != OK:
                break
            updated += 1
            reply_int(&s.out, DONE)
    e.stats.expired_fields += removed
    tell_changes(s, &f, 0, removed, updated, b"hexpire")
    return OK if status == OK else refuse(s, &before)


define("HEXPIRE", fn(cmd_hexpire), arity=-6, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="hash", since="7.4.0", cost="O(N) for N fields",
       args="key seconds [NX|XX|GT|LT] FIELDS <numfields field [field ...]>",
       summary="Lets fields of a hash expire after a number of seconds.")
cdef Status cmd_hexpire(Session* s) noexcept nogil:
    return expire_command(s, SECONDS)


define("HPEXPIRE", fn(cmd_hpexpire), arity=-6, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="hash", since="7.4.0", cost="O(N) for N fields",
       args="key milliseconds [NX|XX|GT|LT] FIELDS <numfields field [field ...]>",
       summary="Lets fields of a hash expire after a number of milliseconds.")
cdef Status cmd_hpexpire(Session* s) noexcept nogil:
    return expire_command(s, MILLIS)


define("HEXPIREAT", fn(cmd_hexpireat), arity=-6, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="hash", since="7.4.0", cost="O(N) for N fields",
       args="key unix-time-seconds [NX|XX|GT|LT] FIELDS <numfields field [field ...]>",
       summary="Lets fields of a hash expire at a Unix time in seconds.")
cdef Status cmd_hexpireat(Session* s) noexcept nogil:
    return expire_command(s, AT_SECONDS)


define("HPEXPIREAT", fn(cmd_hpexpireat), arity=-6, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="hash", since="7.4.0", cost="O(N) for N fields",
       args="key unix-time-milliseconds [NX|XX|GT|LT] FIELDS <numfields field [field ...]>",
       summary="Lets fields of a hash expire at a Unix time in milliseconds.")
cdef Status cmd_hpexpireat(Session* s) noexcept nogil:
    return expire_command(s, AT_MILLIS)


define("HPERSIST", fn(cmd_hpersist), arity=-5, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"), group="hash",
       since="7.4.0", cost="O(N) for N fields", args="key FIELDS <numfields field [field ...]>",
       summary="Drops the expiries of fields of a hash.")
cdef Status cmd_hpersist(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Found f
    cdef FieldAt at
    cdef OutMark before
    cdef uint32_t i, changed = 0
    cdef Status status = open_hash(s, LOOK_WRITE, &f)
    if status == FAILED or parse_fields(s, 2, b"ERR Number of fields must be a positive integer") != OK:
        return FAILED
    if status == MISSING:
        return reply_same(s, s.argc - 4, NO_FIELD)
    output_mark(&s.out, &before)
    reply_array(&s.out, s.argc - 4)
    for i in range(4, s.argc):
        if not field_find(e, f.entry, &s.argv[i], &at) or is_past(e, at.expiry_ms):
            reply_int(&s.out, NO_FIELD)
        elif at.expiry_ms < 0:
            reply_int(&s.out, NO_EXPIRY)
        else:
            status = field_set_expiry(e, s.db, &s.argv[1], &f, &at, &s.argv[i], -1)
            if status != OK:
                break
            changed += 1
            reply_int(&s.out, DONE)
    if changed:
        tell_hash(s, b"hpersist", False)
    return OK if status == OK else refuse(s, &before)

# ---------------------------------------------------------------- HTTL and its kin

cdef Status ttl_command(Session* s, bint since_now, bint seconds) noexcept nogil:
    """Reply when fields expire, in Unix time or from now on; seconds are rounded up."""
    cdef Engine* e = s.engine
    cdef Found f
    cdef FieldAt at
    cdef uint32_t i
    cdef int64_t ms
    cdef Status status = open_hash(s, LOOK_READ, &f)
    if status == FAILED or parse_fields(s, 2, b"ERR Number of fields must be a positive integer") != OK:
        return FAILED
    if status == MISSING:
        return reply_same(s, s.argc - 4, NO_FIELD)
    reply_array(&s.out, s.argc - 4)
    for i in range(4, s.argc):
        if not field_find(e, f.entry, &s.argv[i], &at) or is_past(e, at.expiry_ms):
            reply_int(&s.out, NO_FIELD)
        elif at.expiry_ms < 0:
            reply_int(&s.out, NO_EXPIRY)
        else:
            ms = at.expiry_ms - e.now_ms if since_now else at.expiry_ms
            reply_int(&s.out, <int64_t>(<uint64_t>(ms + 999) // 1000) if seconds else ms)
    return OK


define("HTTL", fn(cmd_httl), arity=-5, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="7.4.0", cost="O(N) for N fields", args="key FIELDS <numfields field [field ...]>",
       tips=("nondeterministic_output",), summary="Shows how many seconds fields of a hash have to live.")
cdef Status cmd_httl(Session* s) noexcept nogil:
    return ttl_command(s, True, True)


define("HPTTL", fn(cmd_hpttl), arity=-5, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="7.4.0", cost="O(N) for N fields", args="key FIELDS <numfields field [field ...]>",
       tips=("nondeterministic_output",), summary="Shows how many milliseconds fields of a hash have to live.")
cdef Status cmd_hpttl(Session* s) noexcept nogil:
    return ttl_command(s, True, False)


define("HEXPIRETIME", fn(cmd_hexpiretime), arity=-5, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="hash", since="7.4.0", cost="O(N) for N fields", args="key FIELDS <numfields field [field ...]>",
       summary="Shows the Unix times in seconds at which fields of a hash expire.")
cdef Status cmd_hexpiretime(Session* s) noexcept nogil:
    return ttl_command(s, False, True)


define("HPEXPIRETIME", fn(cmd_hpexpiretime), arity=-5, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="hash", since="7.4.0", cost="O(N) for N fields", args="key FIELDS <numfields field [field ...]>",
       summary="Shows the Unix times in milliseconds at which fields of a hash expire.")
cdef Status cmd_hpexpiretime(Session* s) noexcept nogil:
    return ttl_command(s, False, False)

# ---------------------------------------------------------------- reading or writing fields with their expiry

cdef Status reply_and_change(Session* s, Found* f, uint32_t first, bint remove, int64_t at_ms,
                             bint change) noexcept nogil:
    """Reply with the values of fields; then remove them, or change their expiries to at_ms (-1 = none).

    remove, change   what to do; neither: nothing
    """
    cdef Engine* e = s.engine
    cdef FieldAt at
    cdef OutMark before
    cdef Status status = OK
    cdef uint32_t i, expired = 0, removed = 0, changed = 0
    output_mark(&s.out, &before)
    reply_array(&s.out, s.argc - first)
    for i in range(first, s.argc):
        if not field_live(e, s.db, &s.argv[1], f, &s.argv[i], &at, &expired):
            reply_null(&s.out)
            continue
        reply_field(&s.out, &at)
        if remove:
            status = field_remove(e, s.db, f, &at)
            removed += status == OK
        elif change and (at_ms >= 0 or at.expiry_ms >= 0):
            status = field_set_expiry(e, s.db, &s.argv[1], f, &at, &s.argv[i], at_ms)
            changed += status == OK
        if status != OK:
            break
    if at_ms >= 0:
        e.stats.expired_fields += removed
    tell_changes(s, f, expired, removed, changed, b"hexpire" if at_ms >= 0 else b"hpersist")
    return OK if status == OK else refuse(s, &before)


define("HGETDEL", fn(cmd_hgetdel), arity=-5, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access delete"),
       group="hash", since="8.0.0", cost="O(N) for N fields", args="key FIELDS <numfields field [field ...]>",
       summary="Returns the values of fields of a hash and removes the fields.")
cdef Status cmd_hgetdel(Session* s) noexcept nogil:
    cdef Found f
    if open_hash(s, LOOK_WRITE, &f) == FAILED or \
            parse_fields(s, 2, b"ERR Number of fields must be a positive integer") != OK:
        return FAILED
    return reply_and_change(s, &f, 4, True, -1, False)


define("HGETEX", fn(cmd_hgetex), arity=-5, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="hash", since="8.0.0", cost="O(N) for N fields",
       args="key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST] "
            "FIELDS <numfields field [field ...]>",
       summary="Returns the values of fields of a hash and changes or drops their expiries.")
cdef Status cmd_hgetex(Session* s) noexcept nogil:
    cdef Found f
    cdef ExpiryUnit unit = expiry_unit(&s.argv[2])
    cdef bint persist = is_word(&s.argv[2], b"persist")
    cdef uint32_t first = 6 if unit != NO_UNIT else 5 if persist else 4
    cdef int64_t at_ms = -1
    if open_hash(s, LOOK_WRITE, &f) == FAILED:
        return FAILED
    if unit != NO_UNIT and parse_field_expiry(s, &s.argv[3], unit, &at_ms) != OK:
        return FAILED
    if parse_fields(s, first - 2, b"ERR Number of fields must be a positive integer") != OK:
        return FAILED
    return reply_and_change(s, &f, first, unit != NO_UNIT and at_ms <= s.engine.now_ms, at_ms,
                            persist or unit != NO_UNIT)


cdef struct SetOptions:         # of HSETEX
    bint       if_missing       # FNX: none of the fields exists
    bint       if_present       # FXX: all of them do
    bint       keep             # KEEPTTL
    ExpiryUnit unit
    int64_t    at_ms
    uint32_t   first            # of the pairs


cdef Status parse_set(Session* s, SetOptions* o) noexcept nogil:
    cdef uint32_t i = 2
    cdef int64_t n
    cdef ExpiryUnit unit
    cdef char text[192]
    o.if_missing = o.if_present = o.keep = False
    o.unit = NO_UNIT
    o.at_ms = -1
    while i < s.argc:
        unit = expiry_unit(&s.argv[i])
        if is_word(&s.argv[i], b"fields"):
            if i + 3 >= s.argc:
                return fail_arity(s)
            if not parse_int(s.argv[i + 1].ptr, s.argv[i + 1].len, &n) or not 1 <= n <= 0x7FFFFFFF:
                return fail(s, b"ERR invalid number of fields")
            if n * 2 != s.argc - i - 2:
                return fail_arity(s)
            o.first = i + 2
            return OK
        if unit != NO_UNIT or is_word(&s.argv[i], b"keepttl"):
            if o.keep or o.unit != NO_UNIT:
                return fail(s, b"ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
            if unit == NO_UNIT:
                o.keep = True
            else:
                if i + 1 >= s.argc:
                    return fail(s, b"ERR missing expire time")
                i += 1
                if parse_field_expiry(s, &s.argv[i], unit, &o.at_ms) != OK:
                    return FAILED
                o.unit = unit
        elif is_word(&s.argv[i], b"fxx") or is_word(&s.argv[i], b"fnx"):
            if o.if_missing or o.if_present:
                return fail(s, b"ERR Only one of FXX or FNX arguments can be specified")
            o.if_missing = is_word(&s.argv[i], b"fnx")
            o.if_present = not o.if_missing
        else:
            snprintf(text, sizeof(text), b"ERR unknown argument: %.*s", <int>min(s.argv[i].len, <uint32_t>128),
                     s.argv[i].ptr)
            return fail(s, text)
        i += 1
    return fail(s, b"ERR missing FIELDS argument")


define("HSETEX", fn(cmd_hsetex), arity=-6, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="hash", since="8.0.0", cost="O(N) for N fields",
       args="key [FNX|FXX] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL] "
            "FIELDS <numfields field value [field value ...]>",
       summary="Sets fields of a hash with an expiry, on a condition if one is given.")
cdef Status cmd_hsetex(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef SetOptions o
    cdef Found f
    cdef FieldAt at
    cdef uint32_t i, expired = 0, done = 0
    cdef bint fresh, found, past
    cdef Status status = OK
    if parse_set(s, &o) != OK or open_hash(s, LOOK_WRITE, &f) == FAILED:
        return FAILED
    if o.if_missing or o.if_present:
        for i in range(o.first, s.argc, 2):
            found = field_live(e, s.db, key, &f, &s.argv[i], &at, &expired)
            if found != o.if_present:
                tell_changes(s, &f, expired, 0, 0, b"")
                reply_int(&s.out, 0)
                return OK
    fresh = f.entry == NULL
    past = o.unit != NO_UNIT and o.at_ms <= e.now_ms
    for i in range(o.first, s.argc, 2):
        found = field_find(e, f.entry, &s.argv[i], &at)
        if past:                # set and removed at once
            if found:
                field_remove(e, s.db, &f, &at)
            done += 1
            continue
        status = field_put(e, s.db, key, &f, &at, &s.argv[i], &s.argv[i + 1], at.expiry_ms if o.keep else o.at_ms)
        if status == NO_MEMORY:
            break
        done += 1
    if done:
        tell_set(s, &f, fresh, expired, done if past else 0, o.unit != NO_UNIT)
    else:
        tell_changes(s, &f, expired, 0, 0, b"")
    if status == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, 1)
    return OK


cdef void tell_set(Session* s, Found* f, bint fresh, uint32_t expired, uint32_t removed, bint timed) noexcept nogil:
    """What HSETEX has done.

    expired   fields met that had expired
    removed   fields set that were removed at once, as their time has passed
    """
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    signal_modified(e, s.db, key, s.hash)
    if fresh:
        notify(e, EVENT_NEW, b"new", key, s.db)
    if expired:
        notify(e, EVENT_HASH, b"hexpired", key, s.db)
    notify(e, EVENT_HASH, b"hset", key, s.db)
    if removed == 0:
        if timed:
            notify(e, EVENT_HASH, b"hexpire", key, s.db)
        return
    e.stats.expired_fields += removed
    notify(e, EVENT_HASH, b"hdel", key, s.db)
    if not drop_empty(e, s.db, key, f) and f.entry == NULL:
        notify(e, EVENT_GENERIC, b"del", key, s.db)
