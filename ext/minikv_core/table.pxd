# The table: extendible hashing over page-sized segments of cache-line buckets.
#
# A segment is one 4 KiB page: a header line and 63 buckets of 12 entries. The upper half of a hash
# picks the segment through the directory, the lower half the home bucket and a one-byte tag. An
# entry that finds its home full lies up to MAX_SHIFT buckets further on (cyclically), and the home
# remembers how far. A segment without room in that window makes some by moving one entry deeper into
# its own window; when that fails too (0.97 full on average) it splits alone, and two half-empty buddies
# merge: no rehash of the whole, no doubled memory, no pause. A table averages 8.1 bytes an entry.
#
# Under a uniform hash all segments would fill and split at the same time, and utilisation would
# swing by a factor of two. Therefore `spread` bends the hash: the key density doubles from one end of
# the directory to the other, so that segments of all fills exist side by side at any time. The curve
# that keeps the number of segments a key exactly constant is 2 - 2**(1 - x).
#
# Active expiry finds the elements that are due by a lower bound of the expiries in each four buckets, 16 bits in
# the segment's header, so that it looks at the 48 entries around the one that is due instead of all 750.
#
# Elements are entries (entry.pxd) or members (member.pxd); the table stores their references and looks
# at their keys.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena, arena_at, undo_note
from minikv_core.entry cimport Entry, entry_key
from minikv_core.member cimport member_key
from minikv_core.hash cimport hash_bytes
from minikv_core.memory cimport ctz, prefetch, same_bytes
from minikv_core.types cimport Ref, Status

cdef extern from *:
    """
    #if defined(__SSE2__)
    #include <emmintrin.h>
    /* Bit i is set where tags[i] == tag, for the first 16 bytes at p (12 tags and 4 others). */
    static inline uint32_t minikv_match(const uint8_t *p, uint8_t tag) {
        __m128i line = _mm_loadu_si128((const __m128i *)p);
        return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(line, _mm_set1_epi8((char)tag))) & 0xFFFu;
    }
    #else
    static inline uint32_t minikv_match(const uint8_t *p, uint8_t tag) {
        uint32_t mask = 0;
        for (int i = 0; i < 12; i++) mask |= (uint32_t)(p[i] == tag) << i;
        return mask;
    }
    #endif
    """
    uint32_t match_tags "minikv_match"(const uint8_t* p, uint8_t tag) noexcept nogil

cdef enum:
    BUCKETS = 63            # buckets in a segment
    SLOTS = 12              # entries in a bucket
    ROOM = 756              # entries that a segment could hold
    ALL_SLOTS = 0xFFF       # one bit a slot
    MAX_SHIFT = 15          # buckets an entry may lie behind its home: what four bits can say
    SEGMENT_BYTES = 4096
    SEGMENT_HEAD = 64       # bytes in front of its buckets
    MAX_DEPTH = 26          # directory of 2**26 segments; more cannot lie in an arena
    DUE_GROUPS = 16         # groups of four buckets, each of which knows about when its first element expires

cdef struct Bucket:         # one cache line
    uint8_t  tags[12]       # 1-255; 0 = free slot
    uint16_t expiring       # bits 0-11: the entry has an expiry; bits 12-15: farthest shift of an entry of this home
    uint8_t  shifted        # entries of this home that lie in other buckets, MAX_SHIFT * SLOTS at most
    uint8_t  epoch          # snapshot epoch
    Ref      refs[12]

cdef struct Segment:        # one page
    uint32_t prefix         # the leading `depth` bits of its hashes' positions
    uint8_t  depth          # directory bits that it owns
    uint8_t  pad[3]
    uint32_t count          # entries
    uint32_t expiring       # entries with an expiry
    int64_t  next_expiry    # no entry expires before this, Unix ms; INT64_MAX = none expires
    int64_t  due_base       # Unix ms that `due` counts from
    uint16_t due[16]        # a group's earliest expiry, rounded down: table.pyx, due_code
    Bucket   buckets[63]

cdef struct Table:          # root; lies in the arena, all zero but for key_at = empty
    Ref      directory      # 2**depth segment references; 0 = no segment yet
    uint8_t  depth
    uint8_t  key_at         # KeyAt: what its elements are
    uint8_t  pad[2]
    uint32_t segments
    uint32_t deepest        # segments whose depth is the directory's; 0 lets it halve
    uint64_t count          # entries
    uint64_t expiring       # entries with an expiry
    uint64_t bytes          # arena bytes of directory and segments

cdef struct Slot:           # where an entry lies; valid until the next insert or remove
    Segment* segment
    Bucket*  bucket         # NULL = not found
    uint32_t index          # 0-11

# Calls back for each entry of a scan step; must not change the table.
ctypedef void (*VisitFn)(void* context, Ref ref) noexcept nogil

cdef Status table_insert(Arena* a, Table* t, uint64_t hash, Ref ref, int64_t expiry_ms) noexcept nogil
cdef void table_remove(Arena* a, Table* t, uint64_t hash, Slot* slot) noexcept nogil
cdef void table_set_expiring(Arena* a, Table* t, Slot* slot, int64_t expiry_ms) noexcept nogil
cdef void table_init(Table* t, uint8_t key_at) noexcept nogil     # an empty table
cdef void table_clear(Arena* a, Table* t) noexcept nogil
cdef uint64_t table_scan(Arena* a, Table* t, uint64_t cursor, VisitFn visit, void* context) noexcept nogil
cdef Ref table_random(Arena* a, Table* t, uint64_t* random_state) noexcept nogil
cdef Segment* table_next_segment(Arena* a, Table* t, uint64_t* position) noexcept nogil
cdef Segment* table_relocate(Arena* a, Table* t, Segment* s) noexcept nogil
cdef uint32_t table_due(Arena* a, const Table* t, Segment* s, int64_t now_ms, Ref* past) noexcept nogil
cdef int table_check(Arena* a, Table* t) noexcept nogil

