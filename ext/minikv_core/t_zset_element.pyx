"""Sorted sets: commands on single members, ZRANDMEMBER and ZSCAN. The value API is in t_zset.pyx.

Order of events. Redis's: "new" when the key is made, then "zadd" or "zincr"; "zrem", and behind it "del" if
that was the last member.
"""

from libc.math cimport isnan
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr
from minikv_core.ahead cimport prefetch_ahead
from minikv_core.arena cimport arena_at
from minikv_core.engine cimport DENYOOM, EVENT_NEW, EVENT_ZSET, FAST, READONLY, WRITE, Engine, Session
from minikv_core.entry cimport Entry, entry_form
from minikv_core.keyspace cimport (
    LOOK_READ, LOOK_WRITE, Found, notify, random_next, remove_key, signal_modified,
)
from minikv_core.member cimport SCORED_KEY, member_key, member_score
from minikv_core.memory cimport likely
from minikv_core.numbers cimport format_double, parse_double, parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport (
    reply_array, reply_bulk, reply_bulk_int, reply_double, reply_int, reply_null, reply_null_array,
)
from minikv_core.scan cimport RefList, ScanOptions, scan_key, scan_table, scan_wanted
from minikv_core.session cimport fail, fail_arity, fail_status, fail_syntax, is_word
from minikv_core.t_zset cimport (
    ZsetWalk, zset_exchange, zset_expect, zset_length, zset_rank, zset_remove, zset_root, zset_score, zset_seek_rank,
    zset_walk_begin, zset_walk_next,
)
from minikv_core.t_zset_shared cimport drop_if_empty, find_zset, pair_elements, reply_pair
from minikv_core.types cimport EXISTS, FAILED, FORM_LARGE, MISSING, NO_MEMORY, OK, ZSET, Slice, Status

from minikv_core.registry import KeySpec, define

cdef enum:
    FEW = 16                # pairs of ZADD whose scores need no memory of their own
    TEXT = 40               # bytes for a double as text, DOUBLE_CHARS and some

cdef enum AddFlag:
    ADD_NX = 1              # only new members
    ADD_XX = 2              # only members that are there
    ADD_GT = 4              # change a score only to a greater one
    ADD_LT = 8
    ADD_CH = 16             # reply with changes, not additions
    ADD_INCR = 32

# ---------------------------------------------------------------- ZADD

cdef int add_flag(const Slice* word) noexcept nogil:
    """The AddFlag that an option names; 0 = it is none."""
    if word.len == 2:
        if is_word(word, b"nx"):
            return ADD_NX
        if is_word(word, b"xx"):
            return ADD_XX
        if is_word(word, b"gt"):
            return ADD_GT
        if is_word(word, b"lt"):
            return ADD_LT
        if is_word(word, b"ch"):
            return ADD_CH
    elif is_word(word, b"incr"):
        return ADD_INCR
    return 0


cdef Status add_member(Session* s, const Slice* key, Found* f, const Slice* member, double* score, int flags,
                       bint* held) noexcept nogil:
    """Add one member or change its score, under conditions.

    score    in: as given; out: what the member has now
    held     whether the conditions did
    returns  OK new; EXISTS with another score; MISSING nothing to change; NO_MEMORY; FAILED after an error reply
    """
    cdef Engine* e = s.engine
    cdef double had = 0.0
    cdef Status status
    cdef bint there
    held[0] = True
    if flags & (ADD_NX | ADD_XX | ADD_GT | ADD_LT | ADD_INCR):
        there = f.entry != NULL and zset_score(e, f.entry, member, &had)
        if there and flags & ADD_INCR and not flags & ADD_NX:
            score[0] += had
            if isnan(score[0]):
                return fail(s, b"ERR resulting score is not a number (NaN)")
        held[0] = not (flags & (ADD_NX if there else ADD_XX)
                       or (there and flags & ADD_GT and score[0] <= had)
                       or (there and flags & ADD_LT and score[0] >= had))
        if not held[0]:
            return MISSING
    status = zset_exchange(e, s.db, key, f, member, score[0], &had)
    return MISSING if status == EXISTS and had == score[0] else status


