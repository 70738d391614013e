"""Strings: whole values, ranges, counters and the conditions of SET and DELEX.

Forms. A value that spells a 64-bit integer is FORM_INT (1, 2, 4 or 8 bytes); up to 44 bytes that came
whole are FORM_EMBSTR, more of them or any that were changed in place FORM_RAW; from 16 KiB on the
bytes lie in a block of their own (FORM_BLOCK), which a reply refers to instead of copying it. A SET
value that arrived in such a block is taken over as it is.

Order of events. Redis's: "new" when a key is made, or "overwritten" (and "type_changed") when a whole
value is replaced, then what the command did ("set", "incrby", ...), then "expire".
"""

from libc.math cimport isinf, isnan
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy
from minikv_core.arena cimport undo_note
from minikv_core.engine cimport *
from minikv_core.entry cimport EMBSTR_MAX, Entry, EntryView, entry_expiry, entry_kind, entry_view, load_int
from minikv_core.expiretime cimport NO_UNIT, MILLIS, SECONDS, ExpiryUnit, expiry_unit, parse_expiry
from minikv_core.keygroup cimport GROUP, prefetch_keys
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, look_up, notify, put_int, put_string, remove_key, set_expiry,
    signal_modified, string_bytes, string_for_update,
)
from minikv_core.memory cimport unlikely
from minikv_core.numbers cimport LONG_DOUBLE_CHARS, format_long_double, parse_int, parse_long_double
from minikv_core.output cimport OutMark, output_mark, output_rollback
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_block, reply_bulk, reply_int, reply_null, reply_ok
from minikv_core.session cimport fail, fail_arity, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.types cimport *
from minikv_core.xxh3 cimport xxh3

from minikv_core.registry import KeyNum, KeySpec, define

cdef enum:
    DIGEST_CHARS = 16       # hexadecimal digits of a digest

cdef enum Condition:        # under which SET and DELEX act
    ALWAYS = 0
    IF_MISSING = 1          # NX
    IF_EXISTS = 2           # XX
    IF_EQUAL = 3            # IFEQ
    IF_OTHER = 4            # IFNE
    IF_DIGEST = 5           # IFDEQ
    IF_OTHER_DIGEST = 6     # IFDNE

cdef enum Allowed:          # option words that a command takes beside EX, PX, EXAT and PXAT
    TAKES_EXISTENCE = 1     # NX, XX
    TAKES_COMPARISON = 2    # IFEQ, IFNE, IFDEQ, IFDNE
    TAKES_GET = 4
    TAKES_KEEPTTL = 8
    TAKES_PERSIST = 16

cdef struct Options:
    Condition  condition
    Slice*     operand      # of a comparison
    ExpiryUnit unit         # NO_UNIT = no expiry given
    Slice*     expiry
    bint       get
    bint       keep         # KEEPTTL
    bint       persist

# ---------------------------------------------------------------- the value API

cdef uint32_t string_length(Engine* e, Entry* entry) noexcept nogil:
    cdef char digits[24]
    cdef Slice value
    string_bytes(e, entry, digits, &value)
    return value.len


cdef bint string_int(Engine* e, Entry* entry, int64_t* value) noexcept nogil:
    cdef EntryView v
    cdef Slice text
    entry_view(entry, &v)
    if v.form == FORM_INT:
        value[0] = load_int(v.value, v.vlen)
        return True
    string_bytes(e, entry, NULL, &text)
    return parse_int(text.ptr, text.len, value)


cdef bint string_equals(Engine* e, Entry* entry, const Slice* other) noexcept nogil:
    cdef char digits[24]
    cdef Slice value
    string_bytes(e, entry, digits, &value)
    return value.len == other.len and memcmp(value.ptr, other.ptr, value.len) == 0


cdef uint64_t string_digest(Engine* e, Entry* entry) noexcept nogil:
    cdef char digits[24]
    cdef Slice value
    string_bytes(e, entry, digits, &value)
    return xxh3(value.ptr, value.len)


cdef Status put_text(Engine* e, Database* db, const Slice* key, Found* f, Slice* value, int64_t at_ms) noexcept nogil:
    cdef Status status = put_string(e, db, key, f, value, at_ms, True)
    if status == OK and value.len <= EMBSTR_MAX:
        f.entry.meta = <uint8_t>((f.entry.meta & 0xC7) | (FORM_EMBSTR << 3))
    return status


