# Freeing what is too large to free at once: whole tables of keys, a slice per turn of the loop.
from libc.stdint cimport uint32_t, uint64_t
from minikv_core.engine cimport Engine
from minikv_core.table cimport Table
from minikv_core.types cimport Ref

cdef struct FreeNode:           # a table to free; a chain in the arena, from Root.free_queue on
    Ref      next               # 0 = last
    uint32_t unused
    uint64_t position           # where freeing goes on (table_next_segment)
    uint64_t left               # entries not freed yet
    Table    table

# Take a table over and free it bit by bit; False if there is no memory to note it down.
cdef bint free_table_later(Engine* e, const Table* t) noexcept nogil
cdef void free_table_now(Engine* e, Table* t) noexcept nogil
# Free about `most` objects of what is queued; True while there is more.
cdef bint lazyfree_step(Engine* e, uint64_t most) noexcept nogil
cdef uint64_t lazyfree_pending(Engine* e) noexcept nogil    # objects still to free