cdef Status add_members(Session* s, int flags, uint32_t at, uint32_t count, const double* scores) noexcept nogil:
    """ZADD and ZINCRBY behind their options: `count` members at argv[at + 1], argv[at + 3], ..., and the reply."""
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Found f
    cdef uint32_t i, added = 0, changed = 0
    cdef Status status = OK
    cdef double score = 0.0
    cdef bint fresh, held = False
    if find_zset(s, 1, LOOK_WRITE, &f) != OK:
        return FAILED
    fresh = f.entry == NULL
    if not fresh or not flags & ADD_XX:
        # Redis, too, looks at the first member only; a longer one then converts the value
        if zset_expect(e, s.db, key, &f, count, s.argv[at + 1].len) != OK:
            return fail_status(s, NO_MEMORY)
        if f.entry != NULL and entry_form(f.entry) == FORM_LARGE:
            prefetch_ahead(s, &zset_root(e, f.entry).members, s.argc - 1)
        for i in range(count):
            score = scores[i]
            status = add_member(s, key, &f, &s.argv[at + 2 * i + 1], &score, flags, &held)
            if status == NO_MEMORY or status == FAILED:
                break
            added += status == OK
            changed += status == EXISTS
        if fresh and added == 0 and f.entry != NULL:    # no memory for the first member
            remove_key(e, s.db, &f, False)
    if added or changed:
        signal_modified(e, s.db, key, s.hash)
        if fresh:
            notify(e, EVENT_NEW, b"new", key, s.db)
        notify(e, EVENT_ZSET, b"zincr" if flags & ADD_INCR else b"zadd", key, s.db)
    if status == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    if status == FAILED:
        return FAILED
    if not flags & ADD_INCR:
        reply_int(&s.out, added + changed if flags & ADD_CH else added)
    elif held:
        reply_double(&s.out, score)
    else:
        reply_null(&s.out)
    return OK


define("ZADD", fn(cmd_zadd), arity=-4, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="sorted-set", since="1.2.0",
       cost="O(log(N)) for N members",
       args="key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]",
       history=(("2.4.0", "Several members."), ("3.0.2", "Options `XX`, `NX`, `CH` and `INCR`."),
                ("6.2.0", "Options `GT` and `LT`.")),
       summary="Adds members to a sorted set, or changes their scores.")
cdef Status cmd_zadd(Session* s) noexcept nogil:
    cdef double few[FEW]
    cdef double* scores = few
    cdef uint32_t at = 2, count, i
    cdef int flags = 0, flag
    cdef Status status = OK
    while at < s.argc:
        flag = add_flag(&s.argv[at])
        if flag == 0:
            break
        flags |= flag
        at += 1
    count = (s.argc - at) // 2
    if count == 0 or (s.argc - at) % 2:
        return fail_syntax(s)
    if flags & ADD_NX and flags & ADD_XX:
        return fail(s, b"ERR XX and NX options at the same time are not compatible")
    if (flags & ADD_NX and flags & (ADD_GT | ADD_LT)) or (flags & ADD_GT and flags & ADD_LT):
        return fail(s, b"ERR GT, LT, and/or NX options at the same time are not compatible")
    if flags & ADD_INCR and count > 1:
        return fail(s, b"ERR INCR option supports a single increment-element pair")
    if count > FEW:
        scores = <double*>malloc(count * sizeof(double))
        if scores == NULL:
            return fail_status(s, NO_MEMORY)
    for i in range(count):
        if not parse_double(s.argv[at + 2 * i].ptr, s.argv[at + 2 * i].len, &scores[i]):
            status = fail(s, b"ERR value is not a valid float")
            break
    if likely(status == OK):
        status = add_members(s, flags, at, count, scores)
    if scores != few:
        free(scores)
    return status


define("ZINCRBY", fn(cmd_zincrby), arity=4, flags=WRITE | DENYOOM | FAST,
       keys=KeySpec(1, 1, 1, "RW access update"), group="sorted-set", since="1.2.0",
       cost="O(log(N)) for N members", args="key increment member",
       summary="Adds to the score of a member, which is new or there.")