cdef bint string_long_double(Engine* e, Entry* entry, long double* value) noexcept nogil:
    cdef char digits[24]
    cdef Slice text
    string_bytes(e, entry, digits, &text)
    return parse_long_double(text.ptr, text.len, value)


cdef void format_digest(char* p, uint64_t digest) noexcept nogil:
    """Write 16 hexadecimal digits in lower case."""
    cdef const char* digits = b"0123456789abcdef"
    cdef int i
    for i in range(DIGEST_CHARS):
        p[i] = digits[(digest >> (60 - 4 * i)) & 15]


cdef bint string_has_digest(Engine* e, Entry* entry, const Slice* digest) noexcept nogil:
    """Whether a string's digest is the one given in hexadecimal, in any case.

    digest   DIGEST_CHARS bytes; bytes that are no digits differ from every digest
    """
    cdef char text[DIGEST_CHARS + 1]
    format_digest(text, string_digest(e, entry))
    text[DIGEST_CHARS] = 0
    return is_word(digest, text)

# ---------------------------------------------------------------- what the commands share

cdef inline Status store(Session* s, const Slice* key, Found* f, Slice* value, int64_t at_ms) noexcept nogil:
    """Put a string in place of whatever the key holds, and tell. NO_MEMORY leaves the old value."""
    cdef Engine* e = s.engine
    cdef int old = -1 if f.entry == NULL else entry_kind(f.entry)
    if unlikely(put_string(e, s.db, key, f, value, at_ms, False) != OK):
        return NO_MEMORY
    signal_modified(e, s.db, key, f.hash)
    if unlikely(e.config.notify_keyspace_events):
        notify_stored(s, key, old)
    return OK


cdef void notify_stored(Session* s, const Slice* key, int old) noexcept nogil:
    """The events of a value put under a key.

    old      Kind of the value that was there; -1 = none
    """
    if old < 0:
        notify(s.engine, EVENT_NEW, b"new", key, s.db)
    else:
        notify(s.engine, EVENT_OVERWRITTEN, b"overwritten", key, s.db)
        if old != STRING:
            notify(s.engine, EVENT_TYPE_CHANGED, b"type_changed", key, s.db)
    notify(s.engine, EVENT_STRING, b"set", key, s.db)


cdef inline void tell(Session* s, const char* event, bint fresh) noexcept nogil:
    """Tell that the string at argv[1] has changed, and whether it is new."""
    signal_modified(s.engine, s.db, &s.argv[1], s.hash)
    if fresh:
        notify(s.engine, EVENT_NEW, b"new", &s.argv[1], s.db)
    notify(s.engine, EVENT_STRING, event, &s.argv[1], s.db)


cdef void delete(Session* s, const Slice* key, Found* f) noexcept nogil:
    """Remove a key as DEL does, and tell."""
    remove_key(s.engine, s.db, f, s.engine.config.lazyfree_lazy_user_del != 0)
    signal_modified(s.engine, s.db, key, f.hash)
    notify(s.engine, EVENT_GENERIC, b"del", key, s.db)


cdef bint any_exists(Session* s, uint32_t at, uint32_t step, uint32_t end, bint exists) noexcept nogil:
    """Whether one of the keys at argv[at], argv[at + step], ... exists (or, with exists=False, is missing)."""
    cdef uint64_t hashes[GROUP]
    cdef Found f
    cdef uint32_t n, i
    while at < end:
        n = prefetch_keys(s, at, step, end, hashes)
        for i in range(n):
            if look_up(s, &s.argv[at], hashes[i], LOOK_WRITE, &f) == exists:
                return True
            at += step
    return False


cdef Condition comparison(const Slice* word) noexcept nogil:
    """The condition that IFEQ, IFNE, IFDEQ or IFDNE names; else ALWAYS."""
    if word.len == 4:
        if is_word(word, b"ifeq"):
            return IF_EQUAL
        if is_word(word, b"ifne"):
            return IF_OTHER
    elif word.len == 5:
        if is_word(word, b"ifdeq"):
            return IF_DIGEST
        if is_word(word, b"ifdne"):
            return IF_OTHER_DIGEST
    return ALWAYS


