# A stream's entries: packed blocks in the order of their IDs, found through a directory.
#
#   Stream      the root object; its groups are told of in stream_group.pxd
#   directory   an array of StreamBlock in the order of IDs, `blocks` of them from `start` on
#   block       the first entry's fields: their number, then each; then entries, one behind the other:
#               a byte of EntryFlag bits, the ID less the block's as two numbers, and then the values alone
#               if the fields are those of the first entry, else the number of fields, and each with its value
#
# All but the flags are packed elements. An entry that is deleted stays, marked, until its block has no
# other; so an entry never moves. A new block grows; the one before it is trimmed to what it holds.
from libc.stdint cimport uint32_t, uint64_t
from minikv_core.arena cimport Arena, arena_at
from minikv_core.engine cimport Config
from minikv_core.types cimport Ref, Slice, Status

cdef enum:
    STREAM_TEXT_MAX = 1 << 30   # bytes of fields and values that an entry may have
    ID_CHARS = 41               # longest ID
    BACK = 128                  # entries that a walk backwards lists at a time

cdef enum EntryFlag:
    ENTRY_DELETED = 1
    ENTRY_SAME_FIELDS = 2

cdef struct StreamID:
    uint64_t ms
    uint64_t seq

cdef struct StreamBlock:        # a row of the directory
    StreamID base               # the ID of its first entry, deleted or not
    Ref      block
    uint32_t used               # bytes
    uint32_t live               # entries that are not deleted
    uint32_t total              # entries

cdef struct NameList:           # objects that begin with Named, sorted by name
    Ref      refs               # array of their references; 0 = none yet
    uint32_t count
    uint32_t room

cdef struct Stream:
    uint64_t length             # entries that are not deleted
    StreamID last               # the highest ID so far
    StreamID first              # of the first entry; 0-0 = there is none
    StreamID max_deleted        # the highest ID that was deleted other than by trimming
    uint64_t added              # entries so far
    Ref      directory          # 0 = none yet
    uint32_t start              # first row in use
    uint32_t blocks             # rows in use
    uint32_t room               # rows that fit
    NameList groups             # Group

cdef inline int id_compare(const StreamID* a, const StreamID* b) noexcept nogil:
    """Negative, 0 or positive, as a is less than, equal to or greater than b."""
    if a.ms != b.ms:
        return -1 if a.ms < b.ms else 1
    if a.seq != b.seq:
        return -1 if a.seq < b.seq else 1
    return 0

cdef inline bint id_next(StreamID* id) noexcept nogil:
    """Turn an ID into the next one; False if it is the last of all."""
    if id.seq != <uint64_t>-1:
        id.seq += 1
    elif id.ms != <uint64_t>-1:
        id.ms += 1
        id.seq = 0
    else:
        return False
    return True

cdef inline bint id_previous(StreamID* id) noexcept nogil:
    """Turn an ID into the one before it; False if it is 0-0."""
    if id.seq:
        id.seq -= 1
    elif id.ms:
        id.ms -= 1
        id.seq = <uint64_t>-1
    else:
        return False
    return True

cdef inline StreamBlock* stream_rows(const Arena* a, const Stream* s) noexcept nogil:
    """The rows in use."""
    return <StreamBlock*>arena_at(a, s.directory) + s.start

cdef struct StreamWalk:         # over the entries with IDs in [first, last]; valid until entries are added
    Arena*   arena
    Stream*  stream
    StreamID first
    StreamID last
    bint     reverse
    uint32_t index              # of the block, among the rows in use
    StreamBlock* row
    char*    begin              # its first entry
    char*    end                # behind its last one
    char*    fields             # the fields of its first entry
    uint32_t field_count        # of those
    char*    next               # forwards: the entry to look at, NULL = behind `body`; backwards: where listing ends
    # the entry that was found
    StreamID id
    char*    entry
    char*    body               # its values, if its fields are `fields`; else fields and values in turn
    uint32_t count              # fields
    bint     same               # they are those of the block's first entry
    # backwards
    uint32_t listed             # entries in `back` that are to come
    uint32_t[BACK] back         # their distances from `begin`

cdef Ref stream_new(Arena* a) noexcept nogil                        # an empty one; 0 = no memory
# Add an entry with a higher ID than all before it; words are fields and values in turn. NO_MEMORY changes nothing.
cdef Status stream_append(Arena* a, Stream* s, const Config* config, const StreamID* id, const Slice* words,
                          uint32_t pairs) noexcept nogil
# Walk over the entries from first to last, or back from last to first. Who has been over an entry's whole body,
# forwards, may set `next` to the place behind it.
cdef void stream_seek(Arena* a, Stream* s, const StreamID* first, const StreamID* last, bint reverse,
                      StreamWalk* w) noexcept nogil
cdef bint stream_next(StreamWalk* w) noexcept nogil
# Delete the entry that a walk forwards has found; the walk can go on.
cdef void stream_drop(StreamWalk* w) noexcept nogil
cdef void stream_find_first(Arena* a, Stream* s) noexcept nogil     # set Stream.first, after deletions
# Delete an entry, and note that it was; False if there is none.
cdef bint stream_delete(Arena* a, Stream* s, const StreamID* id) noexcept nogil
# How many entries there are from first to last, but no more than `most`.
cdef uint64_t stream_count(Arena* a, Stream* s, const StreamID* first, const StreamID* last, uint64_t most) noexcept nogil
cdef bint stream_has(Arena* a, Stream* s, const StreamID* id) noexcept nogil
# The last entry's ID, or the first one's; 0-0 if there is none.
cdef void stream_edge(Arena* a, Stream* s, bint at_end, StreamID* id) noexcept nogil

cdef enum TrimBy:
    TRIM_NOTHING = 0
    TRIM_LENGTH = 1             # MAXLEN
    TRIM_ID = 2                 # MINID

cdef struct Trim:               # what XADD and XTRIM are told
    TrimBy   by
    bint     about              # whole blocks alone
    uint64_t length             # entries to keep
    StreamID least              # the lowest ID to keep
    uint64_t limit              # entries to delete at most; 0 = all
    # Whether an entry may go, called just before it goes; NULL = any may, unasked.
    bint     (*may_go)(Arena* a, Stream* s, const StreamID* id) noexcept nogil

cdef uint64_t stream_trim(Arena* a, Stream* s, const Trim* trim) noexcept nogil     # returns how many went

cdef uint32_t id_format(char* p, const StreamID* id) noexcept nogil     # into ID_CHARS bytes; returns how many

# For KindOps and DUMP.
cdef bint stream_copy_blocks(Arena* a, const Stream* s, Stream* to) noexcept nogil
cdef uint64_t stream_bytes(Arena* a, const Stream* s) noexcept nogil
cdef uint32_t stream_free_block(Arena* a, Stream* s) noexcept nogil     # the last one; returns its entries