cdef Status cmd_zincrby(Session* s) noexcept nogil:
    cdef double score
    if not parse_double(s.argv[2].ptr, s.argv[2].len, &score):
        return fail(s, b"ERR value is not a valid float")
    return add_members(s, ADD_INCR, 2, 1, &score)


define("ZREM", fn(cmd_zrem), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW delete"), group="sorted-set",
       since="1.2.0",
       cost="O(M*log(N)) for N members, M of them concerned",
       args="key member [member ...]", history=(("2.4.0", "Several members."),),
       summary="Removes members from a sorted set, and the key with the last one.")
cdef Status cmd_zrem(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef int64_t removed = 0
    cdef Status status = OK
    cdef uint32_t i
    cdef Found f
    if find_zset(s, 1, LOOK_WRITE, &f) != OK:
        return FAILED
    if f.entry != NULL:
        for i in range(2, s.argc):
            status = zset_remove(e, &f, &s.argv[i])
            if status == NO_MEMORY:
                break
            removed += status == OK
    if removed:
        signal_modified(e, s.db, key, s.hash)
        notify(e, EVENT_ZSET, b"zrem", key, s.db)
        drop_if_empty(s, key, &f)
    if status == NO_MEMORY:
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, removed)
    return OK

# ---------------------------------------------------------------- looking

define("ZCARD", fn(cmd_zcard), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="sorted-set",
       since="1.2.0", cost="O(1)", args="key", summary="Returns the number of members.")
cdef Status cmd_zcard(Session* s) noexcept nogil:
    cdef Found f
    if find_zset(s, 1, LOOK_READ, &f) != OK:
        return FAILED
    reply_int(&s.out, <int64_t>zset_length(s.engine, f.entry) if f.entry != NULL else 0)
    return OK


define("ZSCORE", fn(cmd_zscore), arity=3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="1.2.0", cost="O(1)", args="key member", summary="Returns the score of a member.")
cdef Status cmd_zscore(Session* s) noexcept nogil:
    cdef double score
    cdef Found f
    if find_zset(s, 1, LOOK_READ, &f) != OK:
        return FAILED
    if f.entry != NULL and zset_score(s.engine, f.entry, &s.argv[2], &score):
        reply_double(&s.out, score)
    else:
        reply_null(&s.out)
    return OK


define("ZMSCORE", fn(cmd_zmscore), arity=-3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="6.2.0", cost="O(N) for N members",
       args="key member [member ...]", summary="Returns the scores of several members.")
cdef Status cmd_zmscore(Session* s) noexcept nogil:
    cdef double score
    cdef uint32_t i
    cdef Found f
    if find_zset(s, 1, LOOK_READ, &f) != OK:
        return FAILED
    reply_array(&s.out, s.argc - 2)
    for i in range(2, s.argc):
        if f.entry != NULL and zset_score(s.engine, f.entry, &s.argv[i], &score):
            reply_double(&s.out, score)
        else:
            reply_null(&s.out)
    return OK


cdef Status reply_rank(Session* s, bint backwards) noexcept nogil:
    cdef bint with_score = s.argc > 3
    cdef double score
    cdef uint64_t rank
    cdef Found f
    if s.argc > 4:
        return fail_arity(s)
    if with_score and not is_word(&s.argv[3], b"withscore"):
        return fail_syntax(s)
    if find_zset(s, 1, LOOK_READ, &f) != OK:
        return FAILED
    if f.entry == NULL or not zset_rank(s.engine, f.entry, &s.argv[2], &rank, &score):
        if with_score:
            reply_null_array(&s.out)
        else:
            reply_null(&s.out)
        return OK
    if backwards:
        rank = zset_length(s.engine, f.entry) - 1 - rank
    if with_score:
        reply_array(&s.out, 2)
    reply_int(&s.out, <int64_t>rank)
    if with_score:
        reply_double(&s.out, score)
    return OK


define("ZRANK", fn(cmd_zrank), arity=-3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="2.0.0", cost="O(log(N))", args="key member [WITHSCORE]",
       history=(("7.2.0", "Option `WITHSCORE`."),),
       summary="Returns the place of a member, counted from the lowest score.")
