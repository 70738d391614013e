"""Sorted sets: what the modules of their commands share."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy
from minikv_core.engine cimport (
    EVENT_GENERIC, EVENT_NEW, EVENT_OVERWRITTEN, EVENT_TYPE_CHANGED, EVENT_ZSET, Engine, Session,
)
from minikv_core.entry cimport entry_kind
from minikv_core.keyspace cimport LOOK_WRITE, Found, key_hash, look_up, notify, remove_key, signal_modified
from minikv_core.reply cimport reply_array, reply_bulk, reply_double, reply_int
from minikv_core.session cimport fail_status, fail_wrong_type
from minikv_core.t_zset cimport compare_bytes, zset_is_empty, zset_store
from minikv_core.types cimport NO_MEMORY, OK, ZSET, Slice, Status

cdef enum:
    TEXT_CHUNK = 4096       # bytes of a chunk of ScoredList.text, whose first bytes name the previous one

# ---------------------------------------------------------------- lists of members

cdef bint list_add(ScoredList* list, const char* p, uint32_t n, double score) noexcept nogil:
    cdef uint64_t room
    cdef Scored* grown
    if list.count == list.room:
        room = list.room * 2 + 16
        grown = <Scored*>realloc(list.items, room * sizeof(Scored))
        if grown == NULL:
            list.failed = True
            return False
        list.items = grown
        list.room = room
    list.items[list.count].ptr = p
    list.items[list.count].len = n
    list.items[list.count].score = score
    list.count += 1
    return True


cdef bint list_add_walked(ScoredList* list, const Slice* member, double score, const void* walk,
                          size_t n) noexcept nogil:
    cdef char* chunk
    if not <size_t>walk <= <size_t>member.ptr < <size_t>walk + n:
        return list_add(list, member.ptr, member.len, score)
    if list.text == NULL or list.text_used + member.len > TEXT_CHUNK:
        chunk = <char*>malloc(TEXT_CHUNK)
        if chunk == NULL:
            list.failed = True
            return False
        memcpy(chunk, &list.text, sizeof(char*))
        list.text = chunk
        list.text_used = sizeof(char*)
    chunk = list.text + list.text_used
    memcpy(chunk, member.ptr, member.len)
    list.text_used += member.len
    return list_add(list, chunk, member.len, score)


cdef void list_free(ScoredList* list) noexcept nogil:
    cdef char* chunk
    free(list.items)
    while list.text != NULL:
        chunk = list.text
        memcpy(&list.text, chunk, sizeof(char*))
        free(chunk)


cdef int compare_scored(const Scored* a, const Scored* b) noexcept nogil:
    if a.score != b.score:
        return -1 if a.score < b.score else 1
    return compare_bytes(a.ptr, a.len, b.ptr, b.len)

# ---------------------------------------------------------------- sets

cdef Status find_zset(Session* s, uint32_t at, int flags, Found* f) noexcept nogil:
    cdef uint64_t hash = s.hash if at == <uint32_t>s.command.first_key else key_hash(s.engine, &s.argv[at])
    if look_up(s, &s.argv[at], hash, flags, f) and entry_kind(f.entry) != ZSET:
        return fail_wrong_type(s)
    return OK


cdef bint drop_if_empty(Session* s, const Slice* key, Found* f) noexcept nogil:
    if not zset_is_empty(s.engine, f.entry):
        return False
    remove_key(s.engine, s.db, f, False)
    notify(s.engine, EVENT_GENERIC, b"del", key, s.db)
    return True


cdef Status store_result(Session* s, uint32_t at, const ScoredList* list, const char* event) noexcept nogil:
    cdef Engine* e = s.engine
    cdef Slice* key = &s.argv[at]
    cdef int old = -1
    cdef Found f
    look_up(s, key, key_hash(e, key), LOOK_WRITE, &f)
    if f.entry != NULL:
        old = entry_kind(f.entry)
    if list.failed or (list.count and zset_store(e, s.db, key, &f, list) != OK):
        return fail_status(s, NO_MEMORY)
    if list.count:
        signal_modified(e, s.db, key, f.hash)
        if old < 0:
            notify(e, EVENT_NEW, b"new", key, s.db)
        else:
            notify(e, EVENT_OVERWRITTEN, b"overwritten", key, s.db)
        if old >= 0 and old != ZSET:
            notify(e, EVENT_TYPE_CHANGED, b"type_changed", key, s.db)
        notify(e, EVENT_ZSET, event, key, s.db)
    elif old >= 0:
        remove_key(e, s.db, &f, e.config.lazyfree_lazy_server_del != 0)
        signal_modified(e, s.db, key, f.hash)
        notify(e, EVENT_GENERIC, b"del", key, s.db)
    reply_int(&s.out, <int64_t>list.count)
    return OK


cdef void reply_pair(Output* o, const Slice* member, double score, bint nested) noexcept nogil:
    if nested or o.protocol != 2:
        reply_array(o, 2)
    reply_bulk(o, member.ptr, member.len)
    reply_double(o, score)