cdef Status parse_options(Session* s, uint32_t at, int allowed, Options* o) noexcept nogil:
    """Read the option words from argv[at] on: a word may come twice, two that exclude each other may not.

    returns  OK, or FAILED after "syntax error"; numbers are not looked at yet
    """
    cdef Slice* word
    cdef bint more
    cdef ExpiryUnit unit
    cdef Condition condition
    o.condition = ALWAYS
    o.operand = o.expiry = NULL
    o.unit = NO_UNIT
    o.get = o.keep = o.persist = False
    while at < s.argc:
        word = &s.argv[at]
        more = at + 1 < s.argc
        at += 1
        unit = expiry_unit(word)
        condition = ALWAYS
        if unit != NO_UNIT:
            if not more or o.keep or o.persist or (o.unit != NO_UNIT and o.unit != unit):
                return fail_syntax(s)
            o.unit = unit
            o.expiry = &s.argv[at]
            at += 1
            continue
        if allowed & TAKES_EXISTENCE and is_word(word, b"nx"):
            condition = IF_MISSING
        elif allowed & TAKES_EXISTENCE and is_word(word, b"xx"):
            condition = IF_EXISTS
        elif allowed & TAKES_GET and is_word(word, b"get"):
            o.get = True
            continue
        elif allowed & TAKES_KEEPTTL and o.unit == NO_UNIT and is_word(word, b"keepttl"):
            o.keep = True
            continue
        elif allowed & TAKES_PERSIST and o.unit == NO_UNIT and is_word(word, b"persist"):
            o.persist = True
            continue
        elif allowed & TAKES_COMPARISON and more:
            condition = comparison(word)
            o.operand = &s.argv[at]
            at += 1
        if condition == ALWAYS or (o.condition != ALWAYS and o.condition != condition):
            return fail_syntax(s)
        o.condition = condition
    return OK


cdef Status check_condition(Session* s, const Options* o, Entry* entry, bint* met) noexcept nogil:
    """Whether a condition holds for a string (NULL: there is none); FAILED after an error reply."""
    cdef Engine* e = s.engine
    if o.condition == ALWAYS:
        met[0] = True
    elif o.condition == IF_MISSING or o.condition == IF_EXISTS:
        met[0] = (entry != NULL) == (o.condition == IF_EXISTS)
    elif entry == NULL:
        met[0] = o.condition == IF_OTHER or o.condition == IF_OTHER_DIGEST
    elif o.condition == IF_EQUAL or o.condition == IF_OTHER:
        met[0] = string_equals(e, entry, o.operand) == (o.condition == IF_EQUAL)
    elif o.operand.len != DIGEST_CHARS:
        return fail(s, b"ERR must be exactly 16 hexadecimal characters")
    else:
        met[0] = string_has_digest(e, entry, o.operand) == (o.condition == IF_DIGEST)
    return OK


