"""The commands on hashes, but for those on the expiry of fields (t_hash_expire.pyx).

Order of events. Redis's: "new" when the key is made, then what the command did ("hset", "hincrby", ...);
"hexpired" or "hdel", and behind it "del" if that was the last field.
"""

from libc.math cimport isinf, isnan
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from minikv_core.ahead cimport prefetch_ahead
from minikv_core.arena cimport arena_at
from minikv_core.engine cimport *
from minikv_core.entry cimport Entry, entry_form
from minikv_core.keygroup cimport GROUP
from minikv_core.keyspace cimport Found, LOOK_READ, LOOK_WRITE, key_hash, random_next, remove_key
from minikv_core.member cimport Field, field_expiry, field_view
from minikv_core.memory cimport load_i64, unlikely
from minikv_core.numbers cimport LONG_DOUBLE_CHARS, format_int, format_long_double, parse_int, parse_long_double
from minikv_core.packed cimport packed_next, reply_packed
from minikv_core.registry cimport fn
from minikv_core.reply cimport (
    reply_array, reply_bulk, reply_bulk_int, reply_int, reply_map, reply_null, reply_ok,
)
from minikv_core.scan cimport SCAN_NOVALUES, RefList, ScanOptions, scan_key, scan_table, scan_wanted
from minikv_core.session cimport fail, fail_arity, fail_status, fail_syntax, is_word
from minikv_core.t_hash cimport *
from minikv_core.t_hash_expire cimport expire_fields
from minikv_core.table cimport table_prefetch_bucket, table_prefetch_entry, table_random
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

# ---------------------------------------------------------------- what the commands share

cdef inline Status open_fields(Session* s, int flags, Found* f) noexcept nogil:
    """As open_hash, for a command that looks for the field at argv[2]."""
    cdef Status status = open_hash(s, flags, f)
    if status == OK and entry_form(f.entry) == FORM_LARGE:
        prefetch_ahead(s, hash_table(s.engine, f.entry), 2)
    return status


cdef void ask_for_fields(Session* s, Entry* entry, uint32_t at, uint32_t step) noexcept nogil:
    """Ask for what a large hash has of the next GROUP fields, at argv[at], argv[at + step], ..."""
    cdef Engine* e = s.engine
    cdef uint64_t hashes[GROUP]
    cdef uint32_t i, n = 0
    if entry == NULL or entry_form(entry) != FORM_LARGE:
        return
    while at < s.argc and n < GROUP:
        hashes[n] = key_hash(e, &s.argv[at])
        table_prefetch_bucket(&e.arena, hash_table(e, entry), hashes[n])
        n += 1
        at += step
    for i in range(n):
        table_prefetch_entry(&e.arena, hash_table(e, entry), hashes[i])

# ---------------------------------------------------------------- setting fields

