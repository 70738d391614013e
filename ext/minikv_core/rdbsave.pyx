"""Values written in the RDB format, in the oldest form that holds them whole.

Sets, hashes, lists and sorted sets are written as their elements one by one, which every server since
Redis 5 reads and turns into what its own settings ask for. Hashes with fields that expire need a form
that Redis has since 7.4; Valkey's own form for them differs, and one payload cannot be both.
"""

from libc.stdint cimport int64_t, uint64_t
from minikv_core.engine cimport Engine
from minikv_core.entry cimport Entry, entry_kind, fields_due
from minikv_core.keyspace cimport string_bytes
from minikv_core.rdb cimport (
    RDB_HASH, RDB_HASH_TTL, RDB_LIST, RDB_REDIS_5, RDB_REDIS_7_4, RDB_SET, RDB_STRING, RDB_ZSET_2,
    Writer, write_byte, write_double, write_length, write_string, write_u64,
)
from minikv_core.stream_dump cimport stream_save
from minikv_core.t_hash cimport HashWalk, hash_length, hash_walk_begin, hash_walk_next
from minikv_core.t_list cimport ListWalk, list_length, list_walk_begin, list_walk_next
from minikv_core.t_set cimport SetWalk, set_length, set_walk_begin, set_walk_next
from minikv_core.t_zset cimport ZsetWalk, zset_length, zset_walk_begin, zset_walk_next
from minikv_core.types cimport HASH, LIST, SET, STREAM, STRING, Slice


cdef int save_value(Engine* e, Entry* entry, Writer* w) noexcept nogil:
    cdef int kind = entry_kind(entry)
    if kind == STREAM:
        return stream_save(e, entry, w)
    if kind == HASH:
        return save_hash(e, entry, w)
    if kind == STRING:
        save_string(e, entry, w)
    elif kind == LIST:
        save_list(e, entry, w)
    elif kind == SET:
        save_set(e, entry, w)
    else:
        save_zset(e, entry, w)
    return RDB_REDIS_5


cdef void save_string(Engine* e, Entry* entry, Writer* w) noexcept nogil:
    cdef char[24] digits
    cdef Slice value
    string_bytes(e, entry, digits, &value)
    write_byte(w, RDB_STRING)
    write_string(w, value.ptr, value.len)


cdef void save_list(Engine* e, Entry* entry, Writer* w) noexcept nogil:
    cdef ListWalk walk
    cdef Slice value
    write_byte(w, RDB_LIST)
    write_length(w, list_length(e, entry))
    list_walk_begin(e, entry, &walk)
    while list_walk_next(&walk, &value):
        write_string(w, value.ptr, value.len)


cdef void save_set(Engine* e, Entry* entry, Writer* w) noexcept nogil:
    cdef SetWalk walk
    cdef Slice member
    write_byte(w, RDB_SET)
    write_length(w, set_length(e, entry))
    set_walk_begin(e, entry, &walk)
    while set_walk_next(&walk, &member):
        write_string(w, member.ptr, member.len)


cdef void save_zset(Engine* e, Entry* entry, Writer* w) noexcept nogil:
    cdef ZsetWalk walk
    cdef Slice member
    cdef double score
    write_byte(w, RDB_ZSET_2)
    write_length(w, zset_length(e, entry))
    zset_walk_begin(e, entry, &walk)
    while zset_walk_next(&walk, &member, &score):
        write_string(w, member.ptr, member.len)
        write_double(w, score)


cdef int save_hash(Engine* e, Entry* entry, Writer* w) noexcept nogil:
    cdef HashWalk walk
    cdef Slice field, value
    cdef uint64_t count = 0
    cdef int64_t at, first = -1         # when the first field expires
    if fields_due(entry) < 0:
        count = hash_length(e, entry)
    else:                               # those that have expired do not count
        hash_walk_begin(e, entry, &walk)
        while hash_walk_next(&walk, &field, &value, &at):
            count += 1
            if at >= 0 and not 0 <= first <= at:
                first = at
        if count == 0:
            return 0
    if first >= 0:
        write_byte(w, RDB_HASH_TTL)
        write_u64(w, <uint64_t>first)
    else:
        write_byte(w, RDB_HASH)
    write_length(w, count)
    hash_walk_begin(e, entry, &walk)
    while hash_walk_next(&walk, &field, &value, &at):
        if first >= 0:
            write_length(w, 0 if at < 0 else <uint64_t>(at - first) + 1)
        write_string(w, field.ptr, field.len)
        write_string(w, value.ptr, value.len)
    return RDB_REDIS_7_4 if first >= 0 else RDB_REDIS_5
