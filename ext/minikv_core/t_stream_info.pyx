"""XINFO: what there is to know of a stream, its groups and their consumers."""

from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena
from minikv_core.btree cimport TreeCursor, tree_next, tree_seek_rank
from minikv_core.engine cimport LOADING, READONLY, STALE, Session
from minikv_core.keyspace cimport Found, LOOK_READ
from minikv_core.output cimport Output
from minikv_core.registry cimport fn
from minikv_core.reply cimport (
    reply_array, reply_bulk, reply_int, reply_map, reply_null, reply_simple, reply_text,
)
from minikv_core.session cimport fail, is_word
from minikv_core.stream cimport Stream, StreamID, StreamWalk, stream_next, stream_seek
from minikv_core.stream_group cimport *
from minikv_core.t_stream cimport fail_names, look_up_stream, parse_number, reply_entry, reply_id, reply_range
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

cdef enum:
    FULL_COUNT = 10         # entries and pending ones that FULL shows

cdef Stream* stream_at_2(Session* s) noexcept nogil:
    """The stream that argv[2] names; NULL after an error reply."""
    cdef Stream* stream
    cdef Found f
    if look_up_stream(s, &s.argv[2], s.hash, LOOK_READ, &f, &stream) and stream == NULL:
        fail(s, b"ERR no such key")
    return stream


cdef inline int64_t since(const Session* s, int64_t ms) noexcept nogil:
    return s.engine.now_ms - ms if ms < s.engine.now_ms else 0


cdef void reply_name(Output* o, void* object) noexcept nogil:
    """The field "name" of a group or consumer."""
    cdef Slice name
    name_of(object, &name)
    reply_text(o, b"name")
    reply_bulk(o, name.ptr, name.len)


cdef void reply_progress(Output* o, const Stream* stream, const Group* g) noexcept nogil:
    """The fields that tell how far a group has come."""
    cdef int64_t lag = group_lag(stream, g)
    reply_text(o, b"last-delivered-id")
    reply_id(o, &g.last)
    reply_text(o, b"entries-read")
    if g.entries_read == READ_UNKNOWN:
        reply_null(o)
    else:
        reply_int(o, g.entries_read)
    reply_text(o, b"lag")
    if lag == INT64_MIN:
        reply_null(o)
    else:
        reply_int(o, lag)


cdef void reply_facts(Output* o, const Stream* stream) noexcept nogil:
    """The fields that both forms of XINFO STREAM begin with."""
    reply_text(o, b"length")
    reply_int(o, <int64_t>stream.length)
    reply_text(o, b"radix-tree-keys")       # blocks; Redis finds them by a tree
    reply_int(o, stream.blocks)
    reply_text(o, b"radix-tree-nodes")
    reply_int(o, <int64_t>stream.blocks + 1)
    reply_text(o, b"last-generated-id")
    reply_id(o, &stream.last)
    reply_text(o, b"max-deleted-entry-id")
    reply_id(o, &stream.max_deleted)
    reply_text(o, b"entries-added")
    reply_int(o, <int64_t>stream.added)
    reply_text(o, b"recorded-first-entry-id")
    reply_id(o, &stream.first)


cdef void reply_edge(Session* s, Stream* stream, const char* field, bint at_end) noexcept nogil:
    cdef StreamWalk w
    cdef StreamID low, high
    low.ms = low.seq = 0
    high.ms = high.seq = <uint64_t>-1
    reply_text(&s.out, field)
    stream_seek(&s.engine.arena, stream, &low, &high, at_end, &w)
    if stream_next(&w):
        reply_entry(&s.out, &w)
    else:
        reply_null(&s.out)


cdef void reply_pending(Session* s, const Tree* tree, uint64_t most, bint with_consumer) noexcept nogil:
    """The first entries of what is pending."""
    cdef Arena* a = &s.engine.arena
    cdef Output* o = &s.out
    cdef TreeCursor cursor
    cdef Pending* p
    cdef Slice name
    cdef uint64_t n = tree.count if tree.count < most else most
    reply_array(o, <int64_t>n)
    tree_seek_rank(a, tree, 0, &cursor)
    while n:
        n -= 1
        p = pending_at(a, cursor.ref)
        reply_array(o, 4 if with_consumer else 3)
        reply_id(o, &p.id)
        if with_consumer:
            name_of(consumer_at(a, p.consumer), &name)
            reply_bulk(o, name.ptr, name.len)
        reply_int(o, p.given_ms)
        reply_int(o, <int64_t>p.count)
        tree_next(a, &cursor)


cdef void reply_group(Session* s, const Stream* stream, Group* g, uint64_t most) noexcept nogil:
    """A group with its consumers, of FULL."""
    cdef Arena* a = &s.engine.arena
    cdef Output* o = &s.out
    cdef Consumer* c
    cdef uint32_t i
    reply_map(o, 7)
    reply_name(o, g)
    reply_progress(o, stream, g)
    reply_text(o, b"pel-count")
    reply_int(o, <int64_t>g.pending.count)
    reply_text(o, b"pending")
    reply_pending(s, &g.pending, most, True)
    reply_text(o, b"consumers")
    reply_array(o, g.consumers.count)
    for i in range(g.consumers.count):
        c = consumer_at(a, name_ref(a, &g.consumers, i))
        reply_map(o, 5)
        reply_name(o, c)
        reply_text(o, b"seen-time")
        reply_int(o, c.seen_ms)
        reply_text(o, b"active-time")
        reply_int(o, c.active_ms)
        reply_text(o, b"pel-count")
        reply_int(o, <int64_t>c.pending.count)
        reply_text(o, b"pending")
        reply_pending(s, &c.pending, most, False)


