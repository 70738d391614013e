# What the list commands share, for t_list_move.pyx.
from libc.stdint cimport uint64_t
from minikv_core.engine cimport Session
from minikv_core.keyspace cimport Found
from minikv_core.listblocks cimport ElementWalk
from minikv_core.output cimport Output
from minikv_core.types cimport Slice, Status

# Write n elements, forwards or (back) from the walk's place towards the first.
cdef void reply_elements(Output* o, ElementWalk* w, uint64_t n, bint back) noexcept nogil
# Tell watchers and counters that a list has changed in n elements.
cdef void list_changed(Session* s, const Slice* key, const Found* f, uint64_t n) noexcept nogil
# Remove n elements, as many as there are at most, from an end, and tell.
cdef void list_popped(Session* s, const Slice* key, Found* f, uint64_t n, bint at_head) noexcept nogil
# Read LEFT or RIGHT; FAILED after "syntax error".
cdef Status parse_end(Session* s, const Slice* arg, bint* head) noexcept nogil
