"""Blocks of elements: how a long list grows, shrinks and changes in its middle. See listblocks.pxd."""

from libc.stdint cimport UINT32_MAX, UINT64_MAX, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from minikv_core.arena cimport (
    Arena, arena_alloc, arena_at, arena_check, arena_close, arena_free, arena_open, arena_size, undo_note,
)
from minikv_core.packed cimport Item, item_of_bytes, item_text, packed_read, packed_write
from minikv_core.types cimport NO_MEMORY, OK, Ref, Slice, Status

cdef enum:
    LEAST_ROOM = 64         # bytes of the smallest block
    LEAST_ROWS = 4          # rows of the smallest directory

# ---------------------------------------------------------------- elements

cdef char* element_write(char* to, const Item* item) noexcept nogil:
    cdef char* p = packed_write(to, item)
    cdef uint32_t n = item.bytes, left = length_bytes(n)
    cdef char* end = p + left
    if left == 1:
        p[0] = <char>n
        return end
    while left:
        left -= 1
        p[left] = <char>((n & 127) | (128 if left else 0))
        n >>= 7
    return end


cdef char* long_before(const char* p) noexcept nogil:
    """Where an element begins whose length ends with the byte at p."""
    cdef uint32_t n = 0, shift = 0
    while <uint8_t>p[0] & 128:
        n |= <uint32_t>(<uint8_t>p[0] & 127) << shift
        shift += 7
        p -= 1
    n |= <uint32_t><uint8_t>p[0] << shift
    return <char*>p - n

# ---------------------------------------------------------------- the directory

cdef inline size_t rows_bytes(uint32_t rows) noexcept nogil:
    return rows * sizeof(BlockRow)


cdef bint resize_directory(Arena* a, ListRoot* root, uint32_t room) noexcept nogil:
    """Move the rows, whose root is noted, to the middle of another array."""
    cdef Ref ref = arena_alloc(a, rows_bytes(room))
    cdef uint32_t first = (room - root.blocks) // 2
    if ref == 0:
        return False
    if root.directory:
        memcpy(<BlockRow*>arena_at(a, ref) + first, block_row(a, root, 0), rows_bytes(root.blocks))
        arena_free(a, root.directory)
    root.directory = ref
    root.room = room
    root.first = first
    return True


cdef bint free_row(Arena* a, ListRoot* root) noexcept nogil:
    """Let there be a free row on either side of those in use."""
    cdef uint32_t first = (root.room - root.blocks) // 2
    cdef BlockRow* rows
    if 4 * <uint64_t>root.blocks >= 3 * <uint64_t>root.room:
        return resize_directory(a, root, max(2 * root.room, <uint32_t>LEAST_ROWS))
    rows = <BlockRow*>arena_at(a, root.directory)
    undo_note(a, rows + min(first, root.first),
              rows_bytes(max(first, root.first) - min(first, root.first) + root.blocks))
    memmove(rows + first, rows + root.first, rows_bytes(root.blocks))
    root.first = first
    return True


cdef BlockRow* insert_row(Arena* a, ListRoot* root, uint32_t i) noexcept nogil:
    """A row for a new block in front of block i; NULL = no memory."""
    cdef uint32_t behind = root.blocks - i
    cdef BlockRow* rows
    undo_note(a, root, sizeof(ListRoot))
    if (root.first == 0 if i < behind else root.first + root.blocks == root.room) and not free_row(a, root):
        return NULL
    rows = block_row(a, root, 0)
    if i < behind:
        undo_note(a, rows - 1, rows_bytes(i + 1))
        memmove(rows - 1, rows, rows_bytes(i))
        root.first -= 1
        rows -= 1
    else:
        undo_note(a, rows + i, rows_bytes(behind + 1))
        memmove(rows + i + 1, rows + i, rows_bytes(behind))
    root.blocks += 1
    return rows + i


