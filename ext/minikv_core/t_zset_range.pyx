"""Sorted sets: ranges by rank, score and bytes; counting, storing and removing them.

Every range becomes a span of ranks [first, last) first: that is its length, LIMIT is arithmetic on it, and
what is left is walked, in either direction, or removed.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr
from minikv_core.engine cimport DENYOOM, EVENT_ZSET, FAST, READONLY, WRITE, Engine, Session
from minikv_core.entry cimport Entry
from minikv_core.keyspace cimport LOOK_READ, LOOK_WRITE, Found, notify, signal_modified
from minikv_core.numbers cimport parse_double, parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_int
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word
from minikv_core.t_zset cimport (
    LEX_CLOSED, LEX_FIRST, LEX_LAST, LEX_OPEN, LexKind, LexRange, ScoredList, ScoreRange, ZsetWalk, zset_length,
    zset_lex_span, zset_remove_span, zset_score_span, zset_seek_rank, zset_walk_back, zset_walk_next,
)
from minikv_core.t_zset_shared cimport (
    drop_if_empty, find_zset, list_add_walked, list_free, pair_elements, reply_pair, store_result,
)
from minikv_core.types cimport FAILED, OK, Slice, Status

from minikv_core.registry import KeySpec, define

cdef enum:
    EXPONENT_MAX = 1 << 30  # larger ones of bounds count as this

cdef enum RangeKind:
    BY_RANK = 0
    BY_SCORE = 1
    BY_LEX = 2
    BY_ANY = 3              # BY_RANK, unless BYSCORE or BYLEX says otherwise

cdef enum Direction:
    FORWARD = 0
    BACKWARDS = 1
    EITHER = 2              # FORWARD, unless REV says otherwise

cdef struct Range:
    RangeKind  kind
    Direction  direction
    bint       with_scores
    int64_t    offset       # LIMIT
    int64_t    count        # negative = all
    int64_t    start        # BY_RANK
    int64_t    stop
    ScoreRange scores
    LexRange   lex

# ---------------------------------------------------------------- reading ranges

cdef bint parse_extreme(const char* p, const char* end, double* value) noexcept nogil:
    """Read a decimal number that is too large or too small for a double: as infinity, or as zero."""
    cdef bint minus = p < end and p[0] == c'-', behind = False, started = False
    cdef int64_t point = 0, exponent = 0, sign = 1
    cdef uint32_t digits = 0
    if p < end and (minus or p[0] == c'+'):
        p += 1
    while p < end and (c'0' <= p[0] <= c'9' or (p[0] == c'.' and not behind)):
        if p[0] == c'.':
            behind = True
        else:
            started = started or p[0] != c'0'
            point += (1 if started else 0) if not behind else (0 if started else -1)
            digits = 1
        p += 1
    if p < end and digits and (p[0] == c'e' or p[0] == c'E'):
        p += 1
        digits = 0
        if p < end and (p[0] == c'-' or p[0] == c'+'):
            sign = -1 if p[0] == c'-' else 1
            p += 1
        while p < end and c'0' <= p[0] <= c'9':
            exponent = min(exponent * 10 + (p[0] - c'0'), <int64_t>EXPONENT_MAX)
            digits = 1
            p += 1
    value[0] = INFINITY if started and point + sign * exponent > 0 else 0.0
    if minus:
        value[0] = -value[0]
    return p == end and digits != 0


cdef bint parse_bound(const Slice* arg, double* score, bint* open) noexcept nogil:
    """Read a bound of a range of scores: a number, with "(" in front if it is not part of the range.

    Other than a score it may be too large for a double, or empty, which is zero; it ends at a zero byte;
    and it is not hexadecimal.
    """
    cdef const char* p = arg.ptr
    cdef const char* end = p + arg.len
    cdef const char* zero = <const char*>memchr(p, 0, arg.len) if arg.len else NULL
    if zero != NULL:
        end = zero
    open[0] = p < end and p[0] == c'('
    if open[0]:
        p += 1
    score[0] = 0.0
    if p == end:
        return True
    if memchr(p, c'x', end - p) != NULL or memchr(p, c'X', end - p) != NULL:
        return False
    return parse_double(p, end - p, score) or parse_extreme(p, end, score)


cdef bint parse_lex(const Slice* arg, LexKind* kind, Slice* bound) noexcept nogil:
    """Read a bound of a range of bytes: "-", "+", or bytes behind "[" or "("."""
    cdef char head = arg.ptr[0] if arg.len else 0
    bound[0] = arg[0]
    if arg.len == 1 and (head == c'-' or head == c'+'):
        kind[0] = LEX_FIRST if head == c'-' else LEX_LAST
        return True
    if head != c'[' and head != c'(':
        return False
    kind[0] = LEX_CLOSED if head == c'[' else LEX_OPEN
    bound.ptr += 1
    bound.len -= 1
    return True


cdef Status parse_range(Session* s, const Slice* low, const Slice* high, Range* r) noexcept nogil:
    """Read the two bounds by the range's kind; FAILED after an error reply."""
    if r.kind == BY_RANK:
        if not parse_int(low.ptr, low.len, &r.start) or not parse_int(high.ptr, high.len, &r.stop):
            return fail(s, b"ERR value is not an integer or out of range")
    elif r.kind == BY_SCORE:
        if not parse_bound(low, &r.scores.min, &r.scores.min_open) or \
                not parse_bound(high, &r.scores.max, &r.scores.max_open):
            return fail(s, b"ERR min or max is not a float")
    elif not parse_lex(low, &r.lex.min_kind, &r.lex.min) or not parse_lex(high, &r.lex.max_kind, &r.lex.max):
        return fail(s, b"ERR min or max not valid string range item")
    return OK


