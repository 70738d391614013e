"""Commands that set, show and drop expiries.

The expiry is a property of the entry (entry.pxd) that the table knows of as one bit; these commands
only turn arguments into Unix milliseconds and back.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from minikv_core.engine cimport Engine, EVENT_GENERIC, FAST, READONLY, Session, WRITE
from minikv_core.entry cimport entry_expiry
from minikv_core.expiretime cimport AT_MILLIS, AT_SECONDS, ExpiryUnit, MILLIS, SECONDS, parse_expiry
from minikv_core.keyspace cimport (
    Found, LOOK_NO_TOUCH, LOOK_WRITE, look_up, notify, remove_key, set_expiry, signal_modified,
)
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_int
from minikv_core.session cimport fail, fail_status, is_word
from minikv_core.types cimport FAILED, OK, Slice, Status
from minikv_core.registry import KeySpec, define

cdef enum Condition:        # of the EXPIRE family; bits
    IF_NONE = 1 << 0        # NX: the key has no expiry
    IF_SOME = 1 << 1        # XX
    IF_LATER = 1 << 2       # GT: no expiry counts as the latest
    IF_SOONER = 1 << 3      # LT

CONDITION_HISTORY = (("7.0.0", "Conditions NX, XX, GT and LT."),)
TTL_HISTORY = (("2.8.0", "Replies -2 for a missing key."),)


# ---------------------------------------------------------------- EXPIRE and its kin

cdef Status fail_option(Session* s, const Slice* option) noexcept nogil:
    cdef char text[192]
    snprintf(text, sizeof(text), b"ERR Unsupported option %.*s", <int>min(option.len, <uint32_t>128), option.ptr)
    return fail(s, text)


cdef Status parse_conditions(Session* s, uint32_t* conditions) noexcept nogil:
    """Read the words behind the time, each any number of times; FAILED after an error reply."""
    cdef uint32_t i, found = 0
    for i in range(3, s.argc):
        if is_word(&s.argv[i], b"nx"):
            found |= IF_NONE
        elif is_word(&s.argv[i], b"xx"):
            found |= IF_SOME
        elif is_word(&s.argv[i], b"gt"):
            found |= IF_LATER
        elif is_word(&s.argv[i], b"lt"):
            found |= IF_SOONER
        else:
            return fail_option(s, &s.argv[i])
    if found & IF_NONE and found != IF_NONE:
        return fail(s, b"ERR NX and XX, GT or LT options at the same time are not compatible")
    if found & IF_LATER and found & IF_SOONER:
        return fail(s, b"ERR GT and LT options at the same time are not compatible")
    conditions[0] = found
    return OK


cdef bint conditions_hold(uint32_t conditions, int64_t old, int64_t new) noexcept nogil:
    """old, new    expiries, Unix ms; old is -1 if there is none"""
    if conditions & IF_NONE and old >= 0:
        return False
    if conditions & IF_SOME and old < 0:
        return False
    if conditions & IF_LATER and (old < 0 or new <= old):
        return False
    if conditions & IF_SOONER and old >= 0 and new >= old:
        return False
    return True


cdef Status expire_command(Session* s, ExpiryUnit unit) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Found f
    cdef uint32_t conditions = 0
    cdef int64_t at_ms
    cdef Status status
    if parse_conditions(s, &conditions) != OK:
        return FAILED
    if parse_expiry(s, &s.argv[2], unit, True, &at_ms) != OK:
        return FAILED
    if not look_up(s, key, s.hash, LOOK_WRITE, &f) or not conditions_hold(conditions, entry_expiry(f.entry), at_ms):
        reply_int(&s.out, 0)
        return OK
    if at_ms <= e.now_ms:       # a time in the past deletes at once
        remove_key(e, s.db, &f, e.config.lazyfree_lazy_expire != 0)
        signal_modified(e, s.db, key, s.hash)
        notify(e, EVENT_GENERIC, b"del", key, s.db)
    else:
        status = set_expiry(e, s.db, key, &f, at_ms)
        if status != OK:
            return fail_status(s, status)
        signal_modified(e, s.db, key, s.hash)
        notify(e, EVENT_GENERIC, b"expire", key, s.db)
    reply_int(&s.out, 1)
    return OK


define("EXPIRE", fn(cmd_expire), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"), group="generic",
       since="1.0.0", cost="O(1)", args="key seconds [NX|XX|GT|LT]", history=CONDITION_HISTORY,
       summary="Let a key expire after a number of seconds.")
cdef Status cmd_expire(Session* s) noexcept nogil:
    return expire_command(s, SECONDS)


define("PEXPIRE", fn(cmd_pexpire), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"), group="generic",
       since="2.6.0", cost="O(1)", args="key milliseconds [NX|XX|GT|LT]", history=CONDITION_HISTORY,
       summary="Let a key expire after a number of milliseconds.")
cdef Status cmd_pexpire(Session* s) noexcept nogil:
    return expire_command(s, MILLIS)


define("EXPIREAT", fn(cmd_expireat), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="generic", since="1.2.0", cost="O(1)", args="key unix-time-seconds [NX|XX|GT|LT]",
       history=CONDITION_HISTORY, summary="Let a key expire at a Unix time in seconds.")
cdef Status cmd_expireat(Session* s) noexcept nogil:
    return expire_command(s, AT_SECONDS)


define("PEXPIREAT", fn(cmd_pexpireat), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="generic", since="2.6.0", cost="O(1)", args="key unix-time-milliseconds [NX|XX|GT|LT]",
       history=CONDITION_HISTORY, summary="Let a key expire at a Unix time in milliseconds.")
cdef Status cmd_pexpireat(Session* s) noexcept nogil:
    return expire_command(s, AT_MILLIS)


define("PERSIST", fn(cmd_persist), arity=2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"), group="generic",
       since="2.2.0", cost="O(1)", args="key", summary="Drop the expiry of a key.")
cdef Status cmd_persist(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Found f
    cdef Status status
    if not look_up(s, key, s.hash, LOOK_WRITE, &f) or entry_expiry(f.entry) < 0:
        reply_int(&s.out, 0)
        return OK
    status = set_expiry(e, s.db, key, &f, -1)
    if status != OK:
        return fail_status(s, status)
    signal_modified(e, s.db, key, s.hash)
    notify(e, EVENT_GENERIC, b"persist", key, s.db)
    reply_int(&s.out, 1)
    return OK


# ---------------------------------------------------------------- TTL and its kin

cdef int64_t round_to_seconds(int64_t ms) noexcept nogil:
    return <int64_t>((<uint64_t>ms + 500) // 1000)


cdef bint expiry_or_reply(Session* s, int64_t* at_ms) noexcept nogil:
    """Get the expiry of the command's key; False after the reply -2 (no key) or -1 (no expiry)."""
    cdef Found f
    if not look_up(s, &s.argv[1], s.hash, LOOK_NO_TOUCH, &f):
        reply_int(&s.out, -2)
        return False
    at_ms[0] = entry_expiry(f.entry)
    if at_ms[0] < 0:
        reply_int(&s.out, -1)
        return False
    return True


