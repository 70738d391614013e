# Slow paths of the arena: the mapping, chunks and runs, giving memory back. See arena.pxd.
from libc.errno cimport errno, EINTR
from libc.stdint cimport uintptr_t
from libc.stdlib cimport abort
from libc.string cimport memcpy
from posix.mman cimport (MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED, PROT_READ,
                         PROT_WRITE, mmap, munmap)
from posix.unistd cimport close, ftruncate, write
from minikv_core.memory cimport ctz, publish
from minikv_core.types cimport NO_MEMORY, OK

cdef extern from "<sys/mman.h>" nogil:
    """
    #include <sys/random.h>
    #ifndef MADV_POPULATE_WRITE
    #define MADV_POPULATE_WRITE 23      /* Linux 5.14 */
    #endif
    """
    int MADV_DONTNEED, MADV_REMOVE, MADV_NOHUGEPAGE, MADV_POPULATE_WRITE, MFD_CLOEXEC
    int madvise(void* start, size_t length, int advice)
    int memfd_create(const char* name, unsigned int flags)

cdef extern from "<sys/random.h>" nogil:
    ssize_t getrandom(void* p, size_t n, unsigned int flags)

cdef enum:
    CLEAN = 0
    DIRTY = 1
    RESERVE_MIN = 64 << 20      # bytes; a refused reservation is halved down to this
    POPULATE_MAX = 64           # pages faulted in with one call; more would be a pause, and may never be written
    BIN_SEARCH = 8              # runs looked at in a bin of mixed lengths before a longer one is cut

cdef uint64_t RESERVE_MAX = <uint64_t>32 << 30      # what a Ref can name
cdef uint64_t MAGIC = <uint64_t>0x31766B696E696D00  # "\0minikv1"

if sizeof(Chunk) != 32:
    raise ImportError("arena: unexpected struct layout")


# ---------------------------------------------------------------- opening