cdef void reply_full(Session* s, Stream* stream, uint64_t most) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef StreamID low, high
    cdef uint32_t i
    low.ms = low.seq = 0
    high.ms = high.seq = <uint64_t>-1
    reply_map(&s.out, 9)
    reply_facts(&s.out, stream)
    reply_text(&s.out, b"entries")
    reply_range(s, stream, &low, &high, False, most)
    reply_text(&s.out, b"groups")
    reply_array(&s.out, stream.groups.count)
    for i in range(stream.groups.count):
        reply_group(s, stream, group_at(a, name_ref(a, &stream.groups, i)), most)

# ---------------------------------------------------------------- the commands

define("XINFO", None, arity=-2, flags=0, group="stream", since="5.0.0", cost="That of the subcommand",
       summary="Commands that describe streams.")

define("XINFO STREAM", fn(cmd_xinfo_stream), arity=-3, flags=READONLY, keys=KeySpec(2, 2, 1, "RO access"), group="stream",
       since="5.0.0", cost="O(1)", args="key [FULL [COUNT count]]",
       history=(("6.0.0", "FULL."), ("7.0.0", "max-deleted-entry-id, entries-added, recorded-first-entry-id, entries-read "
                                              "and lag."),
                ("7.2.0", "active-time, and a new meaning of seen-time.")),
       summary="Describe a stream.")
cdef Status cmd_xinfo_stream(Session* s) noexcept nogil:
    cdef Stream* stream = stream_at_2(s)
    cdef int64_t most = FULL_COUNT
    if stream == NULL:
        return FAILED
    if s.argc == 3:
        reply_map(&s.out, 10)
        reply_facts(&s.out, stream)
        reply_text(&s.out, b"groups")
        reply_int(&s.out, stream.groups.count)
        reply_edge(s, stream, b"first-entry", False)
        reply_edge(s, stream, b"last-entry", True)
        return OK
    if not is_word(&s.argv[3], b"full") or (s.argc != 4 and (s.argc != 6 or not is_word(&s.argv[4], b"count"))):
        return fail_names(s, b"ERR unknown subcommand or wrong number of arguments for '", &s.argv[1],
                          b"'. Try XINFO HELP.", NULL, b"")
    if s.argc == 6:
        if not parse_number(s, &s.argv[5], NULL, &most):
            return FAILED
        if most < 0:
            most = FULL_COUNT
    reply_full(s, stream, <uint64_t>most if most else <uint64_t>-1)
    return OK


define("XINFO GROUPS", fn(cmd_xinfo_groups), arity=3, flags=READONLY, keys=KeySpec(2, 2, 1, "RO access"), group="stream",
       since="5.0.0", cost="O(1)", args="key", history=(("7.0.0", "entries-read and lag."),),
       summary="List the groups of a stream.")
cdef Status cmd_xinfo_groups(Session* s) noexcept nogil:
    cdef Stream* stream = stream_at_2(s)
    cdef Arena* a = &s.engine.arena
    cdef Output* o = &s.out
    cdef Group* g
    cdef uint32_t i
    if stream == NULL:
        return FAILED
    reply_array(o, stream.groups.count)
    for i in range(stream.groups.count):
        g = group_at(a, name_ref(a, &stream.groups, i))
        reply_map(o, 6)
        reply_name(o, g)
        reply_text(o, b"consumers")
        reply_int(o, g.consumers.count)
        reply_text(o, b"pending")
        reply_int(o, <int64_t>g.pending.count)
        reply_progress(o, stream, g)
    return OK


define("XINFO CONSUMERS", fn(cmd_xinfo_consumers), arity=4, flags=READONLY, keys=KeySpec(2, 2, 1, "RO access"),
       group="stream", since="5.0.0", cost="O(1)", args="key group", tips=("nondeterministic_output",),
       history=(("7.2.0", "inactive."),), summary="List the consumers of a group.")
cdef Status cmd_xinfo_consumers(Session* s) noexcept nogil:
    cdef Stream* stream = stream_at_2(s)
    cdef Arena* a = &s.engine.arena
    cdef Output* o = &s.out
    cdef Group* g
    cdef Consumer* c
    cdef Ref group
    cdef uint32_t i
    if stream == NULL:
        return FAILED
    group = name_find(a, &stream.groups, &s.argv[3], NULL)
    if group == 0:
        return fail_names(s, b"NOGROUP No such consumer group '", &s.argv[3], b"' for key name '", &s.argv[2], b"'")
    g = group_at(a, group)
    reply_array(o, g.consumers.count)
    for i in range(g.consumers.count):
        c = consumer_at(a, name_ref(a, &g.consumers, i))
        reply_map(o, 4)
        reply_name(o, c)
        reply_text(o, b"pending")
        reply_int(o, <int64_t>c.pending.count)
        reply_text(o, b"idle")
        reply_int(o, since(s, c.seen_ms))
        reply_text(o, b"inactive")
        reply_int(o, since(s, c.active_ms) if c.active_ms >= 0 else -1)
    return OK


cdef const char* XINFO_HELP[9]
XINFO_HELP[:] = [
    b"XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    b"CONSUMERS <key> <groupname>",
    b"    Show consumers of <groupname>.",
    b"GROUPS <key>",
    b"    Show the stream consumer groups.",
    b"STREAM <key> [FULL [COUNT <count>]",
    b"    Show information about the stream.",
    b"HELP",
    b"    Print this help.",
]

define("XINFO HELP", fn(cmd_xinfo_help), arity=2, flags=LOADING | STALE, group="stream", since="5.0.0", cost="O(1)",
       summary="Describe the subcommands.")
cdef Status cmd_xinfo_help(Session* s) noexcept nogil:
    cdef int i
    reply_array(&s.out, 9)
    for i in range(9):
        reply_simple(&s.out, XINFO_HELP[i])
    return OK