cdef void remove_block(Arena* a, ListRoot* root, uint32_t i) noexcept nogil:
    cdef BlockRow* rows = block_row(a, root, 0)
    cdef uint32_t behind = root.blocks - i - 1
    arena_free(a, rows[i].block)
    undo_note(a, root, sizeof(ListRoot))
    if i < behind:
        undo_note(a, rows, rows_bytes(i + 1))
        memmove(rows + 1, rows, rows_bytes(i))
        root.first += 1
    else:
        undo_note(a, rows + i, rows_bytes(behind + 1))
        memmove(rows + i, rows + i + 1, rows_bytes(behind))
    root.blocks -= 1
    if root.room > 4 * LEAST_ROWS and 8 * <uint64_t>root.blocks < root.room:
        resize_directory(a, root, root.room // 2)

# ---------------------------------------------------------------- blocks

cdef inline size_t block_room(size_t used, const ListLimit* limit) noexcept nogil:
    """Bytes of an object for a block: they double up to the limit."""
    cdef size_t room = LEAST_ROOM
    used += HEAD
    if used >= limit.bytes:
        return used
    while room < used:
        room *= 2
    return min(room, <size_t>limit.bytes)


cdef inline uint32_t room_of(const Arena* a, Ref block) noexcept nogil:
    """Bytes of a new block that can be used, as BlockHead keeps them."""
    return <uint32_t>min(arena_size(a, block), <size_t>UINT32_MAX)


cdef inline bint takes(const Arena* a, const BlockRow* row, const ListLimit* limit, uint32_t n) noexcept nogil:
    """Whether another element of n bytes may be in a block."""
    return <uint64_t>block_used(a, row) + n + HEAD <= limit.bytes and row.count < limit.count


cdef char* add_block(Arena* a, ListRoot* root, const ListLimit* limit, uint32_t i, uint32_t used, uint32_t count,
                     bint to_head) noexcept nogil:
    """Make a block in front of block i, for `count` elements of `used` bytes, which the caller writes.

    to_head  the free space comes first
    returns  where they go; NULL = no memory
    """
    cdef Ref ref = arena_alloc(a, block_room(used, limit))
    cdef BlockRow* row
    cdef BlockHead* head
    if ref == 0:
        return NULL
    row = insert_row(a, root, i)
    if row == NULL:
        arena_free(a, ref)
        return NULL
    row.block = ref
    row.count = count
    head = block_head(a, row)
    head.room = room_of(a, ref)
    head.start = HEAD
    if to_head and used + HEAD < limit.bytes:
        head.start = head.room - used
    head.end = head.start + used
    return <char*>head + head.start


cdef char* block_splice(Arena* a, BlockRow* row, const ListLimit* limit, uint32_t at, uint32_t removed,
                        uint32_t inserted) noexcept nogil:
    """Put `inserted` bytes, which the caller writes at once, in place of `removed` bytes of a block.

    at       bytes from the first element
    returns  where they go; NULL = no memory, only if the block grows
    An end that grows gets all of the free space, so that pushes seldom move anything.
    """
    cdef BlockHead* head = block_head(a, row)
    cdef char* base = <char*>head
    cdef uint32_t start = head.start, end = head.end
    cdef uint32_t behind = end - start - at - removed
    cdef uint32_t used = at + inserted + behind
    cdef size_t need = <size_t>used + HEAD, room = head.room
    cdef uint32_t to = HEAD
    cdef Ref ref = 0
    cdef char* moved
    if need > room or room > 2 * max(need, <size_t>limit.bytes):
        ref = arena_alloc(a, block_room(used, limit))
        if ref == 0 and need > room:
            return NULL
    if ref:
        room = room_of(a, ref)
        if at == 0 and behind and need < limit.bytes:
            to = <uint32_t>room - used
        moved = arena_at(a, ref)
        memcpy(moved + to, base + start, at)
        memcpy(moved + to + at + inserted, base + start + at + removed, behind)
        arena_free(a, row.block)
        undo_note(a, row, sizeof(BlockRow))
        row.block = ref
        head = <BlockHead*>moved
        head.start = to
        head.end = to + used
        head.room = <uint32_t>room
        return moved + to + at
    if at < behind:
        if start + removed >= HEAD + inserted:
            to = start + removed - inserted         # what is in front moves
        elif at and <size_t>start + used <= room:
            to = start                              # what is behind moves
        elif at == 0:
            to = <uint32_t>room - used
    elif <size_t>start + used <= room:
        to = start
    elif behind and start + removed >= HEAD + inserted:
        to = start + removed - inserted
    undo_note(a, head, HEAD)
    if to == start:
        undo_note(a, base + start + at, max(end, to + used) - start - at)
    elif to + used == end:
        undo_note(a, base + min(start, to), start + at + removed - min(start, to))
    else:
        undo_note(a, base + min(start, to), max(end, to + used) - min(start, to))
    memmove(base + to + at + inserted, base + start + at + removed, behind)
    memmove(base + to, base + start, at)
    head.start = to
    head.end = to + used
    return base + to + at


cdef bint split(Arena* a, ListRoot* root, const ListLimit* limit, const ListPlace* place) noexcept nogil:
    """Move what is behind a place in the middle of a block to a block of its own; False = no memory."""
    cdef BlockRow* row = block_row(a, root, place.block)
    cdef BlockHead* head = block_head(a, row)
    cdef char* p = <char*>head + head.start + place.at
    cdef char* end = <char*>head + head.end
    cdef char* q = p
    cdef uint32_t count = 0
    cdef char* to
    while q < end:
        q = element_next(q)
        count += 1
    to = add_block(a, root, limit, place.block + 1, <uint32_t>(end - p), count, False)
    if to == NULL:
        return False
    memcpy(to, p, end - p)
    row = block_row(a, root, place.block)
    undo_note(a, head, HEAD)
    undo_note(a, row, sizeof(BlockRow))
    head.end = head.start + place.at
    row.count -= count
    return True


cdef void join(Arena* a, ListRoot* root, const ListLimit* limit, uint32_t i, ListPlace* place) noexcept nogil:
    """Join block i and the next one if they are sparse; a place in either moves along."""
    cdef BlockRow* row
    cdef BlockHead* other
    cdef uint32_t used, more
    cdef char* to
    if root.blocks <= 2 or i + 1 >= root.blocks:
        return
    row = block_row(a, root, i)
    used = block_used(a, row)
    more = block_used(a, row + 1)
    if 4 * (<uint64_t>used + more + HEAD) > 3 * <uint64_t>limit.bytes or \
            4 * (<uint64_t>row.count + row[1].count) > 3 * <uint64_t>limit.count:
        return
    to = block_splice(a, row, limit, used, 0, more)
    if to == NULL:
        return
    other = block_head(a, row + 1)
    memcpy(to, <char*>other + other.start, more)
    undo_note(a, row, sizeof(BlockRow))
    row.count += row[1].count
    remove_block(a, root, i + 1)
    if place.block == i + 1:
        place.at += used
    if place.block > i:
        place.block -= 1


cdef void tidy(Arena* a, ListRoot* root, const ListLimit* limit, ListPlace* place) noexcept nogil:
    """Join what is sparse around a place."""
    join(a, root, limit, place.block + 1, place)
    join(a, root, limit, place.block, place)
    if place.block:
        join(a, root, limit, place.block - 1, place)

# ---------------------------------------------------------------- whole lists

cdef Ref blocks_new(Arena* a) noexcept nogil:
    cdef Ref ref = arena_alloc(a, sizeof(ListRoot))
    if ref:
        memset(arena_at(a, ref), 0, sizeof(ListRoot))
    return ref


cdef Ref blocks_clone(Arena* a, Ref source) noexcept nogil:
    cdef ListRoot* root = <ListRoot*>arena_at(a, source)
    cdef Ref ref = blocks_new(a)
    cdef ListRoot* copy = <ListRoot*>arena_at(a, ref)
    cdef ListLimit exact
    cdef BlockRow* row
    cdef BlockHead* head
    cdef uint32_t i
    cdef char* to
    if ref == 0:
        return 0
    exact.bytes = exact.count = 0
    for i in range(root.blocks):
        row = block_row(a, root, i)
        head = block_head(a, row)
        to = add_block(a, copy, &exact, i, head.end - head.start, row.count, False)
        if to == NULL:
            blocks_free(a, ref)
            return 0
        memcpy(to, <char*>head + head.start, head.end - head.start)
    copy.count = root.count
    return ref


cdef uint64_t blocks_bytes(Arena* a, Ref ref) noexcept nogil:
    cdef ListRoot* root = <ListRoot*>arena_at(a, ref)
    cdef uint64_t n = arena_size(a, ref)
    cdef uint32_t i
    if root.directory:
        n += arena_size(a, root.directory)
    for i in range(root.blocks):
        n += arena_size(a, block_row(a, root, i).block)
    return n


cdef uint64_t blocks_free_some(Arena* a, Ref ref, uint64_t* position, uint64_t most) noexcept nogil:
    """position     blocks that are freed"""
    cdef ListRoot* root = <ListRoot*>arena_at(a, ref)
    cdef uint64_t freed = 0
    cdef BlockRow* row
    while position[0] < root.blocks:
        if freed >= most:
            return freed
        row = block_row(a, root, <uint32_t>position[0])
        freed += row.count
        arena_free(a, row.block)
        position[0] += 1
    if root.directory:
        arena_free(a, root.directory)
    arena_free(a, ref)
    position[0] = UINT64_MAX
    return freed


cdef void blocks_free(Arena* a, Ref ref) noexcept nogil:
    cdef uint64_t position = 0
    blocks_free_some(a, ref, &position, UINT64_MAX)

# ---------------------------------------------------------------- the ends

cdef Status blocks_push(Arena* a, ListRoot* root, const ListLimit* limit, const Item* item,
                        bint at_head) noexcept nogil:
    cdef uint32_t n = element_bytes(item)
    cdef BlockRow* row
    cdef BlockHead* head
    cdef char* p
    undo_note(a, root, sizeof(ListRoot))
    if root.blocks:
        row = block_row(a, root, 0 if at_head else root.blocks - 1)
        if takes(a, row, limit, n):
            head = block_head(a, row)
            undo_note(a, row, sizeof(BlockRow))
            undo_note(a, head, HEAD)
            if at_head and head.start >= n + HEAD:
                head.start -= n
                p = <char*>head + head.start
                undo_note(a, p, n)
            elif not at_head and <uint64_t>head.end + n <= head.room:
                p = <char*>head + head.end
                undo_note(a, p, n)
                head.end += n
            else:
                p = block_splice(a, row, limit, 0 if at_head else head.end - head.start, 0, n)
                if p == NULL:
                    return NO_MEMORY
            element_write(p, item)
            row.count += 1
            root.count += 1
            return OK
    p = add_block(a, root, limit, 0 if at_head else root.blocks, n, 1, at_head)
    if p == NULL:
        return NO_MEMORY
    element_write(p, item)
    root.count += 1
    return OK


cdef Status blocks_append(Arena* a, ListRoot* root, const ListLimit* limit, const char* p,
                          const char* end) noexcept nogil:
    cdef const char* q
    cdef const char* after
    cdef uint32_t count
    cdef char* to
    undo_note(a, root, sizeof(ListRoot))
    while p < end:
        q = p
        count = 0
        while q < end:
            after = element_next(q)
            if count and (after - p + HEAD > limit.bytes or count == limit.count):
                break
            q = after
            count += 1
        to = add_block(a, root, limit, root.blocks, <uint32_t>(q - p), count, False)
        if to == NULL:
            return NO_MEMORY
        memcpy(to, p, q - p)
        root.count += count
        p = q
    return OK


cdef void blocks_pop(Arena* a, ListRoot* root, uint64_t n, bint at_head) noexcept nogil:
    cdef BlockRow* row
    cdef BlockHead* head
    cdef char* p
    undo_note(a, root, sizeof(ListRoot))
    while n and root.blocks:
        row = block_row(a, root, 0 if at_head else root.blocks - 1)
        if row.count <= n:
            n -= row.count
            root.count -= row.count
            remove_block(a, root, 0 if at_head else root.blocks - 1)
            continue
        undo_note(a, row, sizeof(BlockRow))
        row.count -= <uint32_t>n
        root.count -= n
        head = block_head(a, row)
        undo_note(a, head, HEAD)
        if at_head:
            p = <char*>head + head.start
            while n:
                p = element_next(p)
                n -= 1
            head.start = <uint32_t>(p - <char*>head)
        else:
            p = <char*>head + head.end
            while n:
                p = element_before(p)
                n -= 1
            head.end = <uint32_t>(p - <char*>head)

# ---------------------------------------------------------------- the middle

cdef Status blocks_insert(Arena* a, ListRoot* root, const ListLimit* limit, ListPlace* place,
                          const Item* item) noexcept nogil:
    cdef uint32_t n = element_bytes(item)
    cdef BlockRow* row = block_row(a, root, place.block)
    cdef uint32_t used = block_used(a, row)
    cdef Status status
    cdef char* p
    if takes(a, row, limit, n):
        pass
    elif place.at == 0 and place.block and takes(a, row - 1, limit, n):
        row -= 1
        place.block -= 1
        place.at = block_used(a, row)
    elif place.at == used and place.block + 1 < root.blocks and takes(a, row + 1, limit, n):
        row += 1
        place.block += 1
        place.at = 0
    elif place.at and place.at < used:
        if not split(a, root, limit, place):
            return NO_MEMORY
        status = blocks_insert(a, root, limit, place, item)
        tidy(a, root, limit, place)
        return status
    else:
        place.block += place.at != 0
        place.at = 0
        p = add_block(a, root, limit, place.block, n, 1, False)
        if p == NULL:
            return NO_MEMORY
        undo_note(a, root, sizeof(ListRoot))
        root.count += 1
        element_write(p, item)
        return OK
    p = block_splice(a, row, limit, place.at, 0, n)
    if p == NULL:
        return NO_MEMORY
    undo_note(a, root, sizeof(ListRoot))
    undo_note(a, row, sizeof(BlockRow))
    root.count += 1
    row.count += 1
    element_write(p, item)
    return OK


cdef inline uint32_t bytes_at(const Arena* a, const BlockRow* row, uint32_t at) noexcept nogil:
    """Bytes of the element at a place."""
    cdef BlockHead* head = block_head(a, row)
    cdef char* p = <char*>head + head.start + at
    return <uint32_t>(element_next(p) - p)


cdef Status blocks_replace(Arena* a, ListRoot* root, const ListLimit* limit, ListPlace* place,
                           const Item* item) noexcept nogil:
    cdef uint32_t n = element_bytes(item)
    cdef BlockRow* row = block_row(a, root, place.block)
    cdef uint32_t old = bytes_at(a, row, place.at)
    cdef char* p
    if row.count == 1 or <uint64_t>block_used(a, row) - old + n + HEAD <= limit.bytes:
        p = block_splice(a, row, limit, place.at, old, n)
        if p == NULL:
            return NO_MEMORY
        undo_note(a, p, n)
        element_write(p, item)
        return OK
    if blocks_insert(a, root, limit, place, item) != OK:
        return NO_MEMORY
    place.at += n
    if place.at == block_used(a, block_row(a, root, place.block)):
        place.block += 1
        place.at = 0
    blocks_remove(a, root, limit, place)
    return OK


cdef void blocks_remove(Arena* a, ListRoot* root, const ListLimit* limit, ListPlace* place) noexcept nogil:
    cdef BlockRow* row = block_row(a, root, place.block)
    undo_note(a, root, sizeof(ListRoot))
    root.count -= 1
    if row.count == 1:
        remove_block(a, root, place.block)
        if place.block and place.block == root.blocks:
            place.block -= 1
            place.at = block_used(a, block_row(a, root, place.block))
        return
    block_splice(a, row, limit, place.at, bytes_at(a, row, place.at), 0)
    undo_note(a, row, sizeof(BlockRow))
    row.count -= 1
    tidy(a, root, limit, place)

# ---------------------------------------------------------------- walking

cdef void walk_block(ElementWalk* w, uint32_t block, bint at_end) noexcept nogil:
    cdef BlockHead* head = block_head(w.arena, block_row(w.arena, w.root, block))
    w.block = block
    w.start = <char*>head + head.start
    w.end = <char*>head + head.end
    w.p = w.end if at_end else w.start


cdef void walk_seek(ElementWalk* w, uint64_t index, uint64_t count) noexcept nogil:
    """Go to the front of an element of a list that has `count` of them; index = count: to the end."""
    cdef ListRoot* root = w.root
    cdef BlockRow* row
    cdef uint32_t i
    if root != NULL:
        if index <= count // 2:
            i = 0
            row = block_row(w.arena, root, 0)
            while index >= row.count and i + 1 < root.blocks:
                index -= row.count
                row += 1
                i += 1
        else:
            i = root.blocks - 1
            row = block_row(w.arena, root, i)
            index = count - index           # elements from there to the end
            while index > row.count:
                index -= row.count
                row -= 1
                i -= 1
            index = row.count - index
        count = row.count
        walk_block(w, i, False)
    if index <= count // 2:
        w.p = w.start
        while index:
            w.p = element_next(w.p)
            index -= 1
    else:
        w.p = w.end
        while index < count:
            w.p = element_before(w.p)
            index += 1


cdef void walk_place(ElementWalk* w, const ListPlace* place) noexcept nogil:
    if w.root != NULL:
        if w.root.blocks == 0:
            w.start = w.p = w.end = NULL
            return
        walk_block(w, place.block, False)
    w.p = w.start + place.at

# ---------------------------------------------------------------- for the tests

cdef class BlockList:
    """A list in an arena of its own, for the tests."""
    cdef Arena arena
    cdef Ref ref
    cdef ListLimit limit

    def __cinit__(self, uint32_t bytes=8192, uint32_t count=0xFFFFFFFF, size_t reserve=1 << 30):
        self.arena.base = NULL
        self.arena.fd = -1
        if arena_open(&self.arena, reserve, False) != OK:
            raise MemoryError("the mapping was refused")
        self.limit.bytes = bytes
        self.limit.count = count
        self.ref = blocks_new(&self.arena)

    def __dealloc__(self):
        arena_close(&self.arena)

    cdef ListRoot* root(self) noexcept:
        return <ListRoot*>arena_at(&self.arena, self.ref)

    cdef ElementWalk walk(self, uint64_t index) except *:
        cdef ElementWalk w
        if index > self.root().count:
            raise IndexError(index)
        w.arena = &self.arena
        w.root = self.root()
        w.block = 0
        walk_seek(&w, index, w.root.count)
        return w

    cdef ListPlace place(self, uint64_t index) except *:
        cdef ElementWalk w = self.walk(index)
        cdef ListPlace place
        place.block = w.block
        place.at = <uint32_t>(w.p - w.start)
        return place

    cdef bytes text(self, const char* p):
        cdef Item item
        cdef char[32] digits
        cdef Slice text
        packed_read(p, &item)
        item_text(&item, digits, &text)
        return text.ptr[:text.len]

    def push(self, bytes value, bint at_head=False):
        """True, or False if there is no memory."""
        cdef Item item
        item_of_bytes(&item, <const char*>value, <uint32_t>len(value))
        return blocks_push(&self.arena, self.root(), &self.limit, &item, at_head) == OK

    def append(self, values):
        """Append elements that lie one behind the other."""
        cdef Item item
        cdef bytes value
        cdef bytearray room
        packed = b""
        for value in values:
            item_of_bytes(&item, <const char*>value, <uint32_t>len(value))
            room = bytearray(element_bytes(&item))
            element_write(room, &item)
            packed += bytes(room)
        return blocks_append(&self.arena, self.root(), &self.limit, <const char*>packed,
                             <const char*>packed + len(packed)) == OK

    def pop(self, uint64_t n, bint at_head=False):
        blocks_pop(&self.arena, self.root(), n, at_head)

    def insert(self, uint64_t index, bytes value):
        """As list.insert; returns the index of the place that blocks_insert names."""
        cdef Item item
        cdef ListPlace place = self.place(index)
        item_of_bytes(&item, <const char*>value, <uint32_t>len(value))
        if blocks_insert(&self.arena, self.root(), &self.limit, &place, &item) != OK:
            return None
        return self.index(place)

    def replace(self, uint64_t index, bytes value):
        cdef Item item
        cdef ListPlace place = self.place(index)
        item_of_bytes(&item, <const char*>value, <uint32_t>len(value))
        return blocks_replace(&self.arena, self.root(), &self.limit, &place, &item) == OK

    def remove(self, uint64_t index):
        """As del list[index]; returns the index of the place that blocks_remove names."""
        cdef ListPlace place = self.place(index)
        blocks_remove(&self.arena, self.root(), &self.limit, &place)
        return self.index(place)

    cdef index(self, ListPlace place):
        cdef ElementWalk w
        cdef uint64_t n = 0
        if self.root().blocks == 0:
            return 0
        w = self.walk(0)
        walk_place(&w, &place)
        while walk_back(&w) != NULL:
            n += 1
        return n

    def __len__(self):
        return self.root().count

    def __getitem__(self, uint64_t index):
        cdef ElementWalk w = self.walk(index)
        return self.text(walk_next(&w))

    def values(self, bint back=False):
        """All elements, forwards or from the end."""
        cdef ElementWalk w
        cdef char* p
        found = []
        if self.root().blocks == 0:
            return found
        w = self.walk(self.root().count if back else 0)
        p = walk_back(&w) if back else walk_next(&w)
        while p != NULL:
            found.append(self.text(p))
            p = walk_back(&w) if back else walk_next(&w)
        return found

    def blocks(self):
        """(elements, bytes of them, bytes of the object) of each block; its elements are counted."""
        cdef ListRoot* root = self.root()
        cdef BlockRow* row
        cdef BlockHead* head
        cdef char* p
        cdef uint32_t i, n
        cdef uint64_t total = 0
        found = []
        for i in range(root.blocks):
            row = block_row(&self.arena, root, i)
            head = block_head(&self.arena, row)
            assert HEAD <= head.start < head.end <= head.room == arena_size(&self.arena, row.block)
            p = <char*>head + head.start
            n = 0
            while p < <char*>head + head.end:
                p = element_next(p)
                n += 1
            assert p == <char*>head + head.end and n == row.count
            total += n
            found.append((n, head.end - head.start, arena_size(&self.arena, row.block)))
        assert total == root.count and root.first + root.blocks <= root.room
        return found

    def bytes(self):
        return blocks_bytes(&self.arena, self.ref)

    def used(self):
        """Bytes of the arena in use; its books are checked."""
        assert arena_check(&self.arena) == 0
        return self.arena.head.used

    def clone(self):
        """Go on with a copy; the original is freed. False = no memory."""
        cdef Ref ref = blocks_clone(&self.arena, self.ref)
        if ref == 0:
            return False
        blocks_free(&self.arena, self.ref)
        self.ref = ref
        return True

    def free(self, uint64_t most):
        """Free the list in slices; returns what each said, and begins a new one."""
        cdef uint64_t position = 0
        steps = []
        while position != UINT64_MAX:
            steps.append(blocks_free_some(&self.arena, self.ref, &position, most))
        self.ref = blocks_new(&self.arena)
        return steps
