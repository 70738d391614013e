"""A stream's entries: adding, walking, deleting, trimming. See stream.pxd for where they lie.

An entry that is added changes the root, its block's row and free bytes of the block; one that is deleted,
the root, the row and a byte. A block costs nothing but its fields, about 1 % of its bytes.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from minikv_core.arena cimport (
    Arena, arena_alloc, arena_at, arena_free, arena_resize, arena_size, undo_note,
)
from minikv_core.engine cimport Config
from minikv_core.memory cimport likely, unlikely
from minikv_core.numbers cimport format_int
from minikv_core.packed cimport (
    ITEM_INT, Item, item_of_bytes, item_of_int, packed_equals, packed_next, packed_read, packed_write,
)
from minikv_core.types cimport NO_MEMORY, OK, Ref, Slice, Status

cdef enum:
    ITEM_HEAD = 5           # most bytes that a string takes beside its own; a number takes no more than it spelled
    ENTRY_HEAD = 28         # most bytes of an entry in front of its body: flags, two numbers of the ID, number of fields
    FIRST_ROOM = 96         # least bytes of the first block
    SPARE = 64              # bytes over stream-node-max-bytes that a block has room for

# ---------------------------------------------------------------- IDs and numbers

cdef uint32_t id_format(char* p, const StreamID* id) noexcept nogil:
    cdef uint32_t n = format_unsigned(p, id.ms)
    p[n] = c'-'
    n += 1
    return n + format_unsigned(p + n, id.seq)


cdef uint32_t format_unsigned(char* p, uint64_t n) noexcept nogil:
    cdef uint32_t length
    if likely(n >> 63 == 0):
        return format_int(p, <int64_t>n)
    length = format_int(p, <int64_t>(n // 10))
    p[length] = <char>(c'0' + n % 10)
    return length + 1


cdef inline char* write_number(char* to, int64_t n) noexcept nogil:
    """Write a packed number; the common case is a small one."""
    cdef Item item
    if 0 <= n < 128:
        to[0] = <char>n
        return to + 1
    item_of_int(&item, n)
    return packed_write(to, &item)


cdef inline char* read_number(char* p, int64_t* n) noexcept nogil:
    cdef Item item
    if <uint8_t>p[0] < 0x80:
        n[0] = p[0]
        return p + 1
    p = packed_read(p, &item)
    n[0] = item.number if item.kind == ITEM_INT else 0
    return p


cdef inline char* write_bytes(char* to, const Slice* word) noexcept nogil:
    cdef Item item
    item_of_bytes(&item, word.ptr, word.len)
    return packed_write(to, &item)


cdef inline char* skip(char* p, uint32_t n) noexcept nogil:
    """The place behind n elements."""
    cdef uint32_t _
    for _ in range(n):
        p = <char*>packed_next(p)
    return p

# ---------------------------------------------------------------- adding

cdef Ref stream_new(Arena* a) noexcept nogil:
    cdef Ref ref = arena_alloc(a, sizeof(Stream))
    if ref:
        memset(arena_at(a, ref), 0, sizeof(Stream))
    return ref


cdef bint row_room(Arena* a, Stream* s) noexcept nogil:
    """Make room for a row behind the last one; the root has been noted."""
    cdef Ref ref
    cdef uint32_t room
    if s.start + s.blocks < s.room:
        return True
    if s.start >= 16 and s.start >= s.blocks >> 1:
        undo_note(a, arena_at(a, s.directory), <size_t>s.blocks * sizeof(StreamBlock))
        memmove(arena_at(a, s.directory), stream_rows(a, s), <size_t>s.blocks * sizeof(StreamBlock))
        s.start = 0
        return True
    room = s.start + s.blocks + (s.blocks >> 2) + 1 if s.room else 1
    if s.directory:
        ref = arena_resize(a, s.directory, <size_t>room * sizeof(StreamBlock))
    else:
        ref = arena_alloc(a, <size_t>room * sizeof(StreamBlock))
    if ref == 0:
        return False
    s.directory = ref
    s.room = <uint32_t>(arena_size(a, ref) // sizeof(StreamBlock))
    return True


cdef void trim_block(Arena* a, StreamBlock* row) noexcept nogil:
    """Give the spare room of a block that is full back."""
    cdef Ref ref = arena_resize(a, row.block, row.used)
    if ref and ref != row.block:
        undo_note(a, row, sizeof(StreamBlock))
        row.block = ref


cdef StreamBlock* add_block(Arena* a, Stream* s, const StreamID* id, const Slice* words, uint32_t pairs,
                            size_t entry, size_t usual) noexcept nogil:
    """Begin a block with an entry's fields; NULL = no memory.

    entry    most bytes of the entry
    usual    bytes that a block with many entries takes
    """
    cdef StreamBlock* row
    cdef size_t need = entry + 9, room = FIRST_ROOM
    cdef uint32_t i
    cdef Ref ref
    cdef char* p
    for i in range(pairs):
        need += words[2 * i].len + ITEM_HEAD
    if s.blocks:                        # it will become like the one before
        room = stream_rows(a, s)[s.blocks - 1].used
        room += room >> 4
        if room > usual:
            room = usual
    ref = arena_alloc(a, need if need > room else room)
    if ref == 0:
        return NULL
    undo_note(a, s, sizeof(Stream))
    if not row_room(a, s):
        arena_free(a, ref)
        return NULL
    if s.blocks:
        trim_block(a, &stream_rows(a, s)[s.blocks - 1])
    row = &stream_rows(a, s)[s.blocks]
    s.blocks += 1
    row.base = id[0]
    row.block = ref
    row.live = row.total = 0
    p = write_number(arena_at(a, ref), pairs)
    for i in range(pairs):
        p = write_bytes(p, &words[2 * i])
    row.used = <uint32_t>(p - arena_at(a, ref))
    return row


cdef bint grow_block(Arena* a, StreamBlock* row, size_t need, size_t usual) noexcept nogil:
    """Give a block room for `need` bytes, and for as much again unless it comes to its usual size."""
    cdef size_t room = arena_size(a, row.block) * 2
    cdef Ref ref
    if room > usual:
        room = usual
    if room < need:
        room = need
    ref = arena_resize(a, row.block, room)
    if ref == 0:
        return False
    row.block = ref
    return True


cdef bint same_fields(const char* p, const Slice* words, uint32_t pairs) noexcept nogil:
    """Whether the fields at p, of which there are as many, are those of `words`."""
    cdef Item item
    cdef uint32_t i
    for i in range(pairs):
        item_of_bytes(&item, words[2 * i].ptr, words[2 * i].len)
        if not packed_equals(p, &item):
            return False
        p = packed_next(p)
    return True


cdef Status stream_append(Arena* a, Stream* s, const Config* config, const StreamID* id, const Slice* words,
                          uint32_t pairs) noexcept nogil:
    cdef StreamBlock* row = NULL
    cdef size_t text = 0, most, max_bytes = <size_t>config.stream_node_max_bytes
    cdef uint32_t i, step
    cdef int64_t count
    cdef char* p
    cdef char* begin
    cdef bint same = True
    if max_bytes == 0 or max_bytes > STREAM_TEXT_MAX:
        max_bytes = STREAM_TEXT_MAX
    for i in range(2 * pairs):
        text += words[i].len
    most = text + ENTRY_HEAD + 2 * <size_t>pairs * ITEM_HEAD
    if s.blocks:
        row = &stream_rows(a, s)[s.blocks - 1]
        if row.used + text >= max_bytes or (config.stream_node_max_entries
                                            and row.total >= config.stream_node_max_entries):
            row = NULL
    if row == NULL:
        row = add_block(a, s, id, words, pairs, most, max_bytes + SPARE)
        if unlikely(row == NULL):
            return NO_MEMORY
        begin = arena_at(a, row.block)
    else:
        undo_note(a, row, sizeof(StreamBlock))
        if row.used + most > arena_size(a, row.block) and not grow_block(a, row, row.used + most, max_bytes + SPARE):
            return NO_MEMORY
        undo_note(a, s, sizeof(Stream))
        begin = arena_at(a, row.block)
        p = read_number(begin, &count)
        same = count == pairs and same_fields(p, words, pairs)
    p = begin + row.used
    p[0] = ENTRY_SAME_FIELDS if same else 0
    p = write_number(p + 1, <int64_t>(id.ms - row.base.ms))
    p = write_number(p, <int64_t>(id.seq - row.base.seq))
    if same:
        i = 1
        step = 2
    else:
        p = write_number(p, pairs)
        i = 0
        step = 1
    while i < 2 * pairs:
        p = write_bytes(p, &words[i])
        i += step
    row.used = <uint32_t>(p - begin)
    row.live += 1
    row.total += 1
    if s.length == 0:
        s.first = id[0]
    s.length += 1
    s.added += 1
    s.last = id[0]
    return OK

# ---------------------------------------------------------------- walking

cdef void open_block(StreamWalk* w) noexcept nogil:
    cdef int64_t count
    w.row = &stream_rows(w.arena, w.stream)[w.index]
    w.fields = read_number(arena_at(w.arena, w.row.block), &count)
    w.field_count = <uint32_t>count
    w.begin = skip(w.fields, w.field_count)
    w.end = arena_at(w.arena, w.row.block) + w.row.used
    w.next = w.end if w.reverse else w.begin
    w.listed = 0


cdef inline void read_entry(StreamWalk* w, char* p) noexcept nogil:
    """Take the entry at p apart."""
    cdef int64_t ms, seq, count
    w.entry = p
    w.same = p[0] & ENTRY_SAME_FIELDS != 0
    p = read_number(p + 1, &ms)
    p = read_number(p, &seq)
    w.id.ms = w.row.base.ms + <uint64_t>ms
    w.id.seq = w.row.base.seq + <uint64_t>seq
    w.count = w.field_count
    if not w.same:
        p = read_number(p, &count)
        w.count = <uint32_t>count
    w.body = p


cdef inline char* behind_entry(const StreamWalk* w) noexcept nogil:
    return skip(w.body, w.count if w.same else 2 * w.count)


cdef uint32_t find_row(Arena* a, Stream* s, const StreamID* id) noexcept nogil:
    """The last row that begins with an ID that is not higher, or the first one."""
    cdef StreamBlock* rows = stream_rows(a, s)
    cdef uint32_t low = 0, high = s.blocks, middle
    while high - low > 1:
        middle = low + (high - low) // 2
        if id_compare(&rows[middle].base, id) <= 0:
            low = middle
        else:
            high = middle
    return low


cdef void stream_seek(Arena* a, Stream* s, const StreamID* first, const StreamID* last, bint reverse,
                      StreamWalk* w) noexcept nogil:
    w.arena = a
    w.stream = s
    w.first = first[0]
    w.last = last[0]
    w.reverse = reverse
    w.begin = w.end = w.next = w.entry = NULL
    w.row = NULL
    w.listed = 0
    if s.blocks:
        w.index = find_row(a, s, last if reverse else first)
        open_block(w)


cdef bint stream_next(StreamWalk* w) noexcept nogil:
    cdef char* p
    if w.row == NULL:
        return False
    if w.reverse:
        return walk_back(w)
    if w.next == NULL:
        w.next = behind_entry(w)
    while True:
        p = w.next
        if p == w.end:
            w.index += 1
            if w.index >= w.stream.blocks:
                w.row = NULL
                return False
            open_block(w)
            continue
        read_entry(w, p)
        if p[0] & ENTRY_DELETED == 0 and id_compare(&w.id, &w.first) >= 0:
            if id_compare(&w.id, &w.last) > 0:
                w.row = NULL
                return False
            w.next = NULL
            return True
        w.next = behind_entry(w)


cdef bint walk_back(StreamWalk* w) noexcept nogil:
    """The entry before the one that was found last.

    Entries can be read forwards alone: the last BACK of them in front of w.next are listed at a time.
    """
    while True:
        if w.listed == 0:
            if w.next == w.begin:
                if w.index == 0:
                    w.row = NULL
                    return False
                w.index -= 1
                open_block(w)
            list_back(w)
        w.listed -= 1
        read_entry(w, w.begin + w.back[w.listed])
        if w.entry[0] & ENTRY_DELETED or id_compare(&w.id, &w.last) > 0:
            continue
        if id_compare(&w.id, &w.first) < 0:
            w.row = NULL
            return False
        return True


cdef void list_back(StreamWalk* w) noexcept nogil:
    cdef char* p = w.begin
    cdef uint32_t seen = 0, kept, i
    cdef uint32_t[BACK] ring
    while p != w.next:
        ring[seen % BACK] = <uint32_t>(p - w.begin)
        seen += 1
        read_entry(w, p)
        p = behind_entry(w)
    kept = seen if seen < BACK else <uint32_t>BACK
    for i in range(kept):
        w.back[i] = ring[(seen - kept + i) % BACK]
    w.listed = kept
    w.next = w.begin + w.back[0]


cdef uint64_t stream_count(Arena* a, Stream* s, const StreamID* first, const StreamID* last, uint64_t most) noexcept nogil:
    cdef StreamWalk w
    cdef StreamBlock* rows
    cdef uint64_t n = 0
    cdef uint32_t i
    if s.blocks == 0:
        return 0
    rows = stream_rows(a, s)
    i = find_row(a, s, first)
    while i < s.blocks and n < most and id_compare(&rows[i].base, last) <= 0:
        if id_compare(first, &rows[i].base) <= 0 and \
                id_compare(&rows[i + 1].base if i + 1 < s.blocks else &s.last, last) <= 0:
            n += rows[i].live
        else:
            stream_seek(a, s, first, last, False, &w)
            w.index = i
            open_block(&w)
            while n < most and stream_next(&w) and w.index == i:
                n += 1
        i += 1
    return n if n < most else most


cdef bint stream_has(Arena* a, Stream* s, const StreamID* id) noexcept nogil:
    cdef StreamWalk w
    if id_compare(id, &s.first) < 0 or id_compare(id, &s.last) > 0 or s.length == 0:
        return False
    stream_seek(a, s, id, id, False, &w)
    return stream_next(&w)


cdef void stream_edge(Arena* a, Stream* s, bint at_end, StreamID* id) noexcept nogil:
    cdef StreamWalk w
    cdef StreamID low, high
    low.ms = low.seq = 0
    high.ms = high.seq = <uint64_t>-1
    stream_seek(a, s, &low, &high, at_end, &w)
    id[0] = w.id if stream_next(&w) else low

# ---------------------------------------------------------------- deleting

cdef void drop_row(Arena* a, Stream* s, uint32_t index) noexcept nogil:
    """Free a block and take its row out; the root has been noted."""
    cdef StreamBlock* rows = stream_rows(a, s)
    cdef size_t behind = <size_t>(s.blocks - index - 1) * sizeof(StreamBlock)
    arena_free(a, rows[index].block)
    if index == 0:
        s.start += 1
    elif behind:
        undo_note(a, &rows[index], behind + sizeof(StreamBlock))
        memmove(&rows[index], &rows[index + 1], behind)
    s.blocks -= 1
    if s.blocks == 0:
        arena_free(a, s.directory)
        s.directory = 0
        s.start = s.room = 0


cdef void stream_drop(StreamWalk* w) noexcept nogil:
    cdef Arena* a = w.arena
    cdef Stream* s = w.stream
    undo_note(a, s, sizeof(Stream))
    s.length -= 1
    if w.row.live == 1:
        drop_row(a, s, w.index)
        w.index -= 1                # the next one has come to its place
        w.next = w.end
        return
    undo_note(a, w.entry, 1)
    w.entry[0] |= ENTRY_DELETED
    undo_note(a, w.row, sizeof(StreamBlock))
    w.row.live -= 1


cdef void stream_find_first(Arena* a, Stream* s) noexcept nogil:
    undo_note(a, s, sizeof(Stream))
    stream_edge(a, s, False, &s.first)


cdef bint stream_delete(Arena* a, Stream* s, const StreamID* id) noexcept nogil:
    cdef StreamWalk w
    stream_seek(a, s, id, id, False, &w)
    if not stream_next(&w):
        return False
    stream_drop(&w)
    if id_compare(id, &s.max_deleted) > 0:
        s.max_deleted = id[0]
    if id_compare(id, &s.first) == 0:
        stream_find_first(a, s)
    return True


cdef bint goes_whole(Arena* a, Stream* s, const Trim* trim, uint32_t index) noexcept nogil:
    """Whether all entries of a block are among those to delete."""
    cdef StreamBlock* row = &stream_rows(a, s)[index]
    cdef StreamWalk w
    cdef char* p
    if trim.by == TRIM_LENGTH:
        return s.length >= trim.length + row.live       # so it ends as well when there are few enough
    if index + 1 < s.blocks and id_compare(&row[1].base, &trim.least) <= 0:
        return True
    w.arena = a
    w.stream = s
    w.index = index
    w.reverse = False
    open_block(&w)
    p = w.begin
    while p != w.end:
        read_entry(&w, p)
        if id_compare(&w.id, &trim.least) >= 0:
            return False
        p = behind_entry(&w)
    return True


cdef uint64_t stream_trim(Arena* a, Stream* s, const Trim* trim) noexcept nogil:
    cdef uint64_t before = s.length
    cdef uint32_t index = 0, live, blocks
    if trim.by == TRIM_LENGTH and s.length <= trim.length:
        return 0
    undo_note(a, s, sizeof(Stream))
    while index < s.blocks:
        live = stream_rows(a, s)[index].live
        blocks = s.blocks
        if trim.limit and before - s.length + live > trim.limit:
            break
        if trim.may_go == NULL and goes_whole(a, s, trim, index):
            s.length -= live
            drop_row(a, s, index)
        elif trim.about or not trim_entries(a, s, trim, index):
            break
        if blocks == s.blocks:          # some must stay
            index += 1
    if s.length != before:
        stream_find_first(a, s)
    return before - s.length


cdef bint trim_entries(Arena* a, Stream* s, const Trim* trim, uint32_t index) noexcept nogil:
    """Delete from a block what is to be deleted and may be; False if all behind it is to stay."""
    cdef StreamWalk w
    cdef uint32_t live = stream_rows(a, s)[index].live
    w.arena = a
    w.stream = s
    w.index = index
    w.reverse = False
    w.first.ms = w.first.seq = 0
    w.last.ms = w.last.seq = <uint64_t>-1
    open_block(&w)
    while live and stream_next(&w):
        live -= 1
        if trim.by == TRIM_LENGTH and s.length <= trim.length:
            return False
        if trim.by == TRIM_ID and id_compare(&w.id, &trim.least) >= 0:
            return False
        if trim.may_go == NULL or trim.may_go(a, s, &w.id):
            stream_drop(&w)
    return True

# ---------------------------------------------------------------- whole streams

cdef bint stream_copy_blocks(Arena* a, const Stream* s, Stream* to) noexcept nogil:
    """Give a stream without blocks copies of another's; False = no memory, and it has those that were made."""
    cdef StreamBlock* rows
    cdef StreamBlock* copies
    cdef uint32_t i
    to.directory = to.start = to.blocks = to.room = 0
    if s.blocks == 0:
        return True
    to.directory = arena_alloc(a, <size_t>s.blocks * sizeof(StreamBlock))
    if to.directory == 0:
        return False
    to.room = <uint32_t>(arena_size(a, to.directory) // sizeof(StreamBlock))
    rows = stream_rows(a, s)
    copies = stream_rows(a, to)
    for i in range(s.blocks):
        copies[i] = rows[i]
        copies[i].block = arena_alloc(a, rows[i].used)
        if copies[i].block == 0:
            return False
        memcpy(arena_at(a, copies[i].block), arena_at(a, rows[i].block), rows[i].used)
        to.blocks += 1
    return True


cdef uint64_t stream_bytes(Arena* a, const Stream* s) noexcept nogil:
    """Bytes of the root, the directory and the blocks."""
    cdef uint64_t n = sizeof(Stream)
    cdef uint32_t i
    if s.directory:
        n += arena_size(a, s.directory)
        for i in range(s.blocks):
            n += arena_size(a, stream_rows(a, s)[i].block)
    return n


cdef uint32_t stream_free_block(Arena* a, Stream* s) noexcept nogil:
    cdef uint32_t n = stream_rows(a, s)[s.blocks - 1].total
    undo_note(a, s, sizeof(Stream))
    drop_row(a, s, s.blocks - 1)
    return n
