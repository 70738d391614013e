# Slow paths of the table: inserting, splitting, merging, scanning. See table.pxd.
from libc.stdint cimport INT64_MAX
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from minikv_core.arena cimport (arena_alloc, arena_check, arena_close, arena_free, arena_open, arena_resize,
                                arena_size, arena_slack, arena_sparse, arena_trim)
from minikv_core.entry cimport (EntryView, entry_bytes, entry_clock, entry_due, entry_expiry, entry_view, entry_write,
                                int_width, load_int, store_int)
from minikv_core.hash cimport HashSeed, fold, uint128_t
from minikv_core.member cimport HASH_KEY, field_expiry
from minikv_core.memory cimport unlikely
from minikv_core.types cimport FORM_RAW, NO_MEMORY, OK, STRING

cdef enum:
    ROOM = BUCKETS * SLOTS      # entries that a segment could hold
    MERGE_MAX = ROOM * 2 // 5   # entries that two buddies may have together to become one
    MERGE_MASK = 15             # a merge is tried when the count is a multiple of 16
    DEPTH_FREE = 14             # a directory of 64 KiB is always granted: to elements in the order of hashes
    AHEAD = 16                  # entries prefetched while a segment is redistributed
    RANDOM_TRIES = 100

if sizeof(Bucket) != 64 or sizeof(Segment) != SEGMENT_HEAD + BUCKETS * 64 or sizeof(Segment) != SEGMENT_BYTES:
    raise ImportError("table: unexpected struct layout")


cdef inline Segment* at_position(Arena* a, Table* t, uint32_t position) noexcept nogil:
    cdef Ref* directory = <Ref*>arena_at(a, t.directory)
    return <Segment*>arena_at(a, directory[<uint64_t>position >> (32 - t.depth)])


cdef inline uint64_t start_of(const Segment* s) noexcept nogil:
    """First position that belongs to a segment."""
    return <uint64_t>s.prefix << (32 - s.depth)


cdef inline uint64_t end_of(const Segment* s) noexcept nogil:
    """First position behind a segment; 2**32 for the last."""
    return (<uint64_t>s.prefix + 1) << (32 - s.depth)


cdef inline uint64_t element_hash(const Arena* a, const Table* t, Ref ref) noexcept nogil:
    cdef uint32_t klen
    cdef char* key = element_key(t, arena_at(a, ref), &klen)
    return hash_bytes(&a.head.seed, key, klen)


cdef inline int64_t element_due(const Arena* a, const Table* t, Ref ref) noexcept nogil:
    """When an element expires, Unix ms; -1 = never."""
    if t.key_at:
        return field_expiry(arena_at(a, ref)) if t.key_at == HASH_KEY else -1
    return entry_due(<Entry*>arena_at(a, ref))


cdef void reset_segment(Segment* s, uint8_t depth, uint32_t prefix) noexcept nogil:
    memset(s, 0, sizeof(Segment))
    s.depth = depth
    s.prefix = prefix
    s.next_expiry = INT64_MAX


cdef void point_directory(Arena* a, Table* t, const Segment* s, Ref ref) noexcept nogil:
    """Let the part of the directory that a segment owns name it."""
    cdef Ref* directory = <Ref*>arena_at(a, t.directory)
    cdef uint64_t i, first = <uint64_t>s.prefix << (t.depth - s.depth), count = <uint64_t>1 << (t.depth - s.depth)
    undo_note(a, &directory[first], count * sizeof(Ref))
    for i in range(first, first + count):
        directory[i] = ref


cdef void note_put(Arena* a, Segment* s, Bucket* b, Bucket* home) noexcept nogil:
    undo_note(a, s, SEGMENT_HEAD)
    undo_note(a, b, sizeof(Bucket))
    if b != home:
        undo_note(a, home, sizeof(Bucket))


