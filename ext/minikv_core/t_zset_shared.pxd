# Sorted sets: lists of members, finding a set, storing and replying; for the modules of Z and GEO commands.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.engine cimport Session
from minikv_core.keyspace cimport Found
from minikv_core.output cimport Output
from minikv_core.t_zset cimport Scored, ScoredList
from minikv_core.types cimport Slice, Status

cdef bint list_add(ScoredList* list, const char* p, uint32_t n, double score) noexcept nogil
# The same of what a walk says; the text of a number, which lies in the walk itself, is copied.
cdef bint list_add_walked(ScoredList* list, const Slice* member, double score, const void* walk, size_t n) noexcept nogil
cdef void list_free(ScoredList* list) noexcept nogil
cdef int compare_scored(const Scored* a, const Scored* b) noexcept nogil

# Remove the key if nothing is left of its value; the events of both. True if it went.
cdef bint drop_if_empty(Session* s, const Slice* key, Found* f) noexcept nogil
# Find a sorted set; FAILED after an error reply for another type. f.entry NULL = there is none.
cdef Status find_zset(Session* s, uint32_t at, int flags, Found* f) noexcept nogil
# Put a list under argv[at] as the result of a STORE command, and reply with its length.
cdef Status store_result(Session* s, uint32_t at, const ScoredList* list, const char* event) noexcept nogil
# A member with its score: a pair of its own in RESP3 (or `nested`), else two elements.
cdef void reply_pair(Output* o, const Slice* member, double score, bint nested) noexcept nogil
# How many elements `n` members with scores are at the level of their array.
cdef inline int64_t pair_elements(const Output* o, uint64_t n, bint scores) noexcept nogil:
    return <int64_t>(n * 2 if scores and o.protocol == 2 else n)