cdef Status check_length(Session* s, uint64_t length, uint64_t more) noexcept nogil:
    """Refuse strings that would be longer than proto-max-bulk-len (or than a length field can say)."""
    cdef uint64_t most = <uint64_t>s.engine.config.proto_max_bulk_len
    if length + more > most or length + more < length or length + more > <uint64_t>0xFFFFFFFF:
        return fail(s, b"ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    return OK

# ---------------------------------------------------------------- whole values

define("SET", fn(cmd_set), arity=-3, flags=WRITE | DENYOOM,
       keys=KeySpec(1, 1, 1, "RW access update variable_flags"), group="string", since="1.0.0", cost="O(1)",
       args="key value [NX|XX|IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE ifdne-digest] [GET] "
            "[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
       summary="Stores a string under a key, in place of any value of any type.",
       history=(("2.6.12", "Options `EX`, `PX`, `NX` and `XX`."), ("6.0.0", "Option `KEEPTTL`."),
                ("6.2.0", "Options `GET`, `EXAT` and `PXAT`."), ("7.0.0", "`NX` and `GET` together."),
                ("8.4.0", "Options `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`.")))
cdef Status cmd_set(Session* s) noexcept nogil:
    cdef Found f
    if unlikely(s.argc != 3):
        return set_with_options(s)
    look_up(s, &s.argv[1], s.hash, LOOK_WRITE, &f)
    if unlikely(store(s, &s.argv[1], &f, &s.argv[2], -1) != OK):
        return fail_status(s, NO_MEMORY)
    reply_ok(&s.out)
    return OK


cdef Status set_with_options(Session* s) noexcept nogil:
    cdef Slice* key = &s.argv[1]
    cdef Options o
    cdef Found f
    cdef OutMark before
    cdef bint met
    cdef int64_t at_ms = -1
    if parse_options(s, 3, TAKES_EXISTENCE | TAKES_COMPARISON | TAKES_GET | TAKES_KEEPTTL, &o) != OK:
        return FAILED
    if o.unit != NO_UNIT and parse_expiry(s, o.expiry, o.unit, False, &at_ms) != OK:
        return FAILED
    look_up(s, key, s.hash, LOOK_READ if o.get else LOOK_WRITE, &f)
    if f.entry != NULL and (o.get or o.condition >= IF_EQUAL) and not is_string(f.entry):
        return fail_wrong_type(s)
    if check_condition(s, &o, f.entry, &met) != OK:
        return FAILED
    output_mark(&s.out, &before)
    if o.get and f.entry != NULL:
        reply_string(&s.out, f.entry)
    elif o.get or not met:
        reply_null(&s.out)
    else:
        reply_ok(&s.out)
    if not met:
        return OK
    if o.keep and f.entry != NULL:
        at_ms = entry_expiry(f.entry)
    if store(s, key, &f, &s.argv[2], at_ms) != OK:
        output_rollback(&s.out, &before)
        return fail_status(s, NO_MEMORY)
    if o.unit != NO_UNIT:
        notify(s.engine, EVENT_GENERIC, b"expire", key, s.db)
    return OK


define("GET", fn(cmd_get), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="string",
       since="1.0.0", cost="O(1)", args="key", summary="Returns the string under a key.")
cdef Status cmd_get(Session* s) noexcept nogil:
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_null(&s.out)
        return OK
    if unlikely(not is_string(f.entry)):
        return fail_wrong_type(s)
    reply_string(&s.out, f.entry)
    return OK


define("GETEX", fn(cmd_getex), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="string", since="6.2.0", cost="O(1)",
       args="key [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|PERSIST]",
       summary="Returns the string under a key and changes or drops the key's expiry.")
cdef Status cmd_getex(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Options o
    cdef Found f
    cdef OutMark before
    cdef int64_t at_ms = -1
    if parse_options(s, 2, TAKES_PERSIST, &o) != OK:
        return FAILED
    if not look_up(s, key, s.hash, LOOK_READ, &f):
        reply_null(&s.out)
        return OK
    if not is_string(f.entry):
        return fail_wrong_type(s)
    if o.unit != NO_UNIT and parse_expiry(s, o.expiry, o.unit, False, &at_ms) != OK:
        return FAILED
    output_mark(&s.out, &before)
    reply_string(&s.out, f.entry)
    if o.unit != NO_UNIT and at_ms <= e.now_ms:
        delete(s, key, &f)
    elif o.unit != NO_UNIT or (o.persist and entry_expiry(f.entry) >= 0):
        if set_expiry(e, s.db, key, &f, at_ms) != OK:
            output_rollback(&s.out, &before)
            return fail_status(s, NO_MEMORY)
        signal_modified(e, s.db, key, s.hash)
        notify(e, EVENT_GENERIC, b"persist" if o.persist else b"expire", key, s.db)
    return OK


define("GETDEL", fn(cmd_getdel), arity=2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access delete"),
       group="string", since="6.2.0", cost="O(1)", args="key",
       summary="Returns the string under a key and removes the key.")
cdef Status cmd_getdel(Session* s) noexcept nogil:
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_null(&s.out)
        return OK
    if not is_string(f.entry):
        return fail_wrong_type(s)
    reply_string(&s.out, f.entry)
    delete(s, &s.argv[1], &f)
    return OK


define("GETSET", fn(cmd_getset), arity=3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="string", since="1.0.0", cost="O(1)", args="key value",
       summary="Stores a string under a key and returns the previous one.",
       deprecated_since="6.2.0", replaced_by="`SET` with the `!GET` argument")
cdef Status cmd_getset(Session* s) noexcept nogil:
    cdef Found f
    cdef OutMark before
    output_mark(&s.out, &before)
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_null(&s.out)
    elif not is_string(f.entry):
        return fail_wrong_type(s)
    else:
        reply_string(&s.out, f.entry)
    if store(s, &s.argv[1], &f, &s.argv[2], -1) != OK:
        output_rollback(&s.out, &before)
        return fail_status(s, NO_MEMORY)
    return OK


define("SETNX", fn(cmd_setnx), arity=3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "OW insert"),
       group="string", since="1.0.0", cost="O(1)", args="key value",
       summary="Stores a string under a key that does not exist.",
       deprecated_since="2.6.12", replaced_by="`SET` with the `NX` argument")
cdef Status cmd_setnx(Session* s) noexcept nogil:
    cdef Found f
    if look_up(s, &s.argv[1], s.hash, LOOK_WRITE, &f):
        reply_int(&s.out, 0)
        return OK
    if store(s, &s.argv[1], &f, &s.argv[2], -1) != OK:
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, 1)
    return OK


