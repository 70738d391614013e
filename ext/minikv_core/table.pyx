# Slow paths of the table: inserting, splitting, merging, expiring, scanning. See table.pxd.
from libc.stdint cimport INT64_MAX
from libc.string cimport memcpy, memset
from minikv_core.arena cimport arena_alloc, arena_free, arena_resize, arena_size, arena_sparse
from minikv_core.entry cimport entry_due
from minikv_core.hash cimport fold, uint128_t
from minikv_core.member cimport HASH_KEY, field_expiry
from minikv_core.memory cimport clz64, unlikely
from minikv_core.types cimport NO_MEMORY, OK

cdef enum:
    MERGE_MAX = ROOM * 2 // 5   # entries that two buddies may have together to become one
    MERGE_MASK = 15             # a merge is tried when the count is a multiple of 16
    DEPTH_FREE = 14             # a directory of 64 KiB is always granted: to elements in the order of hashes
    AHEAD = 16                  # entries prefetched while a segment is redistributed or searched for expired ones
    AHEAD_SEGMENTS = 8          # directory entries ahead of a walk whose segments are prefetched
    BASE_BEFORE_MS = 131072     # a segment's `due` counts at first from this long before the first expiry that it is told
    REBASE_MS = 8192            # and later from a time at most this long before it was last looked at
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
    memset(s.due, 0xFF, sizeof(s.due))


cdef inline uint16_t due_code(const Segment* s, int64_t expiry_ms) noexcept nogil:
    """A time after the segment's base in 16 bits, rounded down by less than 1/1024: 5 bits of exponent, 11 of mantissa.

    0       the base or before
    0xFFFE  139 years later or more
    0xFFFF  never (INT64_MAX)
    """
    cdef int64_t after
    cdef uint32_t exponent
    if expiry_ms == INT64_MAX:
        return 0xFFFF
    after = expiry_ms - s.due_base
    if after <= 0:
        return 0
    if after < 2048:
        return <uint16_t>after
    exponent = 53 - clz64(<uint64_t>after)
    if exponent > 31:
        return 0xFFFE
    return <uint16_t>min(exponent << 11 | <uint32_t>(after >> exponent), <uint32_t>0xFFFE)


cdef inline int64_t group_due(const Segment* s, uint32_t group) noexcept nogil:
    """No element of four buckets expires before this, Unix ms; 0 = not known, INT64_MAX = none does."""
    cdef uint32_t code = s.due[group]
    if code == 0:
        return 0
    return s.due_base + (<int64_t>(code & 2047) << (code >> 11)) if code != 0xFFFF else INT64_MAX


cdef inline void note_due(Segment* s, uint32_t bucket, int64_t expiry_ms) noexcept nogil:
    """Note an expiry that the segment's count does not have yet."""
    cdef uint16_t code
    if s.expiring == 0:
        s.due_base = expiry_ms - BASE_BEFORE_MS
        memset(s.due, 0xFF, sizeof(s.due))
    code = due_code(s, expiry_ms)
    if code < s.due[bucket >> 2]:
        s.due[bucket >> 2] = code


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


