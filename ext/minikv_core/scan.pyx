"""Iterating by cursor, and the commands that go through a database: KEYS, SCAN and RANDOMKEY.

References of elements are collected first and looked at afterwards: looking may remove an expired
key, which must not happen while the table is walked.
"""
from libc cimport errno
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc, strtoull
from libc.string cimport memchr, memcpy
from minikv_core.arena cimport arena_at
from minikv_core.engine cimport Engine, READONLY, Session
from minikv_core.entry cimport Entry, entry_expiry, entry_key, entry_kind
from minikv_core.generic cimport kind_name
from minikv_core.glob cimport glob_match
from minikv_core.keyspace cimport LOOK_NO_TOUCH, LOOK_READ, LOOK_WRITE, Found, key_hash, look_up
from minikv_core.memory cimport ctz
from minikv_core.numbers cimport parse_int
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_bulk, reply_bulk_int, reply_null
from minikv_core.session cimport fail, fail_status, fail_syntax, fail_wrong_type, is_word
from minikv_core.table cimport (
    ALL_SLOTS, BUCKETS, Bucket, Segment, Slot, Table, match_tags, table_find, table_next_segment, table_random,
    table_scan,
)
from minikv_core.types cimport FAILED, MISSING, NO_MEMORY, OK, Ref, Slice, Status
from minikv_core.registry import define

cdef enum:
    SCAN_COUNT = 10         # elements that are looked for unless told
    CURSOR_CHARS = 32       # longest cursor that is read; the largest number has 20 digits
    RANDOM_TRIES = 100      # expired keys that RANDOMKEY draws while it may not remove them


cdef void append_ref(void* context, Ref ref) noexcept nogil:
    """A VisitFn whose context is a RefList."""
    cdef RefList* list = <RefList*>context
    cdef Ref* grown
    if list.count == list.room:
        grown = <Ref*>realloc(list.refs, (list.room * 2 + 64) * sizeof(Ref))
        if grown == NULL:
            list.failed = True
            return
        list.refs = grown
        list.room = list.room * 2 + 64
    list.refs[list.count] = ref
    list.count += 1


# ---------------------------------------------------------------- cursors and options

cdef bint parse_cursor(const Slice* arg, uint64_t* cursor) noexcept nogil:
    """Read what strtoull takes for an unsigned number, as Redis does: leading blanks and '+' count."""
    cdef char text[CURSOR_CHARS]
    cdef char* end
    if arg.len == 0 or arg.len >= CURSOR_CHARS or arg.ptr[0] == c'-':
        return False
    memcpy(text, arg.ptr, arg.len)
    text[arg.len] = 0
    errno.errno = 0
    cursor[0] = strtoull(text, &end, 10)
    return end == text + arg.len and errno.errno == 0


cdef inline bint is_star(const Slice* pattern) noexcept nogil:
    return pattern.len == 1 and pattern.ptr[0] == c'*'


cdef Status parse_options(Session* s, uint32_t i, int allowed, ScanOptions* options) noexcept nogil:
    """Read the options from argv[i] on; FAILED after an error reply."""
    cdef Slice* value
    options.pattern = NULL
    options.kind = NULL
    options.count = SCAN_COUNT
    options.novalues = False
    while i < s.argc:
        if is_word(&s.argv[i], b"novalues"):
            if allowed & SCAN_NOVALUES == 0:
                return fail(s, b"ERR NOVALUES option can only be used in HSCAN")
            options.novalues = True
            i += 1
            continue
        if i + 1 == s.argc:
            return fail_syntax(s)
        value = &s.argv[i + 1]
        if is_word(&s.argv[i], b"count"):
            if not parse_int(value.ptr, value.len, &options.count):
                return fail(s, b"ERR value is not an integer or out of range")
            if options.count < 1:
                return fail_syntax(s)
        elif is_word(&s.argv[i], b"match"):
            options.pattern = NULL if is_star(value) else value
        elif allowed & SCAN_TYPE and is_word(&s.argv[i], b"type"):
            options.kind = value
        else:
            return fail_syntax(s)
        i += 2
    return OK


