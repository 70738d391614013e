"""WATCH and UNWATCH: optimistic locks on keys, for the sessions of every process on the store.

The arena holds a table of watched keys, Root.watches. Its entries are named by the database's
number (4 bytes) and the key, and say when the key was last changed, in numbers that Root.versions
hands out:

    u64 changed     last change of any kind
    u64 stored      last change that left a value there
    u32 watchers    sessions that watch it; the entry goes with the last one

A session keeps the number that was current when it said WATCH, and compares at EXEC. What it saw
matters: whoever saw a value is concerned by any change, and by the value's expiry; whoever saw none,
or one past its expiry, is concerned only if a value was stored since. The removal of a value that
had expired before WATCH changes nothing.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset
from minikv_core.arena cimport arena_alloc, arena_at, arena_free, undo_note
from minikv_core.engine cimport (
    ALLOW_BUSY, Database, Engine, FAST, IN_MULTI, LOADING, NOSCRIPT, QUEUEING, Session, STALE,
)
from minikv_core.entry cimport Entry, EntryView, entry_bytes, entry_expiry, entry_view, entry_write
from minikv_core.hash cimport hash_bytes
from minikv_core.memory cimport load_u32, load_u64, store_u32, store_u64
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_ok
from minikv_core.session cimport fail, fail_status, on_session_end
from minikv_core.table cimport Slot, table_clear, table_find, table_insert, table_remove, table_scan
from minikv_core.types cimport NO_MEMORY, OK, Ref, STRING, FORM_RAW, Slice, Status

from minikv_core.registry import KeySpec, define

cdef enum:
    PAYLOAD = 20            # bytes of an entry's value; its fields:
    AT_CHANGED = 0
    AT_STORED = 8
    AT_WATCHERS = 16
    NAME_ROOM = 512         # bytes of stack for a name; longer ones are malloc'd
    FIRST_ROOM = 4          # keys in a session's list at first

cdef enum State:            # of a key in its database
    ABSENT = 0
    EXPIRED = 1             # there, but past its expiry
    PRESENT = 2

cdef struct Watched:        # one key of one session
    char*    name           # database number and key; malloc'd
    uint32_t len            # bytes of name
    bint     seen           # a value was there
    uint64_t hash           # of name
    uint64_t version        # Root.versions when WATCH was said

cdef struct WatchList:      # Session.watch
    Watched* keys           # malloc'd
    uint32_t count
    uint32_t room

cdef struct Touch:          # what a visit of the table needs
    Engine*   engine
    Database* db
    Database* other

# ---------------------------------------------------------------- the table

cdef inline bint find_watched(const Engine* e, uint64_t hash, const char* name, uint32_t len, Slot* slot,
                              char** payload) noexcept nogil:
    cdef EntryView v
    if not table_find(&e.arena, &e.root.watches, hash, name, len, slot):
        return False
    entry_view(<Entry*>arena_at(&e.arena, slot.bucket.refs[slot.index]), &v)
    payload[0] = v.value
    return True

cdef State key_state(const Engine* e, const Database* db, const char* key, uint32_t len) noexcept nogil:
    cdef Slot slot
    cdef int64_t at_ms
    if not table_find(&e.arena, &db.keys, hash_bytes(&e.arena.head.seed, key, len), key, len, &slot):
        return ABSENT
    at_ms = entry_expiry(<Entry*>arena_at(&e.arena, slot.bucket.refs[slot.index]))
    return EXPIRED if 0 <= at_ms < e.now_ms else PRESENT

cdef inline void write_name(char* name, uint32_t db, const Slice* key) noexcept nogil:
    store_u32(name, db)
    memcpy(name + 4, key.ptr, key.len)

cdef void touch_key(Engine* e, Database* db, const Slice* key) noexcept nogil:
    cdef char[512] room             # NAME_ROOM
    cdef char* name = room
    cdef char* payload
    cdef Slot slot
    cdef uint32_t len = key.len + 4
    if len > NAME_ROOM:
        name = <char*>malloc(len)
        if name == NULL:
            touch_all(e)
            return
    write_name(name, db.id, key)
    if find_watched(e, hash_bytes(&e.arena.head.seed, name, len), name, len, &slot, &payload):
        touch_payload(e, payload, key_state(e, db, key.ptr, key.len) != ABSENT)
    if name != room:
        free(name)

cdef inline void touch_payload(Engine* e, char* payload, bint stored) noexcept nogil:
    undo_note(&e.arena, &e.root.versions, sizeof(uint64_t))
    undo_note(&e.arena, payload, PAYLOAD)
    e.root.versions += 1
    store_u64(payload + AT_CHANGED, e.root.versions)
    if stored:
        store_u64(payload + AT_STORED, e.root.versions)

cdef void visit_any(void* context, Ref ref) noexcept nogil:
    cdef Engine* e = <Engine*>context
    cdef EntryView v
    entry_view(<Entry*>arena_at(&e.arena, ref), &v)
    touch_payload(e, v.value, True)

cdef void touch_all(Engine* e) noexcept nogil:
    """Fail all watchers, where memory lacks to tell which key it is."""
    visit_watched(e, visit_any, e)

cdef void visit_of_database(void* context, Ref ref) noexcept nogil:
    cdef Touch* touch = <Touch*>context
    cdef Engine* e = touch.engine
    cdef EntryView v
    cdef State now, then = ABSENT
    entry_view(<Entry*>arena_at(&e.arena, ref), &v)
    if load_u32(v.key) != touch.db.id:
        return
    now = key_state(e, touch.db, v.key + 4, v.klen - 4)
    if touch.other != NULL:
        then = key_state(e, touch.other, v.key + 4, v.klen - 4)
    if now != ABSENT or then != ABSENT:
        touch_payload(e, v.value, then == PRESENT)

cdef void touch_database(Engine* e, Database* db, Database* other) noexcept nogil:
    cdef Touch touch
    if e.root.watched == 0:
        return
    touch.engine = e
    touch.db = db
    touch.other = other
    visit_watched(e, visit_of_database, &touch)

ctypedef void (*Visit)(void* context, Ref ref) noexcept nogil

cdef void visit_watched(Engine* e, Visit visit, void* context) noexcept nogil:
    cdef uint64_t cursor = 0
    while True:
        cursor = table_scan(&e.arena, &e.root.watches, cursor, visit, context)
        if cursor == 0:
            return

cdef void visit_free(void* context, Ref ref) noexcept nogil:
    cdef Engine* e = <Engine*>context
    arena_free(&e.arena, ref)

cdef void watch_forget(Engine* e) noexcept nogil:
    visit_watched(e, visit_free, e)
    table_clear(&e.arena, &e.root.watches)
    undo_note(&e.arena, &e.root.watched, sizeof(uint32_t))
    e.root.watched = 0

cdef void watch_attach(Engine* e) noexcept nogil:
    e.touch_watched = touch_key

# ---------------------------------------------------------------- a session's list

cdef Status watch_key(Session* s, const Slice* key) noexcept nogil:
    cdef Engine* e = s.engine
    cdef WatchList* list = <WatchList*>s.watch
    cdef Watched* w
    cdef Slot slot
    cdef char* payload
    cdef char* name
    cdef uint32_t i, len = key.len + 4
    cdef uint64_t hash
    if list == NULL:
        list = <WatchList*>malloc(sizeof(WatchList))
        if list == NULL:
            return NO_MEMORY
        memset(list, 0, sizeof(WatchList))
        s.watch = list
        s.state_bytes += sizeof(WatchList)
    if list.count == list.room and not grow_list(s, list):
        return NO_MEMORY
    name = <char*>malloc(len)
    if name == NULL:
        return NO_MEMORY
    write_name(name, s.db.id, key)
    hash = hash_bytes(&e.arena.head.seed, name, len)
    if find_watched(e, hash, name, len, &slot, &payload):
        for i in range(list.count):
            w = &list.keys[i]
            if w.hash == hash and w.len == len and memcmp(w.name, name, len) == 0:
                free(name)
                return OK
        undo_note(&e.arena, payload, PAYLOAD)
        store_u32(payload + AT_WATCHERS, load_u32(payload + AT_WATCHERS) + 1)
    elif not add_entry(e, hash, name, len):
        free(name)
        return NO_MEMORY
    w = &list.keys[list.count]
    w.name = name
    w.len = len
    w.hash = hash
    w.seen = key_state(e, s.db, key.ptr, key.len) == PRESENT
    w.version = e.root.versions
    list.count += 1
    e.place.watching += 1
    s.state_bytes += len
    return OK

cdef bint grow_list(Session* s, WatchList* list) noexcept nogil:
    cdef uint32_t room = list.room * 2 if list.room else <uint32_t>FIRST_ROOM
    cdef Watched* grown = <Watched*>realloc(list.keys, room * sizeof(Watched))
    if grown == NULL:
        return False
    s.state_bytes += (room - list.room) * sizeof(Watched)
    list.keys = grown
    list.room = room
    return True

cdef bint add_entry(Engine* e, uint64_t hash, const char* name, uint32_t len) noexcept nogil:
    cdef Ref ref = arena_alloc(&e.arena, entry_bytes(len, PAYLOAD, -1))
    cdef char* payload
    if ref == 0:
        return False
    payload = entry_write(<Entry*>arena_at(&e.arena, ref), STRING, FORM_RAW, 0, name, len, PAYLOAD, -1)
    memset(payload, 0, PAYLOAD)
    store_u32(payload + AT_WATCHERS, 1)
    if table_insert(&e.arena, &e.root.watches, hash, ref, -1) != OK:
        arena_free(&e.arena, ref)
        return False
    undo_note(&e.arena, &e.root.watched, sizeof(uint32_t))
    e.root.watched += 1
    return True

cdef void release_entry(Engine* e, const Watched* w) noexcept nogil:
    cdef Slot slot
    cdef Ref ref
    cdef char* payload
    cdef uint32_t left
    if not find_watched(e, w.hash, w.name, w.len, &slot, &payload):
        return
    left = load_u32(payload + AT_WATCHERS) - 1
    undo_note(&e.arena, payload, PAYLOAD)
    store_u32(payload + AT_WATCHERS, left)
    if left == 0:
        ref = slot.bucket.refs[slot.index]
        table_remove(&e.arena, &e.root.watches, w.hash, &slot)
        arena_free(&e.arena, ref)
        undo_note(&e.arena, &e.root.watched, sizeof(uint32_t))
        e.root.watched -= 1

cdef bint watch_failed(const Session* s) noexcept nogil:
    cdef Engine* e = s.engine
    cdef WatchList* list = <WatchList*>s.watch
    cdef Watched* w
    cdef Slot slot
    cdef char* payload
    cdef uint32_t i
    if list == NULL:
        return False
    for i in range(list.count):
        w = &list.keys[i]
        if not find_watched(e, w.hash, w.name, w.len, &slot, &payload):
            return True
        if load_u64(payload + (AT_CHANGED if w.seen else AT_STORED)) > w.version:
            return True
        if w.seen and key_state(e, &e.databases[load_u32(w.name)], w.name + 4, w.len - 4) == EXPIRED:
            return True
    return False

cdef void unwatch_all(Session* s) noexcept nogil:
    cdef WatchList* list = <WatchList*>s.watch
    cdef uint32_t i
    if list == NULL:
        return
    for i in range(list.count):
        release_entry(s.engine, &list.keys[i])
        s.state_bytes -= list.keys[i].len
        free(list.keys[i].name)
    s.engine.place.watching -= list.count
    s.state_bytes -= sizeof(WatchList) + list.room * sizeof(Watched)
    free(list.keys)
    free(list)
    s.watch = NULL

cdef uint32_t watch_count(const Session* s) noexcept nogil:
    return (<WatchList*>s.watch).count if s.watch != NULL else 0

# ---------------------------------------------------------------- commands

define("WATCH", fn(cmd_watch), arity=-2, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | IN_MULTI,
       keys=KeySpec(1, -1, 1, "RO"), group="transactions", since="2.2.0", cost="O(1) per key", args="key ...",
       summary="Let the next EXEC fail if one of the keys is changed before it.")
cdef Status cmd_watch(Session* s) noexcept nogil:
    cdef uint32_t i
    if s.gate & QUEUEING:
        return fail(s, b"ERR WATCH inside MULTI is not allowed")
    for i in range(1, s.argc):
        if watch_key(s, &s.argv[i]) != OK:
            return fail_status(s, NO_MEMORY)
    reply_ok(&s.out)
    return OK

define("UNWATCH", fn(cmd_unwatch), arity=1, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
       group="transactions", since="2.2.0", cost="O(1) per watched key", summary="Forget all watched keys.")
cdef Status cmd_unwatch(Session* s) noexcept nogil:
    unwatch_all(s)
    reply_ok(&s.out)
    return OK

on_session_end(unwatch_all)
