"""Sorted sets: taking members from either end, at once or waiting for them.

Order of events. Redis's: "zpopmin" or "zpopmax", and behind it "del" if that was the last member.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport arena_at
from minikv_core.blocking cimport block_on_keys, parse_timeout
from minikv_core.btree cimport TreeCursor, TreeNode, leaf_entries
from minikv_core.engine cimport BLOCKING, EVENT_ZSET, FAST, WRITE, Engine, Session
from minikv_core.entry cimport Entry
from minikv_core.hash cimport hash_bytes
from minikv_core.keyspace cimport LOOK_WRITE, Found, notify, signal_modified
from minikv_core.member cimport SCORED_KEY, member_key
from minikv_core.numbers cimport parse_int
from minikv_core.output cimport OutMark, output_mark, output_rollback
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_double, reply_null_array
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word
from minikv_core.t_zset cimport (
    ZsetWalk, zset_length, zset_remove_span, zset_root, zset_seek_rank, zset_walk_back, zset_walk_next,
)
from minikv_core.t_zset_shared cimport drop_if_empty, find_zset, reply_pair
from minikv_core.table cimport table_prefetch_bucket
from minikv_core.types cimport FAILED, OK, ZSET, Slice, Status

from minikv_core.registry import KeyNum, KeySpec, define

cdef enum:
    SOON = 4                # members that will be popped before the one that is asked for

cdef enum Shape:            # of a reply
    FLAT = 0                # member, score, member, score, ...
    PAIRS = 1               # an array of [member, score]
    NAMED = 2               # [key, member, score]
    NAMED_PAIRS = 3         # [key, [[member, score], ...]]

cdef struct Pop:            # the options of ZMPOP and BZMPOP
    uint32_t first          # index of the first key
    uint32_t count          # of keys
    bint     highest        # MAX
    int64_t  members        # COUNT

# ---------------------------------------------------------------- what the commands share

cdef Status first_filled(Session* s, uint32_t first, uint32_t count, Found* f, uint32_t* at) noexcept nogil:
    """The first of several keys that holds anything: f.entry NULL = none does; FAILED after an error reply."""
    cdef uint32_t i
    f.entry = NULL
    for i in range(first, first + count):
        if find_zset(s, i, LOOK_WRITE, f) != OK:
            return FAILED
        if f.entry != NULL:
            at[0] = i
            break
    return OK


cdef void ask_ahead(const ZsetWalk* w, Entry* entry, bint highest) noexcept nogil:
    """Ask for the place in the table of a member that pipelined commands will soon pop."""
    cdef const TreeCursor* c = &w.cursor
    cdef Engine* e = w.engine
    cdef uint32_t at, n
    cdef char* p
    if w.packed or c.ref == 0:
        return
    at = c.at[0] - SOON if highest else c.at[0] + SOON      # less than 0 is more than the count, too
    if at < c.nodes[0].count:
        p = member_key(arena_at(&e.arena, leaf_entries(<TreeNode*>c.nodes[0])[at].ref), SCORED_KEY, &n)
        table_prefetch_bucket(&e.arena, &zset_root(e, entry).members, hash_bytes(&e.arena.head.seed, p, n))


cdef Status pop(Session* s, uint32_t at, Found* f, bint highest, int64_t most, Shape shape) noexcept nogil:
    """Take up to `most` members from an end of the sorted set at argv[at], and reply with them."""
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[at]
    cdef uint64_t length = zset_length(e, f.entry), n = min(<uint64_t>most, length), _
    cdef OutMark before
    cdef Slice member
    cdef double score
    cdef ZsetWalk w
    cdef Status status
    output_mark(&s.out, &before)
    if shape == NAMED or shape == NAMED_PAIRS:
        reply_array(&s.out, 3 if shape == NAMED else 2)
        reply_bulk(&s.out, key.ptr, key.len)
    if shape == FLAT:
        reply_array(&s.out, <int64_t>(2 * n))
    elif shape != NAMED:
        reply_array(&s.out, <int64_t>n)
    zset_seek_rank(e, f.entry, length if highest else 0, &w)
    for _ in range(n):
        if highest:
            zset_walk_back(&w, &member, &score)
        else:
            zset_walk_next(&w, &member, &score)
        if shape == PAIRS or shape == NAMED_PAIRS:
            reply_pair(&s.out, &member, score, True)
        else:
            reply_bulk(&s.out, member.ptr, member.len)
            reply_double(&s.out, score)
    ask_ahead(&w, f.entry, highest)
    status = zset_remove_span(e, f, length - n if highest else 0, n)
    if status != OK:
        output_rollback(&s.out, &before)
        return fail_status(s, status)
    signal_modified(e, s.db, key, f.hash)
    notify(e, EVENT_ZSET, b"zpopmax" if highest else b"zpopmin", key, s.db)
    drop_if_empty(s, key, f)
    return OK

# ---------------------------------------------------------------- one key

cdef Status pop_from(Session* s, bint highest) noexcept nogil:
    """ZPOPMIN, ZPOPMAX."""
    cdef bint counted = s.argc == 3
    cdef int64_t most = 1
    cdef Found f
    if s.argc > 3:
        return fail_syntax(s)
    if counted and (not parse_int(s.argv[2].ptr, s.argv[2].len, &most) or most < 0):
        return fail(s, b"ERR value is out of range, must be positive")
    if find_zset(s, 1, LOOK_WRITE, &f) != OK:
        return FAILED
    if f.entry == NULL or most == 0:
        reply_array(&s.out, 0)
        return OK
    return pop(s, 1, &f, highest, most, PAIRS if counted and s.out.protocol != 2 else FLAT)


define("ZPOPMIN", fn(cmd_zpopmin), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access delete"),
       group="sorted-set", since="5.0.0",
       cost="O(log(N)*M) for N members, M of them concerned",
       args="key [count]", summary="Removes and returns the members with the lowest scores.")
cdef Status cmd_zpopmin(Session* s) noexcept nogil:
    return pop_from(s, False)


define("ZPOPMAX", fn(cmd_zpopmax), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access delete"),
       group="sorted-set", since="5.0.0",
       cost="O(log(N)*M) for N members, M of them concerned",
       args="key [count]", summary="Removes and returns the members with the highest scores.")
cdef Status cmd_zpopmax(Session* s) noexcept nogil:
    return pop_from(s, True)

# ---------------------------------------------------------------- several keys

cdef Status parse_pop(Session* s, uint32_t at, Pop* p) noexcept nogil:
    """Read numkeys at argv[at] and all behind it; FAILED after an error reply."""
    cdef int64_t keys
    cdef bint counted = False
    if not parse_int(s.argv[at].ptr, s.argv[at].len, &keys) or keys < 1:
        return fail(s, b"ERR numkeys should be greater than 0")
    if keys >= <int64_t>(s.argc - at - 1):
        return fail_syntax(s)
    p.first = at + 1
    p.count = <uint32_t>keys
    p.members = 1
    at = p.first + p.count
    p.highest = is_word(&s.argv[at], b"max")
    if not p.highest and not is_word(&s.argv[at], b"min"):
        return fail_syntax(s)
    at += 1
    while at < s.argc:
        if counted or at + 1 == s.argc or not is_word(&s.argv[at], b"count"):
            return fail_syntax(s)
        if not parse_int(s.argv[at + 1].ptr, s.argv[at + 1].len, &p.members) or p.members < 1:
            return fail(s, b"ERR count should be greater than 0")
        counted = True
        at += 2
    return OK


define("ZMPOP", fn(cmd_zmpop), arity=-4, flags=WRITE, keys=KeyNum(1, 2, "RW access delete"), group="sorted-set",
       since="7.0.0",
       cost="O(K) + O(M*log(N)) for K keys, N members, M of them taken",
       args="numkeys key [key ...] <MIN|MAX> [COUNT count]",
       summary="Removes and returns members with the lowest or highest scores from the first of several keys that "
               "has any.")
cdef Status cmd_zmpop(Session* s) noexcept nogil:
    cdef uint32_t at = 0
    cdef Found f
    cdef Pop p
    if parse_pop(s, 1, &p) != OK or first_filled(s, p.first, p.count, &f, &at) != OK:
        return FAILED
    if f.entry == NULL:
        reply_null_array(&s.out)
        return OK
    return pop(s, at, &f, p.highest, p.members, NAMED_PAIRS)


define("BZMPOP", fn(cmd_bzmpop), arity=-5, flags=WRITE | BLOCKING, keys=KeyNum(2, 3, "RW access delete"),
       group="sorted-set", since="7.0.0",
       cost="O(K) + O(M*log(N)) for K keys, N members, M of them taken",
       args="timeout:double numkeys key [key ...] <MIN|MAX> [COUNT count]",
       summary="Removes and returns members with the lowest or highest scores from the first of several keys that "
               "has any, waiting for one to come.")
cdef Status cmd_bzmpop(Session* s) noexcept nogil:
    cdef int64_t deadline_ms
    cdef uint32_t at = 0
    cdef Found f
    cdef Pop p
    if parse_pop(s, 2, &p) != OK or not parse_timeout(s, &s.argv[1], False, &deadline_ms):
        return FAILED
    if first_filled(s, p.first, p.count, &f, &at) != OK:
        return FAILED
    if f.entry == NULL:
        return block_on_keys(s, p.first, p.count, ZSET, 0, deadline_ms)
    return pop(s, at, &f, p.highest, p.members, NAMED_PAIRS)


cdef Status pop_or_wait(Session* s, bint highest) noexcept nogil:
    """BZPOPMIN, BZPOPMAX."""
    cdef int64_t deadline_ms
    cdef uint32_t at = 0
    cdef Found f
    if not parse_timeout(s, &s.argv[s.argc - 1], False, &deadline_ms):
        return FAILED
    if first_filled(s, 1, s.argc - 2, &f, &at) != OK:
        return FAILED
    if f.entry == NULL:
        return block_on_keys(s, 1, s.argc - 2, ZSET, 0, deadline_ms)
    return pop(s, at, &f, highest, 1, NAMED)


define("BZPOPMIN", fn(cmd_bzpopmin), arity=-3, flags=WRITE | FAST | BLOCKING,
       keys=KeySpec(1, -2, 1, "RW access delete"), group="sorted-set", since="5.0.0",
       cost="O(log(N)) for N members", args="key [key ...] timeout:double",
       history=(("6.0.0", "`timeout` may have a fraction."),),
       summary="Removes and returns the member with the lowest score from the first of several keys that has any, "
               "waiting for one to come.")
cdef Status cmd_bzpopmin(Session* s) noexcept nogil:
    return pop_or_wait(s, False)


define("BZPOPMAX", fn(cmd_bzpopmax), arity=-3, flags=WRITE | FAST | BLOCKING,
       keys=KeySpec(1, -2, 1, "RW access delete"), group="sorted-set", since="5.0.0",
       cost="O(log(N)) for N members", args="key [key ...] timeout:double",
       history=(("6.0.0", "`timeout` may have a fraction."),),
       summary="Removes and returns the member with the highest score from the first of several keys that has any, "
               "waiting for one to come.")
cdef Status cmd_bzpopmax(Session* s) noexcept nogil:
    return pop_or_wait(s, True)