cdef Status cmd_zrank(Session* s) noexcept nogil:
    return reply_rank(s, False)


define("ZREVRANK", fn(cmd_zrevrank), arity=-3, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="2.0.0", cost="O(log(N))", args="key member [WITHSCORE]",
       history=(("7.2.0", "Option `WITHSCORE`."),),
       summary="Returns the place of a member, counted from the highest score.")
cdef Status cmd_zrevrank(Session* s) noexcept nogil:
    return reply_rank(s, True)

# ---------------------------------------------------------------- ZSCAN

cdef void reply_scanned(Session* s, const Slice* member, double score, bint packed) noexcept nogil:
    """Scores are text here, in either protocol; Redis writes 17 digits of those of large sets."""
    cdef char text[TEXT]
    cdef uint32_t n
    reply_bulk(&s.out, member.ptr, member.len)
    n = format_double(text, score) if packed else format_digits(text, score)
    reply_bulk(&s.out, text, n)


cdef uint32_t format_digits(char* text, double score) noexcept nogil:
    cdef int n = snprintf(text, TEXT, b"%.17g", score)
    cdef char* comma = <char*>memchr(text, c',', n)
    if comma != NULL:           # the process has a locale
        comma[0] = c'.'
    return <uint32_t>n


cdef void scan_packed(Session* s, Entry* entry, const ScanOptions* options) noexcept nogil:
    """All that is wanted, with cursor 0."""
    cdef int64_t wanted = 0
    cdef Slice member
    cdef double score
    cdef ZsetWalk w
    zset_walk_begin(s.engine, entry, &w)
    while zset_walk_next(&w, &member, &score):
        wanted += scan_wanted(options, member.ptr, member.len)
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, 0)
    reply_array(&s.out, 2 * wanted)
    zset_walk_begin(s.engine, entry, &w)
    while zset_walk_next(&w, &member, &score):
        if scan_wanted(options, member.ptr, member.len):
            reply_scanned(s, &member, score, True)


define("ZSCAN", fn(cmd_zscan), arity=-3, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="sorted-set",
       since="2.8.0",
       cost="O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to "
            "return back to 0. N is the number of elements inside the collection.",
       args="key cursor [MATCH pattern] [COUNT count]", tips=("nondeterministic_output",),
       summary="Iterates over members and scores by cursor.")
cdef Status cmd_zscan(Session* s) noexcept nogil:
    cdef RefList found = [NULL, 0, 0, False]
    cdef ScanOptions options
    cdef uint64_t cursor
    cdef size_t i, wanted = 0
    cdef Slice member
    cdef char* m
    cdef Found f
    cdef Status status = scan_key(s, ZSET, 0, &cursor, &options, &f)
    if status != OK:
        return OK if status == MISSING else status
    if entry_form(f.entry) != FORM_LARGE:
        scan_packed(s, f.entry, &options)
        return OK
    cursor = scan_table(s, &zset_root(s.engine, f.entry).members, cursor, &options, &found)
    if found.failed:
        free(found.refs)
        return fail_status(s, NO_MEMORY)
    for i in range(found.count):
        m = arena_at(&s.engine.arena, found.refs[i])
        member.ptr = member_key(m, SCORED_KEY, &member.len)
        if scan_wanted(&options, member.ptr, member.len):
            found.refs[wanted] = found.refs[i]
            wanted += 1
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, <int64_t>cursor)
    reply_array(&s.out, <int64_t>(2 * wanted))
    for i in range(wanted):
        m = arena_at(&s.engine.arena, found.refs[i])
        member.ptr = member_key(m, SCORED_KEY, &member.len)
        reply_scanned(s, &member, member_score(m), False)
    free(found.refs)
    return OK

# ---------------------------------------------------------------- ZRANDMEMBER

cdef void reply_at(Session* s, Entry* entry, uint64_t rank, bint with_scores) noexcept nogil:
    cdef Slice member
    cdef double score
    cdef ZsetWalk w
    zset_seek_rank(s.engine, entry, rank, &w)
    zset_walk_next(&w, &member, &score)
    if with_scores:
        reply_pair(&s.out, &member, score, False)
    else:
        reply_bulk(&s.out, member.ptr, member.len)


