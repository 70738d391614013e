"""Commands on keys of any type, and on whole databases."""
from libc.stdint cimport INT32_MAX, INT32_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp
from minikv_core.arena cimport arena_free, undo_note
from minikv_core.clock cimport monotonic_us
from minikv_core.engine cimport (
    DENYOOM, FAST, LOADING, READONLY, STALE, WRITE, EVENT_GENERIC, EVENT_NEW, EVENT_OVERWRITTEN, EVENT_TYPE_CHANGED,
    EVICT_KIND, EVICT_LFU, IN_EXEC, IS_NO_TOUCH, Database, Engine, Session,
)
from minikv_core.entry cimport Entry, entry_clock, entry_form, entry_kind
from minikv_core.keygroup cimport GROUP, prefetch_keys
from minikv_core.keyspace cimport (
    LOOK_NO_STATS, LOOK_NO_TOUCH, LOOK_READ, LOOK_WRITE, Found, clone_entry, entry_under, flush_database, free_entry,
    key_hash, kind_ops, lfu_decayed, link_entry, look_up, notify, remove_key, replace_entry, signal_modified, unlink_entry,
)
from minikv_core.lazyfree cimport lazyfree_step
from minikv_core.numbers cimport parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_int, reply_null, reply_ok, reply_simple, reply_text
from minikv_core.session cimport fail, fail_status, fail_syntax, is_word, select_database
from minikv_core.types cimport (
    FAILED, FORM_EMBSTR, FORM_INT, NO_MEMORY, OK, STRING, Ref, Slice, Status,
)
from minikv_core.watch cimport touch_database
from minikv_core.registry import KeySpec, define

cdef enum:
    FREE_STEP = 1024        # objects freed between two looks at the clock
    FREE_US = 1000          # longest time that FLUSHALL SYNC frees before its reply

cdef const char* KIND_NAMES[6]
KIND_NAMES[:] = [b"string", b"list", b"hash", b"set", b"zset", b"stream"]   # by Kind

MANY_TIPS = ("request_policy:multi_shard", "response_policy:agg_sum")
FLUSH_TIPS = ("request_policy:all_shards", "response_policy:all_succeeded")
FLUSH_HISTORY = (("4.0.0", "Option ASYNC."), ("6.2.0", "Option SYNC."))


# ---------------------------------------------------------------- values as seen from outside

cdef const char* kind_name(uint8_t kind) noexcept nogil:
    return KIND_NAMES[kind]


cdef const char* encoding_name(const Entry* entry) noexcept nogil:
    if entry_kind(entry) != STRING:
        return kind_ops(entry_kind(entry)).encoding(entry)
    if entry_form(entry) == FORM_INT:
        return b"int"
    if entry_form(entry) == FORM_EMBSTR:
        return b"embstr"
    return b"raw"


# ---------------------------------------------------------------- many keys at once

cdef Status delete_keys(Session* s, bint lazy) noexcept nogil:
    cdef Engine* e = s.engine
    cdef uint64_t hashes[GROUP]
    cdef uint32_t first = 1, i, n
    cdef int64_t deleted = 0
    cdef Slice* key
    cdef Found f
    while first < s.argc:
        n = prefetch_keys(s, first, 1, s.argc, hashes)
        for i in range(n):
            key = &s.argv[first + i]
            if look_up(s, key, hashes[i], LOOK_WRITE | LOOK_NO_TOUCH, &f):
                remove_key(e, s.db, &f, lazy)
                signal_modified(e, s.db, key, hashes[i])
                notify(e, EVENT_GENERIC, b"del", key, s.db)
                deleted += 1
        first += n
    reply_int(&s.out, deleted)
    return OK


cdef Status count_keys(Session* s, int flags) noexcept nogil:
    cdef uint64_t hashes[GROUP]
    cdef uint32_t first = 1, i, n
    cdef int64_t found = 0
    cdef Found f
    while first < s.argc:
        n = prefetch_keys(s, first, 1, s.argc, hashes)
        for i in range(n):
            found += look_up(s, &s.argv[first + i], hashes[i], flags, &f)
        first += n
    reply_int(&s.out, found)
    return OK


