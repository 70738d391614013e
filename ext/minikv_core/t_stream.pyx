"""Streams: adding, listing, deleting and trimming entries.

Form. Always FORM_LARGE: the entry holds the reference of a Stream (stream.pxd). A stream stays when its
last entry goes.

Order of events. "new" when a key is made, "xadd", then "xtrim" if entries went; "xdel" and "xsetid".
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, strlen
from minikv_core.arena cimport Arena, arena_at, arena_free, undo_note
from minikv_core.engine cimport *
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, notify, place_value, remove_key, signal_modified, signal_ready,
)
from minikv_core.memory cimport store_u32, unlikely
from minikv_core.numbers cimport parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_int, reply_null, reply_null_array, reply_ok
from minikv_core.session cimport fail, fail_arity, fail_bytes, fail_status, fail_syntax, is_word
from minikv_core.stream cimport *
from minikv_core.stream_group cimport (
    drop_references, group_at, is_free, is_referenced, name_find, pending_find, pending_remove,
)
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

cdef enum References:       # what becomes of the groups' references to entries that go
    KEEP_REFERENCES = 0     # KEEPREF
    DROP_REFERENCES = 1     # DELREF
    IF_ACKNOWLEDGED = 2     # ACKED

cdef enum:
    GONE = 1                # replies of XDELEX and XACKDEL, by ID
    NOT_THERE = -1
    STILL_NEEDED = 2
    MOST_TRIMMED = 1000000  # entries that an inexact trim deletes at most, and
    TRIMMED = 10000         # if stream-node-max-entries says nothing

cdef struct AddOptions:     # of XADD and XTRIM
    Trim     trim
    bint     limited        # LIMIT was given
    bint     only_existing  # NOMKSTREAM
    bint     any_id         # "*"
    bint     any_seq        # "ms-*"
    StreamID id
    uint32_t at             # of the first field

# ---------------------------------------------------------------- arguments

cdef bint read_unsigned(const char* p, uint32_t n, uint64_t* value) noexcept nogil:
    """Read an unsigned number as strtoull does: spaces and a sign may stand in front."""
    cdef int64_t number
    cdef uint64_t v = 0, digit
    cdef uint32_t i = 0
    cdef bint minus = False
    if parse_int(p, n, &number):
        value[0] = <uint64_t>number
        return number >= 0
    while i < n and (p[i] == c' ' or c'\t' <= p[i] <= c'\r'):
        i += 1
    if i < n and (p[i] == c'-' or p[i] == c'+'):
        minus = p[i] == c'-'
        i += 1
    if i == n:
        return False
    while i < n:
        if not c'0' <= p[i] <= c'9':
            return False
        digit = <uint64_t>(p[i] - c'0')
        if v > (<uint64_t>-1 - digit) // 10:
            return False
        v = v * 10 + digit
        i += 1
    value[0] = ~v + 1 if minus else v
    return True


cdef bint split_id(const Slice* arg, uint64_t seq, StreamID* id, bint* any_seq) noexcept nogil:
    """Read "ms" or "ms-seq"; if any_seq is not NULL, also "ms-*"."""
    cdef uint32_t i = 0
    if arg.len > 127:
        return False
    id.seq = seq
    while i < arg.len and arg.ptr[i] != c'-':
        i += 1
    if not read_unsigned(arg.ptr, i, &id.ms):
        return False
    if i == arg.len:
        return True
    if any_seq != NULL and arg.len == i + 2 and arg.ptr[i + 1] == c'*':
        id.seq = 0
        any_seq[0] = True
        return True
    return read_unsigned(arg.ptr + i + 1, arg.len - i - 1, &id.seq)


cdef bint read_id(const Slice* arg, uint64_t seq, StreamID* id) noexcept nogil:
    return split_id(arg, seq, id, NULL)


cdef bint bad_id(Session* s) noexcept nogil:
    fail(s, b"ERR Invalid stream ID specified as stream command argument")
    return False


cdef bint parse_id(Session* s, const Slice* arg, uint64_t seq, StreamID* id) noexcept nogil:
    return read_id(arg, seq, id) or bad_id(s)


cdef bint parse_any_id(Session* s, const Slice* arg, uint64_t seq, StreamID* id) noexcept nogil:
    if is_char(arg, c'-'):
        id.ms = id.seq = 0
        return True
    if is_char(arg, c'+'):
        id.ms = id.seq = <uint64_t>-1
        return True
    return parse_id(s, arg, seq, id)


cdef bint parse_bound(Session* s, const Slice* arg, bint at_end, StreamID* id) noexcept nogil:
    cdef uint64_t seq = <uint64_t>-1 if at_end else 0
    cdef Slice rest
    if arg.len < 2 or arg.ptr[0] != c'(':
        return parse_any_id(s, arg, seq, id)
    rest.ptr = arg.ptr + 1
    rest.len = arg.len - 1
    if not parse_id(s, &rest, seq, id):
        return False
    if at_end and not id_previous(id):
        fail(s, b"ERR invalid end ID for the interval")
        return False
    if not at_end and not id_next(id):
        fail(s, b"ERR invalid start ID for the interval")
        return False
    return True


cdef bint parse_number(Session* s, const Slice* arg, const char* error, int64_t* n) noexcept nogil:
    if parse_int(arg.ptr, arg.len, n):
        return True
    if error != NULL:
        fail(s, error)
    else:
        fail_status(s, BAD_INT)
    return False


cdef Status fail_names(Session* s, const char* before, const Slice* name, const char* between, const Slice* other,
                       const char* behind) noexcept nogil:
    cdef size_t n = strlen(before) + strlen(between) + strlen(behind) + name.len
    cdef char* text
    cdef char* p
    if other != NULL:
        n += other.len
    text = <char*>malloc(n + 1)
    if text == NULL:
        return fail_status(s, NO_MEMORY)
    p = append(text, before, strlen(before))
    p = append(p, name.ptr, name.len)
    p = append(p, between, strlen(between))
    if other != NULL:
        p = append(p, other.ptr, other.len)
    append(p, behind, strlen(behind))
    fail_bytes(s, text, n)
    free(text)
    return FAILED


cdef inline char* append(char* to, const char* p, size_t n) noexcept nogil:
    if n:
        memcpy(to, p, n)
    return to + n

# ---------------------------------------------------------------- XADD

cdef bint parse_trim(Session* s, uint32_t* at, Trim* t) noexcept nogil:
    """Read what follows MAXLEN or MINID at argv[at]; `at` moves to its last word. False after an error reply."""
    cdef bint by_length = is_word(&s.argv[at[0]], b"maxlen")
    cdef uint32_t more = s.argc - 1 - at[0]
    cdef Slice* word
    cdef int64_t length
    if t.by != TRIM_NOTHING:
        fail(s, b"ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        return False
    at[0] += 1
    word = &s.argv[at[0]]
    t.about = False
    if more >= 2 and (is_char(word, c'~') or is_char(word, c'=')):
        t.about = word.ptr[0] == c'~'
        at[0] += 1
        word += 1
    if by_length:
        if not parse_number(s, word, NULL, &length):
            return False
        if length < 0:
            fail(s, b"ERR The MAXLEN argument must be >= 0.")
            return False
        t.length = <uint64_t>length
        t.by = TRIM_LENGTH
    else:
        if not parse_id(s, word, 0, &t.least):
            return False
        t.by = TRIM_ID
    return True


cdef bint parse_references(const Slice* word, int* references) noexcept nogil:
    """Whether a word is KEEPREF, DELREF or ACKED."""
    if is_word(word, b"keepref"):
        references[0] = KEEP_REFERENCES
    elif is_word(word, b"delref"):
        references[0] = DROP_REFERENCES
    elif is_word(word, b"acked"):
        references[0] = IF_ACKNOWLEDGED
    else:
        return False
    return True


cdef bint parse_add(Session* s, bint adds, AddOptions* o) noexcept nogil:
    """Read the options of XADD (and its ID) or XTRIM from argv[2] on; False after an error reply."""
    cdef uint32_t at = 2
    cdef int references = KEEP_REFERENCES
    cdef int64_t limit = 0
    cdef Slice* word
    cdef bint more, given = False
    o.trim.by = TRIM_NOTHING
    o.trim.about = False
    o.trim.may_go = NULL
    o.limited = o.only_existing = o.any_id = o.any_seq = False
    while at < s.argc:
        word = &s.argv[at]
        more = at + 1 < s.argc
        if adds and is_char(word, c'*'):
            o.any_id = True
            break
        if more and (is_word(word, b"maxlen") or is_word(word, b"minid")):
            if not parse_trim(s, &at, &o.trim):
                return False
        elif more and is_word(word, b"limit"):
            at += 1
            if not parse_number(s, &s.argv[at], NULL, &limit):
                return False
            if limit < 0:
                fail(s, b"ERR The LIMIT argument must be >= 0.")
                return False
            o.limited = True
        elif adds and is_word(word, b"nomkstream"):
            o.only_existing = True
        elif not given and parse_references(word, &references):
            given = True
        elif adds:
            if not split_id(word, 0, &o.id, &o.any_seq):
                return bad_id(s)
            break
        else:
            fail_syntax(s)
            return False
        at += 1
    o.at = at + 1
    if limit and o.trim.by == TRIM_NOTHING:
        fail(s, b"ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        return False
    if not adds and o.trim.by == TRIM_NOTHING:
        fail(s, b"ERR syntax error, XTRIM must be called with a trimming strategy")
        return False
    if o.limited and not o.trim.about:
        fail(s, b"ERR syntax error, LIMIT cannot be used without the special ~ option")
        return False
    if o.trim.about and not o.limited:
        limit = s.engine.config.stream_node_max_entries
        limit = 100 * limit if 0 < limit < MOST_TRIMMED // 100 else MOST_TRIMMED if limit else <int64_t>TRIMMED
    o.trim.limit = <uint64_t>limit
    if references == DROP_REFERENCES:
        o.trim.may_go = drop_references
    elif references == IF_ACKNOWLEDGED:
        o.trim.may_go = is_free
    return True


cdef Stream* make_stream(Session* s, const Slice* key, Found* f) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Ref root = stream_new(&e.arena)
    cdef char* payload
    if root == 0:
        return NULL
    payload = place_value(e, s.db, key, f, STREAM, FORM_LARGE, sizeof(Ref), -1)
    if payload == NULL:
        arena_free(&e.arena, root)
        return NULL
    store_u32(payload, root)
    return <Stream*>arena_at(&e.arena, root)


cdef bint next_id(Session* s, const Stream* stream, AddOptions* o) noexcept nogil:
    """Settle the ID of a new entry; False after an error reply."""
    cdef StreamID last
    last.ms = last.seq = 0
    if stream != NULL:
        last = stream.last
    if last.ms == <uint64_t>-1 and last.seq == <uint64_t>-1:
        fail(s, b"ERR The stream has exhausted the last possible ID, unable to add more items")
        return False
    if o.any_id:
        o.id.ms = <uint64_t>s.engine.now_ms
        o.id.seq = 0
        if o.id.ms <= last.ms:
            o.id = last
            id_next(&o.id)
    elif o.any_seq and o.id.ms == last.ms:
        o.id.seq = last.seq
        if last.seq != <uint64_t>-1:
            o.id.seq += 1
    if id_compare(&o.id, &last) <= 0:
        fail(s, b"ERR The ID specified in XADD is equal or smaller than the target stream top item")
        return False
    return True


define("XADD", fn(cmd_xadd), arity=-5, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="stream", since="5.0.0", cost="O(1), and O(N) for N entries that are trimmed",
       args="key [NOMKSTREAM] [KEEPREF|DELREF|ACKED] "
            "[<MAXLEN|MINID> [=|~] threshold [LIMIT count]] <*|id> field value [field value ...]",
       tips=("nondeterministic_output",),
       history=(("6.2.0", "NOMKSTREAM, MINID and LIMIT."), ("7.0.0", "IDs of the form <ms>-*."),
                ("8.2.0", "KEEPREF, DELREF and ACKED.")),
       summary="Add an entry to the end of a stream, creating it if missing.")
cdef Status cmd_xadd(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef AddOptions o
    cdef Stream* stream
    cdef Found f
    cdef uint32_t pairs, i
    cdef uint64_t text = 0
    cdef bint fresh
    if not parse_add(s, True, &o):
        return FAILED
    if o.at >= s.argc or (s.argc - o.at) & 1:
        return fail_arity(s)
    if not (o.any_id or o.any_seq) and (o.id.ms | o.id.seq) == 0:
        return fail(s, b"ERR The ID specified in XADD must be greater than 0-0")
    if not look_up_stream(s, key, s.hash, LOOK_WRITE, &f, &stream):
        return FAILED
    if stream == NULL and o.only_existing:
        reply_null(&s.out)
        return OK
    if not next_id(s, stream, &o):
        return FAILED
    for i in range(o.at, s.argc):
        text += s.argv[i].len
    if text > STREAM_TEXT_MAX:
        return fail(s, b"ERR Elements are too large to be stored")
    fresh = stream == NULL
    if fresh:
        stream = make_stream(s, key, &f)
        if stream == NULL:
            return fail_status(s, NO_MEMORY)
    pairs = (s.argc - o.at) // 2
    if unlikely(stream_append(&e.arena, stream, e.config, &o.id, &s.argv[o.at], pairs) != OK):
        if fresh:
            remove_key(e, s.db, &f, False)
        return fail_status(s, NO_MEMORY)
    if fresh:
        notify(e, EVENT_NEW, b"new", key, s.db)
    reply_id(&s.out, &o.id)
    signal_modified(e, s.db, key, s.hash)
    signal_ready(e, s.db, key, STREAM)
    notify(e, EVENT_STREAM, b"xadd", key, s.db)
    if o.trim.by != TRIM_NOTHING and stream_trim(&e.arena, stream, &o.trim):
        notify(e, EVENT_STREAM, b"xtrim", key, s.db)
    return OK


define("XTRIM", fn(cmd_xtrim), arity=-4, flags=WRITE, keys=KeySpec(1, 1, 1, "RW delete"), group="stream", since="5.0.0",
       cost="O(N), N entries that are deleted",
       args="key <MAXLEN|MINID> [=|~] threshold [LIMIT count] [KEEPREF|DELREF|ACKED]",
       tips=("nondeterministic_output",),
       history=(("6.2.0", "MINID and LIMIT."), ("8.2.0", "KEEPREF, DELREF and ACKED.")),
       summary="Delete the first entries of a stream until it is short enough, or begins late enough.")
cdef Status cmd_xtrim(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef AddOptions o
    cdef Stream* stream
    cdef Found f
    cdef uint64_t gone = 0
    if not parse_add(s, False, &o):
        return FAILED
    if not look_up_stream(s, &s.argv[1], s.hash, LOOK_WRITE, &f, &stream):
        return FAILED
    if stream != NULL:
        gone = stream_trim(&e.arena, stream, &o.trim)
    if gone:
        signal_modified(e, s.db, &s.argv[1], s.hash)
        count_changes(e, gone - 1)
        notify(e, EVENT_STREAM, b"xtrim", &s.argv[1], s.db)
    reply_int(&s.out, <int64_t>gone)
    return OK

# ---------------------------------------------------------------- reading

define("XLEN", fn(cmd_xlen), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="stream", since="5.0.0",
       cost="O(1)", args="key", summary="Count the entries of a stream.")
cdef Status cmd_xlen(Session* s) noexcept nogil:
    cdef Stream* stream
    cdef Found f
    if not look_up_stream(s, &s.argv[1], s.hash, LOOK_READ, &f, &stream):
        return FAILED
    reply_int(&s.out, <int64_t>stream.length if stream != NULL else 0)
    return OK


cdef void reply_range(Session* s, Stream* stream, const StreamID* first, const StreamID* last, bint reverse,
                      uint64_t most) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef StreamWalk w
    cdef uint64_t n = stream_count(a, stream, first, last, most)
    reply_array(&s.out, <int64_t>n)
    stream_seek(a, stream, first, last, reverse, &w)
    while n and stream_next(&w):
        reply_entry(&s.out, &w)
        n -= 1


cdef Status range_command(Session* s, bint reverse) noexcept nogil:
    cdef Stream* stream
    cdef StreamID first, last
    cdef Found f
    cdef int64_t count = -1
    cdef uint32_t at = 4
    if not parse_bound(s, &s.argv[3 if reverse else 2], False, &first):
        return FAILED
    if not parse_bound(s, &s.argv[2 if reverse else 3], True, &last):
        return FAILED
    while at < s.argc:
        if at + 1 == s.argc or not is_word(&s.argv[at], b"count"):
            return fail_syntax(s)
        if not parse_number(s, &s.argv[at + 1], NULL, &count):
            return FAILED
        if count < 0:
            count = 0
        at += 2
    if not look_up_stream(s, &s.argv[1], s.hash, LOOK_READ, &f, &stream):
        return FAILED
    if stream == NULL:
        reply_array(&s.out, 0)
    elif count == 0:
        reply_null_array(&s.out)
    else:
        reply_range(s, stream, &first, &last, reverse, <uint64_t>count)     # -1: all of them
    return OK


define("XRANGE", fn(cmd_xrange), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="stream",
       since="5.0.0", cost="O(log B + N), B blocks, N entries returned", args="key start end [COUNT count]",
       history=(("6.2.0", "Bounds that are left out themselves."),),
       summary="Read the entries in a range of IDs.")
cdef Status cmd_xrange(Session* s) noexcept nogil:
    return range_command(s, False)


define("XREVRANGE", fn(cmd_xrevrange), arity=-4, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="stream",
       since="5.0.0", cost="O(log B + N), B blocks, N entries returned", args="key end start [COUNT count]",
       history=(("6.2.0", "Bounds that are left out themselves."),),
       summary="Read the entries in a range of IDs, the last one first.")
cdef Status cmd_xrevrange(Session* s) noexcept nogil:
    return range_command(s, True)


# ---------------------------------------------------------------- deleting

cdef void tell_deleted(Session* s, uint64_t gone, uint64_t changes) noexcept nogil:
    """Tell of entries that were deleted, if any, and count the changes."""
    if gone:
        signal_modified(s.engine, s.db, &s.argv[1], s.hash)
        changes -= 1
        notify(s.engine, EVENT_STREAM, b"xdel", &s.argv[1], s.db)
    count_changes(s.engine, changes)


define("XDEL", fn(cmd_xdel), arity=-3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW delete"), group="stream",
       since="5.0.0", cost="O(1) an entry", args="key id ...", summary="Delete entries of a stream, and count them.")
cdef Status cmd_xdel(Session* s) noexcept nogil:
    cdef Stream* stream
    cdef StreamID id
    cdef Found f
    cdef uint32_t i
    cdef uint64_t gone = 0
    if not look_up_stream(s, &s.argv[1], s.hash, LOOK_WRITE, &f, &stream):
        return FAILED
    if stream == NULL:
        reply_int(&s.out, 0)
        return OK
    if not check_ids(s, 2, s.argc - 2):
        return FAILED
    for i in range(2, s.argc):
        read_id(&s.argv[i], 0, &id)
        gone += stream_delete(&s.engine.arena, stream, &id)
    tell_deleted(s, gone, gone)
    reply_int(&s.out, <int64_t>gone)
    return OK


cdef int delete_if(Arena* a, Stream* stream, const StreamID* id, int references) noexcept nogil:
    """Delete an entry, under a condition; returns what the reply says of it."""
    if references == IF_ACKNOWLEDGED and is_referenced(a, stream, id):
        return STILL_NEEDED
    if references == DROP_REFERENCES:
        drop_references(a, stream, id)
    return GONE if stream_delete(a, stream, id) else NOT_THERE


cdef struct Deletion:       # what XDELEX and XACKDEL are told
    int      references     # References
    uint32_t ids            # argument of the first ID
    uint32_t count


cdef Status parse_deletion(Session* s, uint32_t at, Deletion* d) noexcept nogil:
    """Read "[KEEPREF|DELREF|ACKED] IDS numids id ...", in either order, at argv[at]."""
    cdef int64_t count
    cdef bint given = False
    d.references = KEEP_REFERENCES
    d.count = 0
    while at < s.argc:
        if at + 1 < s.argc and is_word(&s.argv[at], b"ids"):
            if not parse_int(s.argv[at + 1].ptr, s.argv[at + 1].len, &count) or count <= 0:
                return fail(s, b"ERR Number of IDs must be a positive integer")
            if count > s.argc - at - 2:
                return fail(s, b"ERR The `numids` parameter must match the number of arguments")
            d.ids = at + 2
            d.count = <uint32_t>count
            at += 2 + d.count
        elif not given and parse_references(&s.argv[at], &d.references):
            given = True
            at += 1
        else:
            return fail_syntax(s)
    return OK if d.count else fail_syntax(s)


cdef bint check_ids(Session* s, uint32_t at, uint32_t count) noexcept nogil:
    """Whether there are IDs at argv[at] and behind; else an error has been written."""
    cdef StreamID id
    cdef uint32_t i
    for i in range(count):
        if not parse_id(s, &s.argv[at + i], 0, &id):
            return False
    return True


cdef void reply_none(Session* s, uint32_t count) noexcept nogil:
    """No entry is there."""
    cdef uint32_t _
    reply_array(&s.out, count)
    for _ in range(count):
        reply_int(&s.out, NOT_THERE)


define("XDELEX", fn(cmd_xdelex), arity=-5, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW delete"), group="stream",
       since="8.2.0", cost="O(1) an entry", args="key [KEEPREF|DELREF|ACKED] IDS <numids id ...>",
       summary="Delete entries of a stream, with or unless groups refer to them.")
cdef Status cmd_xdelex(Session* s) noexcept nogil:
    cdef Stream* stream
    cdef StreamID id
    cdef Found f
    cdef Deletion d
    cdef uint32_t i
    cdef uint64_t gone = 0
    cdef int result
    if not look_up_stream(s, &s.argv[1], s.hash, LOOK_WRITE, &f, &stream) or parse_deletion(s, 2, &d) != OK:
        return FAILED
    if stream == NULL:
        reply_none(s, d.count)
        return OK
    if not check_ids(s, d.ids, d.count):
        return FAILED
    reply_array(&s.out, d.count)
    for i in range(d.count):
        read_id(&s.argv[d.ids + i], 0, &id)
        result = delete_if(&s.engine.arena, stream, &id, d.references)
        gone += result == GONE
        reply_int(&s.out, result)
    tell_deleted(s, gone, gone)
    return OK


define("XACKDEL", fn(cmd_xackdel), arity=-6, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update delete"),
       group="stream", since="8.2.0", cost="O(1) an entry", args="key group [KEEPREF|DELREF|ACKED] IDS <numids id ...>",
       summary="Acknowledge entries and delete them, with or unless groups refer to them.")
cdef Status cmd_xackdel(Session* s) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef Stream* stream
    cdef StreamID id
    cdef Found f
    cdef Deletion d
    cdef uint32_t i
    cdef uint64_t gone = 0, acknowledged = 0
    cdef int result
    cdef Ref group = 0, pending
    if not look_up_stream(s, &s.argv[1], s.hash, LOOK_WRITE, &f, &stream) or parse_deletion(s, 3, &d) != OK:
        return FAILED
    if stream != NULL:
        group = name_find(a, &stream.groups, &s.argv[2], NULL)
    if group == 0:
        reply_none(s, d.count)
        return OK
    if not check_ids(s, d.ids, d.count):
        return FAILED
    reply_array(&s.out, d.count)
    for i in range(d.count):
        read_id(&s.argv[d.ids + i], 0, &id)
        result = NOT_THERE
        pending = pending_find(a, &group_at(a, group).pending, &id)
        if pending:
            pending_remove(a, group_at(a, group), pending)
            acknowledged += 1
            result = delete_if(a, stream, &id, d.references)
            gone += result == GONE
            if result == NOT_THERE:         # it was deleted before
                result = GONE
        reply_int(&s.out, result)
    tell_deleted(s, gone, acknowledged)
    return OK


define("XSETID", fn(cmd_xsetid), arity=-3, flags=WRITE | DENYOOM | FAST, keys=KeySpec(1, 1, 1, "RW update"),
       group="stream", since="5.0.0", cost="O(1)",
       args="key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
       history=(("7.0.0", "ENTRIESADDED and MAXDELETEDID."),),
       summary="Set the last ID of a stream, and its counters. For replication.")
cdef Status cmd_xsetid(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Stream* stream
    cdef StreamID id, max_deleted, last
    cdef int64_t added = -1
    cdef uint32_t at = 3
    cdef Found f
    max_deleted.ms = max_deleted.seq = 0
    if not parse_id(s, &s.argv[2], 0, &id):
        return FAILED
    while at < s.argc:
        if at + 1 < s.argc and is_word(&s.argv[at], b"entriesadded"):
            if not parse_number(s, &s.argv[at + 1], NULL, &added):
                return FAILED
            if added < 0:
                return fail(s, b"ERR entries_added must be positive")
        elif at + 1 < s.argc and is_word(&s.argv[at], b"maxdeletedid"):
            if not parse_id(s, &s.argv[at + 1], 0, &max_deleted):
                return FAILED
            if id_compare(&id, &max_deleted) < 0:
                return fail(s, b"ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
        else:
            return fail_syntax(s)
        at += 2
    if not look_up_stream(s, &s.argv[1], s.hash, LOOK_WRITE, &f, &stream):
        return FAILED
    if stream == NULL:
        return fail(s, b"ERR no such key")
    if id_compare(&id, &stream.max_deleted) < 0:
        return fail(s, b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
    if stream.length:
        stream_edge(&e.arena, stream, True, &last)
        if id_compare(&id, &last) < 0:
            return fail(s, b"ERR The ID specified in XSETID is smaller than the target stream top item")
        if added >= 0 and stream.length > <uint64_t>added:
            return fail(s, b"ERR The entries_added specified in XSETID is smaller than the target stream length")
    undo_note(&e.arena, stream, sizeof(Stream))
    stream.last = id
    if added >= 0:
        stream.added = <uint64_t>added
    if max_deleted.ms | max_deleted.seq:
        stream.max_deleted = max_deleted
    reply_ok(&s.out)
    count_changes(e, 1)
    notify(e, EVENT_STREAM, b"xsetid", &s.argv[1], s.db)
    return OK
