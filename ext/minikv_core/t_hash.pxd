# Hashes: the value API that other modules use. It never sees a session.
#
#   FORM_PACKED        field, value, field, value, ...                                      "listpack"
#   FORM_PACKED_TTL    int64 next_due, then field, value, expiry (Unix ms, 0 = never), ...  "listpackex"
#   FORM_LARGE         int64 next_due, Ref of a Table of members                            "hashtable"
#
# next_due is INT64_MAX if no field expires; else no field expires before it. A field whose time has come
# is there until it is removed, and no function but field_find and hash_length sees it.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport arena_at
from minikv_core.engine cimport Database, Engine, Session
from minikv_core.entry cimport Entry, EntryView, entry_form, entry_kind, entry_value, entry_view, fields_due
from minikv_core.keyspace cimport Found
from minikv_core.memory cimport load_i64, load_u32
from minikv_core.output cimport Output
from minikv_core.packed cimport reply_packed
from minikv_core.reply cimport reply_bulk
from minikv_core.table cimport Segment, Slot, Table
from minikv_core.types cimport FORM_LARGE, FORM_PACKED_TTL, HASH, Ref, Slice, Status

cdef enum:
    NEXT_DUE = 8                # bytes of next_due
    LARGE_PAYLOAD = 12          # next_due and the root

cdef struct FieldAt:            # a field looked up; valid until the next change of its hash
    bint     found
    bint     small
    int64_t  expiry_ms          # -1 = never
    char*    value              # its bytes; in a small hash the element
    uint32_t vlen               # bytes of the value, in a large hash
    uint32_t start              # offsets in the payload of a small hash: field, value, behind its elements
    uint32_t middle
    uint32_t end
    uint32_t before             # fields in front of it, in a small hash; if it is missing, all of them
    uint64_t hash               # in a large hash
    Slot     slot

cdef struct Small:              # the elements of a small hash
    char*    payload
    char*    first
    char*    end
    bint     timed              # FORM_PACKED_TTL

cdef struct HashWalk:
    Engine*  engine
    Table*   table              # NULL = a small hash
    Small    small              # first: the next field
    uint32_t field_at           # offset in the payload of the one that came last
    uint64_t position           # of table_next_segment
    Segment* segment
    uint32_t bucket
    uint32_t mask               # its slots that are still to come
    char     field_digits[32]
    char     value_digits[32]

cdef inline bint is_hash(const Entry* entry) noexcept nogil:
    return entry_kind(entry) == HASH

cdef inline Table* hash_table(const Engine* e, Entry* entry) noexcept nogil:
    """The table of a large hash."""
    return <Table*>arena_at(&e.arena, load_u32(entry_value(entry) + NEXT_DUE))

cdef inline void small_hash(Entry* entry, Small* h) noexcept nogil:
    cdef EntryView v
    entry_view(entry, &v)
    h.payload = v.value
    h.end = v.value + v.vlen
    h.timed = v.form == FORM_PACKED_TTL
    h.first = h.payload + NEXT_DUE if h.timed else h.payload

cdef inline bint is_empty(const Engine* e, Entry* entry) noexcept nogil:
    cdef Small h
    if entry_form(entry) == FORM_LARGE:
        return hash_table(e, entry).count == 0
    small_hash(entry, &h)
    return h.first == h.end

cdef inline bint is_past(const Engine* e, int64_t expiry_ms) noexcept nogil:
    """Whether a field with that expiry (-1 = none) has expired."""
    return 0 <= expiry_ms < e.now_ms

cdef inline bint has_past(const Engine* e, Entry* entry) noexcept nogil:
    """Whether some fields may have expired without having been removed."""
    return is_past(e, fields_due(entry))

cdef inline void reply_field(Output* o, const FieldAt* at) noexcept nogil:
    """The value of a field that was found."""
    if at.small:
        reply_packed(o, at.value)
    else:
        reply_bulk(o, at.value, at.vlen)

# Fields; those that have expired and are not removed yet count.
cdef uint64_t hash_length(Engine* e, Entry* entry) noexcept nogil
# All fields that have not expired; expiry_ms is -1 for those that never do.
cdef void hash_walk_begin(Engine* e, Entry* entry, HashWalk* w) noexcept nogil
cdef bint hash_walk_next(HashWalk* w, Slice* field, Slice* value, int64_t* expiry_ms) noexcept nogil
# The next member of a large hash, expired or not; 0 at the end.
cdef Ref hash_walk_member(HashWalk* w) noexcept nogil
# Fields that have not expired.
cdef uint64_t live_count(Engine* e, Entry* entry) noexcept nogil
# The value of a field, numbers in `digits` (32 bytes); False if it is missing or has expired.
cdef bint hash_get(Engine* e, Entry* entry, const Slice* field, Slice* value, char* digits) noexcept nogil
# Set a field and its expiry (-1 = none). OK = it is new, EXISTS = it was there, NO_MEMORY = nothing has changed.
cdef Status hash_put(Engine* e, Database* db, const Slice* key, Found* f, const Slice* field, const Slice* value,
                     int64_t expiry_ms) noexcept nogil

# Fields one by one. Find one, expired or not; a hash that is not there (NULL) has none.
cdef bint field_find(Engine* e, Entry* entry, const Slice* field, FieldAt* at) noexcept nogil
# Find one that has not expired. One that has is removed and added to expired[0]; if that is NULL, the
# removal is told at once, and the key goes with its last field (then f.entry is NULL).
cdef bint field_live(Engine* e, Database* db, const Slice* key, Found* f, const Slice* field, FieldAt* at,
                     uint32_t* expired) noexcept nogil
# As hash_put, at the place that field_find has told; `at` is used up.
cdef Status field_put(Engine* e, Database* db, const Slice* key, Found* f, FieldAt* at, const Slice* field,
                      const Slice* value, int64_t expiry_ms) noexcept nogil
# Change or drop (-1) the expiry of a field that was found; `at` is used up. NO_MEMORY = nothing has changed.
cdef Status field_set_expiry(Engine* e, Database* db, const Slice* key, Found* f, FieldAt* at, const Slice* field,
                             int64_t expiry_ms) noexcept nogil
# Remove a field that was found; the key stays, even if it is empty now. NO_MEMORY = nothing has changed.
cdef Status field_remove(Engine* e, Database* db, Found* f, FieldAt* at) noexcept nogil
# The text of a value that was found; numbers in `digits` (32 bytes).
cdef void field_text(const FieldAt* at, char* digits, Slice* text) noexcept nogil
# Remove the key if it has no field left, and send its event; True if so.
cdef bint drop_empty(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil
# Make the hash a large one, with an empty one for a key that is not there.
cdef Status make_large(Engine* e, Database* db, const Slice* key, Found* f) noexcept nogil

# For the commands: the hash under argv[1]. OK, MISSING, or FAILED after an error reply.
cdef Status open_hash(Session* s, int flags, Found* f) noexcept nogil
# Tell that the hash under argv[1] has changed, and whether it is new.
cdef void tell_hash(Session* s, const char* event, bint fresh) noexcept nogil
# Expiry of an element in a small hash: Unix ms, -1 = never.
cdef int64_t packed_expiry(const char* p) noexcept nogil
# When the first field of a small hash expires; -1 = none ever does.
cdef int64_t small_due(const Small* h) noexcept nogil