define("DEL", fn(cmd_del), arity=-2, flags=WRITE, keys=KeySpec(1, -1, 1, "RM delete"), group="generic", since="1.0.0",
       cost="O(N) for N keys; a value of many elements costs its length", args="key [key ...]", tips=MANY_TIPS,
       summary="Delete keys.")
cdef Status cmd_del(Session* s) noexcept nogil:
    return delete_keys(s, s.engine.config.lazyfree_lazy_user_del != 0)


define("UNLINK", fn(cmd_unlink), arity=-2, flags=WRITE | FAST, keys=KeySpec(1, -1, 1, "RM delete"), group="generic",
       since="4.0.0", cost="O(N) for N keys; large values are freed later, in slices", args="key [key ...]",
       tips=MANY_TIPS, summary="Delete keys, freeing large values in the background.")
cdef Status cmd_unlink(Session* s) noexcept nogil:
    return delete_keys(s, True)


define("EXISTS", fn(cmd_exists), arity=-2, flags=READONLY | FAST, keys=KeySpec(1, -1, 1, "RO"), group="generic",
       since="1.0.0", cost="O(N) for N keys", args="key [key ...]", tips=MANY_TIPS,
       history=(("3.0.3", "Several keys."),), summary="Count which of the keys exist, repeated ones repeatedly.")
cdef Status cmd_exists(Session* s) noexcept nogil:
    return count_keys(s, LOOK_NO_TOUCH)


define("TOUCH", fn(cmd_touch), arity=-2, flags=READONLY | FAST, keys=KeySpec(1, -1, 1, "RO"), group="generic",
       since="3.2.1", cost="O(N) for N keys", args="key [key ...]", tips=MANY_TIPS,
       summary="Mark keys as used now and count those that exist.")
cdef Status cmd_touch(Session* s) noexcept nogil:
    cdef uint32_t no_touch = s.flags & IS_NO_TOUCH      # CLIENT NO-TOUCH does not hold for TOUCH
    cdef Status status
    s.flags ^= no_touch
    status = count_keys(s, LOOK_READ)
    s.flags ^= no_touch
    return status


# ---------------------------------------------------------------- one key

define("TYPE", fn(cmd_type), arity=2, flags=READONLY | FAST, keys=KeySpec(1, 1, 1, "RO"), group="generic",
       since="1.0.0", cost="O(1)", args="key", summary="Name the type of a key's value.")
cdef Status cmd_type(Session* s) noexcept nogil:
    cdef Found f
    if look_up(s, &s.argv[1], s.hash, LOOK_NO_TOUCH, &f):
        reply_simple(&s.out, kind_name(entry_kind(f.entry)))
    else:
        reply_simple(&s.out, b"none")
    return OK


cdef inline bint same_bytes(const Slice* a, const Slice* b) noexcept nogil:
    return a.len == b.len and (a.len == 0 or memcmp(a.ptr, b.ptr, a.len) == 0)


cdef bint look_up_in(Session* s, Database* db, const Slice* key, uint64_t hash, Found* f) noexcept nogil:
    """Find the destination of a copy or a move, in any database."""
    cdef Database* own = s.db
    cdef bint found
    s.db = db
    found = look_up(s, key, hash, LOOK_WRITE | LOOK_NO_TOUCH, f)
    s.db = own
    return found


cdef void notify_overwritten(Engine* e, Database* db, const Slice* key, uint8_t old, uint8_t new) noexcept nogil:
    notify(e, EVENT_OVERWRITTEN, b"overwritten", key, db)
    if old != new:
        notify(e, EVENT_TYPE_CHANGED, b"type_changed", key, db)


