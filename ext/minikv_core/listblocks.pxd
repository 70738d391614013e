# The large form of a list: blocks of elements, and a directory of the blocks.
#
#   root        counts, and which rows of the directory are in use
#   directory   rows {block, elements}: a deque in one array, which doubles when it is full
#   block       [start | end | room | free | elements | free]
#   element     a packed element (packed.pxd), then its length: the last byte has the lowest 7 bits, and
#               bit 7 of a byte says that the byte in front of it has 7 more
#
# With its length behind it an element can be read from either side, and with free space on either side
# of a block both ends of a list grow and shrink without moving anything. Blocks grow to the limit that
# list-max-listpack-size sets (8 KiB with the default, so that full ones are full pages), in objects that
# double on the way there; an element that is longer has a block of its own. An insert into a full block
# splits it; neighbours that would fill three quarters of a block are joined, but the last two are not:
# when a single block is left, a list may become small again.
#
# The elements of the small form are the same, so that an ElementWalk walks over either.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from minikv_core.arena cimport Arena, arena_at
from minikv_core.packed cimport Item, packed_next
from minikv_core.types cimport Ref, Status

cdef enum:
    HEAD = 12                   # bytes of a BlockHead

cdef struct BlockHead:          # begins a block
    uint32_t start              # bytes from the block's start to the first element
    uint32_t end                # ... and behind the last
    uint32_t room               # bytes of the object

cdef struct BlockRow:           # a row of the directory
    Ref      block
    uint32_t count              # elements, at least one

cdef struct ListRoot:
    uint64_t count              # elements
    Ref      directory          # array of BlockRow; 0 = none yet
    uint32_t room               # rows that fit
    uint32_t first              # first row in use
    uint32_t blocks             # rows in use

cdef struct ListLimit:          # what a block of more than one element may hold
    uint32_t bytes              # with its head
    uint32_t count

cdef struct ListPlace:          # in front of an element or behind the last one of a block; valid until the next change
    uint32_t block              # counted from the first; 0 in the small form
    uint32_t at                 # bytes from the block's first element

cdef struct ElementWalk:        # a place from which to read in both directions; valid until the next change
    Arena*    arena
    ListRoot* root              # NULL = the small form
    uint32_t  block
    char*     start             # elements of the block
    char*     p
    char*     end

cdef Ref blocks_new(Arena* a) noexcept nogil            # an empty root; 0 = no memory
# A copy; 0 = no memory.
cdef Ref blocks_clone(Arena* a, Ref root) noexcept nogil
cdef uint64_t blocks_bytes(Arena* a, Ref root) noexcept nogil
# As KindOps.free_some: about `most` elements.
cdef uint64_t blocks_free_some(Arena* a, Ref root, uint64_t* position, uint64_t most) noexcept nogil
cdef void blocks_free(Arena* a, Ref root) noexcept nogil

# NO_MEMORY leaves the list as it was.
cdef Status blocks_push(Arena* a, ListRoot* root, const ListLimit* limit, const Item* item, bint at_head) noexcept nogil
# Append elements that lie one behind the other; NO_MEMORY may leave some of them.
cdef Status blocks_append(Arena* a, ListRoot* root, const ListLimit* limit, const char* p, const char* end) noexcept nogil
# Drop n elements, as many as there are at most.
cdef void blocks_pop(Arena* a, ListRoot* root, uint64_t n, bint at_head) noexcept nogil
# At a place: insert an element, which the place then names; put another in place of one; remove one, then
# the place names the next. NO_MEMORY leaves all elements as they were.
cdef Status blocks_insert(Arena* a, ListRoot* root, const ListLimit* limit, ListPlace* place, const Item* item) noexcept nogil
cdef Status blocks_replace(Arena* a, ListRoot* root, const ListLimit* limit, ListPlace* place, const Item* item) noexcept nogil
cdef void blocks_remove(Arena* a, ListRoot* root, const ListLimit* limit, ListPlace* place) noexcept nogil

cdef inline uint32_t length_bytes(uint32_t n) noexcept nogil:
    """Bytes that the length behind an element takes."""
    return 1 + (n >= 1 << 7) + (n >= 1 << 14) + (n >= 1 << 21) + (n >= 1 << 28)

cdef inline uint32_t element_bytes(const Item* item) noexcept nogil:
    return item.bytes + length_bytes(item.bytes)

cdef inline char* element_next(const char* p) noexcept nogil:
    """The place behind the element at p; the common case is a short one."""
    cdef const char* end = packed_next(p)
    return <char*>end + length_bytes(<uint32_t>(end - p))

cdef inline char* element_before(const char* p) noexcept nogil:
    """Where the element that ends at p begins."""
    p -= 1
    if <uint8_t>p[0] < 128:
        return <char*>p - <uint8_t>p[0]
    return long_before(p)

cdef char* long_before(const char* p) noexcept nogil
cdef char* element_write(char* to, const Item* item) noexcept nogil     # returns the place behind it

cdef inline BlockRow* block_row(const Arena* a, const ListRoot* root, uint32_t i) noexcept nogil:
    return <BlockRow*>arena_at(a, root.directory) + root.first + i

cdef inline BlockHead* block_head(const Arena* a, const BlockRow* row) noexcept nogil:
    return <BlockHead*>arena_at(a, row.block)

cdef inline uint32_t block_used(const Arena* a, const BlockRow* row) noexcept nogil:
    """Bytes of a block's elements."""
    cdef BlockHead* head = block_head(a, row)
    return head.end - head.start

# Go to the start or the end of a block (large form), to the front of an element by its index, 0 to their
# number, or to a place.
cdef void walk_block(ElementWalk* w, uint32_t block, bint at_end) noexcept nogil
cdef void walk_seek(ElementWalk* w, uint64_t index, uint64_t count) noexcept nogil
cdef void walk_place(ElementWalk* w, const ListPlace* place) noexcept nogil

cdef inline char* walk_next(ElementWalk* w) noexcept nogil:
    """The next element; NULL = there is none."""
    cdef char* p
    if w.p == w.end:
        if w.root == NULL or w.block + 1 >= w.root.blocks:
            return NULL
        walk_block(w, w.block + 1, False)
    p = w.p
    w.p = element_next(p)
    return p

cdef inline char* walk_back(ElementWalk* w) noexcept nogil:
    """The element in front; NULL = there is none."""
    if w.p == w.start:
        if w.block == 0:
            return NULL
        walk_block(w, w.block - 1, True)
    w.p = element_before(w.p)
    return w.p
