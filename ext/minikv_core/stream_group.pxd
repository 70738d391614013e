# Consumer groups of a stream: who has been given which entry, and has not acknowledged it yet.
#
#   Group     in Stream.groups
#   Consumer  in Group.consumers
#   Pending   an entry given to a consumer: in two trees, the group's and the consumer's
#
# The name of a group or consumer follows its struct, so it lies where `header` says.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena, arena_at
from minikv_core.btree cimport Tree, TreeCursor
from minikv_core.stream cimport NameList, Stream, StreamID
from minikv_core.types cimport Ref, Slice, Status

cdef enum:
    READ_UNKNOWN = -1           # Group.entries_read: not known, and not to be found out

cdef struct Named:              # what a group and a consumer begin with
    uint32_t header             # bytes in front of the name
    uint32_t name_len

cdef struct Group:
    Named    named
    StreamID last               # the highest ID that was given to a consumer
    int64_t  entries_read       # entries up to that one, from the stream's first ever on; or READ_UNKNOWN
    Tree     pending            # Pending
    NameList consumers          # Consumer

cdef struct Consumer:
    Named    named
    int64_t  seen_ms            # its last command, Unix time
    int64_t  active_ms          # the last one that gave it an entry; -1 = none did
    Tree     pending            # Pending

cdef struct Pending:
    StreamID id                 # first: the trees' order
    int64_t  given_ms           # Unix time
    uint64_t count              # how often it was given
    Ref      consumer

cdef inline void name_of(void* object, Slice* name) noexcept nogil:
    """The name of a group or consumer."""
    cdef Named* named = <Named*>object
    name.ptr = <char*>object + named.header
    name.len = named.name_len
    name.block = 0

cdef inline Group* group_at(const Arena* a, Ref ref) noexcept nogil:
    return <Group*>arena_at(a, ref)

cdef inline Consumer* consumer_at(const Arena* a, Ref ref) noexcept nogil:
    return <Consumer*>arena_at(a, ref)

cdef inline Pending* pending_at(const Arena* a, Ref ref) noexcept nogil:
    return <Pending*>arena_at(a, ref)

cdef inline Ref name_ref(const Arena* a, const NameList* list, uint32_t index) noexcept nogil:
    """The object at a place of a list."""
    return (<Ref*>arena_at(a, list.refs))[index]

# Find a group or consumer by name, 0 = there is none; `index` (if not NULL) becomes its place, or where it belongs.
cdef Ref name_find(const Arena* a, const NameList* list, const Slice* name, uint32_t* index) noexcept nogil

# Make a group or consumer whose name the list does not have; 0 = no memory.
cdef Ref group_create(Arena* a, Stream* s, const Slice* name, const StreamID* last, int64_t entries_read) noexcept nogil
cdef Ref consumer_create(Arena* a, Group* g, const Slice* name, int64_t now_ms) noexcept nogil
# Remove one, with what is pending.
cdef void group_remove(Arena* a, Stream* s, uint32_t index) noexcept nogil
cdef void consumer_remove(Arena* a, Group* g, uint32_t index) noexcept nogil

# Set how far a group has come; entries_read becomes no more than the stream has had.
cdef void group_set(Arena* a, Stream* s, Group* g, const StreamID* last, int64_t entries_read) noexcept nogil
# Note that an entry, the next one after g.last, has been given to a consumer of the group.
cdef void group_advance(Arena* a, Stream* s, Group* g, const StreamID* id) noexcept nogil
# Entries that the group has not read yet; INT64_MIN = not known.
cdef int64_t group_lag(const Stream* s, const Group* g) noexcept nogil

# What is pending. `tree` is a group's or a consumer's.
cdef Ref pending_find(const Arena* a, const Tree* tree, const StreamID* id) noexcept nogil       # 0 = it is not
cdef void pending_seek(const Arena* a, const Tree* tree, const StreamID* id, TreeCursor* c) noexcept nogil
# Add an entry that is not pending in the group; 0 = no memory, and nothing has changed.
cdef Ref pending_add(Arena* a, Group* g, Ref consumer, const StreamID* id, int64_t given_ms, uint64_t count) noexcept nogil
cdef void pending_remove(Arena* a, Group* g, Ref ref) noexcept nogil
# Give it to a consumer, its own or another; NO_MEMORY changes nothing.
cdef Status pending_give(Arena* a, Ref ref, Ref consumer, int64_t given_ms, uint64_t count) noexcept nogil

# Whether a group has yet to be given an entry, or to acknowledge it.
cdef bint is_referenced(Arena* a, Stream* s, const StreamID* id) noexcept nogil
cdef bint is_free(Arena* a, Stream* s, const StreamID* id) noexcept nogil       # Trim.may_go of ACKED
# Acknowledge an entry in all groups; always True (Trim.may_go of DELREF).
cdef bint drop_references(Arena* a, Stream* s, const StreamID* id) noexcept nogil
