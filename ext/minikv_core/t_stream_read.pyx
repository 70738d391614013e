"""XREAD and XREADGROUP: what has come to streams, for one reader or for the consumers of a group.

Both look at all their streams first. If none has anything, they wait (blocking.pyx) and are run again
when something has come. XREADGROUP is run again, too, when a key or a group goes, to say so.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from minikv_core.arena cimport Arena, undo_note
from minikv_core.blocking cimport WAIT_GONE, block_on_keys, parse_timeout, replace_argument
from minikv_core.btree cimport Tree, TreeCursor, tree_next
from minikv_core.engine cimport BLOCKING, EVENT_STREAM, IS_BLOCKED, READONLY, WRITE, Engine, Session
from minikv_core.keyspace cimport Found, LOOK_READ, key_hash, notify
from minikv_core.output cimport Output
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_map, reply_null_array
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word
from minikv_core.stream cimport (
    ID_CHARS, Stream, StreamID, StreamWalk, id_compare, id_format, id_next, id_previous, stream_count, stream_edge,
    stream_next, stream_seek,
)
from minikv_core.stream_group cimport (
    Consumer, Group, Pending, consumer_at, consumer_create, group_advance, group_at, name_find, pending_add, pending_at,
    pending_find, pending_give, pending_seek,
)
from minikv_core.t_stream cimport (
    count_changes, fail_names, is_char, look_up_stream, parse_id, parse_number, reply_entry, reply_id, reply_range,
)
from minikv_core.types cimport *

from minikv_core.registry import KeyWord, define

cdef struct ReadOptions:
    uint32_t keys           # argument of the first key
    uint32_t count          # keys, followed by as many IDs
    uint64_t most           # entries a stream
    bint     waits          # BLOCK
    int64_t  deadline       # Unix time, ms; 0 = none
    Slice*   group          # NULL = none
    Slice*   consumer
    bint     noack

cdef struct Source:         # a stream of XREAD or XREADGROUP
    Stream*  stream         # NULL = there is none
    Group*   group
    Ref      consumer
    StreamID after          # entries behind this one are wanted
    uint64_t most
    bint     history        # of what is pending with the consumer
    bint     ready          # it belongs in the reply

# ---------------------------------------------------------------- arguments

cdef Status parse_read(Session* s, bint grouped, ReadOptions* o) noexcept nogil:
    cdef uint32_t at = 1, more
    cdef int64_t most
    cdef Slice* word
    o.count = 0
    o.most = <uint64_t>-1
    o.waits = o.noack = False
    o.group = o.consumer = NULL
    while at < s.argc and o.count == 0:
        word = &s.argv[at]
        more = s.argc - 1 - at
        if more and is_word(word, b"block"):
            if not parse_timeout(s, &s.argv[at + 1], True, &o.deadline):
                return FAILED
            o.waits = True
            at += 2
        elif more and is_word(word, b"count"):
            if not parse_number(s, &s.argv[at + 1], NULL, &most):
                return FAILED
            o.most = <uint64_t>most if most > 0 else <uint64_t>-1
            at += 2
        elif more and is_word(word, b"streams"):
            if more & 1:
                return fail(s, b"ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be "
                               b"specified." if grouped else
                               b"ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be "
                               b"specified.")
            o.keys = at + 1
            o.count = more // 2
        elif more >= 2 and is_word(word, b"group"):
            if not grouped:
                return fail(s, b"ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
            o.group = word + 1
            o.consumer = word + 2
            at += 3
        elif is_word(word, b"noack"):
            if not grouped:
                return fail(s, b"ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
            o.noack = True
            at += 1
        else:
            return fail_syntax(s)
    if o.count == 0:
        return fail_syntax(s)
    if grouped and o.group == NULL:
        return fail(s, b"ERR Missing GROUP option for XREADGROUP")
    return OK


cdef Status parse_source(Session* s, const ReadOptions* o, uint32_t i, Source* source) noexcept nogil:
    """Look the i-th stream up, and read its ID."""
    cdef Slice* key = &s.argv[o.keys + i]
    cdef Slice* arg = &s.argv[o.keys + o.count + i]
    cdef Arena* a = &s.engine.arena
    cdef Stream* stream
    cdef Found f
    cdef Ref group = 0
    source.ready = source.history = False
    source.most = o.most
    source.group = NULL
    source.after.ms = source.after.seq = 0
    if not look_up_stream(s, key, key_hash(s.engine, key), LOOK_READ, &f, &stream):
        return FAILED
    source.stream = stream
    if o.group != NULL:
        if stream != NULL:
            group = name_find(a, &stream.groups, o.group, NULL)
        if group == 0:
            return fail_names(s, b"NOGROUP No such key '", key, b"' or consumer group '", o.group,
                              b"' in XREADGROUP with GROUP option")
        source.group = group_at(a, group)
    if is_char(arg, c'$'):
        if o.group != NULL:
            return fail(s, b"ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this "
                        b"consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just "
                        b"return an empty result set.")
        if stream != NULL:
            source.after = stream.last
    elif is_char(arg, c'+'):
        if o.group != NULL:
            return fail(s, b"ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this "
                        b"consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just "
                        b"return an empty result set.")
        if stream != NULL:
            stream_edge(a, stream, True, &source.after)
            id_previous(&source.after)
            source.most = 1
    elif is_char(arg, c'>'):
        if o.group == NULL:
            return fail(s, b"ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> "
                        b"option.")
        source.after = source.group.last
    else:
        if not parse_id(s, arg, 0, &source.after):
            return FAILED
        # the last ID of all stands for ">", too
        source.history = o.group != NULL and (source.after.ms & source.after.seq) != <uint64_t>-1
    return OK


cdef Status find_consumer(Session* s, const ReadOptions* o, uint32_t i, Source* source) noexcept nogil:
    """The consumer in the group of the i-th stream, made if it is new."""
    cdef Engine* e = s.engine
    cdef Consumer* c
    source.consumer = name_find(&e.arena, &source.group.consumers, o.consumer, NULL)
    if source.consumer == 0:
        source.consumer = consumer_create(&e.arena, source.group, o.consumer, e.now_ms)
        if source.consumer == 0:
            return fail_status(s, NO_MEMORY)
        count_changes(e, 1)
        notify(e, EVENT_STREAM, b"xgroup-createconsumer", &s.argv[o.keys + i], s.db)
    c = consumer_at(&e.arena, source.consumer)
    undo_note(&e.arena, c, sizeof(Consumer))
    c.seen_ms = e.now_ms
    return OK

# ---------------------------------------------------------------- replies

cdef void reply_streams(Output* o, uint32_t count) noexcept nogil:
    """Begin the reply: so many streams with their entries."""
    if o.protocol == 2:
        reply_array(o, count)
    else:
        reply_map(o, count)


cdef void reply_stream_name(Output* o, const Slice* key) noexcept nogil:
    if o.protocol == 2:
        reply_array(o, 2)
    reply_bulk(o, key.ptr, key.len)


cdef inline void behind(const Source* source, StreamID* first, StreamID* last) noexcept nogil:
    """The range of IDs that is wanted; first > last if it is empty."""
    first[0] = source.after
    last.ms = last.seq = <uint64_t>-1
    if not id_next(first):
        last.ms = last.seq = 0


cdef void reply_new(Session* s, const Source* source) noexcept nogil:
    cdef StreamID first, last
    behind(source, &first, &last)
    reply_range(s, source.stream, &first, &last, False, source.most)


cdef Status give_new(Session* s, Source* source, bint noack) noexcept nogil:
    """Give new entries to a consumer; then `most` says how many. The reply follows when all streams are settled."""
    cdef Engine* e = s.engine
    cdef Arena* a = &e.arena
    cdef StreamWalk w
    cdef StreamID first, last
    cdef uint64_t given = 0
    cdef Consumer* c = consumer_at(a, source.consumer)
    source.after = source.group.last        # it may have moved: a stream can be named twice
    behind(source, &first, &last)
    stream_seek(a, source.stream, &first, &last, False, &w)
    while given < source.most and stream_next(&w):
        if not noack and not give(a, source.group, source.consumer, &w.id, e.now_ms):
            if given == 0:
                return fail_status(s, NO_MEMORY)
            break
        group_advance(a, source.stream, source.group, &w.id)
        given += 1
    source.most = given
    source.ready = given != 0
    if given:
        count_changes(e, 1)
        if not noack:
            undo_note(a, c, sizeof(Consumer))
            c.active_ms = e.now_ms
    return OK


cdef bint give(Arena* a, Group* g, Ref consumer, const StreamID* id, int64_t now_ms) noexcept nogil:
    """Note that an entry is pending with a consumer; it may have been with another (XGROUP SETID)."""
    cdef Ref pending = 0
    if g.pending.count:
        pending = pending_find(a, &g.pending, id)
    if pending:
        return pending_give(a, pending, consumer, now_ms, 1) == OK
    return pending_add(a, g, consumer, id, now_ms, 1) != 0


cdef void count_history(Session* s, Source* source) noexcept nogil:
    """Let `most` say how much of what is pending with a consumer goes into the reply."""
    cdef Tree* pending = &consumer_at(&s.engine.arena, source.consumer).pending
    cdef TreeCursor cursor
    cdef StreamID first, last
    cdef uint64_t n = 0
    behind(source, &first, &last)
    if id_compare(&first, &last) <= 0:
        pending_seek(&s.engine.arena, pending, &first, &cursor)
        n = pending.count - cursor.rank
    if n < source.most:
        source.most = n
    source.ready = True


cdef void reply_history(Session* s, const Source* source) noexcept nogil:
    """What is pending with a consumer, behind an ID; of entries that were deleted, the ID alone."""
    cdef Engine* e = s.engine
    cdef Arena* a = &e.arena
    cdef TreeCursor cursor
    cdef StreamWalk w
    cdef StreamID first, last
    cdef uint64_t n = source.most
    cdef Pending* p
    behind(source, &first, &last)
    reply_array(&s.out, <int64_t>n)
    pending_seek(a, &consumer_at(a, source.consumer).pending, &first, &cursor)
    while n:
        n -= 1
        p = pending_at(a, cursor.ref)
        stream_seek(a, source.stream, &p.id, &p.id, False, &w)
        if stream_next(&w):
            reply_entry(&s.out, &w)
            undo_note(a, p, sizeof(Pending))
            p.given_ms = e.now_ms
            p.count += 1
        else:
            reply_array(&s.out, 2)
            reply_id(&s.out, &p.id)
            reply_null_array(&s.out)
        tree_next(a, &cursor)

# ---------------------------------------------------------------- the commands

cdef bint settle_ids(Session* s, const ReadOptions* o, const Source* sources) noexcept nogil:
    """Replace the IDs that say "from now on" by the last ones of their streams, for a session that waits."""
    cdef char[ID_CHARS] text
    cdef uint32_t i, at
    for i in range(o.count):
        at = o.keys + o.count + i
        if is_char(&s.argv[at], c'$') and not replace_argument(s, at, text, id_format(text, &sources[i].after)):
            return False
    return True


cdef Status wait(Session* s, const ReadOptions* o, const Source* sources) noexcept nogil:
    """Nothing is ready: reply so, or wait."""
    cdef bint waited = s.flags & IS_BLOCKED != 0
    cdef Status status
    if not o.waits:
        reply_null_array(&s.out)
        return OK
    status = block_on_keys(s, o.keys, o.count, STREAM, WAIT_GONE if o.group != NULL else 0, o.deadline)
    if status == BLOCKED and not waited:
        settle_ids(s, o, sources)
    return status


cdef Status read_sources(Session* s, const ReadOptions* o, Source* sources) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef StreamID first, last
    cdef Source* source
    cdef uint32_t i, ready = 0
    for i in range(o.count):
        if parse_source(s, o, i, &sources[i]) != OK:
            return FAILED
    for i in range(o.count):
        source = &sources[i]
        if source.stream == NULL:
            continue
        if o.group != NULL and find_consumer(s, o, i, source) != OK:
            return FAILED
        if source.history:
            count_history(s, source)
        elif o.group != NULL:
            if give_new(s, source, o.noack) != OK:
                return FAILED
        elif id_compare(&source.after, &source.stream.last) < 0:
            behind(source, &first, &last)
            source.ready = stream_count(a, source.stream, &first, &last, 1) != 0
        ready += source.ready
    if ready == 0:
        return wait(s, o, sources)
    reply_streams(&s.out, ready)
    for i in range(o.count):
        source = &sources[i]
        if not source.ready:
            continue
        reply_stream_name(&s.out, &s.argv[o.keys + i])
        if source.history:
            reply_history(s, source)
        else:
            reply_new(s, source)
    return OK


cdef Status read_command(Session* s, bint grouped) noexcept nogil:
    cdef Source[8] few
    cdef Source* sources = few
    cdef ReadOptions o
    cdef Status status
    if parse_read(s, grouped, &o) != OK:
        return FAILED
    if o.count > 8:
        sources = <Source*>malloc(o.count * sizeof(Source))
        if sources == NULL:
            return fail_status(s, NO_MEMORY)
    status = read_sources(s, &o, sources)
    if o.count > 8:
        free(sources)
    return status


define("XREAD", fn(cmd_xread), arity=-4, flags=READONLY | BLOCKING, keys=KeyWord("STREAMS", 1, -1, 1, 2, "RO access"),
       group="stream", since="5.0.0", cost="O(N), N entries returned",
       args="[COUNT count] [BLOCK milliseconds] STREAMS <key ... id ...>",
       summary="Read what has come to streams since given entries, waiting for it if wanted.")
cdef Status cmd_xread(Session* s) noexcept nogil:
    return read_command(s, False)


define("XREADGROUP", fn(cmd_xreadgroup), arity=-7, flags=WRITE | BLOCKING,
       keys=KeyWord("STREAMS", 4, -1, 1, 2, "RO access"), group="stream", since="5.0.0",
       cost="O(N log P), N entries returned, P entries pending",
       args="GROUP <group consumer> [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS <key ... id ...>",
       summary="Read what a group has not read yet, or what is pending with a consumer, waiting for it if wanted.")
cdef Status cmd_xreadgroup(Session* s) noexcept nogil:
    return read_command(s, True)