cdef void reply_sample(Session* s, Entry* entry, uint64_t length, uint64_t count, bint with_scores) noexcept nogil:
    """Any `count` different members, in order: each is taken with the chance that leaves all choices equal."""
    cdef uint64_t i = 0
    cdef Slice member
    cdef double score
    cdef ZsetWalk w
    zset_walk_begin(s.engine, entry, &w)
    while count and zset_walk_next(&w, &member, &score):
        if random_next(&s.engine.random) % (length - i) < count:
            if with_scores:
                reply_pair(&s.out, &member, score, False)
            else:
                reply_bulk(&s.out, member.ptr, member.len)
            count -= 1
        i += 1


cdef bint add_rank(uint64_t* chosen, uint64_t mask, uint64_t rank) noexcept nogil:
    """Add a rank to an open hash set whose places hold ranks + 1; False = it was there."""
    cdef uint64_t at = (rank * <uint64_t>0x9E3779B97F4A7C15 >> 20) & mask
    while chosen[at]:
        if chosen[at] == rank + 1:
            return False
        at = (at + 1) & mask
    chosen[at] = rank + 1
    return True


cdef Status reply_few(Session* s, Entry* entry, uint64_t length, uint64_t count, bint with_scores) noexcept nogil:
    """Any `count` different members of many more (Floyd's algorithm)."""
    cdef uint64_t mask = 16, i, rank
    cdef uint64_t* chosen
    while mask < 2 * count:
        mask *= 2
    chosen = <uint64_t*>calloc(mask, sizeof(uint64_t))
    if chosen == NULL:
        return fail_status(s, NO_MEMORY)
    reply_array(&s.out, pair_elements(&s.out, count, with_scores))
    for i in range(length - count, length):
        rank = random_next(&s.engine.random) % (i + 1)
        if not add_rank(chosen, mask - 1, rank):
            rank = i
            add_rank(chosen, mask - 1, rank)
        reply_at(s, entry, rank, with_scores)
    free(chosen)
    return OK


define("ZRANDMEMBER", fn(cmd_zrandmember), arity=-2, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="6.2.0", cost="O(N) for N members",
       args="key [count [WITHSCORES]]", tips=("nondeterministic_output",),
       summary="Returns members taken at random.")
cdef Status cmd_zrandmember(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef int64_t count = 1
    cdef bint with_scores = s.argc == 4
    cdef uint64_t length, n, _
    cdef Found f
    if s.argc > 2:
        if not parse_int(s.argv[2].ptr, s.argv[2].len, &count):
            return fail(s, b"ERR value is not an integer or out of range")
        if count < -INT64_MAX:
            return fail(s, b"ERR value is out of range, value must between -9223372036854775807 and "
                        b"9223372036854775807")
        if s.argc > 4 or (with_scores and not is_word(&s.argv[3], b"withscores")):
            return fail_syntax(s)
        if with_scores and not -(INT64_MAX // 2) <= count <= INT64_MAX // 2:
            return fail(s, b"ERR value is out of range")
    if find_zset(s, 1, LOOK_READ, &f) != OK:
        return FAILED
    if f.entry == NULL or count == 0:
        if s.argc == 2:
            reply_null(&s.out)
        else:
            reply_array(&s.out, 0)
        return OK
    length = zset_length(e, f.entry)
    if s.argc == 2:
        reply_at(s, f.entry, random_next(&e.random) % length, False)
        return OK
    if count < 0:
        n = <uint64_t>-count
        reply_array(&s.out, pair_elements(&s.out, n, with_scores))
        for _ in range(n):
            reply_at(s, f.entry, random_next(&e.random) % length, with_scores)
        return OK
    n = min(<uint64_t>count, length)
    if entry_form(f.entry) == FORM_LARGE and n < length // 4:
        return reply_few(s, f.entry, length, n, with_scores)
    reply_array(&s.out, pair_elements(&s.out, n, with_scores))
    reply_sample(s, f.entry, length, n, with_scores)
    return OK
