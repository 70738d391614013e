# Strings: the value API that other modules use (SORT, SETBIT, LCS, ...). It never sees a session.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.engine cimport Database, Engine
from minikv_core.entry cimport Entry, EntryView, entry_kind, entry_view, load_int
from minikv_core.keyspace cimport Found
from minikv_core.memory cimport load_u32
from minikv_core.output cimport Output
from minikv_core.reply cimport reply_block, reply_bulk, reply_bulk_int
from minikv_core.types cimport FORM_BLOCK, FORM_INT, Slice, Status, STRING

cdef inline bint is_string(const Entry* entry) noexcept nogil:
    return entry_kind(entry) == STRING

cdef inline void reply_string(Output* o, Entry* entry) noexcept nogil:
    """The value of a string; the common case is bytes inside the entry."""
    cdef EntryView v
    entry_view(entry, &v)
    if v.form == FORM_INT:
        reply_bulk_int(o, load_int(v.value, v.vlen))
    elif v.form == FORM_BLOCK:
        reply_block(o, load_u32(v.value), 0, load_u32(v.value + 4))
    else:
        reply_bulk(o, v.value, v.vlen)

cdef uint32_t string_length(Engine* e, Entry* entry) noexcept nogil
# Read a string as an integer; False if it is none.
cdef bint string_int(Engine* e, Entry* entry, int64_t* value) noexcept nogil
cdef bint string_equals(Engine* e, Entry* entry, const Slice* other) noexcept nogil
cdef uint64_t string_digest(Engine* e, Entry* entry) noexcept nogil
# Store bytes as put_string does, as text even if they spell an integer.
cdef Status put_text(Engine* e, Database* db, const Slice* key, Found* f, Slice* value, int64_t at_ms) noexcept nogil