cdef Status set_expiring(Session* s, ExpiryUnit unit) noexcept nogil:
    cdef Found f
    cdef int64_t at_ms
    if parse_expiry(s, &s.argv[2], unit, False, &at_ms) != OK:
        return FAILED
    look_up(s, &s.argv[1], s.hash, LOOK_WRITE, &f)
    if store(s, &s.argv[1], &f, &s.argv[3], at_ms) != OK:
        return fail_status(s, NO_MEMORY)
    notify(s.engine, EVENT_GENERIC, b"expire", &s.argv[1], s.db)
    reply_ok(&s.out)
    return OK


define("SETEX", fn(cmd_setex), arity=4, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "OW update"), group="string",
       since="2.0.0", cost="O(1)", args="key seconds value",
       summary="Stores a string that expires after a number of seconds.",
       deprecated_since="2.6.12", replaced_by="`SET` with the `EX` argument")
cdef Status cmd_setex(Session* s) noexcept nogil:
    return set_expiring(s, SECONDS)


define("PSETEX", fn(cmd_psetex), arity=4, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "OW update"), group="string",
       since="2.6.0", cost="O(1)", args="key milliseconds value",
       summary="Stores a string that expires after a number of milliseconds.",
       deprecated_since="2.6.12", replaced_by="`SET` with the `PX` argument")
cdef Status cmd_psetex(Session* s) noexcept nogil:
    return set_expiring(s, MILLIS)


define("DELEX", fn(cmd_delex), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW delete variable_flags"),
       group="string", since="8.4.0", cost="O(1); O(N) in the value's length for IFDEQ and IFDNE",
       args="key [IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE ifdne-digest]",
       summary="Removes a key if its value, or the value's digest, is (or is not) the one given.")
cdef Status cmd_delex(Session* s) noexcept nogil:
    cdef Options o
    cdef Found f
    cdef bint met = True
    if s.argc != 2 and s.argc != 4:
        return fail_arity(s)
    if not look_up(s, &s.argv[1], s.hash, LOOK_WRITE, &f):
        reply_int(&s.out, 0)
        return OK
    if s.argc == 4:
        if not is_string(f.entry):
            return fail(s, b"ERR Key should be of string type if conditions are specified")
        o.condition = comparison(&s.argv[2])
        o.operand = &s.argv[3]
        if o.condition == ALWAYS:
            return fail(s, b"ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")
        if check_condition(s, &o, f.entry, &met) != OK:
            return FAILED
    if met:
        delete(s, &s.argv[1], &f)
    reply_int(&s.out, 1 if met else 0)
    return OK


define("DIGEST", fn(cmd_digest), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="string",
       since="8.4.0", cost="O(N) in the value's length", args="key",
       summary="Returns the XXH3 hash of the string under a key, in hexadecimal.")
cdef Status cmd_digest(Session* s) noexcept nogil:
    cdef char text[DIGEST_CHARS]
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_null(&s.out)
        return OK
    if not is_string(f.entry):
        return fail_wrong_type(s)
    format_digest(text, string_digest(s.engine, f.entry))
    reply_bulk(&s.out, text, DIGEST_CHARS)
    return OK

# ---------------------------------------------------------------- many keys

define("MGET", fn(cmd_mget), arity=-2, flags=READONLY | FAST, keys=KeySpec(1, -1, 1, "RO access"), group="string",
       since="1.0.0", cost="O(N) in the number of keys", args="key [key ...]", tips=("request_policy:multi_shard",),
       summary="Returns the strings under several keys, null for each key that holds none.")