cdef void make_classes(ArenaHeader* head) noexcept nogil:
    """Sizes: multiples of 8 up to 128, 8 steps a doubling up to 4096, then even shares of a chunk."""
    cdef uint32_t size = 8, count = 0, unit = 0, share = 15
    while True:
        head.classes[count].size = size
        head.classes[count].capacity = CHUNK // size
        while unit <= size >> 3:
            head.class_of[unit] = <uint8_t>count
            unit += 1
        count += 1
        if size < 128:
            size += 8
        elif size < 4096:
            size += (<uint32_t>1 << (63 - clz64(size))) >> 3
        elif size < SMALL_MAX:
            size = (CHUNK // share) & ~<uint32_t>7
            share -= 1
        else:
            break
    head.class_count = count


cdef Status arena_open(Arena* a, size_t reserve, bint shared) noexcept nogil:
    """Reserve a mapping and set up an empty arena in it.

    reserve  bytes, 32 GiB at most; halved down to 64 MiB if the system refuses (ArenaHeader.reserved tells)
    shared   the mapping is seen by forked children and whoever maps `fd`
    errors   NO_MEMORY
    """
    cdef size_t header = (sizeof(ArenaHeader) + PAGE - 1) & ~<size_t>(PAGE - 1)
    cdef ArenaHeader* head
    cdef void* base
    cdef uint32_t chunks
    cdef size_t got = 0
    cdef ssize_t n
    a.fd = -1
    a.base = NULL
    a.undo = NULL
    reserve = min(reserve, RESERVE_MAX) & ~<size_t>(CHUNK - 1)
    if shared:
        a.fd = memfd_create("minikv", MFD_CLOEXEC)
        if a.fd < 0:
            return NO_MEMORY
    while True:
        base = MAP_FAILED
        if reserve == 0:
            pass
        elif not shared:
            base = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        elif ftruncate(a.fd, <int64_t>reserve) == 0:
            base = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, a.fd, 0)
        if base != MAP_FAILED:
            break
        if reserve < 2 * <size_t>RESERVE_MIN:
            arena_close(a)
            return NO_MEMORY
        reserve = (reserve >> 1) & ~<size_t>(CHUNK - 1)
    madvise(base, reserve, MADV_NOHUGEPAGE)
    chunks = <uint32_t>(reserve // CHUNK)
    a.base = <char*>base
    a.head = head = <ArenaHeader*>base
    a.chunks = <Chunk*>(a.base + header)
    a.populate = madvise(base, header, MADV_POPULATE_WRITE) == 0
    head.magic = MAGIC
    head.reserved = reserve
    head.chunks = chunks
    head.first_chunk = <uint32_t>((header + <size_t>chunks * sizeof(Chunk) + CHUNK - 1) // CHUNK)
    head.high = head.first_chunk
    if head.first_chunk >= chunks:
        arena_close(a)
        return NO_MEMORY
    while got < sizeof(HashSeed):
        n = getrandom(<char*>&head.seed + got, sizeof(HashSeed) - got, 0)
        if n > 0:
            got += <size_t>n
        elif errno != EINTR:
            arena_close(a)
            return NO_MEMORY
    make_classes(head)
    head.used = head.peak = header
    head.resident = header + 2 * PAGE       # the chunk table's first and last page
    link_run(a, head.first_chunk, chunks - head.first_chunk, 0)
    return OK


cdef void arena_close(Arena* a) noexcept nogil:
    """Unmap; harmless on an arena that did not open."""
    if a.base != NULL:
        munmap(a.base, a.head.reserved)
        a.base = NULL
    if a.fd >= 0:
        close(a.fd)
        a.fd = -1


# ---------------------------------------------------------------- noting changes

cdef void undo_full() noexcept nogil:
    """There is no way back from here but by the log's next owner."""
    write(2, b"minikv: the undo log is full\n", 29)
    abort()


cdef void undo_record(Arena* a, const void* p, size_t n) noexcept nogil:
    """Append the words around n bytes of the arena to its undo log, unless that was done a moment ago."""
    cdef Undo* u = a.undo
    cdef size_t offset = <size_t>(<char*>p - a.base)
    cdef uint32_t start = <uint32_t>(offset >> 3)
    cdef uint32_t units = <uint32_t>((offset + n + 7) >> 3) - start
    cdef size_t bytes = <size_t>units << 3
    cdef Noted* recent = &u.recent[(start ^ (start >> 5)) % UNDO_RECENT]
    cdef char* to = <char*>u + PAGE + u.used
    if recent.start == start and recent.units >= units:
        return
    if u.used + bytes + sizeof(Noted) + u.frees * sizeof(Ref) > u.room:
        undo_full()
    memcpy(to, a.base + (<size_t>start << 3), bytes)
    (<Noted*>(to + bytes)).start = start
    (<Noted*>(to + bytes)).units = units
    publish(&u.used, u.used + bytes + sizeof(Noted))
    recent.start = start
    recent.units = units


cdef void arena_free_later(Arena* a, Ref ref) noexcept nogil:
    """Free an object at the commit: until then a rollback may need its content."""
    cdef Undo* u = a.undo
    if u.used + (u.frees + 1) * sizeof(Ref) > u.room:
        undo_full()
    u.frees += 1
    u.freed += arena_size(a, ref)
    (later_frees(u) - u.frees)[0] = ref


cdef void note_head(Arena* a) noexcept nogil:
    """Note all of the header that ever changes, but for the size classes."""
    undo_note(a, &a.head.used, <size_t>(<char*>&a.head.seed - <char*>&a.head.used))


cdef void note_object(Arena* a, const Chunk* c, Ref link) noexcept nogil:
    """Note what changes when an object of a slab chunk is allocated or freed.

    link    the object, if it is or becomes one of the free list
    """
    note_head(a)
    undo_record(a, c, sizeof(Chunk))
    undo_record(a, &a.head.classes[c.size_class], sizeof(SizeClass))
    if link:
        undo_record(a, arena_at(a, link), 4)


cdef inline Chunk* to_change(Arena* a, uint32_t index) noexcept nogil:
    """A row of the chunk table that is about to change."""
    undo_note(a, &a.chunks[index], sizeof(Chunk))
    return &a.chunks[index]


# ---------------------------------------------------------------- free runs

cdef inline uint32_t bin_of(uint32_t length) noexcept nogil:
    """A bin for each length below 16 chunks, then one a doubling."""
    return length if length < 16 else <uint32_t>(12 + 63 - clz64(length))


cdef void link_run(Arena* a, uint32_t index, uint32_t length, uint32_t dirty) noexcept nogil:
    cdef ArenaHeader* head = a.head
    cdef Chunk* c = to_change(a, index)
    cdef Chunk* last = to_change(a, index + length - 1)
    cdef int kind = DIRTY if dirty else CLEAN
    cdef uint32_t bin = bin_of(length)
    note_head(a)
    last.state = CHUNK_FREE
    last.length = length
    c.state = CHUNK_FREE
    c.length = length
    c.dirty = dirty
    c.prev = 0
    c.next = head.run_bins[kind][bin]
    if c.next:
        to_change(a, c.next).prev = index
    head.run_bins[kind][bin] = index
    head.run_masks[kind] |= <uint64_t>1 << bin


cdef void unlink_run(Arena* a, uint32_t index) noexcept nogil:
    cdef ArenaHeader* head = a.head
    cdef Chunk* c = &a.chunks[index]
    cdef int kind = DIRTY if c.dirty else CLEAN
    cdef uint32_t bin = bin_of(c.length)
    if c.next:
        to_change(a, c.next).prev = c.prev
    if c.prev:
        to_change(a, c.prev).next = c.next
    else:
        note_head(a)
        head.run_bins[kind][bin] = c.next
        if c.next == 0:
            head.run_masks[kind] &= ~(<uint64_t>1 << bin)


cdef void release(Arena* a, uint32_t index, uint32_t length, uint32_t dirty) noexcept nogil:
    """Make chunks a free run, joined with the free runs on either side."""
    cdef uint32_t other
    if index > a.head.first_chunk and a.chunks[index - 1].state == CHUNK_FREE:
        other = index - a.chunks[index - 1].length
        unlink_run(a, other)
        dirty += a.chunks[other].dirty
        length += index - other
        index = other
    other = index + length
    if other < a.head.chunks and a.chunks[other].state == CHUNK_FREE:
        unlink_run(a, other)
        dirty += a.chunks[other].dirty
        length += a.chunks[other].length
    link_run(a, index, length, dirty)


cdef uint32_t find_run(Arena* a, uint32_t length) noexcept nogil:
    """A free run of at least `length` chunks, dirty ones first; 0 = none.

    Cheap however many runs there are: a few of the bin that `length` falls in, else the shortest of the
    longer bins. Only when nothing else is left is a bin of mixed lengths searched to its end.
    """
    cdef ArenaHeader* head = a.head
    cdef uint32_t bin = bin_of(length), index
    cdef uint64_t longer
    cdef int kind, tries
    for kind in range(DIRTY, CLEAN - 1, -1):
        index = head.run_bins[kind][bin]
        tries = BIN_SEARCH
        while index and tries:
            if a.chunks[index].length >= length:
                return index
            index = a.chunks[index].next
            tries -= 1
        longer = head.run_masks[kind] >> (bin + 1) << (bin + 1)
        if longer:
            return head.run_bins[kind][ctz(<uint32_t>longer)]
    for kind in range(DIRTY, CLEAN - 1, -1):
        index = head.run_bins[kind][bin]
        while index:
            if a.chunks[index].length >= length:
                return index
            index = a.chunks[index].next
    return 0


cdef uint32_t touch(Arena* a, uint32_t index, uint32_t pages) noexcept nogil:
    """Count the first `pages` of a chunk, whose row is noted, as resident; returns how many were not so far."""
    cdef Chunk* c = &a.chunks[index]
    cdef uint32_t fresh = pages - c.touched if pages > c.touched else 0
    c.touched = <uint8_t>(c.touched + fresh)
    a.head.resident += <uint64_t>fresh * PAGE
    return fresh


cdef void take_run(Arena* a, uint32_t index, uint32_t length, uint32_t pages) noexcept nogil:
    """Cut `length` chunks, of which `pages` pages will be written, off the front of a free run.

    Fresh pages of small runs are faulted in with one call: a third less than by a fault each.
    """
    cdef ArenaHeader* head = a.head
    cdef uint32_t have = a.chunks[index].length, dirty = a.chunks[index].dirty, left = pages, fresh = 0, i
    cdef uint32_t rows = PAGE // sizeof(Chunk)
    note_head(a)
    undo_note(a, &a.chunks[index], length * sizeof(Chunk))
    unlink_run(a, index)
    for i in range(index, index + length):
        dirty -= a.chunks[i].touched
        a.chunks[i].state = CHUNK_REST
        fresh += touch(a, i, min(left, <uint32_t>CHUNK_PAGES))
        left -= min(left, <uint32_t>CHUNK_PAGES)
    if fresh and pages <= POPULATE_MAX and a.populate:
        madvise(a.base + <size_t>index * CHUNK, <size_t>pages * PAGE, MADV_POPULATE_WRITE)
    if have > length:
        link_run(a, index + length, have - length, dirty)
    if index + length > head.high:
        head.resident += <uint64_t>((index + length) // rows - head.high // rows) * PAGE
        head.high = index + length


# ---------------------------------------------------------------- objects

cdef void link_chunk(Arena* a, SizeClass* cls, uint32_t index) noexcept nogil:
    """Put a chunk with room first: what was just freed is warm, and its chunk is the fullest."""
    cdef Chunk* c = to_change(a, index)
    undo_note(a, cls, sizeof(SizeClass))
    c.prev = 0
    c.next = cls.partial
    if c.next:
        to_change(a, c.next).prev = index
    cls.partial = index


cdef void unlink_chunk(Arena* a, SizeClass* cls, uint32_t index) noexcept nogil:
    cdef Chunk* c = &a.chunks[index]
    if c.next:
        to_change(a, c.next).prev = c.prev
    if c.prev:
        to_change(a, c.prev).next = c.next
    else:
        undo_note(a, cls, sizeof(SizeClass))
        cls.partial = c.next


cdef Ref alloc_run(Arena* a, size_t n) noexcept nogil:
    cdef uint32_t pages, length, index
    cdef Chunk* c
    if n > a.head.reserved:
        return 0
    pages = <uint32_t>((n + PAGE - 1) // PAGE)
    length = (pages + CHUNK_PAGES - 1) // CHUNK_PAGES
    index = find_run(a, length)
    if index == 0:
        return 0
    take_run(a, index, length, pages)       # notes header and rows
    c = &a.chunks[index]
    c.state = CHUNK_RUN
    c.length = length
    c.pages = pages
    a.head.used += <uint64_t>pages * PAGE
    a.head.peak = max(a.head.peak, a.head.used)
    return index * CHUNK_UNITS


cdef Ref arena_alloc_slow(Arena* a, size_t n) noexcept nogil:
    """Allocate a large object, or from a new chunk, or the last object of a chunk; 0 = full."""
    cdef ArenaHeader* head = a.head
    cdef SizeClass* cls
    cdef Chunk* c
    cdef uint32_t index, unit
    cdef uint8_t k
    if n > SMALL_MAX:
        return alloc_run(a, n)
    k = head.class_of[(n + 7) >> 3]
    cls = &head.classes[k]
    index = cls.partial
    if index == 0:
        index = find_run(a, 1)
        if index == 0:
            return 0
        take_run(a, index, 1, CHUNK_PAGES)
        c = &a.chunks[index]
        c.state = CHUNK_SLAB
        c.size_class = k
        c.used = c.free_head = c.fresh = 0
        undo_note(a, cls, sizeof(SizeClass))
        cls.chunks += 1
        link_chunk(a, cls, index)
    c = &a.chunks[index]
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
    head.peak = max(head.peak, head.used)
    if c.used == cls.capacity:
        unlink_chunk(a, cls, index)
    return index * CHUNK_UNITS + unit


cdef void arena_free_slow(Arena* a, Chunk* c, uint32_t index) noexcept nogil:
    """Free a large object; or tend a chunk that arena_free has made empty, or no longer full."""
    cdef SizeClass* cls
    cdef uint32_t length
    if c.state != CHUNK_SLAB:
        length = c.length
        note_head(a)
        a.head.used -= <uint64_t>c.pages * PAGE
        release(a, index, length, (length - 1) * CHUNK_PAGES + a.chunks[index + length - 1].touched)
        return
    cls = &a.head.classes[c.size_class]
    if c.used:
        link_chunk(a, cls, index)
    else:
        unlink_chunk(a, cls, index)
        undo_note(a, cls, sizeof(SizeClass))
        cls.chunks -= 1
        release(a, index, 1, CHUNK_PAGES)


cdef bint resize_run(Arena* a, uint32_t index, size_t n) noexcept nogil:
    """Shrink a large object in place, or grow it into the free run behind it."""
    cdef Chunk* c = &a.chunks[index]
    cdef uint32_t pages, length, have = c.length, behind = index + c.length
    if n > a.head.reserved:
        return False
    pages = <uint32_t>((n + PAGE - 1) // PAGE)
    length = (pages + CHUNK_PAGES - 1) // CHUNK_PAGES
    if pages < c.pages and a.undo != NULL:
        return False        # what it would give up must last until the commit
    note_head(a)
    to_change(a, index)
    to_change(a, behind - 1)
    if length > have:
        if behind >= a.head.chunks or a.chunks[behind].state != CHUNK_FREE or a.chunks[behind].length < length - have:
            return False
        touch(a, behind - 1, CHUNK_PAGES)
        take_run(a, behind, length - have, pages - have * CHUNK_PAGES)
    elif length < have:
        a.chunks[index + length - 1].state = CHUNK_REST
        release(a, index + length, have - length, (have - length - 1) * CHUNK_PAGES + a.chunks[behind - 1].touched)
    else:
        touch(a, behind - 1, pages - (length - 1) * CHUNK_PAGES)
    c.state = CHUNK_RUN
    c.length = length
    a.head.used += (<uint64_t>pages - c.pages) * PAGE
    a.head.peak = max(a.head.peak, a.head.used)
    c.pages = pages
    return True


cdef Ref arena_resize(Arena* a, Ref ref, size_t n) noexcept nogil:
    """Give an object room for n > 0 bytes, in place if that is possible, keeping its first ones.

    returns  the object's reference, changed if it moved; 0 when the mapping is full (the object is as it was)
    """
    cdef uint32_t index = ref // CHUNK_UNITS
    cdef Chunk* c = &a.chunks[index]
    cdef size_t have = arena_size(a, ref)
    cdef Ref moved
    if c.state == CHUNK_SLAB:
        if n <= SMALL_MAX and a.head.class_of[(n + 7) >> 3] == c.size_class:
            return ref
    elif n > SMALL_MAX and resize_run(a, index, n):
        return ref
    moved = arena_alloc(a, n)
    if moved == 0:
        return ref if n <= have else 0
    memcpy(arena_at(a, moved), arena_at(a, ref), min(n, have))
    arena_free(a, ref)
    return moved


# ---------------------------------------------------------------- giving memory back

cdef uint32_t clean_run(Arena* a, uint32_t index, uint32_t max_pages) noexcept nogil:
    """Give pages of a free run back, max_pages or a chunk's worth more; returns how many."""
    cdef uint32_t length = a.chunks[index].length, dirty = a.chunks[index].dirty
    cdef uint32_t i = index, end = index + length, start, pages, done = 0
    unlink_run(a, index)
    while done < dirty and done < max_pages:
        start = i
        pages = 0
        while i < end and a.chunks[i].touched and done + pages < max_pages:
            pages += a.chunks[i].touched
            i += 1
        if pages == 0:
            i += 1
            continue
        if madvise(a.base + <size_t>start * CHUNK, <size_t>(i - start) * CHUNK,
                   MADV_DONTNEED if a.fd < 0 else MADV_REMOVE) != 0:
            break
        while start < i:
            to_change(a, start).touched = 0
            start += 1
        done += pages
    link_run(a, index, length, dirty - done)
    return done


cdef size_t arena_trim(Arena* a, size_t max_bytes) noexcept nogil:
    """Give dirty free chunks back to the system, longest runs first.

    max_bytes  stop when this much was given back (a chunk more at most)
    returns    bytes given back
    """
    cdef ArenaHeader* head = a.head
    cdef uint32_t pages
    cdef size_t given = 0
    note_head(a)
    head.peak = max(head.peak, head.used)
    while given < max_bytes and head.run_masks[DIRTY]:
        pages = clean_run(a, head.run_bins[DIRTY][63 - clz64(head.run_masks[DIRTY])],
                          <uint32_t>(min(max_bytes - given, head.reserved) // PAGE + 1))
        if pages == 0:
            break
        given += <size_t>pages * PAGE
    head.resident -= given
    return given


cdef void arena_settle(Arena* a) noexcept nogil:
    """After a rollback: give back the pages that were written for objects which are no more."""
    cdef uint32_t bin, index
    for bin in range(<uint32_t>RUN_BINS):
        index = a.head.run_bins[CLEAN][bin]
        while index:
            madvise(a.base + <size_t>index * CHUNK, <size_t>a.chunks[index].length * CHUNK,
                    MADV_DONTNEED if a.fd < 0 else MADV_REMOVE)
            index = a.chunks[index].next


cdef bint arena_sparse(Arena* a, Ref ref) noexcept nogil:
    """Whether moving this object (allocate, copy, free) helps to empty its chunk.

    True for objects of chunks that are under 7/8 full while their class could do with a chunk less.
    The chunk that serves allocations is never sparse: it takes the moved objects until it is full, then
    the next one does. So one pass over all objects moves each at most once and leaves the class in
    nearly as few chunks as it needs.
    """
    cdef uint32_t index = ref // CHUNK_UNITS
    cdef Chunk* c = &a.chunks[index]
    cdef SizeClass* cls
    if c.state != CHUNK_SLAB:
        return False
    cls = &a.head.classes[c.size_class]
    return (index != cls.partial and <uint32_t>c.used * 8 < cls.capacity * 7
            and <uint64_t>cls.chunks * cls.capacity - cls.used >= cls.capacity)


cdef size_t arena_slack(Arena* a) noexcept nogil:
    """Bytes in slab chunks beyond what the objects need: what moving the sparse ones could win at most."""
    cdef SizeClass* cls
    cdef size_t slack = 0
    cdef uint32_t i
    for i in range(a.head.class_count):
        cls = &a.head.classes[i]
        slack += (cls.chunks - (cls.used + cls.capacity - 1) // cls.capacity) * CHUNK
    return slack


# ---------------------------------------------------------------- checking

cdef int check_slab(Arena* a, uint32_t index) noexcept nogil:
    cdef Chunk* c = &a.chunks[index]
    cdef SizeClass* cls = &a.head.classes[c.size_class]
    cdef uint32_t units = cls.size >> 3, free = 0, next = c.free_head
    if c.size_class >= a.head.class_count or c.used == 0 or c.used > cls.capacity or c.touched != CHUNK_PAGES:
        return 1
    if c.fresh % units or c.fresh > cls.capacity * units:
        return 2
    while next:
        free += 1
        if (next - 1) % units or next > c.fresh or free > cls.capacity:
            return 3
        next = load_u32(a.base + <size_t>index * CHUNK + (next - 1) * 8)
    return 0 if free + c.used == c.fresh // units else 4


cdef int arena_check(Arena* a) noexcept nogil:
    """Walk everything; 0 = consistent, else a number that names the first fault found."""
    cdef ArenaHeader* head = a.head
    cdef size_t header = (sizeof(ArenaHeader) + PAGE - 1) & ~<size_t>(PAGE - 1)
    cdef uint64_t used = header, resident = header + 2 * PAGE, objects
    cdef uint32_t rows = PAGE // sizeof(Chunk)
    cdef uint32_t index = head.first_chunk, i, pages, slabs = 0, listed, runs = 0, prev
    cdef int fault, kind
    cdef bint after_free = False
    cdef Chunk* c
    resident += <uint64_t>(head.high // rows - head.first_chunk // rows) * PAGE
    while index < head.chunks:
        c = &a.chunks[index]
        if c.state == CHUNK_SLAB:
            fault = check_slab(a, index)
            if fault:
                return fault
            used += <uint64_t>c.used * head.classes[c.size_class].size
            resident += CHUNK
            slabs += 1
            index += 1
            after_free = False
            continue
        if c.state == CHUNK_REST or c.length == 0 or c.length > head.chunks - index:
            return 10
        pages = 0
        for i in range(index, min(index + c.length, head.high)):    # rows behind were never written
            if a.chunks[i].touched > CHUNK_PAGES:
                return 11
            if c.state == CHUNK_RUN and i > index and a.chunks[i].state != CHUNK_REST:
                return 12
            pages += a.chunks[i].touched
        resident += <uint64_t>pages * PAGE
        if c.state == CHUNK_RUN:
            if c.pages > pages or (c.pages + CHUNK_PAGES - 1) // CHUNK_PAGES != c.length:
                return 13
            used += <uint64_t>c.pages * PAGE
        else:
            runs += 1
            if after_free or pages != c.dirty or a.chunks[index + c.length - 1].length != c.length:
                return 14
        after_free = c.state == CHUNK_FREE
        index += c.length
    if index != head.chunks or used != head.used or resident != head.resident:
        return 20
    for kind in range(2):
        for i in range(<uint32_t>RUN_BINS):
            if (head.run_bins[kind][i] != 0) != ((head.run_masks[kind] >> i) & 1):
                return 21
            prev = 0
            index = head.run_bins[kind][i]
            while index:
                c = &a.chunks[index]
                if c.state != CHUNK_FREE or bin_of(c.length) != i or (c.dirty != 0) != kind or c.prev != prev or runs == 0:
                    return 22
                runs -= 1
                prev = index
                index = c.next
    if runs:
        return 23
    for i in range(head.class_count):       # every chunk with room is listed: full ones and these make all objects
        listed = 0
        objects = 0
        prev = 0
        index = head.classes[i].partial
        while index:
            c = &a.chunks[index]
            if c.state != CHUNK_SLAB or c.size_class != i or c.used >= head.classes[i].capacity or c.prev != prev:
                return 24
            listed += 1
            if listed > head.classes[i].chunks:
                return 25
            objects += c.used
            prev = index
            index = c.next
        if objects + <uint64_t>(head.classes[i].chunks - listed) * head.classes[i].capacity != head.classes[i].used:
            return 26
        slabs -= head.classes[i].chunks
    return 27 if slabs else 0


# ---------------------------------------------------------------- for the tests

cdef class ArenaHandle:
    """An arena, for the tests."""
    cdef Arena arena

    def __cinit__(self, size_t reserve=64 << 20, bint shared=False):
        self.arena.base = NULL
        self.arena.fd = -1
        if arena_open(&self.arena, reserve, shared) != OK:
            raise MemoryError("the mapping was refused")

    def __dealloc__(self):
        arena_close(&self.arena)

    def alloc(self, size_t n):
        return arena_alloc(&self.arena, n)

    def free(self, Ref ref):
        arena_free(&self.arena, ref)

    def resize(self, Ref ref, size_t n):
        return arena_resize(&self.arena, ref, n)

    def size(self, Ref ref):
        return arena_size(&self.arena, ref)

    def address(self, Ref ref):
        return <uintptr_t>arena_at(&self.arena, ref)

    def write(self, Ref ref, const unsigned char[::1] data, size_t offset=0):
        if data.shape[0]:
            memcpy(arena_at(&self.arena, ref) + offset, &data[0], data.shape[0])

    def read(self, Ref ref, size_t n, size_t offset=0):
        return (arena_at(&self.arena, ref) + offset)[:n]

    def trim(self, size_t max_bytes):
        return arena_trim(&self.arena, max_bytes)

    def sparse(self, Ref ref):
        return arena_sparse(&self.arena, ref)

    def slack(self):
        return arena_slack(&self.arena)

    def check(self):
        return arena_check(&self.arena)

    def info(self):
        cdef ArenaHeader* head = self.arena.head
        return {"used": head.used, "peak": head.peak, "resident": head.resident, "reserved": head.reserved,
                "seed": tuple(head.seed.secret[i] for i in range(4)),
                "room": <uint64_t>(head.chunks - head.first_chunk) * CHUNK}

    def classes(self):
        """(size, capacity, chunks, used) of each size class."""
        cdef SizeClass* cls
        rows = []
        for i in range(self.arena.head.class_count):
            cls = &self.arena.head.classes[i]
            rows.append((cls.size, cls.capacity, cls.chunks, cls.used))
        return rows
