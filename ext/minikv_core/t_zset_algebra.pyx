"""Sorted sets: unions, intersections and differences of sorted sets and sets, whose members have the score 1.

The result is collected in process memory, sorted, and replied or stored. An intersection goes through its
smallest source and looks the others up, a difference goes through its first; a union needs a hash index.
Scores are added up in order of the sources' lengths, as Redis does: that decides the last bit of a sum.
"""

from libc.math cimport isnan
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, qsort
from libc.string cimport memcmp
from minikv_core.engine cimport DENYOOM, READONLY, WRITE, Engine, Session
from minikv_core.entry cimport Entry, entry_kind
from minikv_core.keyspace cimport LOOK_READ, Found, key_hash, look_up
from minikv_core.numbers cimport parse_double, parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_int
from minikv_core.session cimport fail_bytes, fail, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.t_set cimport SetWalk, set_has, set_length, set_walk_begin, set_walk_next
from minikv_core.t_zset cimport Scored, ScoredList, ZsetWalk, zset_length, zset_score, zset_walk_begin, zset_walk_next
from minikv_core.t_zset_shared cimport (
    compare_scored, list_add_walked, list_free, pair_elements, reply_pair, store_result,
)
from minikv_core.types cimport FAILED, NO_MEMORY, OK, SET, ZSET, Slice, Status

from minikv_core.registry import KeyNum, KeySpec, define

cdef enum Operation:
    UNION = 0
    INTERSECTION = 1
    DIFFERENCE = 2
    COUNT = 3               # an intersection whose length is all that is wanted

cdef enum Aggregate:
    SUM = 0
    LEAST = 1
    MOST = 2

cdef struct Source:
    Entry*   entry          # NULL = the key is missing
    bint     scored         # a sorted set
    double   weight
    uint64_t length

cdef struct SourceWalk:
    bint     scored
    ZsetWalk zset
    SetWalk  plain

cdef struct Request:
    Operation operation
    Aggregate aggregate
    bint      store
    bint      with_scores
    uint64_t  limit         # COUNT: members after which to stop
    uint32_t  count         # sources
    Source*   sources       # malloc'd

# ---------------------------------------------------------------- the request

cdef Status read_sources(Session* s, uint32_t at, Request* r) noexcept nogil:
    """Look up the keys whose number is argv[at]; FAILED after an error reply."""
    cdef Engine* e = s.engine
    cdef int64_t count
    cdef uint32_t i
    cdef Source* source
    cdef Found f
    cdef char[128] text
    if not parse_int(s.argv[at].ptr, s.argv[at].len, &count):
        return fail(s, b"ERR value is not an integer or out of range")
    if count < 1:
        return fail_bytes(s, text, <size_t>snprintf(
            text, sizeof(text), b"ERR at least 1 input key is needed for '%s' command", s.command.name))
    if count > <int64_t>(s.argc - at - 1):
        return fail_syntax(s)
    r.sources = <Source*>calloc(<size_t>count, sizeof(Source))
    if r.sources == NULL:
        return fail_status(s, NO_MEMORY)
    r.count = <uint32_t>count
    for i in range(r.count):
        source = &r.sources[i]
        source.weight = 1.0
        if not look_up(s, &s.argv[at + 1 + i], key_hash(e, &s.argv[at + 1 + i]), LOOK_READ, &f):
            continue
        source.entry = f.entry
        source.scored = entry_kind(f.entry) == ZSET
        if source.scored:
            source.length = zset_length(e, f.entry)
        elif entry_kind(f.entry) == SET:
            source.length = set_length(e, f.entry)
        else:
            return fail_wrong_type(s)
    return OK


cdef Status read_weights(Session* s, uint32_t at, Request* r) noexcept nogil:
    cdef uint32_t i
    for i in range(r.count):
        if not parse_double(s.argv[at + i].ptr, s.argv[at + i].len, &r.sources[i].weight):
            return fail(s, b"ERR weight value is not a float")
    return OK