define("TTL", fn(cmd_ttl), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="generic",
       since="1.0.0", cost="O(1)", args="key", tips=("nondeterministic_output",),
       history=TTL_HISTORY, summary="Show how many seconds a key has to live.")
cdef Status cmd_ttl(Session* s) noexcept nogil:
    cdef int64_t at_ms
    if expiry_or_reply(s, &at_ms):
        reply_int(&s.out, round_to_seconds(max(at_ms - s.engine.now_ms, 0)))
    return OK


define("PTTL", fn(cmd_pttl), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"), group="generic",
       since="2.6.0", cost="O(1)", args="key", tips=("nondeterministic_output",),
       history=TTL_HISTORY, summary="Show how many milliseconds a key has to live.")
cdef Status cmd_pttl(Session* s) noexcept nogil:
    cdef int64_t at_ms
    if expiry_or_reply(s, &at_ms):
        reply_int(&s.out, max(at_ms - s.engine.now_ms, 0))
    return OK


define("EXPIRETIME", fn(cmd_expiretime), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="generic", since="7.0.0", cost="O(1)", args="key",
       summary="Show the Unix time in seconds at which a key expires.")
cdef Status cmd_expiretime(Session* s) noexcept nogil:
    cdef int64_t at_ms
    if expiry_or_reply(s, &at_ms):
        reply_int(&s.out, round_to_seconds(at_ms))
    return OK


define("PEXPIRETIME", fn(cmd_pexpiretime), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="generic", since="7.0.0", cost="O(1)", args="key",
       summary="Show the Unix time in milliseconds at which a key expires.")
cdef Status cmd_pexpiretime(Session* s) noexcept nogil:
    cdef int64_t at_ms
    if expiry_or_reply(s, &at_ms):
        reply_int(&s.out, at_ms)
    return OK