cdef inline bint put(Arena* a, Segment* s, uint64_t hash, Ref ref, int64_t expiry_ms) noexcept nogil:
    """Put a reference into its home bucket or the nearest one with room; False = none within MAX_SHIFT.

    a           NULL if the segment needs no notes
    expiry_ms   of the element, or a time before it; -1 = never. Counts of expiries are the caller's
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
    if expiry_ms >= 0:
        b.expiring |= <uint16_t>(1 << index)
        note_due(s, at, expiry_ms)
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
    cdef uint32_t shift, i, at
    cdef uint64_t hash
    cdef Bucket* b
    for shift in range(MAX_SHIFT, -1, -1):
        at = (home + shift) % BUCKETS
        b = &s.buckets[at]
        for i in range(<uint32_t>SLOTS):
            prefetch(arena_at(a, b.refs[i]))
        for i in range(<uint32_t>SLOTS):
            hash = element_hash(a, t, b.refs[i])
            if put(a, s, hash, b.refs[i], group_due(s, at >> 2) if (b.expiring >> i) & 1 else <int64_t>-1):
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
    cdef int64_t due
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
        due = element_due(a, t, refs[i]) if expires[i] else <int64_t>-1
        if not put(NULL, into, hash, refs[i], due):
            return False
        if due >= 0:
            count_expiry(into, due)
    return True


cdef bint keep_layout(Arena* a, const Table* t, const Segment* old, Segment* low, Segment* high, uint32_t bit) noexcept nogil:
    """The same where distribute has found no room: the larger half stays as it lies, the other one moves out.

    Such a segment has nearly all entries in one half: they come in the order of their hashes, from another table.
    """
    cdef uint32_t i, mask, index, highs = 0
    cdef uint64_t hash
    cdef Segment* keep = low
    cdef Segment* other = high
    cdef int64_t due
    cdef bint is_high
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
    memcpy(keep.due, old.due, sizeof(old.due))
    keep.due_base = old.due_base
    keep.count = old.count
    for i in range(<uint32_t>BUCKETS):
        mask = ~match_tags(old.buckets[i].tags, 0) & ALL_SLOTS
        while mask:
            index = ctz(mask)
            mask &= mask - 1
            hash = element_hash(a, t, old.buckets[i].refs[index])
            due = element_due(a, t, old.buckets[i].refs[index]) if (old.buckets[i].expiring >> index) & 1 else <int64_t>-1
            is_high = (spread(hash) >> bit) & 1
            if is_high == (keep == high):
                if due >= 0:
                    count_expiry(keep, due)
                continue
            drop(a, keep, hash, &keep.buckets[i], index)
            if not put(NULL, other, hash, old.buckets[i].refs[index], due) and not (
                    make_room(a, t, other, home_of(hash)) and put(NULL, other, hash, old.buckets[i].refs[index], due)):
                return False
            if due >= 0:
                count_expiry(other, due)
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
        if put(a, s, hash, ref, expiry_ms):
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
        note_due(s, <uint32_t>(slot.bucket - s.buckets), expiry_ms)
        count_expiry(s, expiry_ms)


cdef uint32_t table_due(Arena* a, const Table* t, Segment* s, int64_t now_ms, Ref* past) noexcept nogil:
    """Find the elements of a segment that have expired; what is noted of its next expiries is of the others alone.

    past    becomes them; has room for ROOM
    returns their number
    """
    cdef Ref refs[ROOM]
    cdef uint8_t group_of[ROOM]
    cdef int64_t others[DUE_GROUPS]
    cdef int64_t at
    cdef uint32_t group, i, mask, n = 0, found = 0
    undo_note(a, s, SEGMENT_HEAD)
    s.next_expiry = INT64_MAX
    for group in range(<uint32_t>DUE_GROUPS):
        others[group] = group_due(s, group)
        if others[group] >= now_ms:
            s.next_expiry = min(s.next_expiry, others[group])
            continue
        others[group] = INT64_MAX
        for i in range(group * 4, min(group * 4 + 4, <uint32_t>BUCKETS)):
            mask = s.buckets[i].expiring & ALL_SLOTS
            while mask:
                refs[n] = s.buckets[i].refs[ctz(mask)]
                group_of[n] = <uint8_t>group
                n += 1
                mask &= mask - 1
    for i in range(min(n, <uint32_t>AHEAD)):
        prefetch(arena_at(a, refs[i]))
    if not 0 <= now_ms - s.due_base <= REBASE_MS:
        s.due_base = now_ms
    for group in range(<uint32_t>DUE_GROUPS):
        s.due[group] = due_code(s, others[group])
    for i in range(n):
        if i + AHEAD < n:
            prefetch(arena_at(a, refs[i + AHEAD]))
        at = element_due(a, t, refs[i])
        if at < now_ms:
            past[found] = refs[i]
            found += 1
        else:
            s.next_expiry = min(s.next_expiry, at)
            note_due(s, <uint32_t>group_of[i] << 2, at)
    return found


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
    cdef const Ref* directory
    cdef uint64_t ahead
    if t.directory == 0 or position[0] >> 32:
        return NULL
    directory = <const Ref*>arena_at(a, t.directory)
    ahead = (position[0] >> (32 - t.depth)) + AHEAD_SEGMENTS
    if ahead >> t.depth == 0:
        prefetch(arena_at(a, directory[ahead]))
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
    cdef uint32_t slot, _
    cdef Segment* s
    if t.count == 0:
        return 0
    for _ in range(<uint32_t>RANDOM_TRIES):
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
            if (expiry >= 0) != ((b.expiring >> i) & 1) or (
                    expiry >= 0 and (expiry < s.next_expiry or expiry < group_due(s, at >> 2))):
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
