# Commands on many keys work in groups: hash all keys of a group, ask for their buckets, then for
# their entries, and act only then, so that the cache misses of a group overlap. Makes no module.
from libc.stdint cimport uint32_t, uint64_t
from minikv_core.engine cimport Engine, Session
from minikv_core.keyspace cimport key_hash
from minikv_core.table cimport table_prefetch_bucket, table_prefetch_entry

cdef enum:
    GROUP = 32              # most keys hashed and prefetched together

cdef inline uint32_t prefetch_keys(Session* s, uint32_t at, uint32_t step, uint32_t end, uint64_t* hashes) noexcept nogil:
    """Hash and prefetch up to GROUP keys at argv[at], argv[at + step], ... before argv[end]; returns how many."""
    cdef Engine* e = s.engine
    cdef uint32_t i, n = 0
    while at < end and n < GROUP:
        hashes[n] = key_hash(e, &s.argv[at])
        table_prefetch_bucket(&e.arena, &s.db.keys, hashes[n])
        n += 1
        at += step
    for i in range(n):
        table_prefetch_entry(&e.arena, &s.db.keys, hashes[i])
    return n