cdef Status set_fields(Session* s, int64_t* created) noexcept nogil:
    """Set the pairs from argv[2] on, and tell; FAILED after an error reply."""
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Found f
    cdef FieldAt at
    cdef Status status
    cdef uint32_t i = 2
    cdef bint fresh
    if s.argc % 2:
        return fail_arity(s)
    status = open_fields(s, LOOK_WRITE, &f)
    if unlikely(status == FAILED):
        return FAILED
    fresh = status == MISSING
    if unlikely(s.argc // 2 - 1 > e.config.hash_max_listpack_entries) and \
            (fresh or entry_form(f.entry) != FORM_LARGE) and make_large(e, s.db, key, &f) != OK:
        return fail_status(s, NO_MEMORY)
    while i < s.argc:
        if s.argc > 4 and (i - 2) % (2 * GROUP) == 0:
            ask_for_fields(s, f.entry, i, 2)
        field_find(e, f.entry, &s.argv[i], &at)
        status = field_put(e, s.db, key, &f, &at, &s.argv[i], &s.argv[i + 1], -1)
        if unlikely(status == NO_MEMORY):
            break
        created[0] += status == OK
        i += 2
    if unlikely(i == 2):
        if f.entry != NULL and is_empty(e, f.entry):
            remove_key(e, s.db, &f, False)
        return fail_status(s, NO_MEMORY)
    tell_hash(s, b"hset", fresh)
    return OK if i == s.argc else fail_status(s, NO_MEMORY)


define("HSET", fn(cmd_hset), arity=-4, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW update"), group="hash",
       since="2.0.0", cost="O(1) for each field", args="key field value [field value ...]",
       history=(("4.0.0", "Several fields."),), summary="Sets fields of a hash, making the hash if it is missing.")
cdef Status cmd_hset(Session* s) noexcept nogil:
    cdef int64_t created = 0
    if set_fields(s, &created) != OK:
        return FAILED
    reply_int(&s.out, created)
    return OK


define("HMSET", fn(cmd_hmset), arity=-4, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="hash", since="2.0.0", cost="O(N) for N fields", args="key field value [field value ...]",
       summary="Sets fields of a hash.", deprecated_since="4.0.0",
       replaced_by="`HSET` with multiple field-value pairs")
cdef Status cmd_hmset(Session* s) noexcept nogil:
    cdef int64_t created = 0
    if set_fields(s, &created) != OK:
        return FAILED
    reply_ok(&s.out)
    return OK


define("HSETNX", fn(cmd_hsetnx), arity=4, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="hash", since="2.0.0", cost="O(1)", args="key field value",
       summary="Sets a field of a hash if the hash does not have it.")
cdef Status cmd_hsetnx(Session* s) noexcept nogil:
    cdef Found f
    cdef FieldAt at
    cdef bint fresh
    if open_fields(s, LOOK_WRITE, &f) == FAILED:
        return FAILED
    if field_live(s.engine, s.db, &s.argv[1], &f, &s.argv[2], &at, NULL):
        reply_int(&s.out, 0)
        return OK
    fresh = f.entry == NULL
    if field_put(s.engine, s.db, &s.argv[1], &f, &at, &s.argv[2], &s.argv[3], -1) == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    tell_hash(s, b"hset", fresh)
    reply_int(&s.out, 1)
    return OK


cdef Status put_number(Session* s, Found* f, FieldAt* at, const Slice* value, const char* event) noexcept nogil:
    """Set the field argv[2] to a new number, keeping its expiry, and tell."""
    cdef bint fresh = f.entry == NULL
    if field_put(s.engine, s.db, &s.argv[1], f, at, &s.argv[2], value, at.expiry_ms) == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    tell_hash(s, event, fresh)
    return OK


define("HINCRBY", fn(cmd_hincrby), arity=4, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="hash", since="2.0.0", cost="O(1)", args="key field increment",
       summary="Adds to the integer in a field of a hash; a missing field counts as 0.")
cdef Status cmd_hincrby(Session* s) noexcept nogil:
    cdef char[32] digits
    cdef Slice text
    cdef Found f
    cdef FieldAt at
    cdef int64_t increment, value = 0
    if not parse_int(s.argv[3].ptr, s.argv[3].len, &increment):
        return fail_status(s, BAD_INT)
    if open_fields(s, LOOK_WRITE, &f) == FAILED:
        return FAILED
    if field_live(s.engine, s.db, &s.argv[1], &f, &s.argv[2], &at, NULL):
        field_text(&at, digits, &text)
        if not parse_int(text.ptr, text.len, &value):
            return fail(s, b"ERR hash value is not an integer")
    if (increment < 0 and value < INT64_MIN - increment) or (increment > 0 and value > INT64_MAX - increment):
        return fail(s, b"ERR increment or decrement would overflow")
    value += increment
    text.ptr = digits
    text.len = format_int(digits, value)
    text.block = 0
    if put_number(s, &f, &at, &text, b"hincrby") != OK:
        return FAILED
    reply_int(&s.out, value)
    return OK


define("HINCRBYFLOAT", fn(cmd_hincrbyfloat), arity=4, flags=WRITE | DENYOOM | FAST,
       keys=KeySpec(1, 1, 1, "RW access update"), group="hash", since="2.6.0", cost="O(1)",
       args="key field increment:double",
       summary="Adds to the floating-point number in a field of a hash; a missing field counts as 0.")
cdef Status cmd_hincrbyfloat(Session* s) noexcept nogil:
    cdef char result[LONG_DOUBLE_CHARS]
    cdef char[32] digits
    cdef Slice text
    cdef Found f
    cdef FieldAt at
    cdef long double increment, value = 0
    if not parse_long_double(s.argv[3].ptr, s.argv[3].len, &increment):
        return fail(s, b"ERR value is not a valid float")
    if isnan(increment) or isinf(increment):
        return fail(s, b"ERR value is NaN or Infinity")
    if open_fields(s, LOOK_WRITE, &f) == FAILED:
        return FAILED
    if field_live(s.engine, s.db, &s.argv[1], &f, &s.argv[2], &at, NULL):
        field_text(&at, digits, &text)
        if not parse_long_double(text.ptr, text.len, &value):
            return fail(s, b"ERR hash value is not a float")
    value += increment
    if isnan(value) or isinf(value):
        return fail(s, b"ERR increment would produce NaN or Infinity")
    text.ptr = result
    text.len = format_long_double(result, value)
    text.block = 0
    if put_number(s, &f, &at, &text, b"hincrbyfloat") != OK:
        return FAILED
    reply_bulk(&s.out, text.ptr, text.len)
    return OK


define("HDEL", fn(cmd_hdel), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW delete"), group="hash",
       since="2.0.0", cost="O(N) for N fields", args="key field [field ...]",
       history=(("2.4.0", "Several fields."),),
       summary="Removes fields of a hash, and the hash with its last field.")
cdef Status cmd_hdel(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Found f
    cdef FieldAt at
    cdef Status status = open_fields(s, LOOK_WRITE, &f)
    cdef uint32_t i
    cdef int64_t n = 0
    if status == FAILED:
        return FAILED
    for i in range(2, s.argc if status == OK else 0):
        if s.argc > 3 and (i - 2) % GROUP == 0:
            ask_for_fields(s, f.entry, i, 1)
        if field_find(e, f.entry, &s.argv[i], &at):
            status = field_remove(e, s.db, &f, &at)
            if status != OK:
                break
            n += 1
            if is_empty(e, f.entry):
                break
    if n:
        tell_hash(s, b"hdel", False)
        drop_empty(e, s.db, &s.argv[1], &f)
    if status == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, n)
    return OK

# ---------------------------------------------------------------- reading one field, or some

define("HGET", fn(cmd_hget), arity=3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="2.0.0", cost="O(1)", args="key field", summary="Returns the value of a field of a hash.")
cdef Status cmd_hget(Session* s) noexcept nogil:
    cdef Found f
    cdef FieldAt at
    if unlikely(open_fields(s, LOOK_READ, &f) == FAILED):
        return FAILED
    if field_live(s.engine, s.db, &s.argv[1], &f, &s.argv[2], &at, NULL):
        reply_field(&s.out, &at)
    else:
        reply_null(&s.out)
    return OK


define("HMGET", fn(cmd_hmget), arity=-3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="2.0.0", cost="O(N) for N fields", args="key field [field ...]",
       summary="Returns the values of several fields of a hash, null for each that it does not have.")
cdef Status cmd_hmget(Session* s) noexcept nogil:
    cdef Found f
    cdef FieldAt at
    cdef uint32_t i, expired = 0
    if open_hash(s, LOOK_READ, &f) == FAILED:
        return FAILED
    reply_array(&s.out, s.argc - 2)
    for i in range(2, s.argc):
        if (i - 2) % GROUP == 0:
            ask_for_fields(s, f.entry, i, 1)
        if field_live(s.engine, s.db, &s.argv[1], &f, &s.argv[i], &at, &expired):
            reply_field(&s.out, &at)
        else:
            reply_null(&s.out)
    if unlikely(expired):
        tell_hash(s, b"hexpired", False)
        drop_empty(s.engine, s.db, &s.argv[1], &f)
    return OK


define("HEXISTS", fn(cmd_hexists), arity=3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="hash",
       since="2.0.0", cost="O(1)", args="key field", summary="Tells whether a hash has a field.")
cdef Status cmd_hexists(Session* s) noexcept nogil:
    cdef Found f
    cdef FieldAt at
    if open_fields(s, LOOK_READ, &f) == FAILED:
        return FAILED
    reply_int(&s.out, field_live(s.engine, s.db, &s.argv[1], &f, &s.argv[2], &at, NULL))
    return OK


define("HSTRLEN", fn(cmd_hstrlen), arity=3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="hash",
       since="3.2.0", cost="O(1)", args="key field", summary="Returns the length of the value of a field of a hash.")
cdef Status cmd_hstrlen(Session* s) noexcept nogil:
    cdef char[32] digits
    cdef Slice text
    cdef Found f
    cdef FieldAt at
    if open_fields(s, LOOK_READ, &f) == FAILED:
        return FAILED
    text.len = 0
    if field_live(s.engine, s.db, &s.argv[1], &f, &s.argv[2], &at, NULL):
        field_text(&at, digits, &text)
    reply_int(&s.out, text.len)
    return OK


define("HLEN", fn(cmd_hlen), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="hash", since="2.0.0",
       cost="O(1), or O(N) for a small hash", args="key", summary="Counts the fields of a hash.")
cdef Status cmd_hlen(Session* s) noexcept nogil:
    cdef Found f
    cdef Status status = open_hash(s, LOOK_READ, &f)
    if status == FAILED:
        return FAILED
    reply_int(&s.out, <int64_t>hash_length(s.engine, f.entry) if status == OK else 0)
    return OK

# ---------------------------------------------------------------- reading all fields

cdef enum Part:
    FIELDS = 1
    VALUES = 2
    PAIRS = 3

cdef Status reply_all(Session* s, int parts) noexcept nogil:
    cdef Found f
    cdef HashWalk w
    cdef Slice field, value
    cdef int64_t expiry_ms
    cdef Status status = open_hash(s, LOOK_READ, &f)
    cdef int64_t n = 0
    if status == FAILED:
        return FAILED
    if status == OK:
        n = <int64_t>live_count(s.engine, f.entry)
    if parts == PAIRS:
        reply_map(&s.out, n)
    else:
        reply_array(&s.out, n)
    if status != OK:
        return OK
    if entry_form(f.entry) == FORM_PACKED:
        reply_packed_pairs(s, f.entry, parts)
        return OK
    hash_walk_begin(s.engine, f.entry, &w)
    while hash_walk_next(&w, &field, &value, &expiry_ms):
        if parts & FIELDS:
            reply_bulk(&s.out, field.ptr, field.len)
        if parts & VALUES:
            reply_bulk(&s.out, value.ptr, value.len)
    return OK


cdef void reply_packed_pairs(Session* s, Entry* entry, int parts) noexcept nogil:
    cdef Small h
    cdef char* p
    small_hash(entry, &h)
    p = h.first
    while p < h.end:
        p = reply_packed(&s.out, p) if parts & FIELDS else <char*>packed_next(p)
        p = reply_packed(&s.out, p) if parts & VALUES else <char*>packed_next(p)


define("HGETALL", fn(cmd_hgetall), arity=2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="2.0.0", cost="O(N) for a hash of N fields", args="key", tips=("nondeterministic_output_order",),
       summary="Returns all fields of a hash with their values.")
cdef Status cmd_hgetall(Session* s) noexcept nogil:
    return reply_all(s, PAIRS)


define("HKEYS", fn(cmd_hkeys), arity=2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="2.0.0", cost="O(N) for a hash of N fields", args="key", tips=("nondeterministic_output_order",),
       summary="Returns all fields of a hash.")
cdef Status cmd_hkeys(Session* s) noexcept nogil:
    return reply_all(s, FIELDS)


define("HVALS", fn(cmd_hvals), arity=2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="2.0.0", cost="O(N) for a hash of N fields", args="key", tips=("nondeterministic_output_order",),
       summary="Returns all values of a hash.")
cdef Status cmd_hvals(Session* s) noexcept nogil:
    return reply_all(s, VALUES)


define("HSCAN", fn(cmd_hscan), arity=-3, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="2.8.0", cost="O(1) a call, O(N) for a whole iteration over N fields",
       args="key cursor [MATCH pattern] [COUNT count] [NOVALUES]", tips=("nondeterministic_output",),
       summary="Iterates over the fields of a hash, some at each call; over all at once in a small hash.")
cdef Status cmd_hscan(Session* s) noexcept nogil:
    cdef Found f
    cdef ScanOptions options
    cdef uint64_t cursor
    cdef Status status = scan_key(s, HASH, SCAN_NOVALUES, &cursor, &options, &f)
    if status != OK:
        return OK if status == MISSING else status
    if entry_form(f.entry) == FORM_LARGE:
        return scan_large(s, f.entry, cursor, &options)
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, 0)
    scan_small(s, f.entry, &options)
    return OK