cdef Status parse_options(Session* s, uint32_t at, bint store, Range* r) noexcept nogil:
    """Read the options from argv[at] on; FAILED after an error reply."""
    while at < s.argc:
        if not store and is_word(&s.argv[at], b"withscores"):
            r.with_scores = True
        elif at + 2 < s.argc and is_word(&s.argv[at], b"limit"):
            if not parse_int(s.argv[at + 1].ptr, s.argv[at + 1].len, &r.offset) or \
                    not parse_int(s.argv[at + 2].ptr, s.argv[at + 2].len, &r.count):
                return fail(s, b"ERR value is not an integer or out of range")
            at += 2
        elif r.direction == EITHER and is_word(&s.argv[at], b"rev"):
            r.direction = BACKWARDS
        elif r.kind == BY_ANY and is_word(&s.argv[at], b"bylex"):
            r.kind = BY_LEX
        elif r.kind == BY_ANY and is_word(&s.argv[at], b"byscore"):
            r.kind = BY_SCORE
        else:
            return fail_syntax(s)
        at += 1
    if r.direction == EITHER:
        r.direction = FORWARD
    if r.kind == BY_ANY:
        r.kind = BY_RANK
    if r.kind == BY_RANK and r.count != -1:
        return fail(s, b"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    if r.kind == BY_LEX and r.with_scores:
        return fail(s, b"ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    return OK

# ---------------------------------------------------------------- ranges as spans of ranks

cdef void rank_span(uint64_t length, const Range* r, uint64_t* first, uint64_t* last) noexcept nogil:
    cdef int64_t n = <int64_t>length
    cdef int64_t start = max(r.start + n if r.start < 0 else r.start, <int64_t>0)
    cdef int64_t stop = min(r.stop + n if r.stop < 0 else r.stop, n - 1)
    first[0] = last[0] = 0
    if start > stop:
        return
    if r.direction == BACKWARDS:
        first[0] = <uint64_t>(n - 1 - stop)
        last[0] = <uint64_t>(n - start)
    else:
        first[0] = <uint64_t>start
        last[0] = <uint64_t>(stop + 1)


cdef void span_of(Engine* e, Entry* entry, const Range* r, uint64_t* first, uint64_t* last) noexcept nogil:
    """The ranks of a range, [first, last), cut by LIMIT."""
    cdef uint64_t length
    if r.kind == BY_RANK:
        rank_span(zset_length(e, entry), r, first, last)
        return
    if r.kind == BY_SCORE:
        zset_score_span(e, entry, &r.scores, first, last)
    else:
        zset_lex_span(e, entry, &r.lex, first, last)
    length = last[0] - first[0]
    if r.offset < 0 or <uint64_t>r.offset >= length:
        last[0] = first[0]
        return
    length -= <uint64_t>r.offset
    if r.count >= 0:
        length = min(length, <uint64_t>r.count)
    if r.direction == BACKWARDS:
        last[0] -= <uint64_t>r.offset
        first[0] = last[0] - length
    else:
        first[0] += <uint64_t>r.offset
        last[0] = first[0] + length


cdef void reply_span(Session* s, Entry* entry, uint64_t first, uint64_t last, const Range* r) noexcept nogil:
    cdef uint64_t n = last - first
    cdef bint backwards = r.direction == BACKWARDS
    cdef Slice member
    cdef double score
    cdef ZsetWalk w
    reply_array(&s.out, pair_elements(&s.out, n, r.with_scores))
    if n == 0:
        return
    zset_seek_rank(s.engine, entry, last if backwards else first, &w)
    while n and (zset_walk_back(&w, &member, &score) if backwards else zset_walk_next(&w, &member, &score)):
        if r.with_scores:
            reply_pair(&s.out, &member, score, False)
        else:
            reply_bulk(&s.out, member.ptr, member.len)
        n -= 1


cdef void range_init(Range* r, RangeKind kind, Direction direction) noexcept nogil:
    r.kind = kind
    r.direction = direction
    r.with_scores = False
    r.offset = 0
    r.count = -1


cdef Status parse_from(Session* s, uint32_t at, bint store, Range* r) noexcept nogil:
    """Read bounds at argv[at] and the options behind them. A range by score or bytes that runs backwards is
    given from its upper end.
    """
    if parse_options(s, at + 2, store, r) != OK:
        return FAILED
    if r.direction == BACKWARDS and r.kind != BY_RANK:
        return parse_range(s, &s.argv[at + 1], &s.argv[at], r)
    return parse_range(s, &s.argv[at], &s.argv[at + 1], r)

# ---------------------------------------------------------------- reading

cdef Status reply_range(Session* s, RangeKind kind, Direction direction) noexcept nogil:
    cdef uint64_t first, last
    cdef Range r
    cdef Found f
    range_init(&r, kind, direction)
    if parse_from(s, 2, False, &r) != OK or find_zset(s, 1, LOOK_READ, &f) != OK:
        return FAILED
    if f.entry == NULL:
        reply_array(&s.out, 0)
        return OK
    span_of(s.engine, f.entry, &r, &first, &last)
    reply_span(s, f.entry, first, last, &r)
    return OK


define("ZRANGE", fn(cmd_zrange), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="sorted-set",
       since="1.2.0",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
       history=(("6.2.0", "Options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`."),),
       summary="Returns the members within a range of ranks, scores or bytes.")
cdef Status cmd_zrange(Session* s) noexcept nogil:
    return reply_range(s, BY_ANY, EITHER)


define("ZREVRANGE", fn(cmd_zrevrange), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="1.2.0",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key start:integer stop:integer [WITHSCORES]", deprecated_since="6.2.0",
       replaced_by="`ZRANGE` with the `REV` argument",
       summary="Returns the members within a range of ranks counted from the highest score.")
cdef Status cmd_zrevrange(Session* s) noexcept nogil:
    return reply_range(s, BY_RANK, BACKWARDS)


define("ZRANGEBYSCORE", fn(cmd_zrangebyscore), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="1.0.5",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key min:double max:double [WITHSCORES] [LIMIT offset count]", history=(("2.0.0", "Option `WITHSCORES`."),),
       deprecated_since="6.2.0", replaced_by="`ZRANGE` with the `BYSCORE` argument",
       summary="Returns the members within a range of scores.")
cdef Status cmd_zrangebyscore(Session* s) noexcept nogil:
    return reply_range(s, BY_SCORE, FORWARD)


define("ZREVRANGEBYSCORE", fn(cmd_zrevrangebyscore), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="2.2.0",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key max:double min:double [WITHSCORES] [LIMIT offset count]", history=(("2.1.6", "Bounds may be open."),),
       deprecated_since="6.2.0", replaced_by="`ZRANGE` with the `REV` and `BYSCORE` arguments",
       summary="Returns the members within a range of scores, the highest first.")
cdef Status cmd_zrevrangebyscore(Session* s) noexcept nogil:
    return reply_range(s, BY_SCORE, BACKWARDS)


define("ZRANGEBYLEX", fn(cmd_zrangebylex), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="2.8.9",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key min max [LIMIT offset count]", deprecated_since="6.2.0",
       replaced_by="`ZRANGE` with the `BYLEX` argument",
       summary="Returns the members within a range of bytes, where all scores are equal.")
cdef Status cmd_zrangebylex(Session* s) noexcept nogil:
    return reply_range(s, BY_LEX, FORWARD)


define("ZREVRANGEBYLEX", fn(cmd_zrevrangebylex), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="2.8.9",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key max min [LIMIT offset count]", deprecated_since="6.2.0",
       replaced_by="`ZRANGE` with the `REV` and `BYLEX` arguments",
       summary="Returns the members within a range of bytes, the last first, where all scores are equal.")
cdef Status cmd_zrevrangebylex(Session* s) noexcept nogil:
    return reply_range(s, BY_LEX, BACKWARDS)


define("ZRANGESTORE", fn(cmd_zrangestore), arity=-5, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "OW update"), KeySpec(2, 2, 1, "RO access")), group="sorted-set", since="6.2.0",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]",
       summary="Stores the members within a range of another sorted set.")
