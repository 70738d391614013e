# Lists: the value API that other modules use (SORT, DUMP, ...). It never sees a session.
from libc.stdint cimport uint32_t, uint64_t
from minikv_core.arena cimport arena_at
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry, EntryView, entry_form, entry_kind, entry_root, entry_value, entry_view
from minikv_core.keyspace cimport Found
from minikv_core.listblocks cimport ElementWalk, ListLimit, ListPlace, ListRoot, walk_block
from minikv_core.memory cimport load_u32
from minikv_core.packed cimport Item
from minikv_core.types cimport FORM_LARGE, LIST, Slice, Status

cdef enum:
    COUNT_BYTES = 4             # what the small form begins with: how many elements it has, u32

cdef struct ListWalk:
    ElementWalk walk
    char[32]    digits          # of the last value, if it is a number

cdef inline bint is_list(const Entry* entry) noexcept nogil:
    return entry_kind(entry) == LIST

cdef inline bint is_large(const Entry* entry) noexcept nogil:
    return entry_form(entry) == FORM_LARGE

cdef inline ListRoot* list_root(Engine* e, Entry* entry) noexcept nogil:
    """The root of a large list."""
    return <ListRoot*>arena_at(&e.arena, entry_root(entry))

cdef inline uint64_t list_length(Engine* e, Entry* entry) noexcept nogil:
    if is_large(entry):
        return list_root(e, entry).count
    return load_u32(entry_value(entry))

# From the first element on. A value stays valid until the next one, or the next change.
cdef void list_walk_begin(Engine* e, Entry* entry, ListWalk* w) noexcept nogil
cdef bint list_walk_next(ListWalk* w, Slice* value) noexcept nogil
# Add values at an end, one after another, to a new list if f.entry is NULL; NO_MEMORY leaves the list as it
# was. No value may lie in the list itself.
cdef Status list_push_all(Engine* e, Database* db, const Slice* key, Found* f, const Slice* values, uint32_t n,
                          bint at_head) noexcept nogil
cdef inline Status list_push(Engine* e, Database* db, const Slice* key, Found* f, const Slice* value,
                             bint at_head) noexcept nogil:
    return list_push_all(e, db, key, f, value, 1, at_head)

# ---------------------------------------------------------------- for the list commands

cdef inline void list_begin(Engine* e, Entry* entry, ElementWalk* w) noexcept nogil:
    """Go to the start of a list."""
    cdef EntryView v
    entry_view(entry, &v)
    w.arena = &e.arena
    if v.form == FORM_LARGE:
        w.root = <ListRoot*>arena_at(&e.arena, load_u32(v.value))
        walk_block(w, 0, False)
    else:
        w.root = NULL
        w.block = 0
        w.start = w.p = v.value + COUNT_BYTES
        w.end = v.value + v.vlen

# Go to the front of the element at an index, from 0 to the length.
cdef void list_seek(Engine* e, Entry* entry, uint64_t index, ElementWalk* w) noexcept nogil
# What list-max-listpack-size says: elements, or with -1 to -5 4 to 64 KiB.
cdef void list_limit(const Engine* e, ListLimit* limit) noexcept nogil
# Make a small list large if one more value would take it past the limit; and a large one small if a single
# block is left that is filled to a half at most.
cdef Status list_enlarge_for(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit,
                             const Slice* value) noexcept nogil
cdef void list_settle(Engine* e, Database* db, const Slice* key, Found* f, const ListLimit* limit) noexcept nogil
# Insert an element at a place, or put it in place of the one there.
cdef Status list_write(Engine* e, Found* f, const ListLimit* limit, ListPlace* place, const Item* item,
                       bint replaces) noexcept nogil
# Remove the element at a place, which then names the next; the list may be empty after it.
cdef void list_remove(Engine* e, Found* f, const ListLimit* limit, ListPlace* place) noexcept nogil
# Remove n elements, as many as there are at most, from an end; f.entry is NULL if it was all.
cdef void list_pop(Engine* e, Database* db, const Slice* key, Found* f, uint64_t n, bint at_head) noexcept nogil
# Move the element at one end of a small list to the other; False = no memory.
cdef bint list_rotate(Engine* e, Found* f, bint from_head) noexcept nogil
