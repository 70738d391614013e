# The undo log: what makes a change of a shared arena whole or undone, wherever its process is killed.
#
# Processes that serve one store change it one after another, behind a lock. Until undo_commit the log
# can bring the arena back to where it was at the last commit; so the owner of a lock commits before it
# lets go, and whoever gets the lock of a process that died holding it rolls back first.
from libc.stddef cimport size_t
from minikv_core.arena cimport Arena
from minikv_core.memory cimport unlikely
from minikv_core.types cimport Status

cdef Status undo_open(Arena* a, size_t reserve) noexcept nogil      # before the processes fork
cdef void undo_close(Arena* a) noexcept nogil
cdef void undo_commit_slow(Arena* a) noexcept nogil
cdef void undo_rollback(Arena* a) noexcept nogil        # harmless when there is nothing to undo

cdef inline void undo_commit(Arena* a) noexcept nogil:
    """Make what was changed since the last commit last, and free what was freed."""
    if unlikely(a.undo != NULL) and a.undo.used | a.undo.frees:
        undo_commit_slow(a)
