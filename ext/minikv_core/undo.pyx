"""The undo log of an arena that several processes change.

A record is the old content of a few words of the arena. It is appended before they change
(undo_note), and counts from the moment at which `used` says so: a process killed between two
instructions leaves a whole record or none. Rolling back writes the records' contents to the arena,
the last record's first, so that of several with the same place the oldest has the last word. It can
be killed and run again.

Not everything needs a record:
- The content of a new object: rolled back, it is free again. But for its first word, if it came from
  a free list, which is a link.
- The content of an object that is freed. It goes only at the commit, which begins with freeing these
  objects, under the log as any change: nothing else can have been allocated in their place.
- For the same reason, free memory that is given back to the system.
- The access clock of an entry: any value will do.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap
from minikv_core.arena cimport PAGE, Arena, Noted, Undo, arena_free_now, arena_settle, later_frees
from minikv_core.memory cimport publish
from minikv_core.types cimport NO_MEMORY, OK, Ref

cdef extern from "<sys/mman.h>" nogil:
    int MADV_REMOVE
    int madvise(void* start, size_t length, int advice)

cdef enum:
    RESERVE_MIN = 64 << 20      # bytes; a refused reservation is halved down to this
    KEEP = 1 << 20              # bytes of the log that stay resident after a commit

if sizeof(Undo) > PAGE:
    raise ImportError("undo: unexpected struct layout")


cdef Status undo_open(Arena* a, size_t reserve) noexcept nogil:
    """Give an arena an undo log.

    reserve  bytes that one section may need for old contents; halved down to 64 MiB if the system refuses
    errors   NO_MEMORY
    """
    cdef void* base
    reserve &= ~<size_t>(PAGE - 1)
    while True:
        base = mmap(NULL, PAGE + reserve, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if base != MAP_FAILED:
            break
        if reserve < 2 * <size_t>RESERVE_MIN:
            return NO_MEMORY
        reserve = (reserve >> 1) & ~<size_t>(PAGE - 1)
    (<Undo*>base).room = reserve
    a.undo = <Undo*>base
    return OK


cdef void undo_close(Arena* a) noexcept nogil:
    """Unmap the log; harmless on an arena without one."""
    if a.undo != NULL:
        munmap(a.undo, PAGE + a.undo.room)
        a.undo = NULL


cdef void forget(Undo* u) noexcept nogil:
    """Empty the log."""
    cdef uint64_t used = u.used, frees = u.frees * sizeof(Ref)
    memset(u.recent, 0, sizeof(u.recent))
    u.frees = u.freed = 0
    publish(&u.used, 0)         # only now is the section over
    if used > KEEP:
        madvise(<char*>u + PAGE + KEEP, (used - KEEP + PAGE - 1) // PAGE * PAGE, MADV_REMOVE)
    if frees > KEEP:
        madvise(<char*>u + PAGE + u.room - frees // PAGE * PAGE, frees // PAGE * PAGE, MADV_REMOVE)


cdef void undo_commit_slow(Arena* a) noexcept nogil:
    cdef Ref* end = later_frees(a.undo)
    cdef uint64_t i
    for i in range(a.undo.frees):
        arena_free_now(a, (end - 1 - i)[0])
    forget(a.undo)


cdef void undo_rollback(Arena* a) noexcept nogil:
    """Take back all changes since the last commit."""
    cdef char* log
    cdef uint64_t at
    cdef Noted* noted
    if a.undo == NULL:
        return
    log = <char*>a.undo + PAGE
    at = a.undo.used
    while at:
        at -= sizeof(Noted)
        noted = <Noted*>(log + at)
        at -= <uint64_t>noted.units << 3
        memcpy(a.base + (<size_t>noted.start << 3), log + at, <size_t>noted.units << 3)
    arena_settle(a)
    forget(a.undo)