cdef Status rename_key(Session* s, bint if_missing) noexcept nogil:
    """Give a value another key, in place of what that one holds; `if_missing`: only if it holds nothing."""
    cdef Engine* e = s.engine
    cdef Slice* source = &s.argv[1]
    cdef Slice* target = &s.argv[2]
    cdef uint64_t hash = key_hash(e, target)
    cdef Found f, old
    cdef uint8_t kind, old_kind = 0
    cdef bint overwrites
    cdef Ref ref
    if not look_up(s, source, s.hash, LOOK_WRITE, &f):
        return fail(s, b"ERR no such key")
    overwrites = not same_bytes(source, target) and look_up(s, target, hash, LOOK_WRITE, &old)
    if same_bytes(source, target) or (overwrites and if_missing):
        if if_missing:
            reply_int(&s.out, 0)
        else:
            reply_ok(&s.out)
        return OK
    kind = entry_kind(f.entry)
    # the new name first: when memory is refused, nothing has been lost
    ref = entry_under(e, f.ref, target)
    if ref == 0:
        return fail_status(s, NO_MEMORY)
    if overwrites:
        old_kind = entry_kind(old.entry)
        replace_entry(e, s.db, target, &old, ref)
    elif link_entry(e, s.db, hash, ref) != OK:
        arena_free(&e.arena, ref)
        return fail_status(s, NO_MEMORY)
    look_up(s, source, s.hash, LOOK_WRITE | LOOK_NO_TOUCH, &f)      # the new entry may have moved it
    unlink_entry(e, s.db, &f)
    arena_free(&e.arena, f.ref)         # without its value, which has a new name
    notify(e, EVENT_NEW, b"new", target, s.db)
    signal_modified(e, s.db, source, s.hash)
    signal_modified(e, s.db, target, hash)
    e.root.dirty -= 1           # it counts as one change
    notify(e, EVENT_GENERIC, b"rename_from", source, s.db)
    notify(e, EVENT_GENERIC, b"rename_to", target, s.db)
    if overwrites:
        notify_overwritten(e, s.db, target, old_kind, kind)
    if if_missing:
        reply_int(&s.out, 1)
    else:
        reply_ok(&s.out)
    return OK


define("RENAME", fn(cmd_rename), arity=3, flags=WRITE,
       keys=(KeySpec(1, 1, 1, "RW access delete"), KeySpec(2, 2, 1, "OW update")), group="generic", since="1.0.0",
       cost="O(1)", args="key newkey", summary="Give a value another key, replacing what is there.")
cdef Status cmd_rename(Session* s) noexcept nogil:
    return rename_key(s, False)


define("RENAMENX", fn(cmd_renamenx), arity=3, flags=WRITE | FAST,
       keys=(KeySpec(1, 1, 1, "RW access delete"), KeySpec(2, 2, 1, "OW insert")), group="generic", since="1.0.0",
       cost="O(1)", args="key newkey", history=(("3.2.0", "Equal names are no error."),),
       summary="Give a value another key unless that one exists.")
cdef Status cmd_renamenx(Session* s) noexcept nogil:
    return rename_key(s, True)


define("COPY", fn(cmd_copy), arity=-3, flags=WRITE | DENYOOM,
       keys=(KeySpec(1, 1, 1, "RO access"), KeySpec(2, 2, 1, "OW update")), group="generic", since="6.2.0",
       cost="O(1) for strings, else O(N) for N elements", args="source destination [DB destination-db] [REPLACE]",
       summary="Copy a value to another key.")
