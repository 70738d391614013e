# Pipelines repeat themselves: SADD, HSET or ZADD to one key, many times. The keys of a batch are asked for before
# it runs; the members cannot be, as nobody has looked at the key yet. So the first such command asks for what
# those behind it will look for in the same table. Makes no module.
from libc.stdint cimport uint32_t, uint64_t
from minikv_core.engine cimport Session
from minikv_core.hash cimport hash_bytes
from minikv_core.memory cimport same_bytes
from minikv_core.parser cimport BATCH, Batch
from minikv_core.table cimport Table, table_prefetch_bucket, table_prefetch_entry
from minikv_core.types cimport Slice

cdef inline bint same_text(const Slice* a, const Slice* b) noexcept nogil:
    return a.len == b.len and same_bytes(a.ptr, b.ptr, a.len)

cdef inline bint same_start(const Slice* a, const Slice* b) noexcept nogil:
    """Whether two requests have the same name and the same key."""
    return same_text(&a[0], &b[0]) and same_text(&a[1], &b[1])

cdef inline void prefetch_ahead(Session* s, const Table* t, uint32_t at) noexcept nogil:
    """Ask for what the following requests of the batch look for, if they are like this one.

    t    the table of the value at argv[1]
    at   argument that is looked for in it
    """
    cdef uint64_t hashes[BATCH]
    cdef Batch* batch = &s.worker.batch
    cdef const Slice* end = batch.slices + batch.used
    cdef const Slice* next = s.argv + s.argc
    cdef uint32_t n = 0, i
    if not batch.slices <= s.argv < end:        # inside EXEC, or without a socket
        return
    if s.argv - s.argc >= batch.slices and same_start(s.argv - s.argc, s.argv):
        return                                  # the one before has done it
    while n < BATCH and next + s.argc <= end and same_start(next, s.argv):
        hashes[n] = hash_bytes(&s.engine.arena.head.seed, next[at].ptr, next[at].len)
        table_prefetch_bucket(&s.engine.arena, t, hashes[n])
        next += s.argc
        n += 1
    for i in range(n):
        table_prefetch_entry(&s.engine.arena, t, hashes[i])