cdef inline void table_note(Arena* a, const Slot* slot) noexcept nogil:
    """Say that the reference at a slot is about to change."""
    undo_note(a, slot.bucket, sizeof(Bucket))

cdef inline uint32_t spread(uint64_t hash) noexcept nogil:
    """Position of a hash in the directory's range [0, 2**32): 2 - 2**(1 - x) for x in [0, 1).

    Computed as x + x (1 - x) (0.3828 - 0.0794 x), which keeps the swing below 1 %.
    """
    cdef uint64_t x = hash >> 32
    cdef uint64_t bend = (x * ((<uint64_t>1 << 32) - x)) >> 32
    cdef uint64_t slope = <uint64_t>0x61FF2E48 - ((x * <uint64_t>0x14538EF3) >> 32)
    return <uint32_t>(x + ((bend * slope) >> 32))

cdef inline uint32_t home_of(uint64_t hash) noexcept nogil:
    return (<uint32_t>(hash & 0xFFFFFF) * <uint32_t>BUCKETS) >> 24

cdef inline uint8_t tag_of(uint64_t hash) noexcept nogil:
    cdef uint8_t tag = <uint8_t>(hash >> 24)
    return tag if tag else 1

cdef inline Segment* segment_of(const Arena* a, const Table* t, uint64_t hash) noexcept nogil:
    """The segment that a hash belongs to; the table must have one."""
    cdef const Ref* directory = <const Ref*>arena_at(a, t.directory)
    return <Segment*>arena_at(a, directory[<uint64_t>spread(hash) >> (32 - t.depth)])

cdef inline void table_prefetch_bucket(const Arena* a, const Table* t, uint64_t hash) noexcept nogil:
    """First stage of a batch: ask for the home bucket's line."""
    if t.directory:
        prefetch(&segment_of(a, t, hash).buckets[home_of(hash)])

cdef inline void table_prefetch_entry(const Arena* a, const Table* t, uint64_t hash) noexcept nogil:
    """Second stage: ask for the first entry whose tag fits, in the home bucket or behind it."""
    cdef Segment* s
    cdef char* entry
    cdef uint32_t at, shift, mask
    if t.directory == 0:
        return
    s = segment_of(a, t, hash)
    at = home_of(hash)
    shift = s.buckets[at].expiring >> 12
    while True:
        mask = match_tags(s.buckets[at].tags, tag_of(hash))
        if mask:
            entry = arena_at(a, s.buckets[at].refs[ctz(mask)])
            prefetch(entry)
            if <size_t>entry & 63 != 32:        # there, small ones end; others reach into the next line
                prefetch(entry + 56)
            return
        if shift == 0:
            return
        shift -= 1
        at = at + 1 if at + 1 < BUCKETS else 0

cdef inline char* element_key(const Table* t, char* element, uint32_t* len) noexcept nogil:
    if t.key_at:
        return member_key(element, t.key_at, len)
    return entry_key(<Entry*>element, len)

cdef inline bint same_key(const Table* t, char* element, const char* key, uint32_t len) noexcept nogil:
    cdef uint32_t klen
    cdef char* p = element_key(t, element, &klen)
    return klen == len and same_bytes(p, key, len)

cdef inline bint table_find(const Arena* a, const Table* t, uint64_t hash, const char* key, uint32_t len,
                            Slot* slot) noexcept nogil:
    """Find a key: in its home bucket, or as far behind it as the home says."""
    cdef uint32_t home, shift, mask, at
    cdef uint8_t tag
    cdef Segment* s
    cdef Bucket* b
    slot.bucket = NULL
    if t.directory == 0:
        return False
    s = segment_of(a, t, hash)
    home = home_of(hash)
    tag = tag_of(hash)
    at = home
    shift = s.buckets[home].expiring >> 12
    while True:
        b = &s.buckets[at]
        mask = match_tags(b.tags, tag)
        while mask:
            if same_key(t, arena_at(a, b.refs[ctz(mask)]), key, len):
                slot.segment = s
                slot.bucket = b
                slot.index = ctz(mask)
                return True
            mask &= mask - 1
        if shift == 0:
            return False
        shift -= 1
        at += 1
        if at == BUCKETS:
            at = 0

cdef inline bint table_find_ref(const Arena* a, const Table* t, uint64_t hash, Ref ref, Slot* slot) noexcept nogil:
    """Find an entry by its reference among those of its hash; it may have gone meanwhile."""
    cdef uint32_t shift, mask, at
    cdef Segment* s
    cdef Bucket* b
    if t.directory == 0:
        return False
    s = segment_of(a, t, hash)
    at = home_of(hash)
    shift = s.buckets[at].expiring >> 12
    while True:
        b = &s.buckets[at]
        mask = match_tags(b.tags, tag_of(hash))
        while mask:
            if b.refs[ctz(mask)] == ref:
                slot.segment = s
                slot.bucket = b
                slot.index = ctz(mask)
                return True
            mask &= mask - 1
        if shift == 0:
            return False
        shift -= 1
        at = at + 1 if at + 1 < BUCKETS else 0