cdef Status cmd_copy(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* source = &s.argv[1]
    cdef Slice* target = &s.argv[2]
    cdef Database* db = s.db
    cdef uint64_t hash
    cdef Found f, old
    cdef uint8_t kind, old_kind = 0
    cdef bint replace = False, overwrites
    cdef uint32_t i = 3
    cdef Ref ref
    while i < s.argc:
        if is_word(&s.argv[i], b"replace"):
            replace = True
            i += 1
        elif i + 1 < s.argc and is_word(&s.argv[i], b"db"):
            db = parse_database(s, &s.argv[i + 1])
            if db == NULL:
                return FAILED
            i += 2
        else:
            return fail_syntax(s)
    if db == s.db and same_bytes(source, target):
        return fail(s, b"ERR source and destination objects are the same")
    hash = key_hash(e, target)
    if not look_up(s, source, s.hash, LOOK_READ, &f):
        reply_int(&s.out, 0)
        return OK
    overwrites = look_up_in(s, db, target, hash, &old)
    if overwrites and not replace:
        reply_int(&s.out, 0)
        return OK
    kind = entry_kind(f.entry)
    ref = clone_entry(e, f.ref, target)
    if ref == 0:
        return fail_status(s, NO_MEMORY)
    if overwrites:
        old_kind = entry_kind(old.entry)
        remove_key(e, db, &old, e.config.lazyfree_lazy_server_del != 0)
    if link_entry(e, db, hash, ref) != OK:
        free_entry(e, ref, False)
        return fail_status(s, NO_MEMORY)
    notify(e, EVENT_NEW, b"new", target, db)
    signal_modified(e, db, target, hash)
    notify(e, EVENT_GENERIC, b"copy_to", target, db)
    if overwrites:
        notify_overwritten(e, db, target, old_kind, kind)
    reply_int(&s.out, 1)
    return OK


define("MOVE", fn(cmd_move), arity=3, flags=WRITE | FAST, keys=KeySpec(1, 1, 1, "RW access update"), group="generic",
       since="1.0.0", cost="O(1)", args="key db", summary="Move a key to another database.")
cdef Status cmd_move(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[1]
    cdef Database* db = parse_database(s, &s.argv[2])
    cdef Found f, old
    if db == NULL:
        return FAILED
    if db == s.db:
        return fail(s, b"ERR source and destination objects are the same")
    if not look_up(s, key, s.hash, LOOK_WRITE, &f) or look_up_in(s, db, key, s.hash, &old):
        reply_int(&s.out, 0)
        return OK
    if link_entry(e, db, s.hash, f.ref) != OK:
        return fail_status(s, NO_MEMORY)
    unlink_entry(e, s.db, &f)
    notify(e, EVENT_NEW, b"new", key, db)
    signal_modified(e, s.db, key, s.hash)
    signal_modified(e, db, key, s.hash)
    e.root.dirty -= 1           # it counts as one change
    notify(e, EVENT_GENERIC, b"move_from", key, s.db)
    notify(e, EVENT_GENERIC, b"move_to", key, db)
    reply_int(&s.out, 1)
    return OK


# ---------------------------------------------------------------- OBJECT

cdef const char* OBJECT_HELP[15]
OBJECT_HELP[:] = [
    b"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    b"ENCODING <key>",
    b"    Return the kind of internal representation used in order to store the value",
    b"    associated with a <key>.",
    b"FREQ <key>",
    b"    Return the access frequency index of the <key>. The returned integer is",
    b"    proportional to the logarithm of the recent access frequency of the key.",
    b"IDLETIME <key>",
    b"    Return the idle time of the <key>, that is the approximated number of",
    b"    seconds elapsed since the last access to the key.",
    b"REFCOUNT <key>",
    b"    Return the number of references of the value associated with the specified",
    b"    <key>.",
    b"HELP",
    b"    Print this help.",
]


cdef Entry* look_at(Session* s) noexcept nogil:
    """The entry that OBJECT asks about, undisturbed; NULL after a null reply."""
    cdef Found f
    if look_up(s, &s.argv[2], s.hash, LOOK_NO_TOUCH | LOOK_NO_STATS, &f):
        return f.entry
    reply_null(&s.out)
    return NULL


define("OBJECT", None, arity=-2, flags=0, group="generic", since="2.2.3", cost="That of the subcommand",
       summary="Commands that look inside a value.")

define("OBJECT ENCODING", fn(cmd_object_encoding), arity=3, flags=READONLY, keys=KeySpec(2, 2, 1, "RO"),
       group="generic", since="2.2.3", cost="O(1)", args="key", tips=("nondeterministic_output",),
       summary="Name the form in which a value is stored.")
cdef Status cmd_object_encoding(Session* s) noexcept nogil:
    cdef Entry* entry = look_at(s)
    if entry != NULL:
        reply_text(&s.out, encoding_name(entry))
    return OK


define("OBJECT REFCOUNT", fn(cmd_object_refcount), arity=3, flags=READONLY, keys=KeySpec(2, 2, 1, "RO"),
       group="generic", since="2.2.3", cost="O(1)", args="key", tips=("nondeterministic_output",),
       summary="Count the references to a value: always 1.")
cdef Status cmd_object_refcount(Session* s) noexcept nogil:
    if look_at(s) != NULL:
        reply_int(&s.out, 1)
    return OK


define("OBJECT IDLETIME", fn(cmd_object_idletime), arity=3, flags=READONLY, keys=KeySpec(2, 2, 1, "RO"),
       group="generic", since="2.2.3", cost="O(1)", args="key", tips=("nondeterministic_output",),
       summary="Show the seconds since a value was last used.")
cdef Status cmd_object_idletime(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Entry* entry = look_at(s)
    if entry == NULL:
        return OK
    if e.config.maxmemory_policy & EVICT_KIND == EVICT_LFU:
        return fail(s, b"ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
                    b"switching between policies at runtime LRU and LFU data will take some time to adjust.")
    reply_int(&s.out, (e.lru_clock - entry_clock(entry)) & 0xFFFFFF)
    return OK


define("OBJECT FREQ", fn(cmd_object_freq), arity=3, flags=READONLY, keys=KeySpec(2, 2, 1, "RO"), group="generic",
       since="4.0.0", cost="O(1)", args="key", tips=("nondeterministic_output",),
       summary="Show the logarithmic counter of a value's uses.")
cdef Status cmd_object_freq(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Entry* entry = look_at(s)
    if entry == NULL:
        return OK
    if e.config.maxmemory_policy & EVICT_KIND != EVICT_LFU:
        return fail(s, b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
                    b"when switching between policies at runtime LRU and LFU data will take some time to adjust.")
    reply_int(&s.out, lfu_decayed(e, entry_clock(entry)))
    return OK


define("OBJECT HELP", fn(cmd_object_help), arity=2, flags=LOADING | STALE, group="generic", since="6.2.0",
       cost="O(1)", summary="Describe the subcommands.")
cdef Status cmd_object_help(Session* s) noexcept nogil:
    cdef int i
    reply_array(&s.out, 15)
    for i in range(15):
        reply_simple(&s.out, OBJECT_HELP[i])
    return OK


# ---------------------------------------------------------------- databases

cdef bint parse_int32(const Slice* arg, int64_t* value) noexcept nogil:
    return parse_int(arg.ptr, arg.len, value) and INT32_MIN <= value[0] <= INT32_MAX


cdef Database* parse_database(Session* s, const Slice* arg) noexcept nogil:
    """The database that an argument names; NULL after an error reply."""
    cdef int64_t index
    if not parse_int32(arg, &index):
        if parse_int(arg.ptr, arg.len, &index):
            fail(s, b"ERR value is out of range, value must between -2147483648 and 2147483647")
        else:
            fail(s, b"ERR value is not an integer or out of range")
        return NULL
    if not 0 <= index < s.engine.database_count:
        fail(s, b"ERR DB index is out of range")
        return NULL
    return &s.engine.databases[index]


define("SELECT", fn(cmd_select), arity=2, flags=LOADING | STALE | FAST, group="connection", since="1.0.0",
       cost="O(1)", args="index", summary="Change the session's database.")
cdef Status cmd_select(Session* s) noexcept nogil:
    cdef Database* db = parse_database(s, &s.argv[1])
    if db == NULL:
        return FAILED
    select_database(s, db.id)
    reply_ok(&s.out)
    return OK


define("DBSIZE", fn(cmd_dbsize), arity=1, flags=READONLY | FAST, group="server", since="1.0.0", cost="O(1)",
       categories="keyspace", tips=("request_policy:all_shards", "response_policy:agg_sum"),
       summary="Count the keys of the database.")
cdef Status cmd_dbsize(Session* s) noexcept nogil:
    reply_int(&s.out, <int64_t>s.db.keys.count)
    return OK


cdef Status parse_flush(Session* s, bint* lazy) noexcept nogil:
    """Read FLUSHDB's and FLUSHALL's option; FAILED after an error reply."""
    lazy[0] = s.engine.config.lazyfree_lazy_user_flush != 0
    if s.argc == 1:
        return OK
    if s.argc == 2:
        lazy[0] = is_word(&s.argv[1], b"async")
        if lazy[0] or is_word(&s.argv[1], b"sync"):
            return OK
    return fail_syntax(s)


cdef void tell_database(Engine* e, Database* db, Database* other) noexcept nogil:
    """Tell whoever follows keys of a database that it is about to be emptied, or to become another."""
    touch_database(e, db, other)
    if e.waited_keys:
        e.key_ready(e, db, NULL, 0)


cdef void free_some(Engine* e) noexcept nogil:
    """Free what has been flushed as far as that takes a millisecond; the timers do the rest."""
    cdef int64_t start = monotonic_us()
    while lazyfree_step(e, FREE_STEP) and monotonic_us() - start < FREE_US:
        pass


define("FLUSHDB", fn(cmd_flushdb), arity=-1, flags=WRITE, group="server", since="1.0.0",
       cost="O(N) for the N keys of the database", args="[ASYNC|SYNC]", categories="keyspace dangerous",
       tips=FLUSH_TIPS, history=FLUSH_HISTORY, summary="Delete all keys of the database.")
cdef Status cmd_flushdb(Session* s) noexcept nogil:
    cdef bint lazy
    if parse_flush(s, &lazy) != OK:
        return FAILED
    tell_database(s.engine, s.db, NULL)
    if s.engine.trackers:
        s.engine.track_change(s.engine, s.db, NULL)
    flush_database(s.engine, s.db, lazy or s.flags & IN_EXEC == 0)
    if not lazy:
        free_some(s.engine)
    reply_ok(&s.out)
    return OK


define("FLUSHALL", fn(cmd_flushall), arity=-1, flags=WRITE, group="server", since="1.0.0",
       cost="O(N) for the N keys of all databases", args="[ASYNC|SYNC]", categories="keyspace dangerous",
       tips=FLUSH_TIPS, history=FLUSH_HISTORY, summary="Delete all keys of all databases.")
cdef Status cmd_flushall(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef bint lazy
    cdef uint32_t i
    if parse_flush(s, &lazy) != OK:
        return FAILED
    if e.trackers:
        e.track_change(e, NULL, NULL)
    for i in range(e.database_count):
        tell_database(e, &e.databases[i], NULL)
        flush_database(e, &e.databases[i], lazy or s.flags & IN_EXEC == 0)
    if not lazy:
        free_some(e)
    undo_note(&e.arena, &e.root.dirty, sizeof(uint64_t))
    e.root.dirty += 1
    reply_ok(&s.out)
    return OK


define("SWAPDB", fn(cmd_swapdb), arity=3, flags=WRITE | FAST, group="server", since="4.0.0",
       cost="O(N) for N watched keys of both databases", args="index1 index2", categories="keyspace dangerous",
       summary="Swap two databases.")
cdef Status cmd_swapdb(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef int64_t first, second
    cdef Database* a
    cdef Database* b
    cdef Database kept
    if not parse_int32(&s.argv[1], &first):
        return fail(s, b"ERR invalid first DB index")
    if not parse_int32(&s.argv[2], &second):
        return fail(s, b"ERR invalid second DB index")
    if not 0 <= first < e.database_count or not 0 <= second < e.database_count:
        return fail(s, b"ERR DB index is out of range")
    if first != second:
        a = &e.databases[first]
        b = &e.databases[second]
        tell_database(e, a, b)
        tell_database(e, b, a)
        undo_note(&e.arena, a, sizeof(Database))
        undo_note(&e.arena, b, sizeof(Database))
        kept = a[0]
        a[0] = b[0]
        b[0] = kept
        a.id = <uint32_t>first
        b.id = <uint32_t>second
    undo_note(&e.arena, &e.root.dirty, sizeof(uint64_t))
    e.root.dirty += 1
    reply_ok(&s.out)
    return OK