cdef Status read_options(Session* s, uint32_t at, Request* r) noexcept nogil:
    """Read the options from argv[at] on; FAILED after an error reply."""
    cdef bint weighs = r.operation == UNION or r.operation == INTERSECTION
    cdef int64_t limit
    while at < s.argc:
        if weighs and s.argc - at > r.count and is_word(&s.argv[at], b"weights"):
            if read_weights(s, at + 1, r) != OK:
                return FAILED
            at += r.count + 1
        elif weighs and at + 1 < s.argc and is_word(&s.argv[at], b"aggregate"):
            if is_word(&s.argv[at + 1], b"sum"):
                r.aggregate = SUM
            elif is_word(&s.argv[at + 1], b"min"):
                r.aggregate = LEAST
            elif is_word(&s.argv[at + 1], b"max"):
                r.aggregate = MOST
            else:
                return fail_syntax(s)
            at += 2
        elif r.operation != COUNT and not r.store and is_word(&s.argv[at], b"withscores"):
            r.with_scores = True
            at += 1
        elif r.operation == COUNT and at + 1 < s.argc and is_word(&s.argv[at], b"limit"):
            if not parse_int(s.argv[at + 1].ptr, s.argv[at + 1].len, &limit) or limit < 0:
                return fail(s, b"ERR LIMIT can't be negative")
            r.limit = <uint64_t>limit if limit else UINT64_MAX
            at += 2
        else:
            return fail_syntax(s)
    return OK


cdef void sort_sources(Request* r) noexcept nogil:
    """By length, the shortest first; equal ones keep their order."""
    cdef uint32_t i, j
    cdef Source source
    for i in range(1, r.count):
        source = r.sources[i]
        j = i
        while j and r.sources[j - 1].length > source.length:
            r.sources[j] = r.sources[j - 1]
            j -= 1
        r.sources[j] = source

# ---------------------------------------------------------------- sources

cdef void walk_begin(Engine* e, const Source* source, SourceWalk* w) noexcept nogil:
    w.scored = source.scored
    if source.scored:
        zset_walk_begin(e, source.entry, &w.zset)
    else:
        set_walk_begin(e, source.entry, &w.plain)


cdef inline bint walk_next(SourceWalk* w, Slice* member, double* score) noexcept nogil:
    if w.scored:
        return zset_walk_next(&w.zset, member, score)
    score[0] = 1.0
    return set_walk_next(&w.plain, member)


cdef inline bint find_member(Engine* e, const Source* source, const Slice* member, double* score) noexcept nogil:
    if source.entry == NULL:
        return False
    if source.scored:
        return zset_score(e, source.entry, member, score)
    score[0] = 1.0
    return set_has(e, source.entry, member)


cdef inline double weighted(const Source* source, double score) noexcept nogil:
    score *= source.weight
    return 0.0 if isnan(score) else score


cdef inline double together(Aggregate aggregate, double a, double b) noexcept nogil:
    """Two scores of one member as one; what is no number (inf - inf) is 0."""
    cdef double sum
    if aggregate == LEAST:
        return b if b < a else a
    if aggregate == MOST:
        return b if b > a else a
    sum = a + b
    return 0.0 if isnan(sum) else sum

# ---------------------------------------------------------------- the operations

cdef void intersect(Engine* e, const Request* r, ScoredList* list, uint64_t* count) noexcept nogil:
    """count    members found; with COUNT they are not listed"""
    cdef Slice member
    cdef double score, other = 0.0
    cdef SourceWalk w
    cdef uint32_t i
    if r.sources[0].length == 0:
        return
    walk_begin(e, &r.sources[0], &w)
    while count[0] < r.limit and walk_next(&w, &member, &score):
        score = weighted(&r.sources[0], score)
        i = 1
        while i < r.count and find_member(e, &r.sources[i], &member, &other):
            score = together(r.aggregate, score, weighted(&r.sources[i], other))
            i += 1
        if i < r.count:
            continue
        count[0] += 1
        if r.operation != COUNT and not list_add_walked(list, &member, score, &w, sizeof(w)):
            return