cdef Status cmd_mget(Session* s) noexcept nogil:
    cdef uint64_t hashes[GROUP]
    cdef Found f
    cdef uint32_t at = 1, n, i
    reply_array(&s.out, s.argc - 1)
    while at < s.argc:
        n = prefetch_keys(s, at, 1, s.argc, hashes)
        for i in range(n):
            if look_up(s, &s.argv[at], hashes[i], LOOK_READ, &f) and is_string(f.entry):
                reply_string(&s.out, f.entry)
            else:
                reply_null(&s.out)
            at += 1
    return OK


cdef Status set_pairs(Session* s, uint32_t at, uint32_t end, const Options* o, int64_t at_ms) noexcept nogil:
    """Store the pairs at argv[at:end); with the options of MSETEX."""
    cdef uint64_t hashes[GROUP]
    cdef Found f
    cdef uint32_t n, i
    cdef int64_t expiry = at_ms
    while at < end:
        n = prefetch_keys(s, at, 2, end, hashes)
        for i in range(n):
            look_up(s, &s.argv[at], hashes[i], LOOK_WRITE, &f)
            if o.keep:
                expiry = entry_expiry(f.entry) if f.entry != NULL else -1
            if store(s, &s.argv[at], &f, &s.argv[at + 1], expiry) != OK:
                return fail_status(s, NO_MEMORY)
            if o.unit != NO_UNIT:
                notify(s.engine, EVENT_GENERIC, b"expire", &s.argv[at], s.db)
            at += 2
    return OK


define("MSET", fn(cmd_mset), arity=-3, flags=WRITE | DENYOOM, keys=KeySpec(1, -1, 2, "OW update"), group="string",
       since="1.0.1", cost="O(N) in the number of keys", args="key value [key value ...]",
       tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
       summary="Stores strings under several keys at once.")
cdef Status cmd_mset(Session* s) noexcept nogil:
    cdef Options o
    if s.argc % 2 == 0:
        return fail_arity(s)
    o.unit = NO_UNIT
    o.keep = False
    if set_pairs(s, 1, s.argc, &o, -1) != OK:
        return FAILED
    reply_ok(&s.out)
    return OK


define("MSETNX", fn(cmd_msetnx), arity=-3, flags=WRITE | DENYOOM, keys=KeySpec(1, -1, 2, "OW insert"),
       group="string", since="1.0.1", cost="O(N) in the number of keys", args="key value [key value ...]",
       summary="Stores strings under several keys if none of them exists.")
cdef Status cmd_msetnx(Session* s) noexcept nogil:
    cdef Options o
    if s.argc % 2 == 0:
        return fail_arity(s)
    if any_exists(s, 1, 2, s.argc, True):
        reply_int(&s.out, 0)
        return OK
    o.unit = NO_UNIT
    o.keep = False
    if set_pairs(s, 1, s.argc, &o, -1) != OK:
        return FAILED
    reply_int(&s.out, 1)
    return OK


define("MSETEX", fn(cmd_msetex), arity=-4, flags=WRITE | DENYOOM, keys=KeyNum(1, 2, "OW update", step=2),
       group="string", since="8.4.0", cost="O(N) in the number of keys",
       args="numkeys key value [key value ...] [NX|XX] "
            "[EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]",
       tips=("request_policy:multi_shard", "response_policy:all_succeeded"),
       summary="Stores strings under several keys at once, with one expiry and on one condition.")
cdef Status cmd_msetex(Session* s) noexcept nogil:
    cdef Options o
    cdef int64_t numkeys, at_ms = -1
    cdef uint32_t end
    if not parse_int(s.argv[1].ptr, s.argv[1].len, &numkeys) or numkeys <= 0 or numkeys > 0x7FFFFFFF:
        return fail(s, b"ERR invalid numkeys value")
    if numkeys > (s.argc - 2) // 2:
        return fail(s, b"ERR wrong number of key-value pairs")
    end = 2 + 2 * <uint32_t>numkeys
    if parse_options(s, end, TAKES_EXISTENCE | TAKES_KEEPTTL, &o) != OK:
        return FAILED
    if o.unit != NO_UNIT and parse_expiry(s, o.expiry, o.unit, False, &at_ms) != OK:
        return FAILED
    if o.condition != ALWAYS and any_exists(s, 2, 2, end, o.condition == IF_MISSING):
        reply_int(&s.out, 0)
        return OK
    if set_pairs(s, 2, end, &o, at_ms) != OK:
        return FAILED
    reply_int(&s.out, 1)
    return OK