cdef Status cmd_zrangestore(Session* s) noexcept nogil:
    cdef ScoredList list = [NULL, 0, 0, NULL, 0, False]
    cdef uint64_t first, last
    cdef Status status
    cdef Slice member
    cdef double score
    cdef ZsetWalk w
    cdef Range r
    cdef Found f
    range_init(&r, BY_ANY, EITHER)
    if parse_from(s, 3, True, &r) != OK or find_zset(s, 2, LOOK_READ, &f) != OK:
        return FAILED
    if f.entry != NULL:
        span_of(s.engine, f.entry, &r, &first, &last)
        zset_seek_rank(s.engine, f.entry, first, &w)
        while first < last and zset_walk_next(&w, &member, &score):
            list_add_walked(&list, &member, score, &w, sizeof(w))
            first += 1
    status = store_result(s, 1, &list, b"zrangestore")
    list_free(&list)
    return status

# ---------------------------------------------------------------- counting

cdef Status reply_count(Session* s, RangeKind kind) noexcept nogil:
    cdef uint64_t first = 0, last = 0
    cdef Range r
    cdef Found f
    range_init(&r, kind, FORWARD)
    if parse_range(s, &s.argv[2], &s.argv[3], &r) != OK or find_zset(s, 1, LOOK_READ, &f) != OK:
        return FAILED
    if f.entry != NULL:
        span_of(s.engine, f.entry, &r, &first, &last)
    reply_int(&s.out, <int64_t>(last - first))
    return OK