cdef inline bint put(Arena* a, Segment* s, uint64_t hash, Ref ref, bint expires) noexcept nogil:
    """Put a reference into its home bucket or the nearest one with room; False = none within MAX_SHIFT.

    a   NULL if the segment needs no notes
    """
    cdef uint32_t home = home_of(hash), at = home, shift = 0, free, index
    cdef Bucket* b
    while True:
        b = &s.buckets[at]
        free = match_tags(b.tags, 0)
        if free:
            break
        shift += 1
        if shift > MAX_SHIFT:
            return False
        at += 1
        if at == BUCKETS:
            at = 0
    index = ctz(free)
    if a != NULL and unlikely(a.undo != NULL):
        note_put(a, s, b, &s.buckets[home])
    b.tags[index] = tag_of(hash)
    b.refs[index] = ref
    if expires:
        b.expiring |= <uint16_t>(1 << index)
    if shift:
        b = &s.buckets[home]
        b.shifted += 1
        if <uint32_t>b.expiring >> 12 < shift:
            b.expiring = <uint16_t>((b.expiring & ALL_SLOTS) | (shift << 12))
    s.count += 1
    return True


cdef inline void drop(Arena* a, Segment* s, uint64_t hash, Bucket* b, uint32_t index) noexcept nogil:
    """Free a slot; counts of expiries are the caller's."""
    cdef Bucket* home = &s.buckets[home_of(hash)]
    if unlikely(a.undo != NULL):
        note_put(a, s, b, home)
    b.tags[index] = 0
    b.refs[index] = 0
    b.expiring &= <uint16_t>~(1 << index)
    if b != home:
        home.shifted -= 1
        if home.shifted == 0:
            home.expiring &= ALL_SLOTS
    s.count -= 1


cdef bint make_room(Arena* a, const Table* t, Segment* s, uint32_t home) noexcept nogil:
    """Move one entry out of a full window, deeper into its own; the farthest bucket's are the likeliest."""
    cdef uint32_t shift, i
    cdef uint64_t hash
    cdef Bucket* b
    for shift in range(MAX_SHIFT, -1, -1):
        b = &s.buckets[(home + shift) % BUCKETS]
        for i in range(<uint32_t>SLOTS):
            prefetch(arena_at(a, b.refs[i]))
        for i in range(<uint32_t>SLOTS):
            hash = element_hash(a, t, b.refs[i])
            if put(a, s, hash, b.refs[i], (b.expiring >> i) & 1):
                drop(a, s, hash, b, i)
                return True
    return False


cdef inline void count_expiry(Segment* s, int64_t expiry_ms) noexcept nogil:
    s.expiring += 1
    s.next_expiry = min(s.next_expiry, expiry_ms)


cdef bint distribute(Arena* a, const Table* t, const Segment* old, Segment* low, Segment* high, uint32_t bit) noexcept nogil:
    """Put a segment's entries into two others, new or noted, by one bit of their positions; False = no room.

    The entries are scattered over memory: they are asked for AHEAD of their turn.
    """
    cdef Ref refs[ROOM]
    cdef bint expires[ROOM]
    cdef uint32_t count = 0, i, mask
    cdef uint64_t hash
    cdef Segment* into
    cdef const Bucket* b
    for i in range(<uint32_t>BUCKETS):
        b = &old.buckets[i]
        mask = ~match_tags(b.tags, 0) & ALL_SLOTS
        while mask:
            refs[count] = b.refs[ctz(mask)]
            expires[count] = (b.expiring >> ctz(mask)) & 1
            count += 1
            mask &= mask - 1
    for i in range(min(count, <uint32_t>AHEAD)):
        prefetch(arena_at(a, refs[i]))
    for i in range(count):
        if i + AHEAD < count:
            prefetch(arena_at(a, refs[i + AHEAD]))
        hash = element_hash(a, t, refs[i])
        into = high if (spread(hash) >> bit) & 1 else low
        if not put(NULL, into, hash, refs[i], expires[i]):
            return False
        if expires[i]:
            count_expiry(into, element_due(a, t, refs[i]))
    return True