cdef Status scan_large(Session* s, Entry* entry, uint64_t cursor, const ScanOptions* options) noexcept nogil:
    cdef Engine* e = s.engine
    cdef RefList found = [NULL, 0, 0, False]
    cdef Field v
    cdef size_t i, n = 0
    cursor = scan_table(s, hash_table(e, entry), cursor, options, &found)
    if found.failed:
        free(found.refs)
        return fail_status(s, NO_MEMORY)
    for i in range(found.count):
        field_view(arena_at(&e.arena, found.refs[i]), &v)
        if (v.expiry == NULL or not is_past(e, load_i64(v.expiry))) and scan_wanted(options, v.key, v.klen):
            found.refs[n] = found.refs[i]
            n += 1
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, <int64_t>cursor)
    reply_array(&s.out, <int64_t>(n if options.novalues else n * 2))
    for i in range(n):
        reply_member(s, found.refs[i], not options.novalues)
    free(found.refs)
    return OK


cdef void reply_member(Session* s, Ref ref, bint with_value) noexcept nogil:
    cdef Field v
    field_view(arena_at(&s.engine.arena, ref), &v)
    reply_bulk(&s.out, v.key, v.klen)
    if with_value:
        reply_bulk(&s.out, v.value, v.vlen)


cdef void scan_small(Session* s, Entry* entry, const ScanOptions* options) noexcept nogil:
    cdef HashWalk w
    cdef Slice field, value
    cdef int64_t expiry_ms, n = 0
    hash_walk_begin(s.engine, entry, &w)
    while hash_walk_next(&w, &field, &value, &expiry_ms):
        n += scan_wanted(options, field.ptr, field.len)
    reply_array(&s.out, n if options.novalues else n * 2)
    hash_walk_begin(s.engine, entry, &w)
    while hash_walk_next(&w, &field, &value, &expiry_ms):
        if scan_wanted(options, field.ptr, field.len):
            reply_bulk(&s.out, field.ptr, field.len)
            if not options.novalues:
                reply_bulk(&s.out, value.ptr, value.len)