cdef Status scan_begin(Session* s, uint32_t at, int allowed, uint64_t* cursor, ScanOptions* options) noexcept nogil:
    if not parse_cursor(&s.argv[at], cursor):
        return fail(s, b"ERR invalid cursor")
    return parse_options(s, at + 1, allowed, options)


cdef Status scan_key(Session* s, int kind, int allowed, uint64_t* cursor, ScanOptions* options, Found* f) noexcept nogil:
    if not parse_cursor(&s.argv[2], cursor):
        return fail(s, b"ERR invalid cursor")
    if not look_up(s, &s.argv[1], s.hash, LOOK_READ, f):
        reply_array(&s.out, 2)
        reply_bulk_int(&s.out, 0)
        reply_array(&s.out, 0)
        return MISSING
    if entry_kind(f.entry) != kind:
        return fail_wrong_type(s)
    return parse_options(s, 3, allowed, options)


cdef bint scan_wanted(const ScanOptions* options, const char* p, uint32_t n) noexcept nogil:
    return options.pattern == NULL or glob_match(options.pattern.ptr, options.pattern.len, p, n, False)


cdef uint64_t scan_table(Session* s, Table* t, uint64_t cursor, const ScanOptions* options, RefList* found) noexcept nogil:
    while True:
        cursor = table_scan(&s.engine.arena, t, cursor, append_ref, found)
        if cursor == 0 or <int64_t>found.count >= options.count:
            return cursor

# ---------------------------------------------------------------- what the commands share

cdef Status reply_keys(Session* s, RefList* list) noexcept nogil:
    """Write the keys as an array, and free the list."""
    cdef size_t i
    cdef uint32_t klen
    cdef char* key
    reply_array(&s.out, <int64_t>list.count)
    for i in range(list.count):
        key = entry_key(<Entry*>arena_at(&s.engine.arena, list.refs[i]), &klen)
        reply_bulk(&s.out, key, klen)
    free(list.refs)
    return OK


cdef inline bint is_expired(const Engine* e, Entry* entry) noexcept nogil:
    return entry.meta >> 6 != 0 and entry_expiry(entry) < e.now_ms


cdef void remove_expired(Session* s, Entry* entry) noexcept nogil:
    """Remove a key whose time has come, if writes are not paused."""
    cdef Slice key
    cdef Found f
    cdef char* bytes = entry_key(entry, &key.len)
    key.ptr = <char*>malloc(key.len + 1)        # the key must outlive its entry
    if key.ptr == NULL:
        return
    memcpy(key.ptr, bytes, key.len)
    look_up(s, &key, key_hash(s.engine, &key), LOOK_WRITE | LOOK_NO_TOUCH, &f)
    free(key.ptr)


# ---------------------------------------------------------------- KEYS

cdef bint is_literal(const Slice* pattern) noexcept nogil:
    """Whether a pattern can match nothing but itself."""
    return (memchr(pattern.ptr, c'*', pattern.len) == NULL and memchr(pattern.ptr, c'?', pattern.len) == NULL
            and memchr(pattern.ptr, c'[', pattern.len) == NULL and memchr(pattern.ptr, c'\\', pattern.len) == NULL)


cdef void find_matches(Session* s, const Slice* pattern, RefList* found) noexcept nogil:
    """Collect all entries that have not expired and whose keys match; pattern NULL = all."""
    cdef Engine* e = s.engine
    cdef uint64_t position = 0
    cdef Segment* segment = table_next_segment(&e.arena, &s.db.keys, &position)
    cdef Bucket* b
    cdef Entry* entry
    cdef char* key
    cdef uint32_t i, mask, klen
    while segment != NULL:
        for i in range(<uint32_t>BUCKETS):
            b = &segment.buckets[i]
            mask = ~match_tags(b.tags, 0) & ALL_SLOTS
            while mask:
                entry = <Entry*>arena_at(&e.arena, b.refs[ctz(mask)])
                key = entry_key(entry, &klen)
                if not is_expired(e, entry) and (
                        pattern == NULL or glob_match(pattern.ptr, pattern.len, key, klen, False)):
                    append_ref(found, b.refs[ctz(mask)])
                mask &= mask - 1
        segment = table_next_segment(&e.arena, &s.db.keys, &position)