cdef bint keep_layout(Arena* a, const Table* t, const Segment* old, Segment* low, Segment* high, uint32_t bit) noexcept nogil:
    """The same where distribute has found no room: the larger half stays as it lies, the other one moves out.

    Such a segment has nearly all entries in one half: they come in the order of their hashes, from another table.
    """
    cdef uint32_t i, mask, index, highs = 0
    cdef uint64_t hash
    cdef Segment* keep = low
    cdef Segment* other = high
    cdef bint expires, is_high
    for i in range(<uint32_t>BUCKETS):
        mask = ~match_tags(old.buckets[i].tags, 0) & ALL_SLOTS
        while mask:
            highs += (spread(element_hash(a, t, old.buckets[i].refs[ctz(mask)])) >> bit) & 1
            mask &= mask - 1
    if highs * 2 > old.count:
        keep = high
        other = low
    reset_segment(other, other.depth, other.prefix)
    reset_segment(keep, keep.depth, keep.prefix)
    memcpy(keep.buckets, old.buckets, sizeof(old.buckets))
    keep.count = old.count
    for i in range(<uint32_t>BUCKETS):
        mask = ~match_tags(old.buckets[i].tags, 0) & ALL_SLOTS
        while mask:
            index = ctz(mask)
            mask &= mask - 1
            hash = element_hash(a, t, old.buckets[i].refs[index])
            expires = (old.buckets[i].expiring >> index) & 1
            is_high = (spread(hash) >> bit) & 1
            if is_high == (keep == high):
                if expires:
                    count_expiry(keep, element_due(a, t, old.buckets[i].refs[index]))
                continue
            drop(a, keep, hash, &keep.buckets[i], index)
            if not put(NULL, other, hash, old.buckets[i].refs[index], expires) and not (
                    make_room(a, t, other, home_of(hash)) and put(NULL, other, hash, old.buckets[i].refs[index], expires)):
                return False
            if expires:
                count_expiry(other, element_due(a, t, old.buckets[i].refs[index]))
    return True


# ---------------------------------------------------------------- growing

cdef Status create(Arena* a, Table* t) noexcept nogil:
    """Give an empty table its first segment."""
    cdef Ref directory = arena_alloc(a, sizeof(Ref))
    cdef Ref ref = arena_alloc(a, sizeof(Segment))
    if directory == 0 or ref == 0:
        if directory:
            arena_free(a, directory)
        if ref:
            arena_free(a, ref)
        return NO_MEMORY
    undo_note(a, t, sizeof(Table))
    t.directory = directory
    t.segments = t.deepest = 1
    t.bytes = arena_size(a, directory) + sizeof(Segment)
    reset_segment(<Segment*>arena_at(a, ref), 0, 0)
    (<Ref*>arena_at(a, directory))[0] = ref
    return OK


cdef Status double_directory(Arena* a, Table* t) noexcept nogil:
    """Give the directory a bit more, unless it would outweigh the segments: only equal hashes do that."""
    cdef uint64_t size = <uint64_t>1 << t.depth, i
    cdef Ref grown
    cdef Ref* old
    cdef Ref* new
    if t.depth >= MAX_DEPTH or (t.depth >= DEPTH_FREE and size * 2 * sizeof(Ref) > t.segments * sizeof(Segment)):
        return NO_MEMORY
    grown = arena_alloc(a, size * 2 * sizeof(Ref))
    if grown == 0:
        return NO_MEMORY
    old = <Ref*>arena_at(a, t.directory)
    new = <Ref*>arena_at(a, grown)
    for i in range(size):
        new[2 * i] = new[2 * i + 1] = old[i]
    undo_note(a, t, sizeof(Table))
    t.bytes += arena_size(a, grown) - arena_size(a, t.directory)
    arena_free(a, t.directory)
    t.directory = grown
    t.depth += 1
    t.deepest = 0
    return OK


cdef Status split(Arena* a, Table* t, Segment* s) noexcept nogil:
    """Spread a segment's entries over it and a new one: half the positions each."""
    cdef Segment old
    cdef Segment* high
    cdef Ref ref
    cdef uint32_t i
    if s.depth == t.depth and double_directory(a, t) != OK:
        return NO_MEMORY
    ref = arena_alloc(a, sizeof(Segment))
    if ref == 0:
        return NO_MEMORY
    high = <Segment*>arena_at(a, ref)
    undo_note(a, t, sizeof(Table))
    undo_note(a, s, sizeof(Segment))
    memcpy(&old, s, sizeof(Segment))
    reset_segment(s, <uint8_t>(old.depth + 1), old.prefix * 2)
    reset_segment(high, <uint8_t>(old.depth + 1), old.prefix * 2 + 1)
    if not distribute(a, t, &old, s, high, 31 - old.depth) and not keep_layout(a, t, &old, s, high, 31 - old.depth):
        memcpy(s, &old, sizeof(Segment))
        arena_free(a, ref)
        return NO_MEMORY
    for i in range(<uint32_t>BUCKETS):
        s.buckets[i].epoch = high.buckets[i].epoch = old.buckets[i].epoch
    point_directory(a, t, high, ref)
    t.segments += 1
    t.bytes += sizeof(Segment)
    if s.depth == t.depth:
        t.deepest += 2
    return OK


