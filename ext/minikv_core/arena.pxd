# The arena: one reserved mapping that holds every object of a store.
#
# An object is named by a Ref, its distance from the base in units of 8 bytes, so a store spans at
# most 32 GiB and any process may map it anywhere; nothing inside it is a pointer. The mapping is
# cut into chunks of 64 KiB. A chunk is part of a slab (objects of one size class) or of a run
# (one object over 32 KiB). The header, the chunk table and all counters lie in the mapping too.
#
#   [ ArenaHeader | Chunk table | chunk | chunk | ... ]
#
# Memory is given back by arena_trim (free chunks) after compaction moved what was scattered.
#
# An arena that several processes change has an undo log (undo.pxd). Then whoever is about to change
# memory of an object that was there before says so with undo_note first, and what is freed lasts until
# the commit.
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from minikv_core.hash cimport HashSeed
from minikv_core.memory cimport clz64, load_u32, store_u32, unlikely
from minikv_core.types cimport Ref, Status

cdef enum:
    PAGE = 4096
    CHUNK = 65536           # bytes
    CHUNK_PAGES = 16
    CHUNK_UNITS = 8192      # Ref units in a chunk
    CLASSES = 80            # room for the size classes; ArenaHeader.class_count are in use
    SMALL_MAX = 32768       # largest size class, bytes
    ARENA_UNIT = 8          # bytes a Ref unit
    RUN_BINS = 32           # lists of free runs, by length
    UNDO_RECENT = 32        # notes that the undo log remembers, a power of two

cdef enum ChunkState:
    CHUNK_FREE = 0          # in no object; only the first and last chunk of a free run say so
    CHUNK_SLAB = 1
    CHUNK_RUN = 2           # first chunk of a large object
    CHUNK_REST = 3          # following chunks of a large object

cdef struct Chunk:          # one row of the chunk table; 32 bytes
    uint8_t  state          # ChunkState
    uint8_t  size_class     # CHUNK_SLAB: index of the size class
    uint16_t used           # CHUNK_SLAB: objects allocated
    uint16_t free_head      # CHUNK_SLAB: first free object, in units from the chunk's start, +1; 0 = none
    uint16_t fresh          # CHUNK_SLAB: units handed out from the untouched end so far
    uint32_t next           # CHUNK_SLAB: next chunk with room, same class; CHUNK_FREE, first: next run of its bin
    uint32_t prev
    uint32_t length         # CHUNK_RUN, and the first and last chunk of a free run: chunks
    uint32_t dirty          # CHUNK_FREE, first of its run: pages of the run that were not given back yet
    uint32_t pages          # CHUNK_RUN: pages the object occupies
    uint8_t  touched        # any state: pages of this chunk, from its start, that may be resident
    uint8_t  pad[3]

cdef struct SizeClass:
    uint32_t size           # bytes of an object
    uint32_t capacity       # objects in a chunk
    uint32_t partial        # first chunk of this class with room, the one that serves; 0 = none
    uint32_t chunks         # chunks of this class
    uint64_t used           # objects allocated

cdef struct ArenaHeader:
    uint64_t  magic
    uint64_t  reserved      # bytes of the mapping
    uint64_t  used          # bytes in objects, by class size or whole pages, and this header's pages: exact
    uint64_t  peak          # highest `used`, as seen each time a chunk fills and by arena_trim
    uint64_t  resident      # bytes of pages that were touched: an upper bound of resident memory
    uint32_t  first_chunk   # first chunk behind the chunk table
    uint32_t  chunks        # chunks in the mapping
    uint32_t  high          # chunks ever handed out lie below
    uint32_t  class_count
    Ref       root          # the store's own root object, for whoever attaches to a shared arena
    uint64_t  run_masks[2]  # bit i: run_bins[.][i] is not empty
    uint32_t  run_bins[2][RUN_BINS]     # first free run by length: [0] given back or never touched, [1] dirty
    HashSeed  seed
    SizeClass classes[CLASSES]
    uint8_t   class_of[4097]    # (size + 7) / 8 -> size class, for sizes up to SMALL_MAX

cdef struct Noted:          # a record of the undo log
    Ref      start          # its place in the arena
    uint32_t units          # its length, units of 8 bytes

cdef struct Undo:           # the undo log, a page in front of `room` bytes; shared by all processes
    uint64_t used           # bytes of records, growing from the front: old contents, each followed by its Noted
    uint64_t room
    uint64_t frees          # objects to free at the commit: an array of Ref, growing from the end
    uint64_t freed          # bytes of those objects
    Noted    recent[UNDO_RECENT]    # some records of this section, by start

cdef struct Arena:
    char*        base       # start of the mapping in this process
    ArenaHeader* head
    Chunk*       chunks     # the chunk table
    Undo*        undo       # NULL = changes are not noted
    int          fd         # of the shared mapping; -1 = private
    bint         populate   # the kernel has MADV_POPULATE_WRITE

cdef Status arena_open(Arena* a, size_t reserve, bint shared) noexcept nogil
cdef void arena_close(Arena* a) noexcept nogil