# ---------------------------------------------------------------- parts of a value

define("STRLEN", fn(cmd_strlen), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="string",
       since="2.2.0", cost="O(1)", args="key", summary="Returns the length of the string under a key.")
cdef Status cmd_strlen(Session* s) noexcept nogil:
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_int(&s.out, 0)
        return OK
    if not is_string(f.entry):
        return fail_wrong_type(s)
    reply_int(&s.out, string_length(s.engine, f.entry))
    return OK


define("APPEND", fn(cmd_append), arity=3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW insert"),
       group="string", since="2.0.0", cost="O(1) amortised, as room is kept for further growth", args="key value",
       summary="Adds bytes to the end of a string, making the key if it is missing.")
cdef Status cmd_append(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Slice* value = &s.argv[2]
    cdef Found f
    cdef char* p
    cdef uint32_t old = 0
    cdef bint fresh = not look_up(s, key, s.hash, LOOK_WRITE, &f)
    if fresh:
        if put_string(e, s.db, key, &f, value, -1, False) != OK:
            return fail_status(s, NO_MEMORY)
    elif not is_string(f.entry):
        return fail_wrong_type(s)
    else:
        old = string_length(e, f.entry)
        if check_length(s, old, value.len) != OK:
            return FAILED
        p = string_for_update(e, s.db, key, &f, old + value.len)
        if p == NULL:
            return fail_status(s, NO_MEMORY)
        memcpy(p + old, value.ptr, value.len)
    tell(s, b"append", fresh)
    reply_int(&s.out, <int64_t>old + value.len)
    return OK


define("SETRANGE", fn(cmd_setrange), arity=4, flags=WRITE | DENYOOM, keys=KeySpec(1, 1, 1, "RW update"),
       group="string", since="2.2.0", cost="O(N) in the length of the bytes written", args="key offset value",
       summary="Overwrites part of a string from an offset on, padding it with zero bytes up to there.")
cdef Status cmd_setrange(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Slice* value = &s.argv[3]
    cdef Found f
    cdef char* p
    cdef int64_t offset
    cdef uint32_t length = 0
    cdef bint fresh
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &offset):
        return fail_status(s, BAD_INT)
    if offset < 0:
        return fail(s, b"ERR offset is out of range")
    fresh = not look_up(s, key, s.hash, LOOK_WRITE, &f)
    if not fresh:
        if not is_string(f.entry):
            return fail_wrong_type(s)
        length = string_length(e, f.entry)
    if value.len == 0:
        reply_int(&s.out, length)
        return OK
    if check_length(s, <uint64_t>offset, value.len) != OK:
        return FAILED
    length = max(length, <uint32_t>offset + value.len)
    p = string_for_update(e, s.db, key, &f, length)
    if p == NULL:
        return fail_status(s, NO_MEMORY)
    undo_note(&e.arena, p + offset, value.len)
    memcpy(p + offset, value.ptr, value.len)
    tell(s, b"setrange", fresh)
    reply_int(&s.out, length)
    return OK


define("GETRANGE", fn(cmd_getrange), arity=4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="string",
       since="2.4.0", cost="O(N) in the length of the reply", args="key start:integer end:integer",
       summary="Returns part of a string, by the positions of its first and last byte.")
define("SUBSTR", fn(cmd_getrange), arity=4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="string",
       since="1.0.0", cost="O(N) in the length of the reply", args="key start:integer end:integer",
       summary="Returns part of a string; GETRANGE by its first name.",
       deprecated_since="2.0.0", replaced_by="`GETRANGE`")
cdef Status cmd_getrange(Session* s) noexcept nogil:
    cdef char digits[24]
    cdef Slice value
    cdef Found f
    cdef int64_t start, end
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &start) or not parse_int(s.argv[3].ptr, s.argv[3].len, &end):
        return fail_status(s, BAD_INT)
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, &f):
        reply_bulk(&s.out, b"", 0)
        return OK
    if not is_string(f.entry):
        return fail_wrong_type(s)
    string_bytes(s.engine, f.entry, digits, &value)
    if start < 0 and end < 0 and start > end:   # even if both lie before the first byte
        value.len = 0
    if start < 0:
        start = max(start + value.len, <int64_t>0)
    if end < 0:
        end = max(end + value.len, <int64_t>0)
    end = min(end, <int64_t>value.len - 1)
    if start > end:
        reply_bulk(&s.out, b"", 0)
    elif value.block:
        reply_block(&s.out, value.block, <uint32_t>start, <uint32_t>(end - start + 1))
    else:
        reply_bulk(&s.out, value.ptr + start, <size_t>(end - start + 1))
    return OK