cdef Status table_insert(Arena* a, Table* t, uint64_t hash, Ref ref, int64_t expiry_ms) noexcept nogil:
    """Add an entry whose key the table does not have.

    hash       hash_bytes() of its key, with the arena's seed
    expiry_ms  as the entry has it; -1 = never
    errors     NO_MEMORY the arena is full, or too many keys have equal hashes; the table is as it was
    """
    cdef Segment* s
    if t.directory == 0 and create(a, t) != OK:
        return NO_MEMORY
    while True:
        s = segment_of(a, t, hash)
        if put(a, s, hash, ref, expiry_ms >= 0):
            break
        if make_room(a, t, s, home_of(hash)):
            continue
        if split(a, t, s) != OK:
            return NO_MEMORY
    undo_note(a, t, sizeof(Table))
    t.count += 1
    if expiry_ms >= 0:
        count_expiry(s, expiry_ms)      # put has noted the segment's head
        t.expiring += 1
    return OK


# ---------------------------------------------------------------- shrinking

cdef bint join(Arena* a, Table* t, Segment* low, Segment* high) noexcept nogil:
    """Put the entries of two buddies into the lower one and free the other; False = they do not fit."""
    cdef Segment old
    cdef Ref* directory = <Ref*>arena_at(a, t.directory)
    cdef Ref low_ref = directory[<uint64_t>low.prefix << (t.depth - low.depth)]
    cdef Ref high_ref = directory[<uint64_t>high.prefix << (t.depth - high.depth)]
    undo_note(a, t, sizeof(Table))
    undo_note(a, low, sizeof(Segment))
    memcpy(&old, low, sizeof(Segment))
    reset_segment(low, <uint8_t>(old.depth - 1), old.prefix >> 1)
    if not distribute(a, t, &old, low, low, 0) or not distribute(a, t, high, low, low, 0):
        memcpy(low, &old, sizeof(Segment))
        return False
    point_directory(a, t, high, low_ref)
    arena_free(a, high_ref)
    t.segments -= 1
    t.bytes -= sizeof(Segment)
    if old.depth == t.depth:
        t.deepest -= 2
    return True


cdef void halve_directory(Arena* a, Table* t) noexcept nogil:
    """Take a bit from a directory of which no segment uses the last one."""
    cdef Ref* directory = <Ref*>arena_at(a, t.directory)
    cdef uint64_t size = <uint64_t>1 << (t.depth - 1), i
    cdef size_t before = arena_size(a, t.directory)
    undo_note(a, t, sizeof(Table))
    undo_note(a, directory, size * sizeof(Ref))
    for i in range(size):
        directory[i] = directory[2 * i]
    t.directory = arena_resize(a, t.directory, size * sizeof(Ref))
    t.bytes -= before - arena_size(a, t.directory)
    t.depth -= 1
    directory = <Ref*>arena_at(a, t.directory)
    t.deepest = 0
    for i in range(0, size, 2):     # two that share a segment do not use the last bit
        if directory[i] != directory[i + 1]:
            t.deepest += 2


cdef void merge(Arena* a, Table* t, Segment* s) noexcept nogil:
    """Merge a segment with its buddy while both are half empty, then shrink a directory four times too big."""
    cdef Segment* buddy
    while s.depth > 0:
        buddy = at_position(a, t, <uint32_t>(<uint64_t>(s.prefix ^ 1) << (32 - s.depth)))
        if buddy.depth != s.depth or buddy.count + s.count > MERGE_MAX:
            break
        if s.prefix & 1:
            s, buddy = buddy, s
        if not join(a, t, s, buddy):
            break
    while t.deepest == 0 and <uint64_t>1 << t.depth >= <uint64_t>t.segments * 4:
        halve_directory(a, t)


cdef void table_remove(Arena* a, Table* t, uint64_t hash, Slot* slot) noexcept nogil:
    """Take a found entry out; the entry itself stays.

    Segments may merge or go: no slot or segment of this table is valid afterwards.
    """
    cdef Segment* s = slot.segment
    table_set_expiring(a, t, slot, -1)      # notes the table, too
    drop(a, s, hash, slot.bucket, slot.index)
    t.count -= 1
    if t.count == 0:
        table_clear(a, t)
    elif s.count & MERGE_MASK == 0 and s.count <= MERGE_MAX:
        merge(a, t, s)


