"""Consumer groups: XGROUP, and what becomes of entries that are pending: XACK, XPENDING, XCLAIM, XAUTOCLAIM.

None of these counts as a change of the key for WATCH, but for the making of a stream.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from minikv_core.arena cimport Arena, undo_note
from minikv_core.btree cimport TreeCursor, tree_next, tree_seek_rank
from minikv_core.engine cimport *
from minikv_core.keyspace cimport (
    Found, LOOK_READ, LOOK_WRITE, notify, signal_modified, signal_ready,
)
from minikv_core.registry cimport fn
from minikv_core.reply cimport (
    reply_array, reply_bulk, reply_bulk_int, reply_int, reply_null, reply_null_array, reply_ok, reply_simple,
)
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word
from minikv_core.stream cimport Stream, StreamID, StreamWalk, id_compare, stream_has, stream_next, stream_seek
from minikv_core.stream_group cimport *
from minikv_core.t_stream cimport (
    count_changes, fail_names, is_char, look_up_stream, make_stream, parse_any_id, parse_bound, parse_id, parse_number,
    read_id, reply_entry, reply_id,
)
from minikv_core.types cimport *

from minikv_core.registry import KeySpec, define

cdef enum:
    CLAIM_COUNT = 100       # of XAUTOCLAIM without COUNT
    CLAIM_TRIES = 10        # pending entries it looks at for each one it may claim

cdef Status no_group(Session* s, const Slice* key, const Slice* group) noexcept nogil:
    return fail_names(s, b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'")


cdef bint find_group(Session* s, int flags, Stream** stream, Ref* group) noexcept nogil:
    """The stream at argv[1] and its group named argv[2]; False after an error reply. 0 = there is none."""
    cdef Found f
    group[0] = 0
    if not look_up_stream(s, &s.argv[1], s.hash, flags, &f, stream):
        return False
    if stream[0] != NULL:
        group[0] = name_find(&s.engine.arena, &stream[0].groups, &s.argv[2], NULL)
    return True


cdef Ref find_consumer(Session* s, Group* g, const Slice* key, const Slice* name, bint* fresh) noexcept nogil:
    """A consumer, made if it is new; 0 = no memory."""
    cdef Engine* e = s.engine
    cdef Ref ref = name_find(&e.arena, &g.consumers, name, NULL)
    fresh[0] = ref == 0
    if ref == 0:
        ref = consumer_create(&e.arena, g, name, e.now_ms)
        if ref:
            count_changes(e, 1)
            notify(e, EVENT_STREAM, b"xgroup-createconsumer", key, s.db)
    return ref


cdef void saw(Session* s, Ref consumer, bint gave) noexcept nogil:
    """Note a command of a consumer, and whether it gave it entries."""
    cdef Consumer* c = consumer_at(&s.engine.arena, consumer)
    undo_note(&s.engine.arena, c, sizeof(Consumer))
    c.seen_ms = s.engine.now_ms
    if gave:
        c.active_ms = s.engine.now_ms

# ---------------------------------------------------------------- XGROUP

cdef Status begin_xgroup(Session* s, bint makes_stream, bint needs_group, Found* f, Stream** stream,
                         Ref* group) noexcept nogil:
    """Look up the stream at argv[2] and the group named argv[3]."""
    group[0] = 0
    if not look_up_stream(s, &s.argv[2], s.hash, LOOK_WRITE, f, stream):
        return FAILED
    if stream[0] == NULL:
        if makes_stream:
            return OK
        return fail(s, b"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
                    b"MKSTREAM option to create an empty stream automatically.")
    group[0] = name_find(&s.engine.arena, &stream[0].groups, &s.argv[3], NULL)
    if needs_group and group[0] == 0:
        return fail_names(s, b"NOGROUP No such consumer group '", &s.argv[3], b"' for key name '", &s.argv[2], b"'")
    return OK


cdef Status bad_words(Session* s) noexcept nogil:
    return fail_names(s, b"ERR unknown subcommand or wrong number of arguments for '", &s.argv[1],
                      b"'. Try XGROUP HELP.", NULL, b"")


cdef Status parse_place(Session* s, bint creates, bint* makes_stream, int64_t* entries_read) noexcept nogil:
    """Read the options of CREATE and SETID from argv[5] on."""
    cdef uint32_t at = 5
    makes_stream[0] = False
    entries_read[0] = READ_UNKNOWN
    while at < s.argc:
        if creates and is_word(&s.argv[at], b"mkstream"):
            makes_stream[0] = True
            at += 1
        elif at + 1 < s.argc and is_word(&s.argv[at], b"entriesread"):
            if not parse_number(s, &s.argv[at + 1], NULL, entries_read):
                return FAILED
            if entries_read[0] < 0 and entries_read[0] != READ_UNKNOWN:
                return fail(s, b"ERR value for ENTRIESREAD must be positive or -1")
            at += 2
        else:
            return bad_words(s)
    return OK


cdef bint parse_last(Session* s, const Stream* stream, bint creates, StreamID* id) noexcept nogil:
    """Read the ID at argv[4], which may be "$" and, for SETID, "-" or "+"."""
    if not is_char(&s.argv[4], c'$'):
        return parse_id(s, &s.argv[4], 0, id) if creates else parse_any_id(s, &s.argv[4], 0, id)
    id.ms = id.seq = 0
    if stream != NULL:
        id[0] = stream.last
    return True


define("XGROUP", None, arity=-2, flags=0, group="stream", since="5.0.0", cost="That of the subcommand",
       summary="Commands that make, move and remove consumer groups.")

define("XGROUP CREATE", fn(cmd_xgroup_create), arity=-5, flags=WRITE | DENYOOM, keys=KeySpec(2, 2, 1, "RW insert"),
       group="stream", since="5.0.0", cost="O(1)",
       args="key group <id|$> [MKSTREAM] [ENTRIESREAD entries-read:integer]",
       history=(("7.0.0", "ENTRIESREAD."),), summary="Make a consumer group.")
cdef Status cmd_xgroup_create(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Stream* stream
    cdef Found f
    cdef Ref group
    cdef StreamID id
    cdef int64_t entries_read
    cdef bint makes_stream, fresh
    if parse_place(s, True, &makes_stream, &entries_read) != OK:
        return FAILED
    if begin_xgroup(s, makes_stream, False, &f, &stream, &group) != OK or not parse_last(s, stream, True, &id):
        return FAILED
    if group:
        return fail(s, b"BUSYGROUP Consumer Group name already exists")
    fresh = stream == NULL
    if fresh:
        stream = make_stream(s, &s.argv[2], &f)
        if stream == NULL:
            return fail_status(s, NO_MEMORY)
        signal_modified(e, s.db, &s.argv[2], s.hash)
        notify(e, EVENT_NEW, b"new", &s.argv[2], s.db)
    if group_create(&e.arena, stream, &s.argv[3], &id, entries_read) == 0:
        return fail_status(s, NO_MEMORY)
    if not fresh:
        count_changes(e, 1)
    notify(e, EVENT_STREAM, b"xgroup-create", &s.argv[2], s.db)
    reply_ok(&s.out)
    return OK


define("XGROUP SETID", fn(cmd_xgroup_setid), arity=-5, flags=WRITE, keys=KeySpec(2, 2, 1, "RW update"), group="stream",
       since="5.0.0", cost="O(1)", args="key group <id|$> [ENTRIESREAD entriesread]",
       history=(("7.0.0", "ENTRIESREAD."),), summary="Set which entry a group was given last.")
cdef Status cmd_xgroup_setid(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Stream* stream
    cdef Found f
    cdef Ref group
    cdef StreamID id
    cdef int64_t entries_read
    cdef bint makes_stream
    if parse_place(s, False, &makes_stream, &entries_read) != OK:
        return FAILED
    if begin_xgroup(s, False, True, &f, &stream, &group) != OK or not parse_last(s, stream, False, &id):
        return FAILED
    group_set(&e.arena, stream, group_at(&e.arena, group), &id, entries_read)
    count_changes(e, 1)
    notify(e, EVENT_STREAM, b"xgroup-setid", &s.argv[2], s.db)
    reply_ok(&s.out)
    return OK


define("XGROUP DESTROY", fn(cmd_xgroup_destroy), arity=4, flags=WRITE, keys=KeySpec(2, 2, 1, "RW delete"), group="stream",
       since="5.0.0", cost="O(N), N entries pending", args="key group", summary="Remove a consumer group.")
cdef Status cmd_xgroup_destroy(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Stream* stream
    cdef Found f
    cdef Ref group
    cdef uint32_t index
    if begin_xgroup(s, False, False, &f, &stream, &group) != OK:
        return FAILED
    if group:
        name_find(&e.arena, &stream.groups, &s.argv[3], &index)
        group_remove(&e.arena, stream, index)
        count_changes(e, 1)
        notify(e, EVENT_STREAM, b"xgroup-destroy", &s.argv[2], s.db)
        signal_ready(e, s.db, &s.argv[2], STREAM)       # for those who wait in this group
    reply_int(&s.out, 1 if group else 0)
    return OK


define("XGROUP CREATECONSUMER", fn(cmd_xgroup_createconsumer), arity=5, flags=WRITE | DENYOOM,
       keys=KeySpec(2, 2, 1, "RW insert"), group="stream", since="6.2.0", cost="O(1)", args="key group consumer",
       summary="Make a consumer in a group.")
cdef Status cmd_xgroup_createconsumer(Session* s) noexcept nogil:
    cdef Stream* stream
    cdef Found f
    cdef Ref group
    cdef bint fresh
    if begin_xgroup(s, False, True, &f, &stream, &group) != OK:
        return FAILED
    if find_consumer(s, group_at(&s.engine.arena, group), &s.argv[2], &s.argv[4], &fresh) == 0:
        return fail_status(s, NO_MEMORY)
    reply_int(&s.out, 1 if fresh else 0)
    return OK


define("XGROUP DELCONSUMER", fn(cmd_xgroup_delconsumer), arity=5, flags=WRITE, keys=KeySpec(2, 2, 1, "RW delete"),
       group="stream", since="5.0.0", cost="O(N), N entries pending", args="key group consumer",
       summary="Remove a consumer, and count the entries that were pending with it.")
cdef Status cmd_xgroup_delconsumer(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Arena* a = &e.arena
    cdef Stream* stream
    cdef Found f
    cdef Group* g
    cdef Ref group, consumer
    cdef uint32_t index
    cdef uint64_t pending = 0
    if begin_xgroup(s, False, True, &f, &stream, &group) != OK:
        return FAILED
    g = group_at(a, group)
    consumer = name_find(a, &g.consumers, &s.argv[4], &index)
    if consumer:
        pending = consumer_at(a, consumer).pending.count
        consumer_remove(a, g, index)
        count_changes(e, 1)
        notify(e, EVENT_STREAM, b"xgroup-delconsumer", &s.argv[2], s.db)
    reply_int(&s.out, <int64_t>pending)
    return OK


cdef const char* XGROUP_HELP[17]
XGROUP_HELP[:] = [
    b"XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    b"CREATE <key> <groupname> <id|$> [option]",
    b"    Create a new consumer group. Options are:",
    b"    * MKSTREAM",
    b"      Create the empty stream if it does not exist.",
    b"    * ENTRIESREAD entries_read",
    b"      Set the group's entries_read counter (internal use).",
    b"CREATECONSUMER <key> <groupname> <consumer>",
    b"    Create a new consumer in the specified group.",
    b"DELCONSUMER <key> <groupname> <consumer>",
    b"    Remove the specified consumer.",
    b"DESTROY <key> <groupname>",
    b"    Remove the specified group.",
    b"SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    b"    Set the current group ID and entries_read counter.",
    b"HELP",
    b"    Print this help.",
]

define("XGROUP HELP", fn(cmd_xgroup_help), arity=2, flags=LOADING | STALE, group="stream", since="5.0.0", cost="O(1)",
       summary="Describe the subcommands.")
cdef Status cmd_xgroup_help(Session* s) noexcept nogil:
    cdef int i
    reply_array(&s.out, 17)
    for i in range(17):
        reply_simple(&s.out, XGROUP_HELP[i])
    return OK

# ---------------------------------------------------------------- XACK, XPENDING

define("XACK", fn(cmd_xack), arity=-4, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"), group="stream", since="5.0.0",
       cost="O(log P) an entry, P entries pending", args="key group id ...",
       summary="Acknowledge entries, and count those that were pending.")
cdef Status cmd_xack(Session* s) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef Stream* stream
    cdef Ref group, pending
    cdef StreamID id
    cdef uint32_t i
    cdef uint64_t done = 0
    if not find_group(s, LOOK_WRITE, &stream, &group):
        return FAILED
    if group == 0:
        reply_int(&s.out, 0)
        return OK
    for i in range(3, s.argc):
        if not parse_id(s, &s.argv[i], 0, &id):
            return FAILED
    for i in range(3, s.argc):
        read_id(&s.argv[i], 0, &id)
        pending = pending_find(a, &group_at(a, group).pending, &id)
        if pending:
            pending_remove(a, group_at(a, group), pending)
            done += 1
    if done:
        count_changes(s.engine, done)
    reply_int(&s.out, <int64_t>done)
    return OK


cdef void reply_summary(Session* s, Group* g) noexcept nogil:
    """How much is pending in a group, from where to where, and with whom."""
    cdef Arena* a = &s.engine.arena
    cdef TreeCursor cursor
    cdef Consumer* c
    cdef Slice name
    cdef uint32_t i, n = 0
    reply_array(&s.out, 4)
    reply_int(&s.out, <int64_t>g.pending.count)
    if g.pending.count == 0:
        reply_null(&s.out)
        reply_null(&s.out)
        reply_null_array(&s.out)
        return
    tree_seek_rank(a, &g.pending, 0, &cursor)
    reply_id(&s.out, &pending_at(a, cursor.ref).id)
    tree_seek_rank(a, &g.pending, g.pending.count - 1, &cursor)
    reply_id(&s.out, &pending_at(a, cursor.ref).id)
    for i in range(g.consumers.count):
        n += consumer_at(a, name_ref(a, &g.consumers, i)).pending.count != 0
    reply_array(&s.out, n)
    for i in range(g.consumers.count):
        c = consumer_at(a, name_ref(a, &g.consumers, i))
        if c.pending.count:
            name_of(c, &name)
            reply_array(&s.out, 2)
            reply_bulk(&s.out, name.ptr, name.len)
            reply_bulk_int(&s.out, <int64_t>c.pending.count)


cdef struct PendingRange:   # of XPENDING
    Tree*    tree
    StreamID first
    StreamID last
    int64_t  idle           # ms, least
    int64_t  most


cdef uint64_t list_pending(Session* s, const PendingRange* r, bint replies) noexcept nogil:
    """Reply with what is pending in a range, or just count it."""
    cdef Arena* a = &s.engine.arena
    cdef int64_t now = s.engine.now_ms, idle
    cdef TreeCursor cursor
    cdef Pending* p
    cdef Slice name
    cdef int64_t n = 0
    pending_seek(a, r.tree, &r.first, &cursor)
    while cursor.ref and n < r.most:
        p = pending_at(a, cursor.ref)
        if id_compare(&p.id, &r.last) > 0:
            break
        tree_next(a, &cursor)
        idle = now - p.given_ms
        if r.idle and idle < r.idle:
            continue
        n += 1
        if replies:
            name_of(consumer_at(a, p.consumer), &name)
            reply_array(&s.out, 4)
            reply_id(&s.out, &p.id)
            reply_bulk(&s.out, name.ptr, name.len)
            reply_int(&s.out, idle if idle > 0 else 0)
            reply_int(&s.out, <int64_t>p.count)
    return <uint64_t>n


define("XPENDING", fn(cmd_xpending), arity=-3, flags=READONLY, keys=KeySpec(1, 1, 1, "RO access"), group="stream",
       since="5.0.0", cost="O(N + log P), N entries returned, P entries pending",
       args="key group [[IDLE min-idle-time:integer] start end count [consumer]]", tips=("nondeterministic_output",),
       history=(("6.2.0", "IDLE, and bounds that are left out themselves."),),
       summary="Tell what is pending in a group: in sum, or entry by entry.")
cdef Status cmd_xpending(Session* s) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef Stream* stream
    cdef Slice* name = NULL
    cdef PendingRange r
    cdef Ref group, consumer
    cdef Group* g
    cdef uint32_t at = 3
    if s.argc != 3 and not 6 <= s.argc <= 9:
        return fail_syntax(s)
    r.idle = 0
    if s.argc > 3:
        if is_word(&s.argv[3], b"idle"):
            if not parse_number(s, &s.argv[4], NULL, &r.idle):
                return FAILED
            if s.argc < 8:
                return fail_syntax(s)
            at = 5
        if not parse_number(s, &s.argv[at + 2], NULL, &r.most):
            return FAILED
        if not parse_bound(s, &s.argv[at], False, &r.first) or not parse_bound(s, &s.argv[at + 1], True, &r.last):
            return FAILED
        if at + 3 < s.argc:
            name = &s.argv[at + 3]
    if not find_group(s, LOOK_READ, &stream, &group):
        return FAILED
    if group == 0:
        return no_group(s, &s.argv[1], &s.argv[2])
    g = group_at(a, group)
    if s.argc == 3:
        reply_summary(s, g)
        return OK
    r.tree = &g.pending
    if name != NULL:
        consumer = name_find(a, &g.consumers, name, NULL)
        if consumer == 0:
            reply_array(&s.out, 0)
            return OK
        r.tree = &consumer_at(a, consumer).pending
    reply_array(&s.out, <int64_t>list_pending(s, &r, False))
    list_pending(s, &r, True)
    return OK

# ---------------------------------------------------------------- XCLAIM, XAUTOCLAIM

cdef void reply_claimed(Session* s, Stream* stream, const StreamID* ids, uint64_t n, bint ids_alone) noexcept nogil:
    cdef StreamWalk w
    cdef uint64_t i
    reply_array(&s.out, <int64_t>n)
    for i in range(n):
        if ids_alone:
            reply_id(&s.out, &ids[i])
        else:
            stream_seek(&s.engine.arena, stream, &ids[i], &ids[i], False, &w)
            if stream_next(&w):
                reply_entry(&s.out, &w)


cdef struct ClaimOptions:   # of XCLAIM
    int64_t  idle           # ms, least
    int64_t  given_ms       # what the time of giving becomes; -1 = now
    int64_t  count          # what the number of times becomes; -1 = one more
    StreamID last           # the group was given entries up to here, at least
    bint     force
    bint     ids_alone      # JUSTID
    uint32_t ids            # so many, from argv[5] on


cdef Status parse_claim(Session* s, ClaimOptions* o) noexcept nogil:
    cdef int64_t now = s.engine.now_ms
    cdef uint32_t at = 5
    cdef StreamID id
    cdef Slice* word
    cdef bint more
    o.given_ms = o.count = -1
    o.last.ms = o.last.seq = 0
    o.force = o.ids_alone = False
    if not parse_number(s, &s.argv[4], b"ERR Invalid min-idle-time argument for XCLAIM", &o.idle):
        return FAILED
    while at < s.argc and read_id(&s.argv[at], 0, &id):
        at += 1
    o.ids = at - 5
    while at < s.argc:
        word = &s.argv[at]
        more = at + 1 < s.argc
        if is_word(word, b"force"):
            o.force = True
        elif is_word(word, b"justid"):
            o.ids_alone = True
        elif more and is_word(word, b"idle"):
            if not parse_number(s, word + 1, b"ERR Invalid IDLE option argument for XCLAIM", &o.given_ms):
                return FAILED
            o.given_ms = now - o.given_ms if o.given_ms > now - INT64_MAX else -1
            at += 1
        elif more and is_word(word, b"time"):
            if not parse_number(s, word + 1, b"ERR Invalid TIME option argument for XCLAIM", &o.given_ms):
                return FAILED
            at += 1
        elif more and is_word(word, b"retrycount"):
            if not parse_number(s, word + 1, b"ERR Invalid RETRYCOUNT option argument for XCLAIM", &o.count):
                return FAILED
            at += 1
        elif more and is_word(word, b"lastid"):
            if not parse_id(s, word + 1, 0, &o.last):
                return FAILED
            at += 1
        else:
            return fail_names(s, b"ERR Unrecognized XCLAIM option '", word, b"'", NULL, b"")
        at += 1
    if o.given_ms < 0 or o.given_ms > now:
        o.given_ms = now
    return OK


cdef bint claim(Session* s, Stream* stream, Group* g, Ref consumer, const ClaimOptions* o, const StreamID* id) noexcept nogil:
    """Give an entry to a consumer, if it is pending for long enough; False if it is not.

    One that is no longer in the stream is not pending any more, either.
    """
    cdef Arena* a = &s.engine.arena
    cdef int64_t now = s.engine.now_ms
    cdef Ref ref = pending_find(a, &g.pending, id)
    cdef Pending* p
    cdef uint64_t count
    if not stream_has(a, stream, id):
        if ref:
            pending_remove(a, g, ref)
            count_changes(s.engine, 1)
        return False
    if ref == 0:
        if not o.force:
            return False
        ref = pending_add(a, g, consumer, id, now, 1)
        if ref == 0:
            return False
        p = pending_at(a, ref)
    else:
        p = pending_at(a, ref)
        if o.idle > 0 and now - p.given_ms < o.idle:
            return False
    count = p.count
    if o.count >= 0:
        count = <uint64_t>o.count
    elif not o.ids_alone:
        count += 1
    if pending_give(a, ref, consumer, o.given_ms, count) != OK:
        return False
    count_changes(s.engine, 1)
    return True


define("XCLAIM", fn(cmd_xclaim), arity=-6, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW update"), group="stream",
       since="5.0.0", cost="O(log P) an entry, P entries pending",
       args="key group consumer min-idle-time id ... [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] "
            "[JUSTID] [LASTID lastid]",
       tips=("nondeterministic_output",),
       summary="Give entries that are pending for long to another consumer.")
cdef Status cmd_xclaim(Session* s) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef Stream* stream
    cdef Ref group, consumer
    cdef Group* g
    cdef ClaimOptions o
    cdef StreamID* claimed
    cdef StreamID id
    cdef uint64_t n = 0
    cdef uint32_t i
    cdef bint fresh
    if not find_group(s, LOOK_WRITE, &stream, &group):
        return FAILED
    if group == 0:
        return no_group(s, &s.argv[1], &s.argv[2])
    if parse_claim(s, &o) != OK:
        return FAILED
    g = group_at(a, group)
    if id_compare(&o.last, &g.last) > 0:
        group_set(a, stream, g, &o.last, g.entries_read)
        count_changes(s.engine, 1)
    consumer = find_consumer(s, g, &s.argv[1], &s.argv[3], &fresh)
    claimed = <StreamID*>malloc((o.ids + 1) * sizeof(StreamID))
    if consumer == 0 or claimed == NULL:
        free(claimed)
        return fail_status(s, NO_MEMORY)
    for i in range(o.ids):
        read_id(&s.argv[5 + i], 0, &id)
        if claim(s, stream, g, consumer, &o, &id):
            claimed[n] = id
            n += 1
    saw(s, consumer, n != 0)
    reply_claimed(s, stream, claimed, n, o.ids_alone)
    free(claimed)
    return OK


cdef Status parse_autoclaim(Session* s, ClaimOptions* o, StreamID* first, int64_t* count) noexcept nogil:
    cdef uint32_t at = 6
    o.given_ms = s.engine.now_ms
    o.count = -1
    o.force = o.ids_alone = False
    count[0] = CLAIM_COUNT
    if not parse_number(s, &s.argv[4], b"ERR Invalid min-idle-time argument for XAUTOCLAIM", &o.idle):
        return FAILED
    if not parse_bound(s, &s.argv[5], False, first):
        return FAILED
    while at < s.argc:
        if at + 1 < s.argc and is_word(&s.argv[at], b"count"):
            if not parse_number(s, &s.argv[at + 1], b"ERR COUNT must be > 0", count):
                return FAILED
            if not 0 < count[0] <= INT64_MAX // <int64_t>sizeof(StreamID):
                return fail(s, b"ERR COUNT must be > 0")
            at += 1
        elif is_word(&s.argv[at], b"justid"):
            o.ids_alone = True
        else:
            return fail_syntax(s)
        at += 1
    return OK


define("XAUTOCLAIM", fn(cmd_xautoclaim), arity=-6, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW delete"),
       group="stream", since="6.2.0", cost="O(1) if COUNT is small", tips=("nondeterministic_output",),
       args="key group consumer min-idle-time start [COUNT count] [JUSTID]",
       history=(("7.0.0", "Entries that were deleted are returned, and pending no more."),),
       summary="Give what is pending for long to another consumer, in turns.")
cdef Status cmd_xautoclaim(Session* s) noexcept nogil:
    cdef Arena* a = &s.engine.arena
    cdef Stream* stream
    cdef Ref group, consumer
    cdef Group* g
    cdef ClaimOptions o
    cdef TreeCursor cursor
    cdef StreamID* claimed
    cdef StreamID* deleted
    cdef StreamID id
    cdef int64_t count, tries
    cdef uint64_t n = 0, gone = 0, room, i
    cdef bint fresh
    if parse_autoclaim(s, &o, &id, &count) != OK:
        return FAILED
    if not find_group(s, LOOK_WRITE, &stream, &group):
        return FAILED
    if group == 0:
        return no_group(s, &s.argv[1], &s.argv[2])
    g = group_at(a, group)
    room = <uint64_t>count if <uint64_t>count < g.pending.count else g.pending.count
    claimed = <StreamID*>malloc((2 * room + 1) * sizeof(StreamID))
    consumer = find_consumer(s, g, &s.argv[1], &s.argv[3], &fresh)
    if consumer == 0 or claimed == NULL:
        free(claimed)
        return fail_status(s, NO_MEMORY)
    deleted = claimed + room
    tries = count * CLAIM_TRIES if count <= INT64_MAX // CLAIM_TRIES else INT64_MAX
    pending_seek(a, &g.pending, &id, &cursor)
    while tries and count and cursor.ref:
        tries -= 1
        id = pending_at(a, cursor.ref).id
        tree_next(a, &cursor)
        if claim(s, stream, g, consumer, &o, &id):
            claimed[n] = id
            n += 1
            count -= 1
        elif pending_find(a, &g.pending, &id) == 0:
            deleted[gone] = id
            gone += 1
            count -= 1
            pending_seek(a, &g.pending, &id, &cursor)       # the tree has changed
    saw(s, consumer, n != 0)
    reply_array(&s.out, 3)
    id.ms = id.seq = 0
    reply_id(&s.out, &pending_at(a, cursor.ref).id if cursor.ref else &id)
    reply_claimed(s, stream, claimed, n, o.ids_alone)
    reply_array(&s.out, <int64_t>gone)
    for i in range(gone):
        reply_id(&s.out, &deleted[i])
    free(claimed)
    return OK
