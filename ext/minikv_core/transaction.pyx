"""MULTI, EXEC and DISCARD.

Inside MULTI the session hands every command that passes its checks to queue_command, which keeps a
copy: one malloc'd object with the arguments' bytes behind it. A large argument is not copied: its
block moves from the request to the queue, and from there, at EXEC, to the command that stores it.
Nothing runs in between, so what EXEC runs is atomic.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy
from minikv_core.arena cimport arena_free
from minikv_core.engine cimport (
    ALLOW_BUSY, DIRTY_EXEC, FAST, IN_EXEC, IN_MULTI, LOADING, NOSCRIPT, QUEUEING, REPLY_OFF, REPLY_SKIP,
    RUNS_QUEUE, Session, SKIP_SLOWLOG, STALE,
)
from minikv_core.output cimport OutMark, output_mark, output_rollback
from minikv_core.registry cimport fn
from minikv_core.reply cimport reply_array, reply_null_array, reply_ok, reply_simple
from minikv_core.session cimport fail, fail_status, on_queue, on_session_end, session_close, session_run
from minikv_core.types cimport NO_MEMORY, OK, Slice, Status
from minikv_core.watch cimport unwatch_all, watch_failed

from minikv_core.registry import define

cdef struct Queued:             # one command; its slices and their bytes follow
    Queued*  next
    uint32_t argc

cdef struct Transaction:        # Session.transaction; malloc'd by the first queued command
    Queued*  first
    Queued*  last
    uint32_t count

cdef inline Slice* queued_argv(Queued* q) noexcept nogil:
    return <Slice*>(q + 1)

cdef int64_t queued_count(const Session* s) noexcept nogil:
    if s.gate & QUEUEING == 0:
        return -1
    return (<Transaction*>s.transaction).count if s.transaction != NULL else 0

# ---------------------------------------------------------------- the queue

cdef Queued* copy_request(Session* s) noexcept nogil:
    """Copy the request that runs, taking its blocks over; NULL = no memory."""
    cdef size_t bytes = sizeof(Queued) + s.argc * sizeof(Slice)
    cdef Queued* q
    cdef Slice* argv
    cdef char* p
    cdef uint32_t i
    for i in range(s.argc):
        if s.argv[i].block == 0:
            bytes += s.argv[i].len
    q = <Queued*>malloc(bytes)
    if q == NULL:
        return NULL
    q.next = NULL
    q.argc = s.argc
    argv = queued_argv(q)
    p = <char*>(argv + s.argc)
    for i in range(s.argc):
        argv[i] = s.argv[i]
        if argv[i].block:
            bytes += argv[i].len
            s.argv[i].block = 0
        else:
            argv[i].ptr = p
            if argv[i].len:
                memcpy(p, s.argv[i].ptr, argv[i].len)
            p += argv[i].len
    s.queued_bytes += bytes
    return q

cdef void queue_command(Session* s) noexcept nogil:
    cdef Transaction* t = <Transaction*>s.transaction
    cdef Queued* q
    if s.flags & DIRTY_EXEC == 0:           # else it will not run anyway
        if t == NULL:
            t = <Transaction*>calloc(1, sizeof(Transaction))
            s.transaction = t
        q = copy_request(s) if t != NULL else NULL
        if q == NULL:
            s.flags |= DIRTY_EXEC
            fail_status(s, NO_MEMORY)
            return
        if t.last == NULL:
            t.first = q
        else:
            t.last.next = q
        t.last = q
        t.count += 1
        s.queued_flags |= s.command.flags
        if <int64_t>s.queued_bytes > s.engine.config.client_query_buffer_limit:
            s.engine.stats.query_limit_disconnections += 1
            session_close(s, False)
    reply_simple(&s.out, b"QUEUED")

cdef void free_queue(Session* s) noexcept nogil:
    cdef Transaction* t = <Transaction*>s.transaction
    cdef Queued* q
    cdef Slice* argv
    cdef uint32_t i
    if t != NULL:
        while t.first != NULL:
            q = t.first
            t.first = q.next
            argv = queued_argv(q)
            for i in range(q.argc):
                if argv[i].block:           # no command has taken it over
                    arena_free(&s.engine.arena, argv[i].block)
            free(q)
        free(t)
    s.transaction = NULL
    s.queued_flags = 0
    s.queued_bytes = 0

cdef void discard(Session* s) noexcept nogil:
    """Leave MULTI, with what was queued and watched."""
    free_queue(s)
    s.gate &= ~<uint32_t>QUEUEING
    s.flags &= ~<uint32_t>DIRTY_EXEC
    unwatch_all(s)

# ---------------------------------------------------------------- commands

define("MULTI", fn(cmd_multi), arity=1, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | IN_MULTI,
       group="transactions", since="1.2.0", cost="O(1)", summary="Queue the commands that follow, up to EXEC.")
cdef Status cmd_multi(Session* s) noexcept nogil:
    if s.gate & QUEUEING:
        return fail(s, b"ERR MULTI calls can not be nested")
    s.gate |= QUEUEING
    reply_ok(&s.out)
    return OK

define("DISCARD", fn(cmd_discard), arity=1, flags=NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY | IN_MULTI,
       group="transactions", since="2.0.0", cost="O(N) for N queued commands",
       summary="Drop the queued commands and forget all watched keys.")
cdef Status cmd_discard(Session* s) noexcept nogil:
    if s.gate & QUEUEING == 0:
        return fail(s, b"ERR DISCARD without MULTI")
    discard(s)
    reply_ok(&s.out)
    return OK

define("EXEC", fn(cmd_exec), arity=1, flags=NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG | IN_MULTI | RUNS_QUEUE,
       group="transactions", since="1.2.0", cost="that of the queued commands",
       summary="Run the queued commands, with nothing in between, and reply with all their replies.")
cdef Status cmd_exec(Session* s) noexcept nogil:
    cdef Transaction* t = <Transaction*>s.transaction
    cdef Queued* q
    cdef OutMark mark
    cdef Status status
    output_mark(&s.out, &mark)
    status = begin_exec(s)
    if s.gate & (REPLY_OFF | REPLY_SKIP):
        output_rollback(&s.out, &mark)
    if s.flags & IN_EXEC:
        q = t.first if t != NULL else NULL
        while q != NULL:
            session_run(s, queued_argv(q), q.argc)
            q = q.next
        s.flags &= ~<uint32_t>IN_EXEC
        discard(s)
    return status

cdef Status begin_exec(Session* s) noexcept nogil:
    """Reply what comes before the commands' own replies, or why they don't run; IN_EXEC = they do."""
    if s.gate & QUEUEING == 0:
        return fail(s, b"ERR EXEC without MULTI")
    if s.flags & DIRTY_EXEC:
        discard(s)
        return fail(s, b"EXECABORT Transaction discarded because of previous errors.")
    if watch_failed(s):
        discard(s)
        reply_null_array(&s.out)
        return OK
    unwatch_all(s)              # its own changes must not count, and cost nothing
    reply_array(&s.out, queued_count(s))
    s.flags |= IN_EXEC
    return OK

on_queue(queue_command, discard)
on_session_end(discard)