define("ZCOUNT", fn(cmd_zcount), arity=4, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="2.0.0", cost="O(log(N)) for N members",
       args="key min:double max:double", summary="Counts the members within a range of scores.")
cdef Status cmd_zcount(Session* s) noexcept nogil:
    return reply_count(s, BY_SCORE)


define("ZLEXCOUNT", fn(cmd_zlexcount), arity=4, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO access"),
       group="sorted-set", since="2.8.9", cost="O(log(N)) for N members",
       args="key min max", summary="Counts the members within a range of bytes, where all scores are equal.")
cdef Status cmd_zlexcount(Session* s) noexcept nogil:
    return reply_count(s, BY_LEX)

# ---------------------------------------------------------------- removing

cdef Status remove_range(Session* s, RangeKind kind, const char* event) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef uint64_t first = 0, last = 0
    cdef Status status
    cdef Range r
    cdef Found f
    range_init(&r, kind, FORWARD)
    if parse_range(s, &s.argv[2], &s.argv[3], &r) != OK or find_zset(s, 1, LOOK_WRITE, &f) != OK:
        return FAILED
    if f.entry != NULL:
        span_of(e, f.entry, &r, &first, &last)
    if first < last:
        status = zset_remove_span(e, &f, first, last - first)
        if status != OK:
            return fail_status(s, status)
        signal_modified(e, s.db, key, s.hash)
        notify(e, EVENT_ZSET, event, key, s.db)
        drop_if_empty(s, key, &f)
    reply_int(&s.out, <int64_t>(last - first))
    return OK


define("ZREMRANGEBYRANK", fn(cmd_zremrangebyrank), arity=4, flags=WRITE, keys=KeySpec(1, 1, 1, "RW delete"),
       group="sorted-set", since="2.0.0",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key start:integer stop:integer", summary="Removes the members within a range of ranks.")
cdef Status cmd_zremrangebyrank(Session* s) noexcept nogil:
    return remove_range(s, BY_RANK, b"zremrangebyrank")


define("ZREMRANGEBYSCORE", fn(cmd_zremrangebyscore), arity=4, flags=WRITE, keys=KeySpec(1, 1, 1, "RW delete"),
       group="sorted-set", since="1.2.0",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key min:double max:double", summary="Removes the members within a range of scores.")
cdef Status cmd_zremrangebyscore(Session* s) noexcept nogil:
    return remove_range(s, BY_SCORE, b"zremrangebyscore")


define("ZREMRANGEBYLEX", fn(cmd_zremrangebylex), arity=4, flags=WRITE, keys=KeySpec(1, 1, 1, "RW delete"),
       group="sorted-set", since="2.8.9",
       cost="O(log(N)+M) for N members, M of them concerned",
       args="key min max", summary="Removes the members within a range of bytes, where all scores are equal.")
cdef Status cmd_zremrangebylex(Session* s) noexcept nogil:
    return remove_range(s, BY_LEX, b"zremrangebylex")
