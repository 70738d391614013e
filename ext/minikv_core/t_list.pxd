# Lists: the value API that other modules use (SORT, DUMP, ...). It never sees a session but where said.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.engine cimport Database, Engine, Session
from minikv_core.entry cimport Entry, entry_form, entry_kind, entry_root, entry_value
from minikv_core.arena cimport arena_at
from minikv_core.keyspace cimport Found
from minikv_core.listblocks cimport ElementWalk, ListRoot
from minikv_core.memory cimport load_u32
from minikv_core.output cimport Output
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

# Go to the front of the element at an index, from 0 to the length.
cdef void list_seek(Engine* e, Entry* entry, uint64_t index, ElementWalk* w) noexcept nogil
# Write n elements, forwards or (back) from the walk's place towards the first.
cdef void reply_elements(Output* o, ElementWalk* w, uint64_t n, bint back) noexcept nogil
# Remove n elements, as many as there are at most, from an end; f.entry is NULL if it was all.
cdef void list_pop(Engine* e, Database* db, const Slice* key, Found* f, uint64_t n, bint at_head) noexcept nogil
# Move the element at one end of a small list to the other.
cdef bint list_rotate(Engine* e, Found* f, bint from_head) noexcept nogil
# Tell that a list has changed in n elements, and (list_popped) that they were removed from an end. An `event`
# of NULL: the caller publishes it.
cdef void list_changed(Session* s, const Slice* key, const Found* f, uint64_t n) noexcept nogil
cdef void list_popped(Session* s, const Slice* key, Found* f, uint64_t n, bint at_head) noexcept nogil
# Read LEFT or RIGHT; FAILED after "syntax error".
cdef Status parse_end(Session* s, const Slice* arg, bint* head) noexcept nogil