# ---------------------------------------------------------------- random fields

cdef enum:
    SPARSE = 4              # draws at random, without a list of all, if so many times fewer are wanted than there are

# A field is named by its member, or by its offset in the payload of a small hash.

cdef uint32_t* live_fields(Engine* e, Entry* entry, uint64_t* count) noexcept nogil:
    """All fields that have not expired, malloc'd; NULL = no memory."""
    cdef uint32_t* fields = <uint32_t*>malloc((hash_length(e, entry) + 1) * sizeof(uint32_t))
    cdef HashWalk w
    cdef Slice field, value
    cdef int64_t expiry_ms
    cdef Ref ref
    cdef uint64_t n = 0
    if fields == NULL:
        return NULL
    hash_walk_begin(e, entry, &w)
    if w.table != NULL:
        ref = hash_walk_member(&w)
        while ref:
            if not is_past(e, field_expiry(arena_at(&e.arena, ref))):
                fields[n] = ref
                n += 1
            ref = hash_walk_member(&w)
    else:
        while hash_walk_next(&w, &field, &value, &expiry_ms):
            fields[n] = w.field_at
            n += 1
    count[0] = n
    return fields


cdef void reply_pick(Session* s, Entry* entry, uint32_t field, bint with_value, bint nested) noexcept nogil:
    cdef Small h
    cdef char* p
    if nested:
        reply_array(&s.out, 2)
    if entry_form(entry) == FORM_LARGE:
        reply_member(s, field, with_value)
        return
    small_hash(entry, &h)
    p = reply_packed(&s.out, h.payload + field)
    if with_value:
        reply_packed(&s.out, p)