cdef void subtract(Engine* e, const Request* r, ScoredList* list) noexcept nogil:
    cdef Slice member
    cdef double score, other = 0.0
    cdef SourceWalk w
    cdef uint32_t i
    if r.sources[0].length == 0:
        return
    walk_begin(e, &r.sources[0], &w)
    while walk_next(&w, &member, &score):
        i = 1
        while i < r.count and not find_member(e, &r.sources[i], &member, &other):
            i += 1
        if i == r.count and not list_add_walked(list, &member, score, &w, sizeof(w)):
            return


cdef bint add_source(Engine* e, const Request* r, const Source* source, uint32_t* index, uint64_t mask,
                     ScoredList* list) noexcept nogil:
    """Add a source's members to a union; False = no memory.

    index    open hash index of the list, mask + 1 places, with positions + 1
    """
    cdef Slice member
    cdef double score
    cdef SourceWalk w
    cdef Scored* item
    cdef uint64_t at
    walk_begin(e, source, &w)
    while walk_next(&w, &member, &score):
        score = weighted(source, score)
        at = key_hash(e, &member) & mask
        while index[at]:
            item = &list.items[index[at] - 1]
            if item.len == member.len and (member.len == 0 or memcmp(item.ptr, member.ptr, member.len) == 0):
                item.score = together(r.aggregate, item.score, score)
                break
            at = (at + 1) & mask
        if index[at] == 0:
            if not list_add_walked(list, &member, score, &w, sizeof(w)):
                return False
            index[at] = <uint32_t>list.count
    return True


cdef void unite(Engine* e, const Request* r, ScoredList* list) noexcept nogil:
    cdef uint64_t total = 0, room = 16
    cdef uint32_t* index
    cdef uint32_t i
    for i in range(r.count):
        total += r.sources[i].length
    while room < 2 * total:
        room *= 2
    index = <uint32_t*>calloc(room, sizeof(uint32_t)) if total <= <uint64_t>0xFFFFFFFF else NULL
    if index == NULL:
        list.failed = True
        return
    for i in range(r.count):
        if r.sources[i].length and not add_source(e, r, &r.sources[i], index, room - 1, list):
            break
    free(index)


cdef int compare_items(const void* a, const void* b) noexcept nogil:
    return compare_scored(<const Scored*>a, <const Scored*>b)


cdef Status answer(Session* s, const Request* r, ScoredList* list, const char* event) noexcept nogil:
    """Sort what was collected, and store or reply with it."""
    cdef Slice member
    cdef uint64_t i
    if list.failed:
        return fail_status(s, NO_MEMORY)
    if list.count:
        qsort(list.items, list.count, sizeof(Scored), compare_items)
    if r.store:
        return store_result(s, 1, list, event)
    reply_array(&s.out, pair_elements(&s.out, list.count, r.with_scores))
    for i in range(list.count):
        member.ptr = <char*>list.items[i].ptr
        member.len = list.items[i].len
        if r.with_scores:
            reply_pair(&s.out, &member, list.items[i].score, False)
        else:
            reply_bulk(&s.out, member.ptr, member.len)
    return OK


cdef Status combine(Session* s, Operation operation, const char* event) noexcept nogil:
    """event    of the STORE form; NULL = the result is the reply"""
    cdef ScoredList list = [NULL, 0, 0, NULL, 0, False]
    cdef uint32_t at = 1 if event == NULL else 2
    cdef uint64_t count = 0
    cdef Status status
    cdef Request r
    r.operation = operation
    r.aggregate = SUM
    r.store = event != NULL
    r.with_scores = False
    r.limit = UINT64_MAX
    r.count = 0
    r.sources = NULL
    status = read_sources(s, at, &r)
    if status == OK:
        status = read_options(s, at + 1 + r.count, &r)
    if status == OK:
        if operation == DIFFERENCE:
            subtract(s.engine, &r, &list)
        else:
            sort_sources(&r)
        if operation == UNION:
            unite(s.engine, &r, &list)
        elif operation != DIFFERENCE:
            intersect(s.engine, &r, &list, &count)
        if operation == COUNT:
            reply_int(&s.out, <int64_t>count)
        else:
            status = answer(s, &r, &list, event)
    free(r.sources)
    list_free(&list)
    return status