cdef void table_set_expiring(Arena* a, Table* t, Slot* slot, int64_t expiry_ms) noexcept nogil:
    """Note that the entry at a slot has got another expiry; -1 = none."""
    cdef Segment* s = slot.segment
    cdef uint16_t bit = <uint16_t>(1 << slot.index)
    if unlikely(a.undo != NULL):
        undo_note(a, t, sizeof(Table))
        note_put(a, s, slot.bucket, slot.bucket)
    if slot.bucket.expiring & bit:
        slot.bucket.expiring &= <uint16_t>~bit
        s.expiring -= 1
        t.expiring -= 1
        if s.expiring == 0:
            s.next_expiry = INT64_MAX
    if expiry_ms >= 0:
        slot.bucket.expiring |= bit
        t.expiring += 1
        count_expiry(s, expiry_ms)


cdef void table_init(Table* t, uint8_t key_at) noexcept nogil:
    memset(t, 0, sizeof(Table))
    t.key_at = key_at


cdef void table_clear(Arena* a, Table* t) noexcept nogil:
    """Free directory and segments, not the entries; the table is empty then."""
    cdef uint64_t position = 0
    cdef Ref* directory
    cdef Segment* s
    if t.directory:
        directory = <Ref*>arena_at(a, t.directory)
        while position < <uint64_t>1 << 32:
            s = at_position(a, t, <uint32_t>position)
            position = end_of(s)
            arena_free(a, directory[start_of(s) >> (32 - t.depth)])
        arena_free(a, t.directory)
    undo_note(a, t, sizeof(Table))
    table_init(t, t.key_at)


# ---------------------------------------------------------------- walking

cdef Segment* table_next_segment(Arena* a, Table* t, uint64_t* position) noexcept nogil:
    """Iterate over the segments in hash order.

    position  0 at the start; splits and merges between the calls are allowed (a merged segment may come twice)
    returns   NULL at the end
    """
    cdef Segment* s
    if t.directory == 0 or position[0] >> 32:
        return NULL
    s = at_position(a, t, <uint32_t>position[0])
    position[0] = end_of(s)
    return s


cdef Segment* table_relocate(Arena* a, Table* t, Segment* s) noexcept nogil:
    """Move a segment to a fuller chunk if its own is sparse; returns where it is now."""
    cdef Ref ref = (<Ref*>arena_at(a, t.directory))[<uint64_t>s.prefix << (t.depth - s.depth)], moved
    if not arena_sparse(a, ref):
        return s
    moved = arena_alloc(a, sizeof(Segment))
    if moved == 0:
        return s
    memcpy(arena_at(a, moved), s, sizeof(Segment))
    point_directory(a, t, s, moved)
    arena_free(a, ref)
    return <Segment*>arena_at(a, moved)


cdef void visit_home(Arena* a, const Table* t, Segment* s, uint32_t home, VisitFn visit, void* context) noexcept nogil:
    """Call back for all entries of a home bucket: those in it, and those shifted behind it."""
    cdef uint32_t shift, at = home, mask, left = s.buckets[home].shifted
    cdef Bucket* b
    for shift in range((s.buckets[home].expiring >> 12) + 1):
        b = &s.buckets[at]
        mask = ~match_tags(b.tags, 0) & ALL_SLOTS
        while mask:
            prefetch(arena_at(a, b.refs[ctz(mask)]))
            mask &= mask - 1
        mask = ~match_tags(b.tags, 0) & ALL_SLOTS
        while mask:
            if home_of(element_hash(a, t, b.refs[ctz(mask)])) == home:
                visit(context, b.refs[ctz(mask)])
                left -= shift > 0
            mask &= mask - 1
        if left == 0:
            break
        at += 1
        if at == BUCKETS:
            at = 0