cdef bint seen_before(uint32_t* seen, uint64_t room, Ref ref) noexcept nogil:
    """Whether a set of `room` places, a power of two, has a reference; it has it then."""
    cdef uint64_t at = (<uint64_t>ref * <uint64_t>0x9E3779B97F4A7C15 >> 32) & (room - 1)
    while seen[at]:
        if seen[at] == ref:
            return True
        at = (at + 1) & (room - 1)
    seen[at] = ref
    return False


cdef Status draw_sparse(Session* s, Entry* entry, uint64_t count, bint distinct, bint with_value,
                        bint nested) noexcept nogil:
    """Draw members of a large hash of which none has expired."""
    cdef Engine* e = s.engine
    cdef Table* t = hash_table(e, entry)
    cdef uint64_t room = 4
    cdef uint32_t* seen = NULL
    cdef Ref ref
    if distinct:
        while room < count * 2:
            room *= 2
        seen = <uint32_t*>calloc(room, sizeof(uint32_t))
        if seen == NULL:
            return fail_status(s, NO_MEMORY)
    reply_array(&s.out, <int64_t>(count * 2 if with_value and not nested else count))
    while count and not s.out.broken:
        ref = table_random(&e.arena, t, &e.random)
        if distinct and seen_before(seen, room, ref):
            continue
        reply_pick(s, entry, ref, with_value, nested)
        count -= 1
    free(seen)
    return OK