# ---------------------------------------------------------------- commands

STORE_KEYS = (KeySpec(1, 1, 1, "OW update"), KeyNum(2, 3, "RO access"))

define("ZUNION", fn(cmd_zunion), arity=-3, flags=READONLY, keys=KeyNum(1, 2, "RO access"), group="sorted-set",
       since="6.2.0",
       cost="O(N)+O(M*log(M)) for N members in all sets, M in the result",
       args="numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>] [WITHSCORES]",
       summary="Returns the union of sorted sets.")
cdef Status cmd_zunion(Session* s) noexcept nogil:
    return combine(s, UNION, NULL)


define("ZINTER", fn(cmd_zinter), arity=-3, flags=READONLY, keys=KeyNum(1, 2, "RO access"), group="sorted-set",
       since="6.2.0",
       cost="O(N*K)+O(M*log(M)) at worst: N members in the smallest of K sets, M in the result",
       args="numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>] [WITHSCORES]",
       summary="Returns the intersection of sorted sets.")
cdef Status cmd_zinter(Session* s) noexcept nogil:
    return combine(s, INTERSECTION, NULL)


define("ZDIFF", fn(cmd_zdiff), arity=-3, flags=READONLY, keys=KeyNum(1, 2, "RO access"), group="sorted-set",
       since="6.2.0",
       cost="O(L + (N-K)log(N)) at worst: L members in all sets, N in the first, K in the result",
       args="numkeys key [key ...] [WITHSCORES]",
       summary="Returns the members of the first sorted set that are in none of the others.")
cdef Status cmd_zdiff(Session* s) noexcept nogil:
    return combine(s, DIFFERENCE, NULL)


define("ZUNIONSTORE", fn(cmd_zunionstore), arity=-4, flags=WRITE | DENYOOM, keys=STORE_KEYS, group="sorted-set",
       since="2.0.0",
       cost="O(N)+O(M log(M)) for N members in all sets, M in the result",
       args="destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]",
       summary="Stores the union of sorted sets.")
cdef Status cmd_zunionstore(Session* s) noexcept nogil:
    return combine(s, UNION, b"zunionstore")


define("ZINTERSTORE", fn(cmd_zinterstore), arity=-4, flags=WRITE | DENYOOM, keys=STORE_KEYS, group="sorted-set",
       since="2.0.0",
       cost="O(N*K)+O(M*log(M)) at worst: N members in the smallest of K sets, M in the result",
       args="destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM|MIN|MAX>]",
       summary="Stores the intersection of sorted sets.")
cdef Status cmd_zinterstore(Session* s) noexcept nogil:
    return combine(s, INTERSECTION, b"zinterstore")


define("ZDIFFSTORE", fn(cmd_zdiffstore), arity=-4, flags=WRITE | DENYOOM, keys=STORE_KEYS, group="sorted-set",
       since="6.2.0",
       cost="O(L + (N-K)log(N)) at worst: L members in all sets, N in the first, K in the result",
       args="destination numkeys key [key ...]",
       summary="Stores the members of the first sorted set that are in none of the others.")
cdef Status cmd_zdiffstore(Session* s) noexcept nogil:
    return combine(s, DIFFERENCE, b"zdiffstore")


define("ZINTERCARD", fn(cmd_zintercard), arity=-3, flags=READONLY, keys=KeyNum(1, 2, "RO access"),
       group="sorted-set", since="7.0.0",
       cost="O(N*K) at worst: N members in the smallest of K sets",
       args="numkeys key [key ...] [LIMIT limit]",
       summary="Counts the members of the intersection of sorted sets.")
cdef Status cmd_zintercard(Session* s) noexcept nogil:
    return combine(s, COUNT, NULL)
