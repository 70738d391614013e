# Eviction: keeping memory under maxmemory.
from libc.stdint cimport uint64_t
from minikv_core.engine cimport Engine

cdef uint64_t memory_used(const Engine* e) noexcept nogil       # bytes: what maxmemory is compared with
cdef void note_peak(Engine* e) noexcept nogil       # keep Engine.peak_memory
# Evict until memory is under maxmemory or a time limit has passed; False if it is over and nothing can go.
cdef bint evict_if_needed(Engine* e) noexcept nogil
