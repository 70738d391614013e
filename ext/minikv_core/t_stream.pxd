# Streams: what their command modules share, IDs from arguments, replies, and telling of changes.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport arena_at, undo_note
from minikv_core.engine cimport Engine, Session
from minikv_core.entry cimport Entry, entry_kind, entry_root
from minikv_core.keyspace cimport Found, look_up
from minikv_core.output cimport Output
from minikv_core.packed cimport reply_packed
from minikv_core.reply cimport reply_array, reply_bulk
from minikv_core.session cimport fail_wrong_type
from minikv_core.stream cimport ID_CHARS, Stream, StreamID, StreamWalk, id_format
from minikv_core.types cimport STREAM, Slice, Status

cdef inline Stream* stream_of(Engine* e, Entry* entry) noexcept nogil:
    return <Stream*>arena_at(&e.arena, entry_root(entry))

cdef inline bint look_up_stream(Session* s, const Slice* key, uint64_t hash, int flags, Found* f,
                                Stream** stream) noexcept nogil:
    """Find a stream (NULL: there is no such key); False after WRONGTYPE."""
    stream[0] = NULL
    if look_up(s, key, hash, flags, f):
        if entry_kind(f.entry) != STREAM:
            fail_wrong_type(s)
            return False
        stream[0] = stream_of(s.engine, f.entry)
    return True

cdef inline void count_changes(Engine* e, uint64_t n) noexcept nogil:
    """Add to the store's count of changes what signal_modified does not, or where it is not called."""
    undo_note(&e.arena, &e.root.dirty, sizeof(uint64_t))
    e.root.dirty += n

cdef inline bint is_char(const Slice* arg, char c) noexcept nogil:
    return arg.len == 1 and arg.ptr[0] == c

# Read an ID; False after an error reply. A sequence number that is missing becomes `seq`.
cdef bint parse_id(Session* s, const Slice* arg, uint64_t seq, StreamID* id) noexcept nogil
# The same, or "-" or "+".
cdef bint parse_any_id(Session* s, const Slice* arg, uint64_t seq, StreamID* id) noexcept nogil
# The same, or "(" and an ID: the end of a range, which becomes inclusive.
cdef bint parse_bound(Session* s, const Slice* arg, bint at_end, StreamID* id) noexcept nogil
cdef bint read_id(const Slice* arg, uint64_t seq, StreamID* id) noexcept nogil      # without a reply
# Read a 64-bit integer; False after `error`, or the usual one if that is NULL.
cdef bint parse_number(Session* s, const Slice* arg, const char* error, int64_t* n) noexcept nogil
# Reply with the entries from first to last, or back, `most` of them.
cdef void reply_range(Session* s, Stream* stream, const StreamID* first, const StreamID* last, bint reverse,
                      uint64_t most) noexcept nogil

# Fail with up to two names in the text; NULL = there is no more.
cdef Status fail_names(Session* s, const char* before, const Slice* name, const char* between, const Slice* other,
                       const char* behind) noexcept nogil

# Make an empty stream under a key that does not exist; NULL = no memory. The caller tells of the new key.
cdef Stream* make_stream(Session* s, const Slice* key, Found* f) noexcept nogil

cdef inline void reply_id(Output* o, const StreamID* id) noexcept nogil:
    cdef char[ID_CHARS] text
    reply_bulk(o, text, id_format(text, id))

cdef inline void reply_fields(Output* o, StreamWalk* w) noexcept nogil:
    """The fields and values of the entry that a walk has found."""
    cdef char* field = w.fields
    cdef char* p = w.body
    cdef uint32_t _
    reply_array(o, 2 * <int64_t>w.count)
    for _ in range(w.count):
        if w.same:
            field = reply_packed(o, field)
        else:
            p = reply_packed(o, p)
        p = reply_packed(o, p)
    if not w.reverse:
        w.next = p

cdef inline void reply_entry(Output* o, StreamWalk* w) noexcept nogil:
    """The entry that a walk has found: its ID, and its fields and values."""
    reply_array(o, 2)
    reply_id(o, &w.id)
    reply_fields(o, w)
