# Freeing what is too large to free at once: whole tables of keys, a slice per turn of the loop.
from libc.stdint cimport uint64_t
from minikv_core.engine cimport Engine
from minikv_core.table cimport Table

# Take a table over and free it bit by bit; False if there is no memory to note it down.
cdef bint free_table_later(Engine* e, const Table* t) noexcept nogil
cdef void free_table_now(Engine* e, Table* t) noexcept nogil
# Free about `most` objects of what is queued; True while there is more.
cdef bint lazyfree_step(Engine* e, uint64_t most) noexcept nogil
cdef uint64_t lazyfree_pending(Engine* e) noexcept nogil    # objects still to free