define("KEYS", fn(cmd_keys), arity=2, flags=READONLY, group="generic", since="1.0.0",
       cost="O(N) for the N keys of the database; O(1) for a pattern that matches only itself", args="pattern",
       categories="dangerous", tips=("request_policy:all_shards", "nondeterministic_output_order"),
       summary="List the keys that match a pattern.")
cdef Status cmd_keys(Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* pattern = &s.argv[1]
    cdef RefList found = [NULL, 0, 0, False]
    cdef Slot slot
    if is_literal(pattern):
        if table_find(&e.arena, &s.db.keys, key_hash(e, pattern), pattern.ptr, pattern.len, &slot) and \
                not is_expired(e, <Entry*>arena_at(&e.arena, slot.bucket.refs[slot.index])):
            append_ref(&found, slot.bucket.refs[slot.index])
    else:
        find_matches(s, NULL if is_star(pattern) else pattern, &found)
    if found.failed:
        free(found.refs)
        return fail_status(s, NO_MEMORY)
    return reply_keys(s, &found)


# ---------------------------------------------------------------- SCAN

cdef void keep_wanted(Session* s, const ScanOptions* options, RefList* visited) noexcept nogil:
    """Remove expired entries from the database, and from the list also those that the options exclude."""
    cdef Engine* e = s.engine
    cdef size_t i, kept = 0
    cdef Entry* entry
    cdef char* key
    cdef uint32_t klen
    for i in range(visited.count):
        entry = <Entry*>arena_at(&e.arena, visited.refs[i])
        if is_expired(e, entry):
            remove_expired(s, entry)
            continue
        if options.kind != NULL and not is_word(options.kind, kind_name(entry_kind(entry))):
            continue
        key = entry_key(entry, &klen)
        if not scan_wanted(options, key, klen):
            continue
        visited.refs[kept] = visited.refs[i]
        kept += 1
    visited.count = kept


define("SCAN", fn(cmd_scan), arity=-2, flags=READONLY, group="generic", since="2.8.0",
       cost="O(1) a call, O(N) for a whole iteration over N keys",
       args="cursor [MATCH pattern] [COUNT count] [TYPE type]",
       tips=("nondeterministic_output", "request_policy:special", "response_policy:special"),
       history=(("6.0.0", "Option TYPE."),), summary="Iterate over the keys of the database, some at each call.")
cdef Status cmd_scan(Session* s) noexcept nogil:
    cdef RefList visited = [NULL, 0, 0, False]
    cdef ScanOptions options
    cdef uint64_t cursor = 0
    if scan_begin(s, 1, SCAN_TYPE, &cursor, &options) != OK:
        return FAILED
    cursor = scan_table(s, &s.db.keys, cursor, &options, &visited)
    if visited.failed:
        free(visited.refs)
        return fail_status(s, NO_MEMORY)
    keep_wanted(s, &options, &visited)
    reply_array(&s.out, 2)
    reply_bulk_int(&s.out, <int64_t>cursor)
    return reply_keys(s, &visited)


# ---------------------------------------------------------------- RANDOMKEY

define("RANDOMKEY", fn(cmd_randomkey), arity=1, flags=READONLY, group="generic", since="1.0.0", cost="O(1)",
       tips=("request_policy:all_shards", "response_policy:special", "nondeterministic_output"),
       summary="Name a random key of the database.")
cdef Status cmd_randomkey(Session* s) noexcept nogil:
    """Draw until a key has not expired; if expired ones may not be removed, one of them is as good."""
    cdef Engine* e = s.engine
    cdef Entry* entry
    cdef char* key
    cdef uint32_t klen, tries = 0
    cdef uint64_t count
    while True:
        count = s.db.keys.count
        if count == 0:
            reply_null(&s.out)
            return OK
        entry = <Entry*>arena_at(&e.arena, table_random(&e.arena, &s.db.keys, &e.random))
        if not is_expired(e, entry) or tries == RANDOM_TRIES:
            key = entry_key(entry, &klen)
            reply_bulk(&s.out, key, klen)
            return OK
        remove_expired(s, entry)
        tries += s.db.keys.count == count
