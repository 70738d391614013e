# Freeing what is too large to free at once: tables of keys and large values, a slice per turn of the loop.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from minikv_core.engine cimport Engine
from minikv_core.table cimport Table
from minikv_core.types cimport Ref

cdef struct FreeNode:           # what is to be freed; a chain in the arena, from Root.free_queue on
    Ref      next               # 0 = last
    Ref      root               # of a large value; 0 = the table of keys below
    uint8_t  kind               # of the value
    uint8_t  counts             # whether it is one of INFO's lazyfreed_objects
    uint64_t position           # where freeing goes on (table_next_segment, KindOps.free_some)
    uint64_t left               # entries not freed yet
    Table    table

# Take a table over and free it bit by bit; False if there is no memory to note it down.
cdef bint free_table_later(Engine* e, const Table* t) noexcept nogil
cdef void free_table_now(Engine* e, Table* t) noexcept nogil
# Free a large value that nothing refers to any more: a part at once, the rest bit by bit.
cdef void free_large(Engine* e, uint8_t kind, Ref root, bint lazy) noexcept nogil
# Free about `most` objects of what is queued; True while there is more.
cdef bint lazyfree_step(Engine* e, uint64_t most) noexcept nogil
cdef uint64_t lazyfree_pending(Engine* e) noexcept nogil    # objects still to free