# Slow paths, in arena.pyx.
cdef Ref arena_alloc_slow(Arena* a, size_t n) noexcept nogil
cdef void arena_free_slow(Arena* a, Chunk* c, uint32_t index) noexcept nogil
cdef void arena_settle(Arena* a) noexcept nogil
cdef void arena_free_later(Arena* a, Ref ref) noexcept nogil
cdef void note_object(Arena* a, const Chunk* c, Ref link) noexcept nogil
cdef void undo_record(Arena* a, const void* p, size_t n) noexcept nogil

cdef Ref arena_resize(Arena* a, Ref ref, size_t n) noexcept nogil
cdef size_t arena_trim(Arena* a, size_t max_bytes) noexcept nogil
cdef bint arena_sparse(Arena* a, Ref ref) noexcept nogil
cdef size_t arena_slack(Arena* a) noexcept nogil
cdef int arena_check(Arena* a) noexcept nogil

cdef inline Ref* later_frees(Undo* u) noexcept nogil:
    """End of the array of objects to free at the commit."""
    return <Ref*>(<char*>u + PAGE + u.room)

cdef inline void undo_note(Arena* a, const void* p, size_t n) noexcept nogil:
    """Say that n bytes of the arena are about to change; the common case is an arena without an undo log."""
    if unlikely(a.undo != NULL):
        undo_record(a, p, n)

cdef inline char* arena_at(const Arena* a, Ref ref) noexcept nogil:
    """Address of an object in this process; valid until the object is freed or resized."""
    return a.base + (<size_t>ref << 3)

cdef inline uint64_t arena_used(const Arena* a) noexcept nogil:
    """Bytes in objects and header, without those that go at the commit."""
    return a.head.used - (a.undo.freed if unlikely(a.undo != NULL) else 0)

cdef inline size_t arena_size(const Arena* a, Ref ref) noexcept nogil:
    """Bytes that an object may use: what was asked for, rounded up to its class or to whole pages."""
    cdef Chunk* c = &a.chunks[ref // CHUNK_UNITS]
    if c.state == CHUNK_SLAB:
        return a.head.classes[c.size_class].size
    return <size_t>c.pages * PAGE

cdef inline Ref free_object(uint32_t index, const Chunk* c) noexcept nogil:
    """A slab chunk's first freed object, whose first bytes link to the next; 0 = none."""
    return index * CHUNK_UNITS + c.free_head - 1 if c.free_head else 0

cdef inline Ref arena_alloc(Arena* a, size_t n) noexcept nogil:
    """Allocate n > 0 bytes, 8-aligned (64-aligned if the class is a multiple of 64), not zeroed.

    returns  0 when the mapping is full
    The common case, inline: the class has a chunk with a freed or fresh object and stays partial.
    """
    cdef ArenaHeader* head = a.head
    cdef SizeClass* cls
    cdef Chunk* c
    cdef uint32_t index, unit
    if n > SMALL_MAX:
        return arena_alloc_slow(a, n)
    cls = &head.classes[head.class_of[(n + 7) >> 3]]
    index = cls.partial
    if index == 0:
        return arena_alloc_slow(a, n)
    c = &a.chunks[index]
    if <uint32_t>c.used + 1 == cls.capacity:       # the chunk becomes full and leaves the list
        return arena_alloc_slow(a, n)
    if unlikely(a.undo != NULL):
        note_object(a, c, free_object(index, c))
    if c.free_head != 0:
        unit = c.free_head - 1
        c.free_head = <uint16_t>load_u32(a.base + <size_t>index * CHUNK + unit * 8)
    else:
        unit = c.fresh
        c.fresh = <uint16_t>(c.fresh + (cls.size >> 3))
    c.used += 1
    cls.used += 1
    head.used += cls.size
    return index * CHUNK_UNITS + unit

cdef inline void arena_free_now(Arena* a, Ref ref) noexcept nogil:
    """Free an object. The common case, inline: its chunk was and stays partial."""
    cdef uint32_t index = ref // CHUNK_UNITS
    cdef Chunk* c = &a.chunks[index]
    cdef SizeClass* cls
    if c.state != CHUNK_SLAB:
        arena_free_slow(a, c, index)
        return
    if unlikely(a.undo != NULL):
        note_object(a, c, ref)
    cls = &a.head.classes[c.size_class]
    cls.used -= 1
    a.head.used -= cls.size
    c.used -= 1
    store_u32(a.base + (<size_t>ref << 3), c.free_head)
    c.free_head = <uint16_t>(ref % CHUNK_UNITS + 1)
    if c.used == 0 or <uint32_t>c.used + 1 == cls.capacity:
        arena_free_slow(a, c, index)

cdef inline void arena_free(Arena* a, Ref ref) noexcept nogil:
    """Free an object, or let it go at the commit if there is an undo log."""
    if unlikely(a.undo != NULL):
        arena_free_later(a, ref)
    else:
        arena_free_now(a, ref)