cdef Status draw(Session* s, Entry* entry, uint64_t count, bint distinct, bint with_value) noexcept nogil:
    cdef Engine* e = s.engine
    cdef bint nested = with_value and s.out.protocol > 2
    cdef uint64_t n, i, j
    cdef uint32_t* fields
    cdef uint32_t field
    if entry_form(entry) == FORM_LARGE and not has_past(e, entry) and \
            (not distinct or count < hash_length(e, entry) // SPARSE):
        return draw_sparse(s, entry, count, distinct, with_value, nested)
    fields = live_fields(e, entry, &n)
    if fields == NULL:
        return fail_status(s, NO_MEMORY)
    if n == 0 or (distinct and count > n):
        count = n
    reply_array(&s.out, <int64_t>(count * 2 if with_value and not nested else count))
    for i in range(count):
        if s.out.broken:
            break
        j = random_next(&e.random) % (n - i if distinct else n)
        if distinct and count < n:
            j += i
            field = fields[j]
            fields[j] = fields[i]
        else:
            field = fields[i if distinct else j]
        reply_pick(s, entry, field, with_value, nested)
    free(fields)
    return OK


cdef Status draw_one(Session* s, Entry* entry) noexcept nogil:
    cdef Engine* e = s.engine
    cdef uint64_t n
    cdef uint32_t* fields
    if entry_form(entry) == FORM_LARGE and not has_past(e, entry):
        reply_member(s, table_random(&e.arena, hash_table(e, entry), &e.random), False)
        return OK
    fields = live_fields(e, entry, &n)
    if fields == NULL:
        return fail_status(s, NO_MEMORY)
    if n:
        reply_pick(s, entry, fields[random_next(&e.random) % n], False, False)
    else:
        reply_null(&s.out)
    free(fields)
    return OK


define("HRANDFIELD", fn(cmd_hrandfield), arity=-2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="hash",
       since="6.2.0", cost="O(N) for N fields of the reply; of the hash, if it is small or most of it is wanted",
       args="key [count [WITHVALUES]]", tips=("nondeterministic_output",),
       summary="Returns random fields of a hash: distinct ones, or with a negative count any.")
cdef Status cmd_hrandfield(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef int64_t count = 0
    cdef bint with_values = s.argc == 4
    cdef Found f
    if s.argc > 2:
        if not parse_int(s.argv[2].ptr, s.argv[2].len, &count):
            return fail_status(s, BAD_INT)
        if count == INT64_MIN:
            return fail(s, b"ERR value is out of range, "
                        b"value must between -9223372036854775807 and 9223372036854775807")
        if s.argc > 4 or (with_values and not is_word(&s.argv[3], b"withvalues")):
            return fail_syntax(s)
        if with_values and not -(INT64_MAX // 2) <= count <= INT64_MAX // 2:
            return fail(s, b"ERR value is out of range")
    if open_hash(s, LOOK_READ, &f) == FAILED:
        return FAILED
    if f.entry != NULL and has_past(e, f.entry) and not (e.gate & GATE_PAUSED and e.pause_until_ms > e.now_ms):
        expire_fields(e, s.db, &s.argv[1], &f)
    if s.argc == 2:
        if f.entry != NULL:
            return draw_one(s, f.entry)
        reply_null(&s.out)
        return OK
    if f.entry == NULL or count == 0:
        reply_array(&s.out, 0)
        return OK
    return draw(s, f.entry, <uint64_t>(count if count > 0 else -count), count > 0, with_values)