# ---------------------------------------------------------------- counters

cdef inline Status add(Session* s, int64_t increment) noexcept nogil:
    """Add to the integer at argv[1]; a missing key counts as 0."""
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Found f
    cdef int64_t value = 0, at_ms = -1
    cdef bint fresh = not look_up(s, key, s.hash, LOOK_WRITE, &f)
    if not fresh:
        if not is_string(f.entry):
            return fail_wrong_type(s)
        if not string_int(e, f.entry, &value):
            return fail_status(s, BAD_INT)
        at_ms = entry_expiry(f.entry)
    if (increment < 0 and value < INT64_MIN - increment) or (increment > 0 and value > INT64_MAX - increment):
        return fail(s, b"ERR increment or decrement would overflow")
    value += increment
    if put_int(e, s.db, key, &f, value, at_ms) != OK:
        return fail_status(s, NO_MEMORY)
    tell(s, b"incrby", fresh)
    reply_int(&s.out, value)
    return OK


define("INCR", fn(cmd_incr), arity=2, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="string", since="1.0.0", cost="O(1)", args="key",
       summary="Adds one to the integer under a key, which counts as 0 if it is missing.")
cdef Status cmd_incr(Session* s) noexcept nogil:
    return add(s, 1)


define("DECR", fn(cmd_decr), arity=2, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="string", since="1.0.0", cost="O(1)", args="key",
       summary="Subtracts one from the integer under a key, which counts as 0 if it is missing.")
cdef Status cmd_decr(Session* s) noexcept nogil:
    return add(s, -1)


define("INCRBY", fn(cmd_incrby), arity=3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="string", since="1.0.0", cost="O(1)", args="key increment",
       summary="Adds to the integer under a key, which counts as 0 if it is missing.")
cdef Status cmd_incrby(Session* s) noexcept nogil:
    cdef int64_t increment
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &increment):
        return fail_status(s, BAD_INT)
    return add(s, increment)


define("DECRBY", fn(cmd_decrby), arity=3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW access update"),
       group="string", since="1.0.0", cost="O(1)", args="key decrement",
       summary="Subtracts from the integer under a key, which counts as 0 if it is missing.")
cdef Status cmd_decrby(Session* s) noexcept nogil:
    cdef int64_t decrement
    if not parse_int(s.argv[2].ptr, s.argv[2].len, &decrement):
        return fail_status(s, BAD_INT)
    if decrement == INT64_MIN:
        return fail(s, b"ERR decrement would overflow")
    return add(s, -decrement)


define("INCRBYFLOAT", fn(cmd_incrbyfloat), arity=3, flags=WRITE | DENYOOM | FAST,
       keys=KeySpec(1, 1, 1, "RW access update"), group="string", since="2.6.0", cost="O(1)",
       args="key increment:double",
       summary="Adds to the floating-point number under a key, which counts as 0 if it is missing.")
cdef Status cmd_incrbyfloat(Session* s) noexcept nogil:
    cdef char text[LONG_DOUBLE_CHARS]
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Slice result
    cdef Found f
    cdef long double value = 0, increment
    cdef int64_t at_ms = -1
    cdef bint fresh = not look_up(s, key, s.hash, LOOK_WRITE, &f)
    if not fresh:
        if not is_string(f.entry):
            return fail_wrong_type(s)
        if not string_long_double(e, f.entry, &value):
            return fail(s, b"ERR value is not a valid float")
        at_ms = entry_expiry(f.entry)
    if not parse_long_double(s.argv[2].ptr, s.argv[2].len, &increment):
        return fail(s, b"ERR value is not a valid float")
    value += increment
    if isnan(value) or isinf(value):
        return fail(s, b"ERR increment would produce NaN or Infinity")
    result.ptr = text
    result.len = format_long_double(text, value)
    result.block = 0
    if put_text(e, s.db, key, &f, &result, at_ms) != OK:
        return fail_status(s, NO_MEMORY)
    tell(s, b"incrbyfloat", fresh)
    reply_bulk(&s.out, result.ptr, result.len)
    return OK