cdef uint64_t table_scan(Arena* a, Table* t, uint64_t cursor, VisitFn visit, void* context) noexcept nogil:
    """Visit the entries of one home bucket and return the cursor of the next; 0 at the end.

    An entry that is there from the first call to the last is visited at least once, whatever is inserted
    and removed between the calls. A cursor is a position in hash order (bits 0-31), a home bucket
    (32-37) and the depth of the segment it was made for (38-42): of that block of positions, the home
    buckets before this one are done. If the segment has split since, its first part goes on from there
    and the others start at bucket 0; if it has merged, the merged one starts at bucket 0.
    Any cursor is safe.
    """
    cdef uint32_t bucket = (cursor >> 32) & 63
    cdef uint8_t depth = (cursor >> 38) & 31
    cdef Segment* s
    if t.directory == 0:
        return 0
    s = at_position(a, t, <uint32_t>cursor)
    if s.depth < depth or bucket >= BUCKETS:
        bucket = 0
    visit_home(a, t, s, bucket, visit, context)
    bucket += 1
    if bucket < BUCKETS:
        return start_of(s) | (<uint64_t>bucket << 32) | (<uint64_t>s.depth << 38)
    return end_of(s) & <uint64_t>0xFFFFFFFF


cdef inline uint64_t below(uint64_t* state, uint64_t n) noexcept nogil:
    """A random number in [0, n)."""
    state[0] += <uint64_t>0xA0761D6478BD642F
    return <uint64_t>((<uint128_t>fold(state[0], state[0] ^ <uint64_t>0xE7037ED1A0B428DB) * n) >> 64)


cdef Ref table_random(Arena* a, Table* t, uint64_t* random_state) noexcept nogil:
    """A reference to a random entry, each with the same chance; 0 = the table is empty.

    A place in the directory counts only if it is the first of its segment, a slot only if it is taken. A
    table too thin for that to hit soon has few segments: their counts are added up instead.
    """
    cdef Ref* directory = <Ref*>arena_at(a, t.directory)
    cdef uint64_t at, position = 0
    cdef uint32_t slot, i
    cdef Segment* s
    if t.count == 0:
        return 0
    for i in range(<uint32_t>RANDOM_TRIES):
        at = below(random_state, <uint64_t>1 << t.depth)
        if at and directory[at] == directory[at - 1]:
            continue
        slot = <uint32_t>below(random_state, ROOM)
        s = <Segment*>arena_at(a, directory[at])
        if s.buckets[slot // SLOTS].tags[slot % SLOTS]:
            return s.buckets[slot // SLOTS].refs[slot % SLOTS]
    at = below(random_state, t.count)
    s = table_next_segment(a, t, &position)
    while at >= s.count:
        at -= s.count
        s = table_next_segment(a, t, &position)
    for slot in range(<uint32_t>ROOM):
        if s.buckets[slot // SLOTS].tags[slot % SLOTS]:
            if at == 0:
                break
            at -= 1
    return s.buckets[slot // SLOTS].refs[slot % SLOTS]


# ---------------------------------------------------------------- checking

cdef int check_segment(Arena* a, const Table* t, const Segment* s) noexcept nogil:
    """Every entry is where its hash says, and the segment's own counts are right."""
    cdef uint32_t shifted[BUCKETS]
    cdef uint32_t farthest[BUCKETS]
    cdef uint32_t i, at, mask, home, shift, count = 0, expiring = 0
    cdef uint64_t hash
    cdef int64_t expiry
    cdef const Bucket* b
    memset(shifted, 0, sizeof(shifted))
    memset(farthest, 0, sizeof(farthest))
    for at in range(<uint32_t>BUCKETS):
        b = &s.buckets[at]
        mask = ~match_tags(b.tags, 0) & ALL_SLOTS
        if b.expiring & ALL_SLOTS & ~mask:
            return 10
        while mask:
            i = ctz(mask)
            mask &= mask - 1
            hash = element_hash(a, t, b.refs[i])
            if b.tags[i] != tag_of(hash) or spread(hash) < start_of(s) or spread(hash) >= end_of(s):
                return 11
            expiry = element_due(a, t, b.refs[i])
            if (expiry >= 0) != ((b.expiring >> i) & 1) or (expiry >= 0 and expiry < s.next_expiry):
                return 12
            count += 1
            expiring += expiry >= 0
            home = home_of(hash)
            shift = at - home if at >= home else at + BUCKETS - home
            shifted[home] += shift > 0
            farthest[home] = max(farthest[home], shift)
    for at in range(<uint32_t>BUCKETS):
        b = &s.buckets[at]
        if b.shifted != shifted[at] or <uint32_t>b.expiring >> 12 < farthest[at] or (b.shifted == 0 and b.expiring >> 12):
            return 13
    return 0 if count == s.count and expiring == s.expiring else 14


cdef int table_check(Arena* a, Table* t) noexcept nogil:
    """Walk everything; 0 = consistent, else a number that names the first fault found."""
    cdef Ref* directory = <Ref*>arena_at(a, t.directory)
    cdef uint64_t position = 0, i, first, count = 0, expiring = 0, bytes = 0
    cdef uint32_t segments = 0, deepest = 0
    cdef int fault
    cdef Segment* s
    if t.directory:
        bytes = arena_size(a, t.directory)
        s = table_next_segment(a, t, &position)
        while s != NULL:
            if s.depth > t.depth or end_of(s) != position:
                return 1
            first = start_of(s) >> (32 - t.depth)
            for i in range(first, first + (<uint64_t>1 << (t.depth - s.depth))):
                if directory[i] != directory[first]:
                    return 2
            fault = check_segment(a, t, s)
            if fault:
                return fault
            segments += 1
            deepest += s.depth == t.depth
            count += s.count
            expiring += s.expiring
            bytes += sizeof(Segment)
            s = table_next_segment(a, t, &position)
    if segments != t.segments or deepest != t.deepest:
        return 3
    return 0 if count == t.count and expiring == t.expiring and bytes == t.bytes else 4


# ---------------------------------------------------------------- for the tests

cdef struct Collected:
    uint32_t count
    Ref refs[ROOM]


cdef void collect(void* context, Ref ref) noexcept nogil:
    cdef Collected* c = <Collected*>context
    c.refs[c.count] = ref
    c.count += 1


cdef class TableHandle:
    """A table in an arena of its own, with entries of `vlen` zero bytes, for the tests."""
    cdef Arena arena
    cdef Table table
    cdef uint64_t random_state

    def __cinit__(self, size_t reserve=1 << 30):
        self.arena.base = NULL
        self.arena.fd = -1
        if arena_open(&self.arena, reserve, False) != OK:
            raise MemoryError("the mapping was refused")

    def __dealloc__(self):
        arena_close(&self.arena)

    cdef bytes key_at(self, Ref ref):
        cdef uint32_t klen
        cdef char* key = entry_key(<Entry*>arena_at(&self.arena, ref), &klen)
        return key[:klen]

    cdef Ref new_entry(self, bytes key, uint32_t vlen, int64_t expiry) noexcept:
        cdef Ref ref = arena_alloc(&self.arena, entry_bytes(<uint32_t>len(key), vlen, expiry))
        if ref:
            memset(entry_write(<Entry*>arena_at(&self.arena, ref), STRING, FORM_RAW, 0, <const char*>key,
                               <uint32_t>len(key), vlen, expiry), 0, vlen)
        return ref

    cdef bint find(self, bytes key, Slot* slot):
        return table_find(&self.arena, &self.table, self.hash(key), <const char*>key, <uint32_t>len(key), slot)

    cpdef uint64_t hash(self, bytes key):
        return hash_bytes(&self.arena.head.seed, <const char*>key, len(key))

    def insert(self, bytes key, int64_t expiry=-1, uint32_t vlen=0):
        """True, or False if there is no room."""
        cdef Ref ref = self.new_entry(key, vlen, expiry)
        if ref == 0:
            return False
        if table_insert(&self.arena, &self.table, self.hash(key), ref, expiry) == OK:
            return True
        arena_free(&self.arena, ref)
        return False

    def remove(self, bytes key):
        cdef Slot slot
        cdef Ref ref
        if not self.find(key, &slot):
            return False
        ref = slot.bucket.refs[slot.index]
        table_remove(&self.arena, &self.table, self.hash(key), &slot)
        arena_free(&self.arena, ref)
        return True

    def expire(self, bytes key, int64_t expiry):
        """Replace a key's entry by one with another expiry (-1 = none)."""
        cdef Slot slot
        cdef Ref ref
        if not self.find(key, &slot):
            return False
        ref = self.new_entry(key, 0, expiry)
        arena_free(&self.arena, slot.bucket.refs[slot.index])
        slot.bucket.refs[slot.index] = ref
        table_set_expiring(&self.arena, &self.table, &slot, expiry)
        return True

    def __contains__(self, bytes key):
        cdef Slot slot
        return self.find(key, &slot)

    def __len__(self):
        return self.table.count

    def clear(self):
        """Free the entries, then the table."""
        for ref in self.refs():
            arena_free(&self.arena, ref)
        table_clear(&self.arena, &self.table)

    cdef list refs(self):
        cdef uint64_t position = 0
        cdef Segment* s = table_next_segment(&self.arena, &self.table, &position)
        cdef list refs = []
        while s != NULL:
            for slot in range(ROOM):
                if s.buckets[slot // SLOTS].tags[slot % SLOTS]:
                    refs.append(s.buckets[slot // SLOTS].refs[slot % SLOTS])
            s = table_next_segment(&self.arena, &self.table, &position)
        return refs

    def keys(self):
        return [self.key_at(ref) for ref in self.refs()]

    def scan(self, uint64_t cursor):
        """(next cursor, keys of one home bucket)."""
        cdef Collected c
        c.count = 0
        cursor = table_scan(&self.arena, &self.table, cursor, collect, &c)
        return cursor, [self.key_at(c.refs[i]) for i in range(c.count)]

    def random(self):
        """A random key, or None."""
        cdef Ref ref = table_random(&self.arena, &self.table, &self.random_state)
        return self.key_at(ref) if ref else None

    def next_segment(self, uint64_t position):
        """(next position, prefix, depth, entries, expiring, next expiry), or None."""
        cdef Segment* s = table_next_segment(&self.arena, &self.table, &position)
        return None if s == NULL else (position, s.prefix, s.depth, s.count, s.expiring, s.next_expiry)

    def compact(self):
        """Move what is sparse, as the keyspace does; returns how many objects moved."""
        cdef uint64_t position = 0
        cdef Segment* s = table_next_segment(&self.arena, &self.table, &position)
        cdef Bucket* b
        cdef Ref ref, moved
        cdef size_t size
        cdef uint32_t slot
        count = 0
        while s != NULL:
            s = table_relocate(&self.arena, &self.table, s)
            for slot in range(<uint32_t>ROOM):
                b = &s.buckets[slot // SLOTS]
                ref = b.refs[slot % SLOTS]
                if b.tags[slot % SLOTS] and arena_sparse(&self.arena, ref):
                    size = arena_size(&self.arena, ref)
                    moved = arena_alloc(&self.arena, size)
                    memcpy(arena_at(&self.arena, moved), arena_at(&self.arena, ref), size)
                    arena_free(&self.arena, ref)
                    b.refs[slot % SLOTS] = moved
                    count += 1
            s = table_next_segment(&self.arena, &self.table, &position)
        return count

    def trim(self, size_t max_bytes):
        return arena_trim(&self.arena, max_bytes)

    def check(self):
        return table_check(&self.arena, &self.table) or arena_check(&self.arena) * 100

    def info(self):
        cdef Table* t = &self.table
        return {"count": t.count, "expiring": t.expiring, "bytes": t.bytes, "segments": t.segments,
                "depth": t.depth, "deepest": t.deepest, "used": self.arena.head.used,
                "resident": self.arena.head.resident, "slack": arena_slack(&self.arena),
                "seed": tuple(self.arena.head.seed.secret[i] for i in range(4))}


def hash_with(seed, bytes key):
    """hash_bytes() with four secrets of one's own."""
    cdef HashSeed s
    for i in range(4):
        s.secret[i] = seed[i]
    return hash_bytes(&s, <const char*>key, len(key))


def entry_round_trip(bytes key, bytes value, int kind, int form, uint32_t clock, int64_t expiry):
    """Write an entry into exactly the bytes it needs and read it back."""
    cdef size_t size = entry_bytes(<uint32_t>len(key), <uint32_t>len(value), expiry)
    cdef Entry* e = <Entry*>malloc(size)
    cdef EntryView v
    cdef uint32_t klen
    cdef char* p = entry_write(e, <uint8_t>kind, <uint8_t>form, clock, <const char*>key, <uint32_t>len(key),
                               <uint32_t>len(value), expiry)
    memcpy(p, <const char*>value, len(value))
    entry_view(e, &v)
    p = entry_key(e, &klen)
    fields = {"size": size, "key": v.key[:v.klen], "same_key": p[:klen], "value": v.value[:v.vlen],
              "kind": v.kind, "form": v.form, "clock": entry_clock(e), "expiry": entry_expiry(e)}
    free(e)
    return fields


def int_round_trip(int64_t value):
    """(width, value read back) of a FORM_INT payload."""
    cdef uint32_t width = int_width(value)
    cdef char* p = <char*>malloc(width)
    store_int(p, value, width)
    value = load_int(p, width)
    free(p)
    return width, value
